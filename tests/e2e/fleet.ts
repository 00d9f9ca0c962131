// A fleet of which everything is known: sessions that end in every way there is, calls whose chunks have known times, a
// console that restarts in the middle, a proxy that is killed and one that drains. Tests hold what the console says
// against what was done here.
import type {WebSocket} from 'ws';
import {connectEndpoint, type Endpoint} from '../lib/endpoint.js';
import type {Proxy} from '../lib/proxy.js';
import {pool, withDeadline} from '../lib/wait.js';
import {type Console, console_} from './console.js';
import {type Backend, backend, closed, connected, proxy, roundTrip, shut} from './support.js';

export type Kind =
  | 'goodbye' // 1000, from the client
  | 'away' // 1001, from the client: a page that is left
  | 'crash' // 1011, from the server
  | 'refusal' // 4001, from the server
  | 'violation'
  | 'reset'
  | 'silence' // pings unanswered
  | 'flood' // a message over the limit
  | 'idle'
  | 'open'; // until the end, or its proxy's
export type Member = 'alpha' | 'beta' | 'gamma'; // stays; is killed; drains

// How many of each, by proxy: 294 sessions, and the six of `call` below.
export const plan: Record<Member, Partial<Record<Kind, number>>> = {
  alpha: {
    goodbye: 38,
    away: 10,
    crash: 10,
    refusal: 10,
    violation: 8,
    reset: 8,
    silence: 6,
    flood: 8,
    idle: 8,
    open: 30,
  },
  beta: {goodbye: 18, crash: 5, refusal: 5, open: 50},
  gamma: {goodbye: 20, away: 5, reset: 5, open: 50},
};
// Route by kind: some ways to end are a route's own.
export const routeOf = (kind: Kind, number: number): string =>
  kind === 'silence' ? 'pulse' : kind === 'flood' ? 'narrow' : kind === 'idle' ? 'lull' : number % 3 ? 'chat' : 'feed';

// Clients are in three networks, and all that crash or are reset in one of them.
const clientOf = (kind: Kind, number: number): string =>
  kind === 'crash' || kind === 'reset' ? '127.0.7.1' : `127.0.${number % 2}.1`;

export interface Session {
  path: string; // also its target, and unlike any other
  member: Member;
  kind: Kind;
  route: string;
  client: string; // its address
  messages: [number, number]; // data only, by sender: client, server
  bytes: [number, number]; // payload of them
  lengths: [number[], number[]]; // of each message
  unanswered: number; // pings
  opened_ms: [after: number, before: number]; // by this process's clock: between these
  ended_ms: [after: number, before: number]; // as far as it ended: `before` is known to whoever waits for the proxy
}
const never = (): [number, number] => [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];

export interface Fleet {
  console: Console;
  server: Backend;
  proxies: Record<Member, Proxy>;
  sessions: Session[];
  began_ms: number;
}

// Answers calls on /graph/calls/…, closes where it is told to, echoes everything else.
async function upstream(): Promise<Backend> {
  const server = await backend({echo: false, protocols: ['graphql-transport-ws']});
  server.accepted = (socket) => {
    const kind = server.requests.at(-1)!.url!.split('/')[2];
    if (kind === 'calls') return answer(socket);
    socket.on('message', (data, binary) => {
      const text = String(data);
      if (text === 'crash') socket.close(1011, 'out of memory');
      else if (text === 'refusal') socket.close(4001, 'no such tenant');
      else socket.send(data as Buffer, {binary});
    });
  };
  return server;
}

export async function fleet(): Promise<Fleet> {
  const one = await console_();
  const server = await upstream();
  const at = `ws://127.0.0.1:${server.port}`;
  const routes = [
    {name: 'pulse', heartbeat: {interval: '400ms', timeout: '400ms', misses: 2, upstream: false}},
    {name: 'narrow', limits: {message: '1KiB', frame: '1KiB'}},
    {name: 'lull', limits: {idle_timeout: '3s'}},
    {name: 'chat'},
    {name: 'feed'},
    {name: 'graph'},
  ].map((route) => ({
    heartbeat: {interval: '1h', timeout: '1h'},
    ...route,
    match: {path: `/${route.name}`},
    upstream: at,
  }));
  const began_ms = Date.now();
  const [alpha, beta, gamma] = await Promise.all(
    ['alpha', 'beta', 'gamma'].map((service) =>
      proxy({
        routes,
        config: {
          service,
          drain: {timeout: '1s'},
          export: {otlp: {endpoint: one.otlp}, console: {endpoint: one.url}},
        },
      }),
    ),
  );
  return {console: one, server, proxies: {alpha: alpha!, beta: beta!, gamma: gamma!}, sessions: [], began_ms};
}

