// Protobuf by hand, for what no library writes; and the smallest requests that are right.
import {randomBytes} from 'node:crypto';

export const varint = (value: number): Buffer =>
  value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 127) | 128]), varint(value >>> 7)]);
export const field = (number: number, content: Buffer | string): Buffer => {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
};
export const number = (field_: number, value: number): Buffer => Buffer.concat([varint(field_ << 3), varint(value)]);
export const fixed = (number_: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.concat([varint((number_ << 3) | 1), bytes]);
};
export const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

const attribute = (key: string, value: string): Buffer => Buffer.concat([field(1, key), field(2, field(1, value))]);

// An ExportTraceServiceRequest with spans of one trace.
export function spansRequest(spans: number, attributes: [string, string][] = [], service = 'bystander'): Buffer {
  const trace = randomBytes(16);
  const span = (): Buffer =>
    field(
      2,
      Buffer.concat([
        field(1, trace),
        field(2, randomBytes(8)),
        field(5, 'work'),
        fixed(7, now()),
        fixed(8, now() + 1000n),
        ...attributes.map(([key, value]) => field(9, attribute(key, value))),
      ]),
    );
  const scope = field(2, Buffer.concat(Array.from({length: spans}, span)));
  return field(1, Buffer.concat([field(1, field(1, attribute('service.name', service))), scope]));
}

// A message of gRPC: not compressed, its length, itself.
export const grpcMessage = (body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
};
export const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

// A frame of HTTP/2 (RFC 9113 §4.1).
export function http2(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
