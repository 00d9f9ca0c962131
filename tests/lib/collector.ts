// An OTLP/HTTP collector that decodes with the JavaScript OpenTelemetry packages' own protobuf, not with ours.
import {createServer, type IncomingMessage, type Server} from 'node:http';
import {createRequire} from 'node:module';
import {gunzipSync} from 'node:zlib';

export interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  flags: number;
  kind: number;
  start: bigint; // ns
  end: bigint;
  status: number;
  message: string;
  attributes: Record<string, unknown>;
  links: {traceId: string; spanId: string}[];
  resource: Record<string, unknown>;
}

// Generated protobufjs code: it has no useful types.
const root: any = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root');
const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const big = (value: any): bigint => BigInt(value?.toString() ?? 0);

function value(any: any): unknown {
  if (!any) return undefined;
  for (const kind of ['stringValue', 'boolValue', 'doubleValue'] as const)
    if (any[kind] !== undefined && any[kind] !== null) return any[kind];
  if (any.intValue !== undefined && any.intValue !== null) return Number(any.intValue.toString());
  if (any.arrayValue) return any.arrayValue.values.map(value);
  return undefined;
}
const attributes = (list: any[]): Record<string, unknown> =>
  Object.fromEntries(list.map((one) => [one.key, value(one.value)]));

export function decode(body: Buffer): Span[] {
  const spans: Span[] = [];
  for (const resource of Request.decode(body).resourceSpans)
    for (const scope of resource.scopeSpans)
      for (const span of scope.spans)
        spans.push({
          name: span.name,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          traceState: span.traceState ?? '',
          flags: span.flags ?? 0,
          kind: span.kind,
          start: big(span.startTimeUnixNano),
          end: big(span.endTimeUnixNano),
          status: span.status?.code ?? 0,
          message: span.status?.message ?? '',
          attributes: attributes(span.attributes),
          links: span.links.map((link: any) => ({traceId: hex(link.traceId), spanId: hex(link.spanId)})),
          resource: attributes(resource.resource?.attributes ?? []),
        });
  return spans;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
}

// Calls `take` with each request's spans before it is answered; what `take` gives is the answer (default 200).
export function collectorServer(take: (spans: Span[], request: IncomingMessage) => Answer | undefined): Server {
  return createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      let body: Buffer = Buffer.concat(parts);
      if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
      if (
        request.url !== '/v1/traces' ||
        request.method !== 'POST' ||
        request.headers['content-type'] !== 'application/x-protobuf'
      ) {
        response.writeHead(404).end();
        return;
      }
      const answer = take(decode(body), request) ?? {status: 200};
      response.writeHead(answer.status, {'content-type': 'application/x-protobuf', ...answer.headers}).end();
    });
  });
}
