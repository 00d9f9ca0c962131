// Spans as a collector sees them, decoded by an independent implementation, and trace context on its way through.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {freePorts, temporaryFolder} from '../lib/process.js';
import type {Proxy} from '../lib/proxy.js';
import {eventually, pause} from '../lib/wait.js';
import {backend, connected, metrics, program, proxy, quiet, roundTrip, shut} from './support.js';
import {collector, exported, spansOf} from './collector.js';

// What the proxy says it did with every span.
async function spanCounts(one: Proxy): Promise<Record<string, number>> {
  const now = await metrics(one);
  const figures = {
    received: now.sum('sockeye_spans_received_total'),
    exported: now.sum('sockeye_spans_exported_total'),
    dropped: now.sum('sockeye_spans_dropped_total'),
    queued: now.sum('sockeye_queue_length'),
    spooled: now.sum('sockeye_spool_spans'),
    resent: now.sum('sockeye_spans_resent_total'),
  };
  assert.equal(
    figures.received,
    figures.exported + figures.dropped + figures.queued + figures.spooled,
    `the counts add up: ${JSON.stringify(figures)}`,
  );
  return figures;
}
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('context', () => {
  it('of W3C is taken from the handshake and a new span of the same trace goes upstream', async () => {
    const to = await collector();
    const server = await backend();
    const one = await proxy({
      routes: [{name: 'calls', upstream: `ws://127.0.0.1:${server.port}`}],
      config: exported(to.endpoint, {headers: {authorization: 'Bearer x'}}),
    });
    const begun = BigInt(Date.now()) * 1_000_000n;
    const socket = await connected(`ws://127.0.0.1:${one.port}/talk?token=secret&lang=de`, {
      headers: {traceparent, tracestate: 'vendor=1', baggage: 'tenant=7'},
    });
    await roundTrip(socket, Buffer.alloc(100));
    const row = (await one.sessions()).sessions[0];
    assert.equal(row.trace_id, '0af7651916cd43dd8448eb211c80319c');
    assert.doesNotMatch(JSON.stringify(row), /secret/);
    await shut(socket, 1000);
    const sent = server.requests[0]!.headers;
    const [, trace, parent, flags] = String(sent.traceparent).split('-');
    assert.equal(trace, '0af7651916cd43dd8448eb211c80319c');
    assert.notEqual(parent, 'b7ad6b7169203331');
    assert.equal(flags, '01');
    assert.equal(sent.tracestate, 'vendor=1');
    assert.equal(sent.baggage, 'tenant=7');

    const [handshake] = await spansOf(to, 'websocket.handshake');
    const [connection] = await spansOf(to, 'websocket.connection');
    assert.ok(handshake && connection);
    assert.equal(handshake.traceId, trace);
    assert.equal(handshake.parentSpanId, 'b7ad6b7169203331');
    assert.equal(handshake.traceState, 'vendor=1');
    assert.equal(handshake.kind, 2, 'SERVER');
    assert.equal(handshake.attributes['http.response.status_code'], 101);
    assert.equal(handshake.attributes['url.path'], '/talk');
    assert.equal(handshake.status, 0);
    assert.equal(connection.traceId, trace);
    assert.equal(connection.parentSpanId, handshake.spanId);
    assert.equal(connection.kind, 1, 'INTERNAL');
    assert.ok([handshake.spanId, connection.spanId].includes(parent!), 'the upstream is told a span that exists');
    for (const span of [handshake, connection]) {
      assert.equal(span.attributes['websocket.session.id'], row.id);
      assert.equal(span.attributes['network.protocol.name'], 'websocket');
      assert.equal(span.attributes['sockeye.vantage'], 'proxy');
      assert.equal(span.attributes['sockeye.route'], 'calls');
      assert.equal(span.resource['service.name'], 'voice-bridge');
      assert.ok(
        span.start >= begun - 1_000_000n && span.end >= span.start && span.end <= BigInt(Date.now() + 1) * 1_000_000n,
      );
      assert.doesNotMatch(JSON.stringify(span.attributes), /secret/);
    }
    assert.ok(connection.start >= handshake.start && connection.end >= handshake.end);
    assert.equal(connection.attributes['websocket.close.code'], 1000);
    assert.equal(connection.attributes['websocket.close.initiator'], 'client');
    assert.equal(connection.attributes['websocket.end_reason'], 'normal');
    assert.equal(connection.attributes['websocket.messages.sent'], 1);
    assert.equal(connection.attributes['websocket.messages.received'], 1);
    assert.equal(connection.attributes['websocket.bytes.sent'], 100);
    assert.equal(connection.attributes['websocket.bytes.received'], 100);
    assert.equal(to.authorization, 'Bearer x');
    assert.equal(to.encoding, 'gzip');
    assert.equal((await spanCounts(one)).exported, 2);
  });

  it('of B3, in one header or several, is taken, and sent on where configured', async () => {
    const to = await collector();
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`}],
      config: {...exported(to.endpoint), propagation: {b3: 'inject'}},
    });
    const url = `ws://127.0.0.1:${one.port}/`;
    await shut(await connected(url, {headers: {b3: '80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1'}}));
    await shut(
      await connected(url, {
        headers: {
          'X-B3-TraceId': '463ac35c9f6413ad48485a3953bb6124',
          'X-B3-SpanId': 'a2fb4a1d1a96d312',
          'X-B3-Sampled': '1',
        },
      }),
    );
    const spans = await spansOf(to, 'websocket.handshake', 2);
    assert.deepEqual(spans.map((span) => [span.traceId, span.parentSpanId]).sort(), [
      ['463ac35c9f6413ad48485a3953bb6124', 'a2fb4a1d1a96d312'],
      ['80f198ee56343ba864fe8b2a57d3eff7', 'e457b5a2e4d86bd1'],
    ]);
    const sent = server.requests[0]!.headers;
    assert.match(String(sent.traceparent), /^00-80f198ee56343ba864fe8b2a57d3eff7-[0-9a-f]{16}-01$/);
    assert.match(String(sent.b3 ?? sent['x-b3-traceid']), /^80f198ee56343ba864fe8b2a57d3eff7/);
  });

  it('is begun where none came, and ignored and counted where it is not valid', async () => {
    const to = await collector();
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}], config: exported(to.endpoint)});
    const url = `ws://127.0.0.1:${one.port}/`;
    await shut(await connected(url));
    await shut(
      await connected(url, {headers: {traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01'}}),
    );
    const spans = await spansOf(to, 'websocket.handshake', 2);
    for (const [i, span] of spans.entries()) {
      assert.equal(span.parentSpanId, '', `span ${i} is a root`);
      assert.match(String(server.requests[i]!.headers.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
    assert.notEqual(spans[0]!.traceId, spans[1]!.traceId);
    assert.equal((await metrics(one)).sum('websocket_anomalies_total', {kind: 'trace_context_invalid'}), 1);
  });

  it('that says "not sampled" is honoured, and so is a ratio of 0', async () => {
    const to = await collector();
    const server = await backend();
    const upstream = `ws://127.0.0.1:${server.port}`;
    const all = await proxy({routes: [{upstream}], config: exported(to.endpoint)});
    const none = await proxy({routes: [{upstream}], config: {...exported(to.endpoint), sampling: {ratio: 0}}});
    await shut(
      await connected(`ws://127.0.0.1:${all.port}/unsampled`, {
        headers: {traceparent: traceparent.replace(/01$/, '00')},
      }),
    );
    await shut(await connected(`ws://127.0.0.1:${none.port}/unsampled`));
    await shut(await connected(`ws://127.0.0.1:${none.port}/sampled`, {headers: {traceparent}}));
    const spans = await spansOf(to, 'websocket.handshake');
    assert.deepEqual(
      spans.map((span) => span.attributes['url.path']),
      ['/sampled'],
    );
    assert.match(
      String(server.requests[0]!.headers.traceparent),
      /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/,
    );
    assert.match(String(server.requests[1]!.headers.traceparent), /-00$/);
    assert.equal((await spanCounts(all)).received, 0);
  });

  it('joins what two Sockeyes in a row see of the same calls', async () => {
    const to = await collector();
    const server = await backend();
    const route = {dialect: 'jsonrpc'};
    const inner = await proxy({
      routes: [{name: 'inner', upstream: `ws://127.0.0.1:${server.port}`, ...route}],
      config: exported(to.endpoint),
    });
    const outer = await proxy({
      routes: [{name: 'outer', upstream: `ws://127.0.0.1:${inner.port}`, ...route}],
      config: exported(to.endpoint),
    });
    const socket = await connected(`ws://127.0.0.1:${outer.port}/`);
    // The server echoes: so each request is answered by one the other way.
    for (let id = 1; id <= 20; ++id)
      await roundTrip(socket, JSON.stringify({jsonrpc: '2.0', id, method: `call.${id}`}));
    await roundTrip(socket, 'not json');
    await roundTrip(socket, JSON.stringify({jsonrpc: '2.0', id: 21, method: 'call.21'}));
    await shut(socket, 1000);
    await spansOf(to, 'websocket.connection', 2);
    const calls = await eventually('both saw all calls', () => {
      const found = to.spans.filter((span) => span.name.startsWith('call.'));
      return found.length >= 84 ? found : undefined;
    });
    const of = (name: string) => calls.filter((span) => span.attributes['sockeye.route'] === name);
    const key = (span: (typeof calls)[0], leg: string) =>
      `${span.name} ${span.attributes['websocket.invocation.opened_by']} ${span.attributes[`websocket.link.${leg}`]}`;
    const seen = of('outer').map((span) => key(span, 'server')),
      same = of('inner').map((span) => key(span, 'client'));
    assert.equal(new Set(seen).size, 42);
    assert.match(seen[0]!, / [0-9a-f]{16}$/);
    assert.deepEqual(seen.sort(), same.sort());
    assert.ok(
      of('outer').every((span) => !('websocket.link.client' in span.attributes)),
      'the client said no context',
    );
    assert.ok(
      of('inner').every(
        (span) => span.attributes['websocket.link.server'] !== span.attributes['websocket.link.client'],
      ),
    );
  });
});

describe('spans', () => {
  it('tell of refusals and of violations', async () => {
    const to = await collector();
    const server = await backend();
    const [nowhere] = await freePorts(1);
    const one = await proxy({
      routes: [
        {name: 'dead', match: {path: '/dead'}, upstream: `ws://127.0.0.1:${nowhere}`},
        {name: 'live', upstream: `ws://127.0.0.1:${server.port}`},
      ],
      config: exported(to.endpoint),
    });
    await assert.rejects(connected(`ws://127.0.0.1:${one.port}/dead`), /502/);
    const socket = await connected(`ws://127.0.0.1:${one.port}/live`);
    (socket as unknown as {_socket: import('node:net').Socket})._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    await quiet(one);
    const handshakes = await spansOf(to, 'websocket.handshake', 2);
    const refused = handshakes.find((span) => span.attributes['http.response.status_code'] === 502);
    assert.equal(refused?.status, 2, 'ERROR');
    assert.equal(refused?.attributes['sockeye.route'], 'dead');
    assert.ok(refused?.attributes['error.type']);
    const [connection] = await spansOf(to, 'websocket.connection');
    assert.equal(connection?.status, 2);
    assert.equal(connection?.attributes['websocket.close.code'], 1002);
    assert.equal(connection?.attributes['websocket.close.initiator'], 'proxy');
    assert.equal(connection?.attributes['websocket.end_reason'], 'protocol_error');
  });

  it('of a long session come in segments while it is open', async () => {
    const to = await collector();
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`, trace: {segment: '1s'}}],
      config: exported(to.endpoint),
    });
    const socket = await connected(`ws://127.0.0.1:${one.port}/`);
    await roundTrip(socket, 'hello');
    const segments = await spansOf(to, 'websocket.connection.segment', 2);
    assert.equal((await one.sessions()).total, 1, 'the session is open still');
    await shut(socket);
    const [connection] = await spansOf(to, 'websocket.connection');
    for (const segment of segments) {
      assert.equal(segment.parentSpanId, connection!.spanId);
      assert.equal(segment.traceId, connection!.traceId);
    }
    assert.ok(segments[1]!.start >= segments[0]!.end - 1n);
  });
});

describe('export', () => {
  // Sessions that come and go: two spans each.
  async function churn(url: string, until: () => boolean): Promise<number> {
    let made = 0;
    const worker = async () => {
      while (!until()) {
        const socket = await connected(url);
        await roundTrip(socket, 'x');
        await shut(socket);
        ++made;
        await pause(20);
      }
    };
    await Promise.all(Array.from({length: 4}, worker));
    return made;
  }

  it('retries what may be retried, when it is asked to, and drops what is refused, with a reason', async () => {
    const to = await collector();
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}], config: exported(to.endpoint)});
    const times: number[] = [];
    to.answer = () => {
      times.push(Date.now());
      return times.length === 1 ? {status: 503, headers: {'retry-after': '2'}} : undefined;
    };
    await shut(await connected(`ws://127.0.0.1:${one.port}/`));
    await spansOf(to, 'websocket.connection');
    assert.ok(times[1]! - times[0]! >= 1900, `asked to wait 2 s, waited ${times[1]! - times[0]!} ms`);
    assert.equal(to.spans.length, 2);
    to.answer = () => ({status: 400});
    await shut(await connected(`ws://127.0.0.1:${one.port}/`));
    await eventually(
      'two spans are counted as rejected',
      async () => (await metrics(one)).sum('sockeye_spans_dropped_total', {reason: 'rejected'}) === 2,
      20_000,
    );
    const figures = await spanCounts(one);
    assert.deepEqual([figures.received, figures.exported, figures.dropped], [4, 2, 2]);
  });

  it('a collector killed under load: after its return every span is there exactly once', async () => {
    const folder = temporaryFolder();
    const [port] = await freePorts(1);
    const file = join(folder, 'spans');
    const start = async () => {
      const one = program('collector', String(port), file);
      await one.saw(/listening/);
      return one;
    };
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`}],
      config: exported(`http://127.0.0.1:${port}`, {
        timeout: '2s',
        spool: {directory: join(folder, 'spool'), limit: '64MiB'},
      }),
    });
    const long = process.env.SOCKEYE_E2E_FULL ? 30_000 : 6000;
    const first = await start();
    let over = false;
    const made = churn(`ws://127.0.0.1:${one.port}/`, () => over);
    await eventually('the collector has some', () => readFileSync(file, 'utf8').length > 0, 20_000);
    first.signal('SIGKILL');
    await first.exit();
    await pause(long); // the outage itself
    await start();
    await pause(2000); // and load goes on behind it
    over = true;
    const sessions = await made;
    await quiet(one);
    const figures = await eventually(
      'everything is exported',
      async () => {
        const now = await spanCounts(one);
        return now.exported === sessions * 2 ? now : undefined;
      },
      60_000,
      200,
    );
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const unique = new Set(lines.map((line) => line.split(' ')[0]));
    assert.equal(unique.size, sessions * 2, 'every span arrived');
    assert.equal(figures.dropped, 0);
    // A batch whose acknowledgement the kill cut off is sent again; the counts say how many those can be.
    assert.ok(
      lines.length - unique.size <= figures.resent!,
      `${lines.length - unique.size} came twice, ${figures.resent} were sent again`,
    );
    const perSession = new Map<string, string[]>();
    for (const line of new Set(lines)) {
      const [, name, session] = line.split(' ') as [string, string, string];
      perSession.set(session, [...(perSession.get(session) ?? []), name]);
    }
    assert.equal(perSession.size, sessions);
    for (const names of perSession.values())
      assert.deepEqual(names.sort(), ['websocket.connection', 'websocket.handshake']);
    assert.equal(
      one.log.split('\n').filter((line) => /collector|otlp|export/i.test(line)).length <= 6,
      true,
      `a line when it went and one when it came back, not one a batch:\n${one.log}`,
    );
  });

  it("what is spooled survives the proxy's own restart, and SIGTERM sends what is left", async () => {
    const folder = temporaryFolder();
    const [port] = await freePorts(1);
    const server = await backend();
    const config = exported(`http://127.0.0.1:${port}`, {timeout: '1s', spool: {directory: join(folder, 'spool')}});
    const routes = [{upstream: `ws://127.0.0.1:${server.port}`}];
    const first = await proxy({routes, config});
    for (let i = 0; i < 5; ++i) await shut(await connected(`ws://127.0.0.1:${first.port}/`));
    await quiet(first);
    first.process.signal('SIGTERM');
    assert.equal(await first.process.exit(20_000), 0);
    const file = join(folder, 'spans');
    await program('collector', String(port), file).saw(/listening/);
    const second = await proxy({routes, config});
    await shut(await connected(`ws://127.0.0.1:${second.port}/`));
    await quiet(second);
    second.process.signal('SIGTERM');
    assert.equal(await second.process.exit(20_000), 0);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(lines.length, 12);
    assert.equal(new Set(lines).size, 12);
    assert.ok(
      lines.slice(0, 10).every((line) => !lines.slice(10).includes(line)),
      'in order',
    );
  });
});