export interface Open {
  session: Session;
  socket?: WebSocket;
  raw?: Endpoint;
  over?: Promise<unknown>; // of a session that ends by itself
}

const wordOf = (number: number, i: number): string => `${number} ${i} ${'.'.repeat((number * 7 + i) % 200)}`;

function tellOf(session: Session, side: 0 | 1, text: string): void {
  ++session.messages[side];
  session.bytes[side] += Buffer.byteLength(text);
  session.lengths[side].push(Buffer.byteLength(text));
}

async function open(of: Fleet, member: Member, kind: Kind, number: number): Promise<Open> {
  const route = routeOf(kind, number);
  const path = `/${route}/${kind}/${member}-${number}`;
  const {port} = of.proxies[member];
  const client = clientOf(kind, number);
  const session: Session = {
    path,
    member,
    kind,
    route,
    client,
    messages: [0, 0],
    bytes: [0, 0],
    lengths: [[], []],
    unanswered: 0,
    opened_ms: [Date.now(), 0],
    ended_ms: never(),
  };
  const raw =
    kind === 'violation' || kind === 'silence'
      ? await connectEndpoint({port, localAddress: client}, {path})
      : undefined;
  const socket = raw ? undefined : await connected(`ws://127.0.0.1:${port}${path}`, {localAddress: client});
  session.opened_ms[1] = Date.now();
  if (raw && kind === 'silence') [raw.answerPings, raw.recordPings] = [false, true];
  const count = 1 + (number % 5);
  for (let i = 0; i < count; ++i) {
    const text = wordOf(number, i);
    if (socket) await roundTrip(socket, text);
    else {
      await raw!.text(text);
      await raw!.next(10_000);
    }
    for (const side of [0, 1] as const) tellOf(session, side, text);
  }
  of.sessions.push(session);
  return {session, socket, raw, over: kind === 'idle' ? closed(socket!, 60_000) : undefined};
}

// Ends it the way its kind does, and waits until its client has seen it end.
async function end({session, socket, raw, over: ending}: Open): Promise<void> {
  const {kind} = session;
  // Silence and idleness end by themselves, after what was said.
  session.ended_ms[0] = kind === 'silence' || kind === 'idle' ? session.opened_ms[1] : Date.now();
  if (kind === 'goodbye') await shut(socket!, 1000);
  else if (kind === 'away') {
    // `ws` itself refuses to send 1001, which browsers do.
    const over = closed(socket!);
    (socket as unknown as {_sender: {close(code: number, data: string, mask: boolean): void}})._sender.close(
      1001,
      '',
      true,
    );
    await over;
  } else if (kind === 'crash' || kind === 'refusal') {
    const over = closed(socket!);
    socket!.send(kind);
    tellOf(session, 0, kind);
    await over;
  } else if (kind === 'violation') {
    await raw!.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    await raw!.until(() => raw!.ended !== undefined, 10_000);
  } else if (kind === 'reset') {
    (socket as unknown as {_socket: {resetAndDestroy(): void}})._socket.resetAndDestroy();
  } else if (kind === 'silence') {
    await raw!.until(() => raw!.ended !== undefined, 20_000);
    session.unanswered = raw!.log.filter((event) => event.kind === 'ping').length;
  } else if (kind === 'flood') {
    const over = closed(socket!);
    socket!.send(Buffer.alloc(2000));
    await over;
  } else if (kind === 'idle') {
    await ending;
  }
}

// Opens all of the plan, half of it before `between` and half of it afterwards.
export async function openAll(of: Fleet, between: () => Promise<void>): Promise<Open[]> {
  const all: Open[] = [];
  let number = 0;
  const tasks = Object.entries(plan).flatMap(([member, kinds]) =>
    Object.entries(kinds).flatMap(([kind, count]) =>
      Array.from({length: count}, () => {
        const mine = number++;
        return async () => void all.push(await open(of, member as Member, kind as Kind, mine));
      }),
    ),
  );
  await pool(
    24,
    tasks.filter((_, i) => i % 2),
  );
  await between();
  await pool(
    24,
    tasks.filter((_, i) => !(i % 2)),
  );
  return all;
}
export const endThose = (those: Open[]): Promise<void> =>
  pool(
    24,
    those.map((one) => () => end(one)),
  );

