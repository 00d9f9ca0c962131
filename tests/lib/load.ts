// Messages that tell of any loss, swap or damage: who sent them, their number, and bytes that follow from both.
import type {WebSocket} from 'ws';
import {FrameReader} from './frame.js';

const noise = Buffer.alloc(1 << 16);
for (let i = 0, x = 0x2545f491; i < noise.length; ++i) {
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  noise[i] = x >>> 9;
}
const offset = (session: number, sequence: number, size: number): number =>
  (Math.imul(session * 7919 + sequence, 2654435761) >>> 0) % (noise.length - size);

export function makeMessage(session: number, sequence: number, size: number): Buffer {
  const out = Buffer.allocUnsafe(size);
  out.writeUInt32BE(session, 0);
  out.writeUInt32BE(sequence, 4);
  noise.copy(out, 8, offset(session, sequence, size), offset(session, sequence, size) + size - 8);
  return out;
}

// The session and sequence of a message, or what is wrong with it.
export function readMessage(message: Buffer): {session: number; sequence: number} | string {
  if (message.length < 8) return `${message.length} bytes`;
  const session = message.readUInt32BE(0),
    sequence = message.readUInt32BE(4);
  const at = offset(session, sequence, message.length);
  if (message.compare(noise, at, at + message.length - 8, 8) !== 0)
    return `message ${sequence} of session ${session} is damaged`;
  return {session, sequence};
}

// Payload bytes of data frames on the wire, each way, below the library: what compression makes of a message only shows
// there.
export class Tap {
  sent = 0;
  received = 0;
  constructor(socket: WebSocket) {
    const raw = (socket as unknown as {_socket: import('node:net').Socket})._socket;
    const reading = new FrameReader(),
      writing = new FrameReader();
    const count = (reader: FrameReader, bytes: Buffer): number => {
      let total = 0;
      for (const frame of reader.push(bytes)) if (frame.opcode < 8) total += frame.payload.length;
      return total;
    };
    raw.prependListener('data', (bytes: Buffer) => (this.received += count(reading, bytes)));
    const write = raw.write.bind(raw);
    raw.write = ((bytes: Buffer | string, ...rest: unknown[]) => {
      if (typeof bytes !== 'string') this.sent += count(writing, bytes);
      return (write as (...args: unknown[]) => boolean)(bytes, ...rest);
    }) as typeof raw.write;
  }
}

export const smallDeflate = {
  threshold: 0,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  zlibDeflateOptions: {level: 1, memLevel: 4, windowBits: 10},
  concurrencyLimit: 64,
};
