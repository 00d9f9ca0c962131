// One trace through client, proxy and server: both ends run the OpenTelemetry SDK and say where they are in the
// handshake and in their messages, and everybody's spans meet in one collector.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span as Open,
  SpanKind,
  trace,
} from '@opentelemetry/api';
import {W3CTraceContextPropagator} from '@opentelemetry/core';
import {OTLPTraceExporter} from '@opentelemetry/exporter-trace-otlp-proto';
import {Resource} from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  ParentBasedSampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type {WebSocket} from 'ws';
import type {Span} from '../lib/collector.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {type Stage, stage} from './calls.js';
import {backend, type Backend, cleanup, connected, quiet, shut} from './support.js';

const w3c = new W3CTraceContextPropagator();
type Headers = Record<string, any>;
const injected = (span: Open, headers: Headers = {}): Headers => {
  w3c.inject(trace.setSpan(ROOT_CONTEXT, span), headers, defaultTextMapSetter);
  return headers;
};
const extracted = (headers: Headers): Context => w3c.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);

// An application with the SDK, as `service`.
interface Traced {
  begin: (name: string, kind: SpanKind, parent?: Context | Open) => Open;
  flush: () => Promise<void>;
}
function traced(service: string, endpoint: string): Traced {
  const exporter = new OTLPTraceExporter({url: `${endpoint}/v1/traces`});
  const provider = new BasicTracerProvider({
    resource: new Resource({'service.name': service}),
    sampler: new ParentBasedSampler({root: new AlwaysOnSampler()}),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  cleanup(() => provider.shutdown());
  const tracer = provider.getTracer('test');
  return {
    begin: (name, kind, parent) =>
      tracer.startSpan(
        name,
        {kind},
        parent && 'spanContext' in parent ? trace.setSpan(ROOT_CONTEXT, parent) : (parent ?? ROOT_CONTEXT),
      ),
    flush: () => provider.forceFlush(),
  };
}

// One end of the envelope dialect, which numbers its calls with its own letter.
class End {
  private ids = 0;
  private waiting = new Map<string, () => void>();

  constructor(
    readonly socket: WebSocket,
    readonly letter: string,
    asked: (headers: Headers, answer: (chunks: number) => void) => void,
  ) {
    const send = (headers: Headers) => socket.send(JSON.stringify({headers, body: 'x'}));
    this.send = send;
    socket.on('message', (data) => {
      const {headers} = JSON.parse(String(data)) as {headers: Headers};
      if (!headers.correlationId) {
        asked(headers, (chunks) => {
          for (let seq = 0; seq < chunks; ++seq) send({correlationId: headers.id, seq, final: seq + 1 === chunks});
          if (!chunks) send({correlationId: headers.id});
        });
      } else if (headers.final !== false) {
        this.waiting.get(headers.correlationId)!();
      }
    });
  }
  private send: (headers: Headers) => void;
  call(operation: string, more: Headers = {}): Promise<void> {
    const id = `${this.letter}${++this.ids}`;
    return withDeadline(
      10_000,
      `answer to ${operation}`,
      () =>
        new Promise((resolve) => {
          this.waiting.set(id, resolve);
          this.send({id, operation, ...more});
        }),
    );
  }
}

// A server that handles what it is asked in a span; a quote it confirms with who asks.
function serve(server: Backend, app: Traced): void {
  server.accepted = (socket) => {
    const session = app.begin('serve', SpanKind.SERVER, extracted(server.requests.at(-1)!.headers));
    socket.on('close', () => session.end());
    const end = new End(socket, 's', async (headers, answer) => {
      const handler = app.begin(`handle ${headers.operation}`, SpanKind.SERVER, extracted(headers));
      if (headers.operation === 'quote') {
        const confirm = app.begin('ask confirm', SpanKind.CLIENT, handler);
        await end.call('confirm', injected(confirm));
        confirm.end();
      }
      answer(3);
      handler.end();
    });
  };
}
const service = (span: Span): string => String(span.resource['service.name']);

describe('one connected trace', {concurrency: 5}, () => {
  for (const scope of ['connection', 'invocation'])
    for (const insert of ['none', 'both'])
      it(`with scope ${scope}, inserting ${insert}`, async () => {
        const server = await backend({echo: false});
        const at = await stage(server.port, {dialect: 'envelope', trace: {scope, insert}});
        const page = traced('page', at.to.endpoint),
          behind = traced('backend', at.to.endpoint);
        serve(server, behind);

        const root = page.begin('page', SpanKind.INTERNAL);
        const socket = await connected(at.url, {headers: injected(root)});
        const end = new End(socket, 'c', (headers, answer) => {
          const handler = page.begin(`handle ${headers.operation}`, SpanKind.SERVER, extracted(headers));
          answer(0);
          handler.end();
        });
        const ask = page.begin('ask quote', SpanKind.CLIENT, root);
        await end.call('quote', injected(ask));
        ask.end();
        await end.call('bare'); // names no context
        await shut(socket);
        root.end();

        const names = [
          'page page',
          'page ask quote',
          'page handle confirm',
          'backend serve',
          'backend handle quote',
          'backend ask confirm',
          'backend handle bare',
          'voice-bridge websocket.handshake',
          'voice-bridge websocket.connection',
          'voice-bridge quote',
          'voice-bridge confirm',
          'voice-bridge bare',
        ];
        await eventually(
          "everybody's spans",
          async () => {
            await page.flush();
            await behind.flush();
            return at.to.spans.length >= names.length;
          },
          20_000,
        );
        const spans = new Map(at.to.spans.map((span) => [`${service(span)} ${span.name}`, span]));
        assert.deepEqual(at.to.spans.map((span) => `${service(span)} ${span.name}`).sort(), [...names].sort());

        const ours = insert === 'both';
        const parents: Record<string, string> = {
          'page page': '',
          'voice-bridge websocket.handshake': 'page page',
          'voice-bridge websocket.connection': 'voice-bridge websocket.handshake',
          'backend serve': 'voice-bridge websocket.handshake',
          'page ask quote': 'page page',
          'voice-bridge quote': 'page ask quote',
          'backend handle quote': ours ? 'voice-bridge quote' : 'page ask quote',
          'backend ask confirm': 'backend handle quote',
          'voice-bridge confirm': 'backend ask confirm',
          'page handle confirm': ours ? 'voice-bridge confirm' : 'backend ask confirm',
          'voice-bridge bare': scope === 'connection' ? 'voice-bridge websocket.connection' : '',
          'backend handle bare': ours ? 'voice-bridge bare' : '',
        };
        const id = new Map(at.to.spans.map((span) => [span.spanId, `${service(span)} ${span.name}`]));
        assert.deepEqual(
          Object.fromEntries(
            [...spans].map(([name, span]) => [
              name,
              span.parentSpanId ? (id.get(span.parentSpanId) ?? 'an orphan') : '',
            ]),
          ),
          parents,
        );
        // What has a parent is in its trace, and each root has one of its own.
        for (const [name, span] of spans) {
          const parent = spans.get(parents[name]!);
          if (parent) assert.equal(span.traceId, parent.traceId, name);
          if (parent)
            assert.ok(
              span.start >= parent.start - 2_000_000n,
              `${name} begins ${parent.start - span.start} ns before its parent`,
            );
        }
        const roots = Object.keys(parents).filter((name) => !parents[name]);
        assert.equal(new Set(at.to.spans.map((span) => span.traceId)).size, roots.length);

        const connection = spans.get('voice-bridge websocket.connection')!,
          bare = spans.get('voice-bridge bare')!;
        assert.deepEqual(
          bare.links,
          scope === 'connection' ? [] : [{traceId: connection.traceId, spanId: connection.spanId}],
        );
        assert.deepEqual([spans.get('voice-bridge quote')!.links, spans.get('voice-bridge confirm')!.links], [[], []]);
        assert.deepEqual(
          ['quote', 'confirm', 'bare'].map(
            (name) => spans.get(`voice-bridge ${name}`)!.attributes['websocket.invocation.opened_by'],
          ),
          ['c2s', 's2c', 'c2s'],
        );
        assert.deepEqual(
          ['quote', 'confirm', 'bare'].map(
            (name) => spans.get(`voice-bridge ${name}`)!.attributes['websocket.chunk.count'],
          ),
          [3, 0, 3],
        );
        const counted = await quiet(at.one);
        assert.equal(counted.sum('sockeye_dialect_errors_total') + counted.sum('websocket_anomalies_total'), 0);
      });

  it('exemplars name spans that were exported', async () => {
    const server = await backend({echo: false});
    const at = await stage(server.port, {dialect: 'envelope', trace: {scope: 'connection'}});
    const page = traced('page', at.to.endpoint),
      behind = traced('backend', at.to.endpoint);
    serve(server, behind);
    const sampled = await connected(at.url),
      not = await connected(at.url, {
        headers: {traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'},
      });
    const ends = [sampled, not].map((socket) => new End(socket, 'c', (_, answer) => answer(2)));
    for (let i = 0; i < 40; ++i) {
      const span = page.begin('ask', SpanKind.CLIENT);
      await ends[0]!.call(i % 2 ? 'quote' : 'list', i % 4 < 2 ? injected(span) : {});
      span.end();
      await ends[1]!.call('list'); // nothing of it is exported
    }
    await shut(sampled);
    await shut(not);
    await quiet(at.one);
    const ours = (): Span[] =>
      at.to.spans.filter(
        (span) => service(span) === 'voice-bridge' && 'websocket.invocation.number' in span.attributes,
      );
    await eventually('a span of each call that is exported', () => ours().length >= 60, 20_000);
    assert.equal(ours().length, 60);
    const {body, type} = await at.one.get('/metrics', 'application/openmetrics-text; version=1.0.0');
    assert.match(type, /^application\/openmetrics-text/);
    const exemplars = await check(at, body);
    assert.deepEqual([...new Set(exemplars.map((each) => each.metric))].sort(), [
      'websocket_time_to_first_chunk_seconds',
      'websocket_time_to_last_chunk_seconds',
    ]);
    assert.deepEqual([...new Set(exemplars.map((each) => each.operation))].sort(), ['confirm', 'list', 'quote']);
    assert.doesNotMatch((await at.one.get('/metrics')).body, /trace_id/, 'plain Prometheus text has none');
  });
});

// Each exemplar names a span of the operation it stands at, and a value that this span has and that belongs in the
// bucket.
async function check(at: Stage, text: string): Promise<{metric: string; operation: string}[]> {
  const found = [
    ...text.matchAll(/^(\w+)_bucket\{(.*?)\} \d+ # \{trace_id="(\w{32})",span_id="(\w{16})"\} (\S+)(?: (\S+))?$/gm),
  ];
  assert.equal(found.length, text.split('\n').filter((line) => line.includes(' # {')).length, 'each is read');
  return found.map(([line, metric, labels, traceId, spanId, value, time]) => {
    const span = at.to.spans.find((each) => each.spanId === spanId && each.traceId === traceId);
    assert.ok(span, `no such span: ${line}`);
    const operation = /operation="(.*?)"/.exec(labels!)![1]!,
      most = Number(/le="(.*?)"/.exec(labels!)![1]!.replace('+Inf', 'Infinity'));
    assert.equal(span.name, operation);
    const attribute = metric!.replace(/_seconds$/, '').replace('websocket_', 'websocket.');
    assert.ok(
      Math.abs(Number(span.attributes[attribute]) - Number(value)) < 1e-6 && Number(value) <= most,
      `${line}: its span says ${span.attributes[attribute]}`,
    );
    assert.ok(
      Math.abs(Number(time) - Number(span.end) / 1e9) < 0.01,
      `${line}: its span ended at ${Number(span.end) / 1e9}`,
    );
    return {metric: metric!, operation};
  });
}
