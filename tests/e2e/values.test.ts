// Every metric of docs/signals.md has the right value: known traffic through a real proxy, then one row a family. What
// is counted is exact. What is timed lies between what the peers saw from inside and from outside, which holds however
// slow the machine is. A family that is documented or served and has no row here fails.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {createServer, type IncomingMessage} from 'node:http';
import {connect, type AddressInfo} from 'node:net';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import {before, describe, it} from 'node:test';
import {spawnSync} from 'node:child_process';
import {WebSocket, WebSocketServer} from 'ws';
import type {Metrics} from '../lib/metrics.js';
import {sockeye, temporaryFolder} from '../lib/process.js';
import type {Proxy} from '../lib/proxy.js';
import {eventually} from '../lib/wait.js';
import {type Collector, collector, exported} from './collector.js';
import {cleanup, closed, connected, metrics, proxy, quiet, shut} from './support.js';

const dialect = `
dialect: values
type: /t
rules:
- {is: ask, dir: c2s, do: [{open: {op: ask, keys: {id: /id}}}]}
- {is: piece, dir: s2c, do: [{chunk: {to: {side: other, key: /id}}}]}
- is: answer
  dir: s2c
  do:
  - end:
      to: {side: other, key: /id}
      attrs: {gen_ai.usage.input_tokens: /in, gen_ai.usage.output_tokens: /out}
- {is: sound, do: [{media: {name: sound}}]}
- {is: beat, do: [{beat: {name: beat}}]}
`;

const now = (): number => performance.now() / 1e3;
const moments: Record<string, number> = {}; // seconds, by what happened then
const mark = (what: string): void => void (moments[what] = now());
const between = (from: string, to: string): number => moments[to]! - moments[from]!;

interface Counts {
  messages: number;
  bytes: number;
}
const sent: Record<'c2s' | 's2c', Counts> = {c2s: {messages: 0, bytes: 0}, s2c: {messages: 0, bytes: 0}};
function say(socket: WebSocket, direction: 'c2s' | 's2c', message: object | string): number {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  ++sent[direction].messages;
  sent[direction].bytes += text.length;
  socket.send(text);
  return text.length;
}

const upgradeDelay = 150,
  pongDelay = 120,
  tokens = {input: 1000, output: 37};
const flood = Buffer.alloc(1 << 20);

