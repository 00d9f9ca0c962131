// What real senders send is what the console shows: the JavaScript OpenTelemetry SDK's three exporters, a browser page
// over CORS, and all of them with Sockeye's own spans in one waterfall.
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {after, before, describe, it} from 'node:test';
import {
  type Context,
  defaultTextMapGetter,
  diag,
  DiagLogLevel,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import {SeverityNumber} from '@opentelemetry/api-logs';
import {W3CTraceContextPropagator} from '@opentelemetry/core';
import {OTLPLogExporter} from '@opentelemetry/exporter-logs-otlp-proto';
import {OTLPMetricExporter} from '@opentelemetry/exporter-metrics-otlp-http';
import {OTLPTraceExporter as GrpcExporter} from '@opentelemetry/exporter-trace-otlp-grpc';
import {OTLPTraceExporter as JsonExporter} from '@opentelemetry/exporter-trace-otlp-http';
import {OTLPTraceExporter as ProtoExporter} from '@opentelemetry/exporter-trace-otlp-proto';
import {CompressionAlgorithm} from '@opentelemetry/otlp-exporter-base';
import {Resource} from '@opentelemetry/resources';
import {LoggerProvider, SimpleLogRecordProcessor} from '@opentelemetry/sdk-logs';
import {MeterProvider, PeriodicExportingMetricReader} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import {build} from 'esbuild';
import type {Browser, Page} from 'playwright-core';
import {browser as launch} from './chromium.js';
import {testsFolder} from '../lib/process.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {ask, attributesOf, type Console, console_, type Json, nanoseconds, spansRequest, traceId} from './console.js';
import {backend, cleanup, connected, proxy, shut} from './support.js';

let one: Console, browser: Browser, page: Page, origin: string;
const kinds = ['internal', 'server', 'client', 'producer', 'consumer'];

async function site(): Promise<string> {
  const server = createServer((_, response) =>
    response.writeHead(200, {'Content-Type': 'text/html'}).end('<!doctype html><title>t</title>'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(() => server.close());
  return `http://127.0.0.1:${(server.address() as {port: number}).port}`;
}

before(async () => {
  origin = await site();
  one = await console_({arguments: ['--cors-origin', origin]});
  browser = await launch();
  page = await browser.newPage();
  await page.goto(origin);
  await page.addScriptTag({content: await pageScript()});
});
after(async () => browser?.close());

// Spans as the SDK has them when it exports them, kept beside what is sent.
function provider(exporter: SpanExporter, service: string): {provider: BasicTracerProvider; spans: ReadableSpan[]} {
  const spans: ReadableSpan[] = [];
  const made = new BasicTracerProvider({
    resource: new Resource({'service.name': service, 'host.cpus': 2, tags: ['a', 'b']}),
    spanLimits: {attributeCountLimit: 20, eventCountLimit: 4},
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => void spans.push(span),
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
      new SimpleSpanProcessor(exporter),
    ],
  });
  cleanup(() => made.shutdown());
  return {provider: made, spans};
}
const ns = ([seconds, rest]: [number, number]): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(rest);
const listed = (attributes: Record<string, unknown>): Json[] =>
  Object.entries(attributes).map(([key, value]) => ({key, value}));

// As /api/v1 should show it.
function shown(span: ReadableSpan): Json {
  const start = ns(span.startTime),
    end = ns(span.endTime);
  return {
    trace_id: span.spanContext().traceId,
    span_id: span.spanContext().spanId,
    parent_id: span.parentSpanId ?? '',
    name: span.name,
    service: span.resource.attributes['service.name'],
    kind: kinds[span.kind],
    status: ['unset', 'ok', 'error'][span.status.code],
    status_message: span.status.message ?? '',
    flags: 0, // this SDK's exporters send none
    trace_state: span.spanContext().traceState?.serialize() ?? '',
    start_unix_ns: String(start),
    duration_ns: Number(end - start),
    attributes: listed(span.attributes),
    resource: listed(span.resource.attributes),
    resource_schema_url: '',
    scope: {
      name: span.instrumentationLibrary.name,
      version: span.instrumentationLibrary.version ?? '',
      attributes: [],
      schema_url: '',
    },
    events: span.events.map((event) => ({
      name: event.name,
      offset_ns: Number(ns(event.time) - start),
      attributes: listed(event.attributes ?? {}),
      dropped_attributes: event.droppedAttributesCount ?? 0,
    })),
    links: span.links.map((link) => ({
      trace_id: link.context.traceId,
      span_id: link.context.spanId,
      trace_state: link.context.traceState?.serialize() ?? '',
      flags: 0,
      attributes: listed(link.attributes ?? {}),
      dropped_attributes: link.droppedAttributesCount ?? 0,
    })),
    dropped: {attributes: span.droppedAttributesCount, events: span.droppedEventsCount, links: span.droppedLinksCount},
  };
}
// The answer without what is a second form of the same (start_ms, time_ms) and what it adds (session).
function essence(span: Json): Json {
  const {start_ms, session, ...rest} = span;
  assert.ok(Math.abs(start_ms - Number(BigInt(rest.start_unix_ns) / 1000n) / 1000) < 0.002, `start_ms ${start_ms}`);
  assert.equal(session, null);
  for (const event of rest.events)
    assert.ok(Math.abs(event.time_ms - (start_ms + event.offset_ns / 1e6)) < 0.003, `time_ms ${event.time_ms}`);
  return {...rest, events: rest.events.map(({time_ms: _, ...event}: Json) => event)};
}

describe("the JavaScript SDK's exporters: every span as it was,", () => {
  const exporters: Record<string, () => SpanExporter> = {
    'http/protobuf': () => new ProtoExporter({url: `${one.otlp}/v1/traces`, compression: CompressionAlgorithm.GZIP}),
    'http/json': () => new JsonExporter({url: `${one.otlp}/v1/traces`}),
    grpc: () => new GrpcExporter({url: `http://${one.grpc}`}),
    'grpc, gzip': () => new GrpcExporter({url: `http://${one.grpc}`, compression: CompressionAlgorithm.GZIP}),
  };
  for (const [name, exporter] of Object.entries(exporters))
    it(`by ${name}`, async () => {
      const sdk = provider(exporter(), `sdk ${name}`),
        tracer = sdk.provider.getTracer('shop', '1.2.3');
      const seconds = Math.floor(Date.now() / 1000) - 60;
      const link = (last: string): Link => ({
        context: {traceId: traceId(), spanId: `00000000000000${last}`, traceFlags: TraceFlags.SAMPLED},
        attributes: {why: last},
      });
      const root = tracer.startSpan('GET /cart', {
        kind: SpanKind.SERVER,
        startTime: [seconds, 123_456_789],
        links: [link('a1'), link('a2'), link('a3')],
        attributes: {
          text: 'Grüße ☀ 漢字',
          empty: '',
          yes: true,
          no: false,
          int: -42,
          large: Number.MAX_SAFE_INTEGER,
          small: Number.MIN_SAFE_INTEGER,
          double: 2.5,
          tiny: 5e-324,
          third: 1 / 3,
          negative: -1.5e-9,
          texts: ['a', '', 'c'],
          ints: [1, -2, 3],
          doubles: [0.1, 2.5],
          bools: [true, false],
          none: [],
          holes: ['a', null, 'b'],
        },
      });
      for (let i = 0; i < 5; ++i) root.setAttribute(`more.${i}`, i); // two too many
      root.addEvent('begun', {n: 1, list: ['x']}, [seconds, 123_456_790]);
      root.addEvent('later', [seconds + 1, 7]);
      for (let i = 0; i < 4; ++i) root.addEvent(`event ${i}`, [seconds + 1, 10 + i]); // pushes out the first two
      root.setStatus({code: SpanStatusCode.ERROR, message: 'card refused'});
      const within: Context = trace.setSpan(ROOT_CONTEXT, root);
      const others = Object.values([SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER]).map(
        (kind, i) => tracer.startSpan(`child ${i}`, {kind, startTime: [seconds, 200_000_001 + i]}, within),
      );
      others[0]!.setStatus({code: SpanStatusCode.OK});
      for (const [i, child] of others.entries()) child.end([seconds + i, 999_999_999]);
      root.end([seconds + 5, 1]);
      await sdk.provider.forceFlush();
      const found = await one.trace(root.spanContext().traceId, 5);
      const expected = sdk.spans.map(shown).sort((a, b) => Number(BigInt(a.start_unix_ns) - BigInt(b.start_unix_ns)));
      assert.deepEqual(expected[0].dropped, {attributes: 2, events: 2, links: 0}, 'the limits were met');
      assert.deepEqual(found.spans.map(essence), expected);
      assert.equal(found.truncated, false);
    });
});

it("the SDK's log records are shown on their trace", async () => {
  const logs = new LoggerProvider({resource: new Resource({'service.name': 'logger'})});
  logs.addLogRecordProcessor(new SimpleLogRecordProcessor(new OTLPLogExporter({url: `${one.otlp}/v1/logs`})));
  cleanup(() => logs.shutdown());
  const sdk = provider(new ProtoExporter({url: `${one.otlp}/v1/traces`}), 'logger'),
    span = sdk.provider.getTracer('t').startSpan('logged');
  const context = trace.setSpan(ROOT_CONTEXT, span),
    logger = logs.getLogger('l');
  const at = Date.now();
  logger.emit({
    timestamp: at,
    severityNumber: SeverityNumber.ERROR,
    severityText: 'ERROR',
    body: 'card <b>refused</b>',
    attributes: {attempt: 3, card: 'visa'},
    context,
  });
  logger.emit({
    timestamp: at + 1,
    severityNumber: SeverityNumber.INFO,
    body: {step: 'retry', tries: [1, 2]} as never,
    context,
  });
  logger.emit({timestamp: at, body: 'of no trace'});
  span.end();
  await logs.forceFlush();
  await sdk.provider.forceFlush();
  const {spanId, traceId: id} = span.spanContext();
  const found = await eventually('both records', async () => {
    const now = await one.trace(id);
    return now.logs.length >= 2 ? now : undefined;
  });
  const same = {flags: 1, event_name: '', dropped_attributes: 0, resource_schema_url: ''};
  for (const log of found.logs) {
    assert.equal(attributesOf(log.resource)['service.name'], 'logger');
    assert.deepEqual(log.scope, {name: 'l', version: '', attributes: [], schema_url: ''});
  }
  assert.deepEqual(
    found.logs.map(({attributes, resource: _resource, scope: _scope, ...log}: Json) => ({
      ...log,
      attributes: attributesOf(attributes),
    })),
    [
      {
        ...same,
        time_ms: at,
        time_unix_ns: `${at}000000`,
        span_id: spanId,
        severity: 17,
        severity_text: 'ERROR',
        body: 'card <b>refused</b>',
        service: 'logger',
        attributes: {attempt: 3, card: 'visa'},
      },
      {
        ...same,
        time_ms: at + 1,
        time_unix_ns: `${at + 1}000000`,
        span_id: spanId,
        severity: 9,
        severity_text: '',
        body: {step: 'retry', tries: [1, 2]},
        service: 'logger',
        attributes: {},
      },
    ],
  );
});

it("the SDK's metrics are refused out loud, and not tried again", async () => {
  const warnings: string[] = [];
  diag.setLogger(
    {
      error: (...what) => warnings.push(what.join(' ')),
      warn: (...what) => warnings.push(what.join(' ')),
      info: () => undefined,
      debug: () => undefined,
      verbose: () => undefined,
    },
    DiagLogLevel.WARN,
  );
  cleanup(() => diag.disable());
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({url: `${one.otlp}/v1/metrics`}),
    exportIntervalMillis: 3_600_000,
  });
  const meters = new MeterProvider({readers: [reader]});
  meters.getMeter('m').createCounter('sold').add(3, {what: 'fish'});
  await reader.forceFlush();
  await meters.shutdown();
  assert.match(warnings.join('\n'), /Partial Success.*keeps traces and logs, no metrics/s);
  const answer = await one.send('metrics', {
    resourceMetrics: [{scopeMetrics: [{metrics: [{name: 'a', gauge: {dataPoints: [{asInt: '1'}, {asDouble: 2}]}}]}]}],
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.partialSuccess.rejectedDataPoints, '2');
});

// The page's own SDK, as a bundler gives it to a browser.
async function pageScript(): Promise<string> {
  const result = await build({
    stdin: {
      resolveDir: testsFolder,
      contents: `
      import {BasicTracerProvider, SimpleSpanProcessor} from '@opentelemetry/sdk-trace-base';
      import {OTLPTraceExporter} from '@opentelemetry/exporter-trace-otlp-http';
      import {Resource} from '@opentelemetry/resources';
      import {ROOT_CONTEXT, trace} from '@opentelemetry/api';
      globalThis.traced = (url, service, headers) => {
        const exporter = new OTLPTraceExporter({url, headers}), results = [];
        const send = exporter.export.bind(exporter);
        exporter.export = (spans, done) => send(spans, (result) => {
          results.push(result.error ? String(result.error.message) : 'sent');
          done(result);
        });
        const provider = new BasicTracerProvider({
          resource: new Resource({'service.name': service}),
          spanProcessors: [new SimpleSpanProcessor(exporter)],
        });
        const tracer = provider.getTracer('page', '1');
        return {
          begin: (name, parent, kind) =>
            tracer.startSpan(name, {kind}, parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT),
          flush: () => provider.forceFlush(),
          results,
        };
      };`,
    },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    minify: true,
    logLevel: 'error',
    define: {'process.env.NODE_ENV': '"production"'},
  });
  return result.outputFiles[0]!.text;
}
type Begin = {
  end: () => void;
  spanContext: () => {traceId: string; spanId: string};
  setAttribute: (key: string, value: unknown) => void;
};
type Traced = (
  url: string,
  service: string,
  headers?: object,
) => {begin: (name: string, parent?: Begin, kind?: number) => Begin; flush: () => Promise<void>; results: string[]};
declare const traced: Traced;

describe("a page's SDK, over CORS,", () => {
  const run = (on: Page, headers?: object) =>
    on.evaluate(
      async ([url, more]) => {
        const sdk = traced(url as string, 'page', more as object | undefined);
        const span = sdk.begin('click');
        span.setAttribute('where', location.origin);
        span.end();
        await sdk.flush();
        const deadline = Date.now() + 10_000;
        while (!sdk.results.length && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
        return {...span.spanContext(), results: sdk.results};
      },
      [`${one.otlp}/v1/traces`, headers] as const,
    );

  it('of an allowed origin, with header fields of its own', async () => {
    const sent = await run(page, {'x-tenant': 'a'}); // its own header field: preflight, then XMLHttpRequest
    assert.deepEqual(sent.results, ['sent']);
    const {spans} = await one.trace(sent.traceId);
    assert.deepEqual(
      [spans[0].span_id, spans[0].service, spans[0].name, attributesOf(spans[0].attributes).where],
      [sent.spanId, 'page', 'click', origin],
    );
  });
  it('of an allowed origin, as a beacon', async () => {
    const sent = await run(page);
    await one.trace(sent.traceId);
  });
  it('of another origin it is refused', async () => {
    const other = await browser.newPage();
    await other.goto(await site());
    await other.addScriptTag({content: await pageScript()});
    const sent = await run(other, {'x-tenant': 'a'});
    assert.notDeepEqual(sent.results, ['sent']);
    assert.equal((await one.ask(`/api/v1/traces/${sent.traceId}`)).status, 404);
    // Not by a request without a preflight either: what is not of the list is not taken.
    const status = await one.send('traces', spansRequest([{traceId: sent.traceId}]), {
      origin: new URL(other.url()).origin,
    });
    assert.equal(status.status, 403);
    assert.equal((await one.ask(`/api/v1/traces/${sent.traceId}`)).status, 404);
    await other.close();
  });
  it('the preflight names the origin, the method and the fields, and varies by the origin', async () => {
    const {status, headers} = await ask(`${one.otlp}/v1/traces`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-tenant',
      },
    });
    assert.equal(status, 204);
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.match(headers['access-control-allow-methods']!, /POST/);
    assert.match(headers['access-control-allow-headers']!, /x-tenant/);
    assert.match(headers.vary!, /Origin/i);
  });
});

