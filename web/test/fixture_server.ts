// Serves web/dist and data shaped like the console's: input for tests of the page, never proof of the console. The same
// Content-Security-Policy as the console's stands on every answer.
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import {extname, join, normalize} from 'node:path';
import {WebSocketServer, type WebSocket} from 'ws';
import type {LiveMessage, Session, Status, Subscribe, TraceSummary} from '../src/api/types';
import {calls, closes, fleet, liveRoutes, points, recorder, unheard, world, type World} from './fleet_data';
import {callRecords, callTrace, groups, latency, operations, services, spans} from './call_data';
import {changes, search, tape} from './happened_data';
import {invocations, ordinary, span, summaries, trace} from './trace_data';

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export interface Fixture {
  url: string;
  world: World;
  dropLive: () => void;
  refuseLive: (refuse: boolean) => void;
  fail: (path: string | null) => void;
  /** Connections stay, and nothing is said any more. */
  hang: (hang: boolean) => void;
  asked: string[];
  alone: string; // a trace of one span
  close: () => Promise<void>;
}

export async function start({
  root,
  empty = false,
  token = '',
  port = 0,
}: {
  root: string;
  empty?: boolean;
  token?: string;
  port?: number;
}): Promise<Fixture> {
  const w = world(empty),
    found = summaries(w),
    asked: string[] = [];
  let refusing = false,
    hanging = false,
    failing: string | null = null;

  const session = (id: string) => [...w.open, ...w.ended].find((one) => one.id === id);
  const quiet = {turned_away: 0, made_room: 0, misbehaved: 0, slow: 0};
  const status = (): Status => ({
    version: '0.4.0',
    now_ms: Date.now(),
    started_ms: w.started,
    open: !token,
    store: {
      backend: 'sqlite',
      spans: empty ? 0 : 1_204_331,
      logs: 220,
      sessions: w.open.length + w.ended.length,
      bytes: 812e6,
      oldest_ms: w.started - 5 * 86_400_000,
      queued_bytes: 0,
      written_spans: 1e6,
      duplicate_spans: 0,
      refused_batches: 0,
      expired_spans: 0,
      trouble: '',
    },
    retention: {age_seconds: 604_800, bytes: 10e9},
    receivers: {http: '127.0.0.1:4318', grpc: '127.0.0.1:4317'},
    proxies: w.proxies,
    overload: {
      live: {
        held_bytes: 0,
        sessions_not_kept: 0,
        ends_not_kept: 0,
        routes_not_kept: 0,
        reports_refused: 0,
        reports_delayed: 0,
      },
      ports: {page: quiet, http: quiet, grpc: quiet},
    },
  });

  function api(path: string, query: URLSearchParams): unknown {
    const from = Number(query.get('from_ms') ?? Date.now() - 3_600_000),
      to = Number(query.get('to_ms') ?? Date.now()),
      step = Number(query.get('step_seconds') ?? 0);
    const limit = Number(query.get('limit') ?? 100),
      offset = Number(query.get('cursor') || 0);
    const paged = <T>(list: T[]) => ({
      list: list.slice(offset, offset + limit),
      cursor: offset + limit < list.length ? String(offset + limit) : '',
    });
    if (path === '/status') return status();
    if (path === '/fleet') return fleet(w, from, to, Math.max(10, step));
    if (path === '/closes')
      return closes(w, from, to, Math.max(10, step), query.get('route') ?? '', query.get('instance') ?? '');
    if (path === '/services') return {services: services(w)};
    if (path === '/operations') return operations(w, query);
    if (path === '/latency') return latency(w, query);
    if (path === '/spans') return spans(w, query);
    if (path === '/groups') return groups(w, query);
    if (path === '/search') return search(w, query.get('q') ?? '');
    if (path === '/tape') return tape(w, query);
    if (path === '/changes') return changes(w, query);
    if (path === '/sessions') {
      const inTime = (ms: number | null, what: string) => {
        const low = query.get(`${what}_from_ms`),
          high = query.get(`${what}_to_ms`);
        return (low === null && high === null) || (ms !== null && ms >= Number(low) && ms < Number(high ?? Infinity));
      };
      const state = query.get('state') ?? 'any',
        equal = (key: 'route' | 'instance' | 'dialect' | 'end_reason' | 'target' | 'close_reason') => (one: Session) =>
          !query.get(key) || one[key] === query.get(key);
      const list = (state === 'open' ? w.open : state === 'ended' ? w.ended : [...w.open, ...w.ended])
        .filter((one) => state === 'open' || ((one.ended_ms ?? Infinity) >= from && one.opened_ms <= to))
        .filter((one) => inTime(one.opened_ms, 'opened') && inTime(one.ended_ms, 'ended'))
        .filter(equal('route'))
        .filter(equal('instance'))
        .filter(equal('dialect'))
        .filter(equal('end_reason'))
        .filter(equal('target'))
        .filter(equal('close_reason'))
        .filter((one) => !query.get('abnormal') || one.abnormal)
        .filter(
          (one) =>
            !query.get('text') ||
            `${one.id} ${one.client} ${one.target} ${one.close_reason}`.includes(query.get('text')!),
        )
        .filter(
          (one) =>
            ((one.ended_ms ?? Date.now()) - one.opened_ms) / 1000 >= Number(query.get('min_duration_seconds') ?? 0),
        );
      const within = (key: string, value: number | null) =>
        (!query.has(`${key}_from_ms`) || (value ?? -1) >= Number(query.get(`${key}_from_ms`))) &&
        (!query.has(`${key}_to_ms`) || (value ?? Infinity) < Number(query.get(`${key}_to_ms`)));
      const fits = list.filter((one) => within('ended', one.ended_ms) && within('opened', one.opened_ms));
      const value: Record<string, (one: Session) => number> = {
        opened: (one) => one.opened_ms,
        ended: (one) => one.ended_ms ?? 0,
        duration: (one) => (one.ended_ms ?? Date.now()) - one.opened_ms,
        messages: (one) => one.messages[0] + one.messages[1],
        bytes: (one) => one.bytes[0] + one.bytes[1],
        misses: (one) => one.misses,
      };
      const of = value[query.get('sort') ?? 'opened']!,
        sign = query.get('order') === 'asc' ? 1 : -1;
      fits.sort((a, b) => sign * (of(a) - of(b)));
      const page = paged(fits);
      return {sessions: page.list, total: fits.length, cursor: page.cursor, complete: true};
    }
    const one = /^\/sessions\/([^/]+)(\/points|\/spans)?$/.exec(path);
    if (one) {
      const its = session(decodeURIComponent(one[1]!));
      if (!its) return undefined;
      const end = its.ended_ms ?? Date.now();
      if (one[2] === '/points')
        return points(w, its, Number(query.get('from_ms') ?? 0), Number(query.get('to_ms') ?? Infinity));
      if (one[2] === '/spans') return {spans: [], cursor: '', complete: true};
      const streamed = its.dialect !== 'ocpp' && its.dialect !== 'none';
      return {
        session: its,
        recorder: recorder(w, its),
        calls: calls(w, its),
        traces: streamed
          ? found
              .filter((each) => each.session === its.id)
              .slice(0, 50)
              .concat(found.filter((each) => each.root_operation === 'realtime_inference').slice(0, 7))
          : [],
        invocations: streamed ? invocations(its.id, end, 28) : [],
        connection: its.ended_ms
          ? span({
              trace_id: its.trace_id,
              id: '77'.repeat(8),
              name: 'websocket.connection',
              service: its.service,
              start_ms: its.opened_ms,
              seconds: (its.ended_ms - its.opened_ms) / 1000,
              session: its.id,
              values: {
                'websocket.longest_gap.received': 41.2,
                'websocket.longest_gap.sent': 12.1,
                'websocket.ping.client.rtt_min': 0.031,
                'websocket.ping.client.missed': its.misses,
                'websocket.extensions': 'permessage-deflate; client_no_context_takeover',
              },
            })
          : null,
      };
    }
    if (path === '/traces') {
      const list = found
        .filter((each) => each.start_ms >= from && each.start_ms <= to)
        .filter((each) => !query.get('service') || each.services.some((s) => s.service === query.get('service')))
        .filter((each) => !query.get('operation') || each.root_operation === query.get('operation'))
        .filter((each) =>
          each.root_operation.toLowerCase().includes((query.get('operation_contains') ?? '').toLowerCase()),
        )
        .filter((each) => query.get('status') !== 'error' || each.errors > 0)
        .filter((each) => !query.get('session') || each.session === query.get('session'))
        .filter(
          (each) =>
            each.duration_seconds >= Number(query.get('min_seconds') ?? 0) &&
            each.duration_seconds < Number(query.get('max_seconds') ?? Infinity),
        );
      const bySize = (query.get('sort') ?? 'start') !== 'start',
        of = (one: TraceSummary) => (bySize ? one.duration_seconds : one.start_ms),
        sign = query.get('order') === 'asc' ? 1 : -1;
      const page = paged([...list].sort((a, b) => sign * (of(a) - of(b))));
      return {
        traces: page.list.map((one) => ({...one, sorted_seconds: bySize ? one.duration_seconds : null})),
        cursor: page.cursor,
        complete: true,
      };
    }
    const id = /^\/traces\/([0-9a-f]{32})$/.exec(path)?.[1];
    if (id) {
      const summary = found.find((each) => each.trace_id === id);
      return trace(w, id) ?? (summary ? ordinary(w, summary) : callTrace(w, id));
    }
    return undefined;
  }

  const json = (response: ServerResponse, code: number, body: unknown, more: Record<string, string> = {}) =>
    response
      .writeHead(code, {'Content-Type': 'application/json', 'Content-Security-Policy': CSP, ...more})
      .end(body === null ? undefined : JSON.stringify(body));
  const allowed = (request: IncomingMessage) => !token || (request.headers.cookie ?? '').includes('sockeye=yes');

  const server = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    if (url.pathname === '/api/v1/login') {
      let body = '';
      for await (const part of request) body += String(part);
      if ((JSON.parse(body) as {token: string}).token === token)
        return void json(response, 204, null, {'Set-Cookie': 'sockeye=yes; HttpOnly; SameSite=Strict; Path=/'});
      return void json(response, 401, {error: {code: 'unauthorized', message: 'This is not the token.'}});
    }
    if (url.pathname.startsWith('/api/v1/')) {
      if (hanging) return;
      const path = url.pathname.slice(7);
      asked.push(path + url.search);
      if (!allowed(request))
        return void json(response, 401, {error: {code: 'unauthorized', message: 'A token is needed.'}});
      if (failing !== null && path.startsWith(failing))
        return void json(response, 503, {error: {code: 'deadline', message: 'The search took longer than 5 s.'}});
      const body = api(path, url.searchParams);
      return void (body === undefined
        ? json(response, 404, {error: {code: 'not_found', message: 'There is nothing by this id.'}})
        : json(response, 200, body));
    }
    const asset = normalize(url.pathname);
    for (const file of [extname(asset) ? asset : '/index.html'])
      try {
        const body = await readFile(join(root, file));
        return void response
          .writeHead(200, {
            'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
            'Content-Security-Policy': CSP,
            'X-Content-Type-Options': 'nosniff',
          })
          .end(body);
      } catch {
        return void response.writeHead(404).end();
      }
  }

  const sockets = new WebSocketServer({noServer: true, handleProtocols: () => 'sockeye-page.v1'});
  server.on('upgrade', (request, socket, head) => {
    if (refusing || !allowed(request)) return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (peer) => attend(peer));
  });
  function attend(peer: WebSocket): void {
    let wish: Subscribe = {};
    const send = (message: LiveMessage) => peer.send(JSON.stringify(message));
    const answer = () => {
      if (hanging) return;
      const now_ms = Date.now();
      if (wish.fleet)
        send({
          type: 'fleet',
          now_ms,
          proxies: w.proxies,
          unheard: unheard(w),
          routes: liveRoutes(w),
          ended: w.ended.slice(0, 20),
        });
      if (wish.sessions) {
        const s = wish.sessions;
        for (const each of w.open)
          if (each !== w.frozen && each.dialect !== 'ocpp')
            each.last_message_ms = [now_ms - 40 - (each.opened_ms % 700), now_ms - 10 - (each.opened_ms % 300)];
        w.frozen.last_message_ms![1] = now_ms - 320;
        const list = w.open
          .filter(
            (each) =>
              (!s.route || each.route === s.route) &&
              (!s.instance || each.instance === s.instance) &&
              (!s.dialect || each.dialect === s.dialect) &&
              (!s.client || each.client.includes(s.client)) &&
              (!s.text || `${each.id} ${each.client} ${each.route} ${each.target}`.includes(s.text)),
          )
          .filter((each) => !s.trouble || each.misses_now?.[0] || each.buffered_bytes?.[0]);
        const value: Record<string, (one: Session) => number> = {
          opened: (one) => one.opened_ms,
          messages: (one) => one.messages_per_second?.[0] ?? 0,
          bytes: (one) => one.bytes_per_second?.[1] ?? 0,
          rtt: (one) => one.rtt_seconds?.[0] ?? 0,
          misses: (one) => one.misses,
          buffered: (one) => one.buffered_bytes?.[0] ?? 0,
          silence: (one) => -Math.max(...(one.last_message_ms ?? [0, 0]).map(Number)),
        };
        const of = value[s.sort ?? 'opened']!;
        list.sort((a, b) => (s.order === 'asc' ? of(a) - of(b) : of(b) - of(a)));
        send({
          type: 'sessions',
          now_ms,
          total: w.open.length,
          matched: list.length,
          sessions: list.slice(s.offset ?? 0, (s.offset ?? 0) + (s.limit ?? 100)),
        });
      }
      const its = wish.session && session(wish.session);
      if (its) send({type: 'session', now_ms, session: its, recorder: recorder(w, its), calls: calls(w, its)});
    };
    peer.on('message', (data) => {
      wish = JSON.parse(String(data)) as Subscribe;
      answer();
    });
    const timer = setInterval(answer, 1000);
    peer.on('close', () => clearInterval(timer));
  }

  const terminate = (): void => {
    for (const one of sockets.clients) one.terminate();
  };
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as {port: number}).port}`,
    world: w,
    asked,
    alone: callRecords(w).find((one) => one.operation === 'realtime_inference')?.trace_id ?? '',
    dropLive: () => sockets.clients.forEach((one) => one.terminate()),
    refuseLive: (refuse) => void (refusing = refuse),
    hang: (hang) => void (hanging = hang),
    fail: (path) => void (failing = path),
    close: async () => {
      terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