// ---- calls

export type Manner = 'ok' | 'error' | 'cancelled';
// When chunks come, in ms since the call or the chunk before, and how the call ends.
export const operations: Record<string, {gaps: number[]; manner: Manner}> = {
  Steady: {gaps: [20, 20, 20, 20], manner: 'ok'},
  LateStart: {gaps: [150, 10, 10], manner: 'ok'},
  LongPause: {gaps: [10, 10, 180, 10], manner: 'ok'},
  Broken: {gaps: [10, 10], manner: 'error'},
  Cut: {gaps: [10, 10], manner: 'cancelled'},
};

// What the ends saw of a call, by this process's monotonic clock in ms. The proxy is between them, so whatever it
// measures from the request to a chunk is at least `sent - got` and at most `seen - asked`, however busy the machine
// is.
export interface Call {
  service: Member;
  path: string; // of its session
  operation: string;
  asked: number; // before the client sends
  got: number; // the server has the request
  sent: number[]; // before the server sends each chunk
  seen: number[]; // the client has each
  ended: number; // before the end is sent, by whoever ends it
  over: number; // the other side has the end
}
const calls = new Map<string, Call>(); // by id, which is unlike any other

function answer(socket: WebSocket): void {
  socket.on('message', (data) => {
    const {id, type, payload} = JSON.parse(String(data));
    const call = calls.get(id)!;
    if (type === 'complete') return void (call.over = performance.now());
    call.got = performance.now();
    const {gaps, manner} = operations[payload.operationName]!;
    const next = (): void => {
      call.sent.push(performance.now());
      socket.send(JSON.stringify({id, type: 'next', payload: {data: {n: call.sent.length}}}));
      if (call.sent.length < gaps.length) return void setTimeout(next, gaps[call.sent.length]);
      if (manner === 'cancelled') return;
      call.ended = performance.now();
      socket.send(
        JSON.stringify(
          manner === 'ok' ? {id, type: 'complete'} : {id, type: 'error', payload: [{message: 'the field broke'}]},
        ),
      );
    };
    setTimeout(next, gaps[0]);
  });
}

// `each` calls of every operation, over `connections` sessions of one proxy. Gives the calls and the sessions, closed.
export async function call(of: Fleet, member: Member, connections: number, each: number): Promise<Call[]> {
  const made: Call[] = [];
  const work = Array.from({length: each}, () => Object.keys(operations)).flat();
  await Promise.all(
    Array.from({length: connections}, async (_, n) => {
      const path = `/graph/calls/${member}-${n}`;
      const opened = Date.now();
      const socket = await connected(`ws://127.0.0.1:${of.proxies[member].port}${path}`, {}, ['graphql-transport-ws']);
      const session: Session = {
        path,
        member,
        kind: 'goodbye',
        route: 'graph',
        client: '127.0.0.1',
        messages: [0, 0],
        bytes: [0, 0],
        lengths: [[], []],
        unanswered: 0,
        opened_ms: [opened, Date.now()],
        ended_ms: never(),
      };
      of.sessions.push(session);
      const send = (text: string): void => {
        tellOf(session, 0, text);
        socket.send(text);
      };
      for (let operation = work.pop(); operation; operation = work.pop()) {
        const id = `${member}-${n}-${made.length}`;
        const one: Call = {service: member, path, operation, asked: 0, got: 0, sent: [], seen: [], ended: 0, over: 0};
        calls.set(id, one);
        made.push(one);
        await withDeadline(20_000, `the end of ${operation}`, async () => {
          const done = new Promise<void>((resolve) => {
            const hear = (data: unknown): void => {
              const {type} = JSON.parse(String(data));
              tellOf(session, 1, String(data));
              if (type === 'next') one.seen.push(performance.now());
              const cut = operations[operation]!.manner === 'cancelled' && one.seen.length === 2;
              if (cut) {
                one.ended = performance.now();
                send(JSON.stringify({id, type: 'complete'}));
              } else if (type === 'next') return;
              else one.over = performance.now();
              socket.off('message', hear);
              resolve();
            };
            socket.on('message', hear);
          });
          one.asked = performance.now();
          const query = `subscription ${operation} { n }`;
          send(JSON.stringify({id, type: 'subscribe', payload: {query, operationName: operation}}));
          await done;
        });
      }
      session.ended_ms[0] = Date.now();
      await shut(socket);
    }),
  );
  return made;
}
