// What happens to the fleet of a truth run, and when: the moments are this process's clock, each between what was done
// before it and what was done after it.
import {eventually, pause} from '../lib/wait.js';
import type {Json} from './console.js';
import {
  call,
  type Call,
  endThose,
  type Fleet,
  fleet,
  type Kind,
  type Member,
  openAll,
  operations,
  type Session,
} from './fleet.js';
import {metrics} from './support.js';

export const patience = 30_000;
export const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
export const tally = <T>(of: T[], key: (one: T) => string): Record<string, number> => {
  const table: Record<string, number> = {};
  for (const one of of) table[key(one)] = (table[key(one)] ?? 0) + 1;
  return table;
};

export interface End {
  code: number;
  why: string;
  initiator: string;
  abnormal: boolean;
}
const endOf = (code: number, why: string, initiator: string, abnormal: boolean): End => ({
  code,
  why,
  initiator,
  abnormal,
});
// How the console is to tell each end.
const ends: Record<Exclude<Kind, 'open'> | 'drained', End> = {
  goodbye: endOf(1000, 'normal', 'client', false),
  away: endOf(1001, 'normal', 'client', false),
  crash: endOf(1011, 'normal', 'server', true),
  refusal: endOf(4001, 'normal', 'server', true),
  violation: endOf(1002, 'protocol_error', 'proxy', true),
  reset: endOf(1006, 'reset', 'client', true),
  silence: endOf(1001, 'heartbeat_timeout', 'proxy', true),
  flood: endOf(1009, 'limit', 'proxy', true),
  idle: endOf(1001, 'idle', 'proxy', false),
  drained: endOf(1001, 'drain', 'proxy', false),
};

export interface Moments {
  began: number;
  half: number; // half of the sessions are open
  ended: number; // what was to end before a proxy went has ended
  // The console: it had stored an end of then, was not there any more, was not there yet, answered.
  stored: number;
  killed: number;
  absent: number;
  back: number;
  heard: number; // of beta, as the console told before it was killed
  lost: number; // beta was not there any more
  gone: number; // gamma was there then
  over: number;
}
export interface Run {
  fleet: Fleet;
  calls: Call[];
  at: Moments;
  instances: Record<Member, string>;
  asked: string; // the range of all of it
  figures: string; // the same, of whole tens of seconds
}

// Null: it has not ended, as far as can be known.
export function fate({kind, member}: Session): End | null {
  if (kind !== 'open') return ends[kind];
  return member === 'gamma' ? ends.drained : null;
}
export const endedSessions = (run: Run): Session[] => run.fleet.sessions.filter((one) => fate(one));
export const pathsOf = (sessions: Session[]): string[] => sessions.map((one) => one.path).sort();

// Now, and well apart from what was done before and will be done after, by clocks that tell milliseconds.
async function moment(): Promise<number> {
  await pause(5);
  const now = Date.now();
  await pause(5);
  return now;
}

export async function fleetRun(): Promise<Run> {
  const all = await fleet();
  const {console: one, proxies} = all;
  const at = {began: all.began_ms} as Moments;
  const instances = {} as Run['instances'];
  const seen = async (member: Member): Promise<Json> =>
    (await one.api('/status')).proxies.find((each: Json) => each.service === member);
  const active = (member: Member, count: number) =>
    eventually(
      `${member} has ${count} sessions`,
      async () => (await metrics(proxies[member])).sum('websocket_connections_active') === count,
      patience,
      50,
    );
  const connected = (wanted: number) =>
    eventually(
      `${wanted} proxies are connected`,
      async () => (await one.api('/status')).proxies.filter((each: Json) => each.connected).length === wanted,
      patience,
      100,
    );
  await connected(3);
  for (const member of ['alpha', 'beta', 'gamma'] as const) instances[member] = (await seen(member)).instance;

  const open = await openAll(all, async () => void (at.half = await moment()));
  const calls = (await Promise.all([call(all, 'alpha', 4, 8), call(all, 'beta', 2, 4)])).flat();
  const leaving = open.filter(({session}) => session.kind !== 'open');
  const [early, late] = [0, 1].map((half) => leaving.filter((_, i) => i % 2 === half));
  await endThose(early!);
  // One whose messages are stored was told by its proxy: the console was there, and wrote so.
  const {path} = early!.filter(({session}) => session.kind === 'goodbye').at(-1)!.session;
  at.stored = await eventually(
    'the end of one of them is stored',
    async () => {
      const [row] = (await one.api(`/sessions?state=ended&target=${path}`)).sessions;
      return row && (await one.api(`/sessions/${row.id}`)).recorder.length > 0 && row.ended_ms;
    },
    patience,
    100,
  );

  // What happens while the console is away is told when it is back.
  await one.kill();
  at.killed = Date.now();
  await Promise.all([endThose(late!), pause(3000)]); // what is away for less than a second is not told
  at.absent = Date.now();
  await one.start();
  at.back = Date.now();
  await connected(3);
  await Promise.all([active('alpha', 30), active('beta', 50), active('gamma', 50)]);
  at.ended = await moment();
  for (const {session} of leaving) session.ended_ms[1] = at.ended;
  for (const session of all.sessions) if (session.route === 'graph') session.ended_ms[1] = at.ended;

  // What a killed proxy has not exported, nor reported, is lost, and no part of this.
  await eventually(
    'what beta knows is stored',
    async () => {
      const {rows} = await one.api(`/latency?from_ms=${at.began}&service=beta`);
      const count = (wanted: (operation: string) => boolean): number =>
        sum(rows.filter((row: Json) => wanted(row.operation)).map((row: Json) => row.count));
      const {sessions} = await one.api(`/sessions?instance=${instances.beta}&state=ended&limit=500`);
      return (
        count((operation) => operation in operations) === 20 &&
        count((operation) => operation === 'websocket.connection') === 30 &&
        count((operation) => operation === 'websocket.handshake') === 80 &&
        sessions.length === 30 &&
        (await seen('beta')).sessions === 50
      );
    },
    patience,
    200,
  );
  at.heard = (await seen('beta')).heard_ms;
  proxies.beta.process.signal('SIGKILL');
  await proxies.beta.process.exit(patience).catch(() => undefined);
  at.lost = Date.now();
  await connected(2);
  const drained = all.sessions.filter((session) => session.member === 'gamma' && session.kind === 'open');
  for (const session of drained) session.ended_ms[0] = Date.now();
  at.gone = Date.now();
  proxies.gamma.process.signal('SIGTERM');
  await proxies.gamma.process.exit(patience);
  for (const session of drained) session.ended_ms[1] = Date.now();
  await connected(1);
  at.over = Date.now();
  const asked = `from_ms=${at.began}&to_ms=${at.over + 60_000}`;
  await eventually(
    'everything that ended is stored',
    async () => (await one.api(`/sessions?${asked}&state=ended&limit=500`)).sessions.length >= 220,
    patience,
    100,
  );
  // Figures are of whole tens of seconds: the last are stored when these are over.
  const tens = (ms: number): number => Math.floor(ms / 10_000) * 10_000;
  const figures = `from_ms=${tens(at.began)}&to_ms=${at.over + 60_000}`;
  await eventually(
    'the last ten seconds are stored',
    async () => (await one.api(`/fleet?${figures}`)).points.some((point: Json) => point.time_ms >= tens(at.over)),
    patience,
    200,
  );
  return {fleet: all, calls, at, instances, asked, figures};
}
