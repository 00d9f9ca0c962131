// Writes the requests beside this file: what the JavaScript OpenTelemetry SDK's exporters put on the wire for one
// trace, three logs and five metrics, caught by a server. Run in tests/ (its node_modules are used):
//   node ../console/intake/test/golden/make.mjs
import {createServer} from 'node:http';
import {createRequire} from 'node:module';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const {SpanKind, SpanStatusCode, TraceFlags, context, trace, createTraceState} = require('@opentelemetry/api');
const {BasicTracerProvider} = require('@opentelemetry/sdk-trace-base');
const {LoggerProvider} = require('@opentelemetry/sdk-logs');
const sdk_metrics = require('@opentelemetry/sdk-metrics');
const {Resource} = require('@opentelemetry/resources');
const transformer = require('@opentelemetry/otlp-transformer');
const {OTLPExporterBase} = require('@opentelemetry/otlp-exporter-base');
const http = require('@opentelemetry/otlp-exporter-base/node-http');

const folder = new URL('.', import.meta.url).pathname;
const formats = {protobuf: 'Protobuf', json: 'Json'};

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const type = request.headers['content-type'].includes('json') ? 'json' : 'pb';
    writeFileSync(join(folder, `${request.url.slice(1)}.${type}`), Buffer.concat(parts));
    response.writeHead(200, {'content-type': request.headers['content-type']}).end(type === 'json' ? '{}' : '');
  });
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));

function exporter(signal, format) {
  const serializer = transformer[`${formats[format]}${signal[0].toUpperCase()}${signal.slice(1)}Serializer`];
  const type = format === 'json' ? 'application/json' : 'application/x-protobuf';
  const options = http.convertLegacyHttpOptions({}, signal.toUpperCase(), signal, {'Content-Type': type});
  const name = signal === 'trace' ? 'traces' : signal;
  return new OTLPExporterBase(
    http.createOtlpHttpExportDelegate(
      {...options, url: `http://127.0.0.1:${server.address().port}/${name}`},
      serializer,
    ),
  );
}

const resource = new Resource({'service.name': 'checkout', 'service.instance.id': 'c-1', 'process.pid': 4242});
const at = (ms) => [1_700_000_000 + Math.floor(ms / 1000), (ms % 1000) * 1_000_000 + 7];

for (const format of Object.keys(formats)) {
  let next = 0;
  const collected = [];
  const spans = new BasicTracerProvider({
    resource,
    idGenerator: {
      generateTraceId: () => '5b8efff798038103d269b633813fc60c',
      generateSpanId: () => (0xeee19b7ec3c1b170n + BigInt(next++)).toString(16),
    },
    spanProcessors: [
      {onStart() {}, onEnd: (span) => collected.push(span), forceFlush: async () => {}, shutdown: async () => {}},
    ],
  });
  const tracer = spans.getTracer('cart', '1.4.2');
  const root = tracer.startSpan('POST /checkout', {
    kind: SpanKind.SERVER,
    startTime: at(0),
    attributes: {
      'http.request.method': 'POST',
      'http.response.status_code': 500,
      'a.negative': -9007199254740991,
      'a.real': 0.1,
      'a.truth': true,
      'a.lie': false,
      'some.texts': ['α', '<script>alert(1)</script>', ''],
      'some.numbers': [1, -2, 3.5],
      'websocket.session.id': '0190163d-8694-739b-aea5-966c26f8ad91',
    },
  });
  const within = trace.setSpan(context.active(), root);
  const child = spans.getTracer('db').startSpan(
    'SELECT',
    {
      kind: SpanKind.CLIENT,
      startTime: at(10),
      links: [
        {
          context: {
            traceId: '0af7651916cd43dd8448eb211c80319c',
            spanId: 'b7ad6b7169203331',
            traceFlags: TraceFlags.SAMPLED,
            traceState: createTraceState('vendor=1'),
          },
          attributes: {why: 'retried'},
        },
      ],
    },
    within,
  );
  child.addEvent('rows', {count: 12}, at(15));
  child.end(at(20));
  root.addEvent('exception', {'exception.message': 'Ünlucky \u{1F340}', 'exception.escaped': false}, at(25));
  root.setStatus({code: SpanStatusCode.ERROR, message: 'card refused'});
  root.end(at(30));
  const send = (out, records) =>
    new Promise((done, failed) => out.export(records, (r) => (r.code === 0 ? done() : failed(r.error))));
  await send(exporter('trace', format), collected);

  const kept = [];
  const logs = new LoggerProvider({resource});
  logs.addLogRecordProcessor({onEmit: (r) => kept.push(r), forceFlush: async () => {}, shutdown: async () => {}});
  const logger = logs.getLogger('audit', '0.1');
  logger.emit({
    timestamp: at(12),
    observedTimestamp: at(13),
    severityNumber: 17,
    severityText: 'ERROR',
    body: 'refused',
    attributes: {'card.kind': 'visa'},
    context: within,
  });
  logger.emit({
    timestamp: at(14),
    observedTimestamp: at(14),
    severityNumber: 9,
    body: {user: 'u1', tries: [1, 2, {deep: true}], raw: new Uint8Array([0, 255, 128])},
  });
  logger.emit({timestamp: at(16), observedTimestamp: at(17), body: 42});
  await send(exporter('logs', format), kept);

  const {MeterProvider, MetricReader, AggregationType, View, Aggregation} = sdk_metrics;
  class Reader extends MetricReader {
    async onForceFlush() {}
    async onShutdown() {}
  }
  const reader = new Reader();
  const views = Aggregation
    ? [
        new View({
          instrumentName: 'exponential',
          aggregation: Aggregation.ExponentialHistogram?.() ?? new sdk_metrics.ExponentialHistogramAggregation(),
        }),
      ]
    : [{instrumentName: 'exponential', aggregation: {type: AggregationType.EXPONENTIAL_HISTOGRAM}}];
  const meter = new MeterProvider({resource, readers: [reader], views}).getMeter('m');
  meter.createCounter('sum').add(1, {a: 1});
  meter.createCounter('sum').add(1, {a: 2});
  meter.createGauge('gauge').record(3);
  meter.createHistogram('histogram').record(4);
  meter.createHistogram('exponential').record(5);
  await send(exporter('metrics', format), (await reader.collect()).resourceMetrics);
}
server.close();
