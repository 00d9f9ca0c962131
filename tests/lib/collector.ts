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
const Reader = createRequire(import.meta.url)('protobufjs/minimal').Reader;
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

// The fields of a protobuf message that are messages, texts or bytes, as they lie.
function* fields(message: Uint8Array): Generator<[number, Uint8Array]> {
  const reader = Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) yield [tag >>> 3, reader.bytes()];
    else reader.skipType(tag & 7);
  }
}
const under = (message: Uint8Array, number: number): Uint8Array[] =>
  [...fields(message)].filter(([field]) => field === number).map(([, bytes]) => bytes);

// The spans of a request to the byte, and the attributes of the resource they came with.
export interface Encoded {
  spans: string[]; // hex
  resource: Record<string, unknown>;
}
export function encoded(body: Buffer): Encoded {
  const resource = Request.decode(body).resourceSpans[0]?.resource?.attributes ?? [];
  const scopes = under(body, 1).flatMap((ofResource) => under(ofResource, 2));
  return {spans: scopes.flatMap((scope) => under(scope, 2)).map(hex), resource: attributes(resource)};
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
}

// Calls `take` with each request's spans before it is answered; what `take` gives is the answer (default 200).
type Take = (spans: Span[], request: IncomingMessage, body: Buffer) => Answer | undefined;
export function collectorServer(take: Take): Server {
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
      const answer = take(decode(body), request, body) ?? {status: 200};
      response.writeHead(answer.status, {'content-type': 'application/x-protobuf', ...answer.headers}).end();
    });
  });
}
