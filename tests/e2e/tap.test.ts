// The same traffic through the proxy and beside it through the tap, live and from a file: the same sessions, counts,
// invocations and spans. Looking at an interface takes root (CI has it).
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {chmodSync, mkdirSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {Metrics} from '../lib/metrics.js';
import {freePorts, sockeye, temporaryFolder} from '../lib/process.js';
import {eventually, pool} from '../lib/wait.js';
import type {Span} from '../lib/collector.js';
import {collector, type Collector, exported} from './collector.js';
import {backend, child, closed, connected, proxy, quiet, roundTrip, shut} from './support.js';

const sessions = 200;
const root = process.getuid?.() === 0;

// Answers JSON-RPC, a GraphQL subscription with three results, an envelope; echoes anything else.
async function server(): Promise<number> {
  const one = await backend({echo: false, deflate: true, protocols: ['graphql-transport-ws']});
  one.accepted = (socket) =>
    socket.on('message', (data: Buffer, binary: boolean) => {
      const said = binary ? undefined : JSON.parse(String(data));
      const reply = (value: object) => socket.send(JSON.stringify(value));
      if (!said) socket.send(data, {binary: true});
      else if (said.jsonrpc) reply({jsonrpc: '2.0', id: said.id, result: 'r'.repeat(said.id * 50)});
      else if (said.type === 'connection_init') reply({type: 'connection_ack'});
      else if (said.type === 'subscribe') {
        for (let i = 0; i < 3; ++i) reply({id: said.id, type: 'next', payload: {data: {n: i}}});
        reply({id: said.id, type: 'complete'});
      } else reply(said);
    });
  return one.port;
}

async function session(url: string, number: number): Promise<void> {
  const graphql = number % 3 === 1;
  const socket = await connected(
    `${url}/session/${number}?token=secret`,
    {perMessageDeflate: number % 2 ? {threshold: 0} : false},
    graphql ? ['graphql-transport-ws'] : [],
  );
  const said = async (message: object | Buffer, answers = 1) => {
    const seen = new Promise<void>((resolve) => {
      let left = answers;
      const count = () => {
        if (--left > 0) return;
        socket.off('message', count);
        resolve();
      };
      socket.on('message', count);
    });
    socket.send(Buffer.isBuffer(message) ? message : JSON.stringify(message));
    await seen;
  };
  if (graphql) {
    await said({type: 'connection_init'});
    for (let i = 1; i <= 3; ++i)
      await said({id: `s${i}`, type: 'subscribe', payload: {query: `subscription Q${i} { n }`}}, 4);
  } else if (number % 3 === 2) {
    for (let id = 1; id <= 5; ++id)
      await said({jsonrpc: '2.0', id, method: `method${id % 3}`, params: {pad: 'x'.repeat(200)}});
  } else {
    for (let i = 0; i < 4; ++i) await said(Buffer.alloc(1 + i * 9000, i));
  }
  socket.ping('here');
  await once(socket, 'pong');
  const end = closed(socket);
  if (number % 5 === 0) socket.terminate();
  else socket.close(number % 7 ? 1000 : 4000, 'done');
  await end;
}

// What of a span is the traffic's: ids, times, addresses, names and links of the vantage are left out.
const notTheTraffics =
  /session\.id|vantage|route|\.link|address|port|rtt|interval|gap|seconds|_ms$|reconnect|offsets|time/;
function told(span: Span): string {
  const attributes = Object.entries(span.attributes)
    .filter(([key]) => !notTheTraffics.test(key))
    .sort(([a], [b]) => a.localeCompare(b));
  return JSON.stringify([span.name, span.kind, span.status, attributes]);
}
// By session, found by its path; spans of invocations name only the session's id.
function bySession(spans: Span[]): Record<string, string[]> {
  const paths = new Map<unknown, string>();
  for (const span of spans)
    if (span.attributes['url.path'])
      paths.set(span.attributes['websocket.session.id'], String(span.attributes['url.path']));
  const out: Record<string, string[]> = {};
  for (const span of spans) {
    const path = paths.get(span.attributes['websocket.session.id']) ?? 'none';
    (out[path] ??= []).push(told(span));
  }
  for (const list of Object.values(out)) list.sort();
  return out;
}

function figures(of: Metrics): Record<string, number> {
  const out: Record<string, number> = {};
  for (const each of of.samples) {
    if (!/^websocket_(messages|message_bytes|connections|invocations|closes|anomalies|chunks).*_total$/.test(each.name))
      continue;
    const {route: _, ...labels} = each.labels;
    const key = each.name + JSON.stringify(Object.entries(labels).sort());
    if (each.value) out[key] = (out[key] ?? 0) + each.value;
  }
  return out;
}

const ended = (of: Collector): number => of.spans.filter((span) => span.name === 'websocket.connection').length;

// The first recordings in that folder give the spans that the tap gave of these sessions, to the byte.
async function replaysAs(folder: string, given: Set<string>): Promise<void> {
  const files = readdirSync(folder);
  assert.equal(files.length, sessions);
  for (const file of files.slice(0, 5)) {
    const again = await collector();
    const spans: string[] = [];
    again.keepEncoded = (one) => spans.push(...one.spans);
    const replay = child('replay', sockeye(), ['replay', join(folder, file), '--otlp', again.endpoint]);
    assert.equal(await replay.exit(30_000), 0, replay.err);
    assert.ok(spans.length >= 2, 'the handshake and the connection');
    for (const span of spans) assert.ok(given.has(span), `${file}: a span that the tap did not give`);
    const id = file.replace('.capture', '');
    const there = again.spans.filter((span) => span.attributes['websocket.session.id'] === id).length;
    assert.equal(there, spans.length);
  }
}

describe('a tap beside the proxy', {skip: root ? false : 'watching an interface takes root'}, () => {
  it(`tells of ${sessions} sessions what the proxy tells, live and from the captured file`, async () => {
    const [through, beside, later] = [await collector(), await collector(), await collector()];
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${await server()}`, heartbeat: {client: false, upstream: false}}],
      config: exported(through.endpoint),
    });
    const [given, givenLater] = [new Set<string>(), new Set<string>()];
    beside.keepEncoded = (one) => one.spans.forEach((span) => given.add(span));
    later.keepEncoded = (one) => one.spans.forEach((span) => givenLater.add(span));
    const [metricsPort] = await freePorts(1);
    const filter = `tcp port ${one.port}`;
    const folder = temporaryFolder();
    const file = join(folder, 'traffic.pcap');
    const recordings = join(folder, 'live');
    mkdirSync(recordings);
    chmodSync(folder, 0o755); // the tap is no longer root when it writes them
    chmodSync(recordings, 0o777);
    const dump = child('tcpdump', 'tcpdump', ['-i', 'lo', '-U', '-B', '32768', '-Z', 'root', '-w', file, filter]);
    await dump.saw(/listening on lo/);
    const flags = ['--filter', filter, '--format', 'json', '--metrics', `127.0.0.1:${metricsPort}`, '--buffer', '64'];
    flags.push('--record', recordings, '--record-payload');
    const tap = child('tap', sockeye(), ['tap', '--interface', 'lo', ...flags, '--otlp', beside.endpoint]);
    await tap.saw(/watching lo/);

    const url = `ws://127.0.0.1:${one.port}`;
    await pool(
      20,
      Array.from({length: sessions}, (_, number) => () => session(url, number)),
    );
    const expected = figures(await quiet(one));
    await eventually('the proxy has sent all its spans', () => ended(through) === sessions, 30_000);
    await eventually('the tap has sent all its spans', () => ended(beside) === sessions, 30_000);
    assert.equal(through.spans.length, beside.spans.length);
    assert.deepEqual(bySession(beside.spans), bySession(through.spans));
    const live = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    assert.deepEqual(figures(new Metrics(live)), expected);

    tap.signal('SIGINT');
    assert.equal(await tap.exit(30_000), 0, tap.err);
    const lines = tap.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const total = lines.pop();
    assert.equal(total.websockets, sessions);
    assert.deepEqual([total.gaps, total.dropped, total.truncated], [0, 0, false]);
    assert.equal(lines.length, sessions);
    for (const row of lines) {
      assert.deepEqual(
        [row.vantage, row.attached, row.anomalies],
        ['tap', 'handshake', row.close.why === 'reset' ? row.anomalies : 0],
      );
      assert.equal(row.target.includes('secret'), false);
      assert.ok(row.legs.upstream.rtt_seconds > 0, 'the client pinged, and the tap timed it');
    }

    await replaysAs(recordings, given);

    await eventually('the capture is written', () => statSync(file).size > 0 && dump.err.length > 0);
    dump.signal('SIGINT');
    await dump.exit();
    const offline = join(folder, 'offline');
    const record = ['--record', offline, '--record-payload'];
    const reader = child('tap', sockeye(), ['tap', file, '--format', 'json', '--otlp', later.endpoint, ...record]);
    assert.equal(await reader.exit(60_000), 0, reader.err);
    await replaysAs(offline, givenLater);
    assert.deepEqual(bySession(later.spans), bySession(through.spans));
    assert.equal(JSON.parse(reader.out.trim().split('\n').pop()!).sessions, sessions);
  });

  it('records the session that it is asked for, from then on', async () => {
    const [port, metricsPort] = [(await backend()).port, (await freePorts(1))[0]];
    const folder = temporaryFolder();
    const recordings = join(folder, 'asked');
    mkdirSync(recordings);
    chmodSync(folder, 0o755);
    chmodSync(recordings, 0o777);
    const flags = ['--filter', `tcp port ${port}`, '--metrics', `127.0.0.1:${metricsPort}`, '--record', recordings];
    const tap = child('tap', sockeye(), ['tap', '--interface', 'lo', ...flags, '--record-when', 'asked']);
    await tap.saw(/watching lo/);
    const [asked, other] = [
      await connected(`ws://127.0.0.1:${port}/asked`),
      await connected(`ws://127.0.0.1:${port}/other`),
    ];
    for (const socket of [asked, other]) await roundTrip(socket, 'before');
    const ask = async (path: string, method = 'POST') =>
      fetch(`http://127.0.0.1:${metricsPort}/sessions${path}`, {method});
    const row = await eventually('the tap has seen both', async () => {
      const rows: any[] = ((await (await ask('', 'GET')).json()) as any).sessions;
      const seen = rows.filter((each) => each.messages.s2c === 1);
      return seen.length === 2 ? seen.find((each) => each.target === '/asked') : undefined;
    });
    assert.equal((await ask(`/${row.id}/capture`)).status, 202);
    assert.equal((await ask(`/${row.id}/capture`)).status, 200);
    for (const socket of [asked, other]) {
      for (let i = 0; i < 3; ++i) await roundTrip(socket, 'after that');
      await shut(socket);
    }
    await eventually('both are over', async () => {
      const ended: any[] = ((await (await ask('', 'GET')).json()) as any).ended;
      return ended.length === 2;
    });
    tap.signal('SIGINT');
    assert.equal(await tap.exit(30_000), 0, tap.err);
    assert.deepEqual(readdirSync(recordings), [`${row.id}.capture`]);
    const replay = child('replay', sockeye(), ['replay', join(recordings, `${row.id}.capture`), '--format', 'json']);
    assert.equal(await replay.exit(30_000), 0, replay.err);
    const {session} = JSON.parse(replay.out);
    assert.deepEqual(session.messages, {c2s: 3, s2c: 3});
    assert.deepEqual(session.bytes, {c2s: 30, s2c: 30});
  });
});
