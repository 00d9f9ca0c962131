// permessage-deflate (RFC 7692) for the raw end of a test: parameters, and message-wise compression with every setting,
// strict about what comes back (a peer that keeps context it promised to drop does not inflate here).
import {constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw} from 'node:zlib';

export interface Parameters {
  [name: string]: string | true;
}
export interface Extension {
  name: string;
  parameters: Parameters;
}

export function parseExtensions(header: string | undefined): Extension[] {
  if (!header) return [];
  return header.split(',').map((item) => {
    const [name, ...rest] = item.split(';').map((part) => part.trim());
    const parameters: Parameters = {};
    for (const part of rest) {
      const [key, value] = part.split('=').map((word) => word.trim().replace(/^"|"$/g, ''));
      parameters[key!] = value ?? true;
    }
    return {name: name!, parameters};
  });
}

const tail = Buffer.from([0, 0, 0xff, 0xff]);

// Feeds `input` through a zlib stream and flushes; what comes out, or the stream's error.
function through(stream: DeflateRaw | InflateRaw, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const data = (part: Buffer) => parts.push(part);
    const failed = (error: Error) => {
      stream.off('data', data);
      reject(error);
    };
    stream.on('data', data);
    stream.once('error', failed);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.off('data', data);
      stream.off('error', failed);
      resolve(Buffer.concat(parts));
    });
  });
}

export class Compressor {
  private stream: DeflateRaw;
  constructor(
    windowBits: number,
    private readonly dropContext: boolean,
    level = 1,
  ) {
    this.stream = createDeflateRaw({windowBits: Math.max(windowBits, 9), level, memLevel: 8, chunkSize: 64 * 1024});
  }
  async message(payload: Buffer): Promise<Buffer> {
    const out = await through(this.stream, payload);
    if (this.dropContext) this.stream.reset();
    // An empty message is one empty block: RFC 7692 §7.2.3.6.
    return out.subarray(-4).equals(tail)
      ? out.length === 4
        ? Buffer.from([0])
        : out.subarray(0, -4)
      : Buffer.from([0]);
  }
  end(): void {
    this.stream.close();
  }
}

export class Decompressor {
  private stream: InflateRaw;
  constructor(
    windowBits: number,
    private readonly dropContext: boolean,
  ) {
    this.stream = createInflateRaw({windowBits, chunkSize: 128 * 1024});
  }
  async message(payload: Buffer): Promise<Buffer> {
    const out = await through(this.stream, Buffer.concat([payload, tail]));
    if (this.dropContext) this.stream.reset();
    return out;
  }
  end(): void {
    this.stream.close();
  }
}