// Answers an upgrade late, a question in two pieces and an end, and /slow with more than anybody takes at once.
async function upstream(): Promise<number> {
  const sockets = new WebSocketServer({noServer: true});
  const server = createServer((_, response) => response.end('plain'));
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const main = request.url === '/main';
    if (main) mark('upgrade came');
    setTimeout(
      () => {
        if (main) mark('upgrade answered');
        sockets.handleUpgrade(request, stream, head, (socket) => {
          socket.on('error', () => undefined);
          if (main) socket.on('message', (data) => answer(socket, data.toString()));
          if (request.url === '/slow') for (let i = 0; i < 16; ++i) socket.send(flood);
        });
      },
      main ? upgradeDelay : 0,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

// The answer waits until the open question was looked at.
let release = (): void => undefined;
const released = new Promise<void>((resolve) => (release = resolve));
async function answer(socket: WebSocket, text: string): Promise<void> {
  if (!text.includes('"ask"')) return;
  mark('asked inside');
  await released;
  const later = (ms: number, what: string, message: object) =>
    setTimeout(() => {
      mark(`${what} inside`);
      say(socket, 's2c', message);
    }, ms);
  later(200, 'piece 1', {t: 'piece', id: 1});
  later(350, 'piece 2', {t: 'piece', id: 1});
  later(450, 'answer', {t: 'answer', id: 1, in: tokens.input, out: tokens.output});
  later(450, 'beat', {t: 'beat'});
}

describe('every metric has the right value', {timeout: 180_000}, () => {
  let one: Proxy, to: Collector, during: Metrics, stalled: Metrics, away: Metrics, end: Metrics;
  let spool: string, recordings: string, onDisk: number, soundBytes: number, pingsOfLate: number, pingsToMain: number;
  const began = Date.now() / 1e3;

  before(async () => {
    const port = await upstream();
    to = await collector();
    to.answer = () => ({status: 503});
    spool = join(temporaryFolder(), 'spool');
    recordings = join(temporaryFolder(), 'recordings');
    const rules = join(temporaryFolder(), 'values.yaml');
    writeFileSync(rules, dialect);
    const off = {client: false, upstream: false};
    const route = (name: string, heartbeat: object, more = {}) => ({
      name,
      match: {path: `/${name}`},
      upstream: `ws://127.0.0.1:${port}`,
      heartbeat,
      ...more,
    });
    one = await proxy({
      routes: [
        route('main', {interval: '200ms', timeout: '60s'}, {dialect: rules, capture: 'all'}),
        route('late', {interval: '100ms', timeout: '300ms', misses: 100, upstream: false}),
        route('silent', {interval: '100ms', timeout: '200ms', misses: 2, upstream: false}),
        route('back', off, {client_id: ['header.x-device-id']}),
        route('slow', off),
      ],
      config: {
        ...exported(to.endpoint, {spool: {directory: spool, limit: '64MiB'}}),
        capture: {directory: recordings},
      },
    });
    const url = `ws://127.0.0.1:${one.port}`;

    mark('connecting');
    const main = await connected(`${url}/main`, {autoPong: false});
    mark('connected');
    pingsToMain = 0;
    main.on('ping', (data) => {
      ++pingsToMain;
      setTimeout(() => main.pong(data), pongDelay);
    });
    let answers = 0;
    main.on('message', (data) => {
      const what = JSON.parse(data.toString()).t as string;
      if (what === 'piece') ++answers;
      mark(what === 'piece' ? `piece ${answers} outside` : `${what} outside`);
    });
    mark('asked outside');
    say(main, 'c2s', {t: 'ask', id: 1});
    during = await eventually('the question is open', async () => {
      const counted = await metrics(one);
      return counted.sum('websocket_invocations_active') ? counted : undefined;
    });
    release();
    soundBytes = 0;
    for (let i = 0; i < 3; ++i) soundBytes += say(main, 'c2s', {t: 'sound', of: 'x'.repeat(100 * i)});
    say(main, 'c2s', 'no JSON');
    say(main, 'c2s', {t: 'huh'});
    main.ping('mine');
    await eventually('answer and beat', () => moments['answer outside'] && moments['beat outside']);
    await eventually(
      'pings were answered on both legs',
      async () => {
        const counted = await metrics(one);
        return ['client', 'upstream'].every((leg) => counted.sum('websocket_ping_rtt_seconds_count', {leg}) >= 2);
      },
      30_000,
    );
    mark('closing');
    await shut(main, 1000);
    await quiet(one);
    mark('over');

    // No WebSocket after all, and no WebSocket from the start.
    const bad = connect(one.port, '127.0.0.1');
    cleanup(() => bad.destroy());
    mark('refusing');
    bad.write('GET /main HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    assert.match(String((await once(bad, 'data'))[0]), /^HTTP\/1.1 400 /);
    mark('refused');
    for (let i = 0; i < 2; ++i) assert.equal(await (await fetch(`http://127.0.0.1:${one.port}/main`)).text(), 'plain');

    // Busy, and never a pong.
    const late = await connected(`${url}/late`, {autoPong: false});
    pingsOfLate = 0;
    late.on('ping', () => ++pingsOfLate);
    const talk = setInterval(() => late.send('busy'), 20);
    cleanup(() => clearInterval(talk));
    await eventually('late pongs', async () => (await metrics(one)).sum('websocket_pong_late_total') >= 3, 30_000);
    clearInterval(talk);
    await shut(late, 1000);
    await closed(await connected(`${url}/silent`, {autoPong: false}), 30_000);

    const device = {headers: {'x-device-id': '7'}};
    (await connected(`${url}/back`, device)).terminate();
    await quiet(one);
    await shut(await connected(`${url}/back`, device), 4000);

    const slow = new WebSocket(`${url}/slow`, {perMessageDeflate: false});
    cleanup(() => slow.terminate());
    slow.on('error', () => undefined);
    slow.on('open', () => slow.pause());
    stalled = await eventually(
      'bytes that the client does not take',
      async () => {
        const counted = await metrics(one);
        // The workers sample on their own time: a scrape may see one of the two before, the other after.
        const [sessions, bytes] = ['websocket_buffered_sessions', 'websocket_buffered_amount_bytes'].map((name) =>
          counted.sum(name, {route: 'slow'}),
        );
        return sessions === 1 && bytes! > 0 ? counted : undefined;
      },
      30_000,
    );
    slow.terminate();
    await quiet(one);

    away = await eventually(
      'the collector is away, and all is spooled',
      async () => {
        const counted = await metrics(one);
        return counted.sum('sockeye_spool_spans') === counted.sum('sockeye_spans_received_total') &&
          counted.sum('sockeye_collector_away') === 1
          ? counted
          : undefined;
      },
      30_000,
    );
    onDisk = readdirSync(spool).reduce((sum, name) => sum + statSync(join(spool, name)).size, 0);
    to.answer = () => undefined;
    end = await eventually(
      'everything is exported',
      async () => {
        const counted = await metrics(one);
        return counted.sum('sockeye_spans_exported_total') === counted.sum('sockeye_spans_received_total') &&
          counted.sum('sockeye_collector_away') === 0
          ? counted
          : undefined;
      },
      60_000,
      200,
    );
  });

  type Labels = Record<string, string>;
  const is = (name: string, labels: Labels, expected: number, at = end) =>
    assert.equal(at.sum(name, labels), expected, `${name} ${JSON.stringify(labels)}`);
  const within = (value: number, low: number, high: number, what: string) =>
    assert.ok(value >= low && value <= high, `${what}: ${value} is not between ${low} and ${high}`);
  // One observation, in the bucket it belongs to.
  function observed(name: string, labels: Labels, low: number, high: number): void {
    is(`${name}_count`, labels, 1);
    within(end.sum(`${name}_sum`, labels), low, high, `${name}_sum`);
    for (const {labels: has, value} of end.samples.filter((each) => each.name === `${name}_bucket`)) {
      if (Object.entries(labels).some(([key, wanted]) => has[key] !== wanted)) continue;
      const bound = Number(has.le!.replace('+Inf', 'Infinity'));
      if (bound < low) assert.equal(value, 0, `${name} ${has.le}`);
      if (bound >= high) assert.equal(value, 1, `${name} ${has.le}`);
    }
  }
  const proc = (file: string) => readFileSync(`/proc/${one.process.pid}/${file}`, 'utf8');
  const page = 4096;
  const near = (name: string, expected: number, slack: number) =>
    within(end.sum(name), expected - slack, expected + slack, name);

  const main = {route: 'main'},
    ask = {route: 'main', operation: 'ask'};
  const rows: Record<string, () => unknown> = {
    websocket_connections_active: () => {
      is('websocket_connections_active', main, 1, during);
      is('websocket_connections_active', {}, 1, during);
      is('websocket_connections_active', {}, 0);
    },
    websocket_connections_total: () => {
      const total = (route: string) =>
        ['accept', 'reject', 'close'].map((result) => end.sum('websocket_connections_total', {route, result}));
      assert.deepEqual(
        ['main', 'late', 'silent', 'back', 'slow', 'unmatched'].map((route) => [route, ...total(route)]),
        [
          ['main', 1, 1, 1],
          ['late', 1, 0, 1],
          ['silent', 1, 0, 1],
          ['back', 2, 0, 2],
          ['slow', 1, 0, 1],
          ['unmatched', 0, 0, 0],
        ],
      );
    },
    websocket_message_duration_seconds: () =>
      observed(
        'websocket_message_duration_seconds',
        main,
        between('asked inside', 'answer inside'),
        between('asked outside', 'answer outside'),
      ),
    websocket_handshake_duration_seconds: () => {
      // The refused one is counted too, and took hardly any time.
      is('websocket_handshake_duration_seconds_count', main, 2);
      within(
        end.sum('websocket_handshake_duration_seconds_sum', main),
        between('upgrade came', 'upgrade answered'),
        between('connecting', 'connected') + between('refusing', 'refused'),
        'handshakes',
      );
      within(end.sum('websocket_handshake_duration_seconds_bucket', {...main, le: '0.1024'}), 0, 1, 'short handshakes');
    },
    websocket_buffered_amount_bytes: () => {
      within(
        stalled.sum('websocket_buffered_amount_bytes', {route: 'slow'}),
        1,
        17 * flood.length,
        'bytes on their way',
      );
      is('websocket_buffered_amount_bytes', main, 0, stalled);
      is('websocket_buffered_amount_bytes', {}, 0);
    },
    websocket_buffered_sessions: () => {
      is('websocket_buffered_sessions', {}, 1, stalled);
      is('websocket_buffered_sessions', {}, 0);
    },
    websocket_pong_missed_total: () => {
      is('websocket_pong_missed_total', {route: 'silent', leg: 'client'}, 2);
      is('websocket_pong_missed_total', main, 0);
      // Of all it was pinged, but for the last one, which may have been open.
      within(end.sum('websocket_pong_missed_total', {route: 'late'}), pingsOfLate - 1, pingsOfLate, 'missed');
      is('websocket_pong_missed_total', {leg: 'upstream'}, 0);
    },
    websocket_pong_late_total: () => {
      is('websocket_pong_late_total', {route: 'silent'}, 0);
      within(end.sum('websocket_pong_late_total', {route: 'late', leg: 'client'}), 3, pingsOfLate, 'late');
      is('websocket_pong_late_total', {leg: 'upstream'}, 0);
    },
    websocket_heartbeat_timeouts_total: () => {
      is('websocket_heartbeat_timeouts_total', {route: 'silent', leg: 'client'}, 1);
      is('websocket_heartbeat_timeouts_total', {}, 1);
    },
    websocket_messages_total: () => {
      const of = (direction: string) =>
        ['text', 'binary', 'ping', 'pong', 'close'].map((type) =>
          end.sum('websocket_messages_total', {...main, direction, type}),
        );
      assert.deepEqual(of('c2s'), [sent.c2s.messages, 0, 1, 0, 1], 'our own pings are nobody’s, nor are their pongs');
      assert.deepEqual(of('s2c'), [sent.s2c.messages, 0, 0, 1, 1]);
      assert.deepEqual([sent.c2s.messages, sent.s2c.messages], [6, 4]);
    },
    websocket_message_bytes_total: () => {
      for (const direction of ['c2s', 's2c'] as const)
        is('websocket_message_bytes_total', {...main, direction}, sent[direction].bytes);
    },
    websocket_message_size_bytes: () => {
      for (const direction of ['c2s', 's2c'] as const) {
        is('websocket_message_size_bytes_count', {...main, direction}, sent[direction].messages);
        is('websocket_message_size_bytes_sum', {...main, direction}, sent[direction].bytes);
        is('websocket_message_size_bytes_bucket', {...main, direction, le: '1024.0'}, sent[direction].messages);
        is('websocket_message_size_bytes_bucket', {...main, direction: 's2c', le: '16.0'}, 1); // the beat
      }
    },
    websocket_closes_total: () => {
      const closes = (labels: Labels) => end.sum('websocket_closes_total', labels);
      assert.equal(closes({route: 'main', code: '1000', initiator: 'client', reason: 'normal'}), 1);
      assert.equal(closes({route: 'silent', code: '1001', initiator: 'proxy', reason: 'heartbeat_timeout'}), 1);
      assert.equal(closes({route: 'back', code: '1006', initiator: 'client', reason: 'reset'}), 1);
      assert.equal(closes({route: 'back', code: '4000', initiator: 'client', reason: 'normal'}), 1);
      assert.equal(closes({}), 6);
    },
    websocket_reconnects_total: () => {
      is('websocket_reconnects_total', {route: 'back', basis: 'client_id'}, 1);
      is('websocket_reconnects_total', {}, 1);
    },
    websocket_ping_rtt_seconds: () => {
      const count = end.sum('websocket_ping_rtt_seconds_count', {...main, leg: 'client'});
      within(count, 2, pingsToMain, 'round trips to the client');
      const sum = end.sum('websocket_ping_rtt_seconds_sum', {...main, leg: 'client'});
      within(sum, (count * pongDelay) / 1e3 - 0.01, between('connecting', 'over'), 'their sum'); // timers may be early
      is('websocket_ping_rtt_seconds_bucket', {...main, leg: 'client', le: '0.1024'}, 0);
      within(end.sum('websocket_ping_rtt_seconds_count', {...main, leg: 'upstream'}), 2, Infinity, 'to the upstream');
      within(
        end.sum('websocket_ping_rtt_seconds_sum', {...main, leg: 'upstream'}),
        1e-6,
        between('connecting', 'over'),
        'their sum',
      );
      is('websocket_ping_rtt_seconds_count', {route: 'silent'}, 0);
    },
    websocket_session_duration_seconds: () =>
      observed(
        'websocket_session_duration_seconds',
        main,
        between('connected', 'closing'),
        between('upgrade answered', 'over'),
      ),
    websocket_anomalies_total: () => {
      is('websocket_anomalies_total', {...main, kind: 'handshake_invalid'}, 1);
      is('websocket_anomalies_total', main, 1);
      is('websocket_anomalies_total', {route: 'silent'}, 0);
    },
    sockeye_http_requests_total: () => {
      is('sockeye_http_requests_total', main, 2);
      is('sockeye_http_requests_total', {}, 2);
    },
    websocket_invocations_total: () => {
      is('websocket_invocations_total', {...ask, status: 'ok'}, 1);
      is('websocket_invocations_total', {}, 1);
      is('websocket_invocations_total', {}, 0, during);
    },
    websocket_invocations_active: () => {
      is('websocket_invocations_active', main, 1, during);
      is('websocket_invocations_active', {}, 0);
    },
    websocket_invocation_duration_seconds: () =>
      observed(
        'websocket_invocation_duration_seconds',
        ask,
        between('asked inside', 'answer inside'),
        between('asked outside', 'answer outside'),
      ),
    websocket_time_to_first_chunk_seconds: () =>
      observed(
        'websocket_time_to_first_chunk_seconds',
        ask,
        between('asked inside', 'piece 1 inside'),
        between('asked outside', 'piece 1 outside'),
      ),
    websocket_time_to_last_chunk_seconds: () =>
      observed(
        'websocket_time_to_last_chunk_seconds',
        ask,
        between('asked inside', 'piece 2 inside'),
        between('asked outside', 'piece 2 outside'),
      ),
    websocket_chunk_interval_seconds: () =>
      observed(
        'websocket_chunk_interval_seconds',
        ask,
        between('piece 1 outside', 'piece 2 inside'),
        between('piece 1 inside', 'piece 2 outside'),
      ),
    websocket_media_messages_total: () => {
      is('websocket_media_messages_total', {...main, direction: 'c2s'}, 3);
      is('websocket_media_messages_total', {}, 3);
    },
    websocket_media_bytes_total: () => {
      is('websocket_media_bytes_total', {...main, direction: 'c2s'}, soundBytes);
      is('websocket_media_bytes_total', {}, soundBytes);
    },
    websocket_application_heartbeats_total: () => {
      is('websocket_application_heartbeats_total', {...main, direction: 's2c'}, 1);
      is('websocket_application_heartbeats_total', {}, 1);
    },
    sockeye_dialect_errors_total: () => {
      is('sockeye_dialect_errors_total', {...main, kind: 'invalid'}, 1);
      is('sockeye_dialect_errors_total', {...main, kind: 'unmatched'}, 1);
      is('sockeye_dialect_errors_total', main, 2);
    },
    gen_ai_client_token_usage: () => {
      for (const [type, count] of Object.entries(tokens))
        observed('gen_ai_client_token_usage', {...main, gen_ai_token_type: type}, count, count);
    },
    sockeye_spans_received_total: () => {
      is('sockeye_spans_received_total', {source: 'process'}, to.spans.length);
      is('sockeye_spans_received_total', {source: 'spool'}, 0);
      // Of each accepted session a handshake and a connection, of the refused one a handshake; and the call.
      const named = (name: string) => to.spans.filter((span) => span.name === name).length;
      assert.deepEqual(
        ['websocket.handshake', 'websocket.connection', 'websocket.transfer', 'ask'].map(named),
        [7, 6, 1, 1],
      );
      assert.equal(to.spans.length, 15);
    },
    sockeye_spans_exported_total: () => {
      is('sockeye_spans_exported_total', {}, 0, away);
      is('sockeye_spans_exported_total', {}, to.spans.length);
    },
    sockeye_recordings_total: () => {
      is('sockeye_recordings_total', {}, end.sum('websocket_connections_total', {...main, result: 'accept'}));
      is('sockeye_recordings_total', {}, readdirSync(recordings).length);
    },
    // A thread of its own writes them.
    sockeye_recording_bytes_total: () =>
      eventually('the files have what is counted', async () => {
        const sizes = readdirSync(recordings).map((name) => statSync(join(recordings, name)).size);
        const size = sizes.reduce((sum, each) => sum + each, 0);
        return size > 0 && (await metrics(one)).sum('sockeye_recording_bytes_total') === size;
      }),
    sockeye_recordings_refused_total: () => is('sockeye_recordings_refused_total', {}, 0),
    sockeye_recordings_cut_total: () => is('sockeye_recordings_cut_total', {}, 0),
    sockeye_spans_dropped_total: () => is('sockeye_spans_dropped_total', {}, 0),
    sockeye_spans_resent_total: () => is('sockeye_spans_resent_total', {}, 0), // a 503 leaves no doubt
    sockeye_queue_length: () => {
      is('sockeye_queue_length', {}, 0, away);
      is('sockeye_queue_length', {}, 0);
    },
    sockeye_spool_spans: () => {
      is('sockeye_spool_spans', {}, to.spans.length, away);
      is('sockeye_spool_spans', {}, 0);
    },
    sockeye_spool_bytes: () => {
      within(away.sum('sockeye_spool_bytes'), 1, onDisk, 'bytes of the spool');
      near('sockeye_spool_bytes', 0, 4096);
    },
    sockeye_export_errors_total: () =>
      within(end.sum('sockeye_export_errors_total'), 1, to.requests, 'failed attempts'),
    sockeye_collector_away: () => {
      is('sockeye_collector_away', {}, 1, away);
      is('sockeye_collector_away', {}, 0);
    },
    // Late by no more than this machine lets anything be, and asked 20 times a second of two workers at most.
    sockeye_loop_lag_seconds: () => {
      const asked = end.sum('sockeye_loop_lag_seconds_count');
      within(asked, 1, 2 * 21 * now(), 'times that a worker was asked how late it is');
      within(end.sum('sockeye_loop_lag_seconds_sum'), 0, 2 * now(), 'seconds late');
    },
    sockeye_overload_level: () => is('sockeye_overload_level', {}, 0),
    sockeye_shed_total: () => is('sockeye_shed_total', {}, 0),
    sockeye_observation_bytes: () => is('sockeye_observation_bytes', {}, 0),
    sockeye_observation_limit_bytes: () => is('sockeye_observation_limit_bytes', {}, 32 << 20),
    sockeye_build_info: () => {
      const version = spawnSync(sockeye(), ['--version'], {encoding: 'utf8'}).stdout.trim().split(' ')[1]!;
      is('sockeye_build_info', {version}, 1);
      is('sockeye_build_info', {}, 1);
    },
    // Beside what the kernel says elsewhere of that process, a moment later.
    process_cpu_seconds_total: () => within(end.sum('process_cpu_seconds_total'), 0.001, now(), 'CPU seconds'),
    process_resident_memory_bytes: () =>
      near('process_resident_memory_bytes', Number(proc('statm').split(' ')[1]) * page, 32 << 20),
    process_virtual_memory_bytes: () =>
      near('process_virtual_memory_bytes', Number(proc('statm').split(' ')[0]) * page, 128 << 20),
    process_open_fds: () => near('process_open_fds', readdirSync(`/proc/${one.process.pid}/fd`).length, 10),
    process_max_fds: () => is('process_max_fds', {}, Number(/Max open files +(\d+)/.exec(proc('limits'))![1])),
    process_threads: () => near('process_threads', readdirSync(`/proc/${one.process.pid}/task`).length, 3),
    process_start_time_seconds: () =>
      within(end.sum('process_start_time_seconds'), began - 1, Date.now() / 1e3, 'began'),
  };

  for (const [family, check] of Object.entries(rows)) it(family, () => check());

  it('and there is no other', () => {
    const text = readFileSync(new URL('../../../docs/signals.md', import.meta.url), 'utf8');
    const documented = [
      ...text.matchAll(/^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| (?:counter|gauge|histogram) \|/gm),
    ].flatMap((row) => [...row[1]!.matchAll(/`([a-z_]+)`/g)].map((name) => name[1]!));
    const own = Object.keys(rows).filter((name) => !name.startsWith('process_'));
    assert.deepEqual(documented.sort(), own.sort());
    assert.deepEqual([...end.types.keys()].sort(), Object.keys(rows).sort());
  });
});
