// RFC 6455 frames as bytes, right or deliberately wrong: a fuzzer must be able to write what no library would.
import {randomFillSync} from 'node:crypto';

export const opcodes = {continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10} as const;

export interface Frame {
  opcode: number;
  payload?: Buffer;
  fin?: boolean; // default true
  rsv?: number; // 0 .. 7, RSV1 is 4
  lengthForm?: 7 | 16 | 64; // default: the shortest
  announced?: bigint; // the length written, when it is not the payload's
  masked?: boolean; // default: as the sender's role wants it
}

// Applies `key` to `payload` in place (RFC 6455 §5.3).
export function mask(payload: Buffer, key: Buffer): void {
  const whole = payload.length & ~3;
  if (whole >= 64 && payload.byteOffset % 4 === 0) {
    const words = new Uint32Array(payload.buffer, payload.byteOffset, whole >> 2);
    const word = new Uint32Array(Uint8Array.from(key).buffer)[0]!;
    for (let i = 0; i < words.length; ++i) words[i] = words[i]! ^ word;
    for (let i = whole; i < payload.length; ++i) payload[i] = payload[i]! ^ key[i & 3]!;
    return;
  }
  for (let i = 0; i < payload.length; ++i) payload[i] = payload[i]! ^ key[i & 3]!;
}

export function encode(frame: Frame, maskByDefault: boolean): Buffer {
  const payload = frame.payload ?? Buffer.alloc(0);
  const length = frame.announced ?? BigInt(payload.length);
  const form = frame.lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const masked = frame.masked ?? maskByDefault;
  const header = 2 + (form === 16 ? 2 : form === 64 ? 8 : 0);
  const body = header + (masked ? 4 : 0);
  // A multiple of 4 behind an aligned start lets mask() go word by word.
  const room = Buffer.alloc(((body + 3) & ~3) + payload.length);
  const out = room.subarray(((body + 3) & ~3) - body);
  out[0] = ((frame.fin ?? true) ? 0x80 : 0) | ((frame.rsv ?? 0) << 4) | frame.opcode;
  if (form === 7) out[1] = Number(length);
  if (form === 16) {
    out[1] = 126;
    out.writeUInt16BE(Number(length), 2);
  }
  if (form === 64) {
    out[1] = 127;
    out.writeBigUInt64BE(length, 2);
  }
  payload.copy(out, body);
  if (masked) {
    out[1] = out[1]! | 0x80;
    const key = randomFillSync(Buffer.alloc(4));
    key.copy(out, header);
    mask(out.subarray(body), key);
  }
  return out;
}

export function closePayload(code?: number, reason: Buffer | string = ''): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const text = Buffer.from(reason as string);
  const out = Buffer.alloc(2 + text.length);
  out.writeUInt16BE(code, 0);
  text.copy(out, 2);
  return out;
}

// One frame as it was received.
export interface Received {
  opcode: number;
  fin: boolean;
  rsv: number;
  masked: boolean;
  minimal: boolean; // the length was in its shortest form
  payload: Buffer;
  raw?: Buffer;
}

// Cuts a byte stream into frames, in any split, copying each payload once.
export class FrameReader {
  private chunks: Buffer[] = [];
  private size = 0;
  private need = 2;

  // Frames completed by `bytes`. What is left waits for more.
  *push(bytes: Buffer): Generator<Received> {
    this.chunks.push(bytes);
    this.size += bytes.length;
    while (this.size >= this.need) {
      const head = this.peek(Math.min(this.size, 14));
      const short = head[1]! & 0x7f;
      const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
      const masked = (head[1]! & 0x80) !== 0;
      const start = 2 + extra + (masked ? 4 : 0);
      if (this.size < start) {
        this.need = start;
        return;
      }
      const length = extra === 2 ? head.readUInt16BE(2) : extra === 8 ? Number(head.readBigUInt64BE(2)) : short;
      if (this.size < start + length) {
        this.need = start + length;
        return;
      }
      const raw = this.take(start + length);
      const payload = raw.subarray(start);
      const key = masked ? Buffer.from(raw.subarray(start - 4, start)) : undefined;
      if (key) mask(payload, key);
      this.need = 2;
      yield {
        opcode: raw[0]! & 15,
        fin: (raw[0]! & 0x80) !== 0,
        rsv: (raw[0]! >> 4) & 7,
        masked,
        minimal: extra === 0 || (extra === 2 ? length >= 126 : length >= 65536),
        payload,
      };
    }
  }

  // Bytes received that make no whole frame yet.
  get rest(): number {
    return this.size;
  }

  private peek(n: number): Buffer {
    if (this.chunks[0]!.length >= n) return this.chunks[0]!;
    this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]!;
  }

  // Always a copy of its own: what was received stays as it came.
  private take(n: number): Buffer {
    const out = Buffer.allocUnsafe(n);
    let at = 0;
    while (at < n) {
      const chunk = this.chunks[0]!;
      const part = Math.min(chunk.length, n - at);
      chunk.copy(out, at, 0, part);
      at += part;
      if (part === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part);
    }
    this.size -= n;
    return out;
  }
}