it('a page, a Node service behind the proxy and Sockeye are one waterfall', async () => {
  const sdk = provider(new GrpcExporter({url: `http://${one.grpc}`}), 'backend'),
    tracer = sdk.provider.getTracer('backend', '1');
  const extracted = (headers: object): Context =>
    new W3CTraceContextPropagator().extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  const server = await backend({echo: false});
  server.accepted = (socket) => {
    const serving = tracer.startSpan('serve', {kind: SpanKind.SERVER}, extracted(server.requests.at(-1)!.headers));
    socket.on('close', () => serving.end());
    socket.on('message', (data) => {
      const {headers} = JSON.parse(String(data));
      const handling = tracer.startSpan('handle quote', {kind: SpanKind.SERVER}, extracted(headers));
      for (let seq = 0; seq < 3; ++seq)
        socket.send(JSON.stringify({headers: {correlationId: headers.id, seq, final: seq === 2}, body: 'x'}));
      handling.end();
    });
  };
  const between = await proxy({
    config: {service: 'voice-bridge', export: {otlp: {endpoint: one.otlp}, console: {endpoint: one.url}}},
    routes: [
      {
        upstream: `ws://127.0.0.1:${server.port}`,
        dialect: 'envelope',
        origins: [origin],
        trace: {scope: 'connection', insert: 'both'},
      },
    ],
  });
  const made = await page.evaluate(
    async ([otlp, url]) => {
      const sdk = traced(`${otlp}/v1/traces`, 'page', {});
      const context = (span: Begin) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`;
      const root = sdk.begin('open the shop');
      const socket = new WebSocket(`${url}/room?traceparent=${context(root)}`);
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error('no connection'));
      });
      const asking = sdk.begin('ask for a quote', root, 2);
      await new Promise<void>((resolve) => {
        socket.onmessage = (event) => JSON.parse(event.data as string).headers.final && resolve();
        socket.send(JSON.stringify({headers: {id: 'q1', operation: 'quote', traceparent: context(asking)}, body: 'x'}));
      });
      asking.end();
      const closed = new Promise((resolve) => (socket.onclose = resolve));
      socket.close(1000);
      await closed;
      root.end();
      await sdk.flush();
      return root.spanContext();
    },
    [one.otlp, `ws://127.0.0.1:${between.port}`] as const,
  );

  await sdk.provider.forceFlush();
  const {spans} = await one.trace(made.traceId, 7);
  const name = (span: Json): string => `${span.service}: ${span.name}`;
  const byId = new Map<string, Json>(spans.map((span: Json) => [span.span_id, span]));
  const parents = Object.fromEntries(
    spans.map((span: Json) => [
      name(span),
      span.parent_id ? name(byId.get(span.parent_id) ?? {name: 'an orphan'}) : '',
    ]),
  );
  assert.deepEqual(parents, {
    'page: open the shop': '',
    'voice-bridge: websocket.handshake': 'page: open the shop',
    'voice-bridge: websocket.connection': 'voice-bridge: websocket.handshake',
    'backend: serve': 'voice-bridge: websocket.handshake',
    'page: ask for a quote': 'page: open the shop',
    'voice-bridge: quote': 'page: ask for a quote',
    'backend: handle quote': 'voice-bridge: quote',
  });
  const call = spans.find((span: Json) => span.name === 'quote');
  assert.deepEqual(
    call.events.map((event: Json) => event.name).filter((each: string) => each === 'first_chunk'),
    ['first_chunk'],
  );
  assert.equal(attributesOf(call.attributes)['websocket.chunk.count'], 3);
  // The list knows it by any of its three services, and the session's page leads to it.
  for (const service of ['page', 'voice-bridge', 'backend']) {
    const {traces} = await one.api(`/traces?service=${service}&limit=200`);
    const row = traces.find((each: Json) => each.trace_id === made.traceId);
    assert.deepEqual(
      [row?.root_service, row?.root_operation, row?.spans, row?.errors],
      ['page', 'open the shop', 7, 0],
    );
  }
  assert.match(call.session, /^[0-9a-f-]{36}$/);
  const detail = await eventually('the session has ended', async () => {
    const now = await one.api(`/sessions/${call.session}`);
    return now.session.ended_ms ? now : undefined;
  });
  assert.equal(detail.connection.name, 'websocket.connection');
  assert.deepEqual(
    detail.invocations.map((each: Json) => each.span_id),
    [call.span_id],
  );
  assert.ok(detail.traces.some((each: Json) => each.trace_id === made.traceId));
});

it("Jaeger's API tells the same", async () => {
  const id = traceId(),
    start = nanoseconds() - 5_000_000_000n,
    marker = traceId();
  const [root, child] = ['00000000000000b1', '00000000000000b2'];
  await one.send(
    'traces',
    spansRequest(
      [
        {
          traceId: id,
          spanId: root,
          name: 'checkout',
          kind: 2,
          startTimeUnixNano: String(start),
          endTimeUnixNano: String(start + 1_500_000n),
          status: {code: 2, message: 'no'},
          attributes: [
            {key: 'marker', value: {stringValue: marker}},
            {key: 'n', value: {intValue: '7'}},
            {key: 'x', value: {doubleValue: 0.5}},
            {key: 'b', value: {boolValue: true}},
          ],
          events: [
            {
              name: 'tried',
              timeUnixNano: String(start + 1_000_000n),
              attributes: [{key: 'k', value: {stringValue: 'v'}}],
            },
          ],
        },
        {
          traceId: id,
          spanId: child,
          parentSpanId: root,
          name: 'charge',
          startTimeUnixNano: String(start + 1000n),
          endTimeUnixNano: String(start + 2000n),
          links: [{traceId: traceId(), spanId: root}],
        },
      ],
      {'service.name': 'jaeger test', 'host.name': 'h1'},
    ),
  );
  assert.ok((await one.jaeger('/services')).includes('jaeger test'));
  assert.deepEqual((await one.jaeger('/services/jaeger%20test/operations')).sort(), ['charge', 'checkout']);
  assert.deepEqual((await one.jaeger('/operations?service=jaeger%20test')).map((each: Json) => each.name).sort(), [
    'charge',
    'checkout',
  ]);
  const [found] = await one.jaeger(`/traces/${id}`);
  assert.equal(found.traceID, id);
  const [first, second] = found.spans;
  assert.deepEqual(
    [first.spanID, first.operationName, first.startTime, first.duration, first.references],
    [root, 'checkout', Number(start / 1000n), 1500, []],
  );
  const tags = Object.fromEntries(first.tags.map((tag: Json) => [tag.key, [tag.type, tag.value]]));
  assert.deepEqual(
    [tags.marker, tags.n, tags.x, tags.b, tags.error, tags['span.kind']],
    [
      ['string', marker],
      ['int64', 7],
      ['float64', 0.5],
      ['bool', true],
      ['bool', true],
      ['string', 'server'],
    ],
  );
  assert.deepEqual(first.logs, [
    {
      timestamp: Number((start + 1_000_000n) / 1000n),
      fields: [
        {key: 'event', type: 'string', value: 'tried'},
        {key: 'k', type: 'string', value: 'v'},
      ],
    },
  ]);
  assert.deepEqual(
    second.references.map((each: Json) => [each.refType, each.spanID]),
    [
      ['CHILD_OF', root],
      ['FOLLOWS_FROM', root],
    ],
  );
  assert.deepEqual(
    [found.processes[first.processID].serviceName, found.processes[first.processID].tags],
    ['jaeger test', [{key: 'host.name', type: 'string', value: 'h1'}]],
  );
  const asked = async (query: string): Promise<string[]> =>
    (await one.jaeger(`/traces?service=jaeger%20test&${query}`)).map((each: Json) => each.traceID);
  const tagged = (tags: object) => `tags=${encodeURIComponent(JSON.stringify(tags))}`;
  assert.deepEqual(await asked(tagged({marker})), [id]);
  assert.deepEqual(await asked(tagged({marker, n: '7', error: 'true'})), [id]);
  assert.deepEqual(await asked(tagged({marker: 'another'})), []);
  assert.deepEqual(await asked('operation=checkout&minDuration=1ms&maxDuration=2ms&limit=5&lookback=1h'), [id]);
  assert.deepEqual(await asked('operation=checkout&minDuration=2ms'), []);
  assert.deepEqual(await asked(`start=${start / 1000n - 1_000_000n}&end=${start / 1000n + 1_000_000n}`), [id]);
  assert.deepEqual(await asked(`end=${start / 1000n - 1_000_000n}`), []);
  // What stands beside attributes is asked for as Jaeger names it.
  for (const tags of [
    {'span.kind': 'SERVER'},
    {'otel.status_code': 'error'},
    {'otel.library.name': 'by hand'},
    {'otel.scope.version': '1'},
    {event: 'tried', k: 'v'},
  ])
    assert.deepEqual(await asked(tagged({marker, ...tags})), [id], JSON.stringify(tags));
  for (const tags of [{'span.kind': 'sever'}, {'otel.status_code': 'OK'}, {event: 'trie'}])
    assert.deepEqual(await asked(tagged({marker, ...tags})), [], JSON.stringify(tags));
  assert.deepEqual(await asked(`operation=checkout&raw=true&prettyPrint=true&limit=1500`), [id]);
  assert.equal((await one.jaeger(`/traces/${id.toUpperCase()}`))[0].traceID, id);
  const {json: third} = await one.ask(`/api/v3/traces/${id}`);
  const [resource] = third.result.resourceSpans;
  assert.equal(resource.resource.attributes[0].value.stringValue, 'jaeger test');
  assert.equal(resource.scopeSpans[0].spans[0].traceId, id);
  const missing = await one.ask(`/api/traces/${traceId()}`);
  assert.deepEqual([missing.status, missing.json.data, missing.json.errors[0].code], [404, null, 404]);
});

it("the console's own page connection is observed by Sockeye", async () => {
  const socket = await connected(`${one.url.replace('http', 'ws')}/api/v1/live`, {headers: {origin: one.url}}, [
    'sockeye-page.v1',
  ]);
  socket.send(JSON.stringify({fleet: true}));
  await withDeadline(5000, 'the fleet', () => once(socket, 'message'));
  await shut(socket);
  const row = await eventually('its trace', async () => (await one.api('/traces?service=sockeye-console')).traces[0]);
  const {spans} = await one.trace(row.trace_id, 2);
  assert.deepEqual(spans.map((span: Json) => span.name).sort(), ['websocket.connection', 'websocket.handshake']);
});
