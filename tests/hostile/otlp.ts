// Bodies for the OTLP port that are small until they are unpacked, slow, or wide.
import {gzipSync} from 'node:zlib';
import {pause} from '../lib/wait.js';
import type {Attack, Attackers} from './attack.js';
import {field, spansRequest} from './protobuf.js';

const post = (body: Buffer, encoding = '', type = 'application/x-protobuf'): Buffer =>
  Buffer.concat([
    Buffer.from(
      `POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n` +
        `${encoding && `Content-Encoding: ${encoding}\r\n`}\r\n`,
    ),
    body,
  ]);
// The same request again as soon as it is answered.
const posting =
  (make: () => Buffer) =>
  async (by: Attackers): Promise<void> => {
    const bytes = make();
    await by.each(async () => {
      const socket = await by.connect(by.target.otlp);
      while (socket && !by.over) {
        if (!(await by.write(socket, bytes))) return;
        const answer = await by.answer(socket, 60_000);
        by.count(answer ? `answered ${answer.slice(9, 12)}` : 'unanswered');
        if (!answer) return;
      }
    });
  };

// RFC 8878: one frame with a window of 128 KiB, its blocks runs of one byte (RLE), four bytes each.
function zstdBomb(size: number): Buffer {
  const block = 128 << 10;
  const blocks = Array.from({length: size / block}, (_, i) => {
    const last = i === size / block - 1 ? 1 : 0;
    const bytes = Buffer.alloc(4);
    bytes.writeUIntLE(last | (1 << 1) | (block << 3), 0, 3);
    return bytes;
  });
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), ...blocks]);
}
// Spans with nothing in them, two bytes each: a request that is right, and becomes many objects.
const emptySpans = (): Buffer => field(1, field(2, Buffer.alloc(62 << 20, Buffer.from([0x12, 0]))));

export const otlp: Attack[] = [
  {
    name: 'otlp-gzip-bombs',
    what: 'six clients with bodies that are 62 MiB of spans when they are unpacked',
    target: 'console',
    attackers: [6],
    run: posting(() => post(gzipSync(emptySpans(), {level: 9}), 'gzip')),
  },
  {
    name: 'otlp-gzip-noise',
    what: 'six clients with bodies of 1 MB that are 62 MiB, and are not of OTLP when they are unpacked',
    target: 'console',
    attackers: [6],
    run: posting(() => post(gzipSync(Buffer.alloc(62 << 20, 'x'), {level: 1}), 'gzip')),
  },
  {
    name: 'otlp-zstd-bombs',
    what: 'bodies of 2 KB that zstd makes 62 MiB of',
    target: 'console',
    attackers: [1, 6],
    run: posting(() => post(zstdBomb(62 << 20), 'zstd')),
  },
  {
    name: 'otlp-zstd-huge',
    what: 'bodies of 512 KB that zstd makes 16 GiB of: over any limit',
    target: 'console',
    attackers: [1, 6],
    run: posting(() => post(zstdBomb(16 * 2 ** 30), 'zstd')),
  },
  {
    name: 'otlp-slow-posts',
    what: '300 bodies of which a byte comes now and then',
    target: 'console',
    attackers: [1],
    ci: 1,
    run: async (by) =>
      by.each(async () => {
        const socket = await by.connect(by.target.otlp);
        if (!socket) return void (await pause(100));
        socket.resume();
        const head = post(Buffer.alloc(0)).toString().replace('Content-Length: 0', 'Content-Length: 16000000');
        let good = await by.write(socket, head + 'x'.repeat(30_000));
        while (good && !by.over) {
          await pause(100);
          good = await by.write(socket, 'x');
        }
      }, 300),
  },
  {
    name: 'otlp-deep-json',
    what: 'JSON bodies of values in values',
    target: 'console',
    attackers: [1, 6],
    run: posting(() => {
      const value = `${'{"arrayValue":{"values":['.repeat(100_000)}`;
      return post(
        Buffer.from(`{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${value}`),
        '',
        'application/json',
      );
    }),
  },
  {
    name: 'otlp-names',
    what: 'valid spans, each with an attribute, a service and a name that nobody had before',
    target: 'console',
    attackers: [1, 6],
    run: async (by) => {
      let next = 0;
      await by.each(async () => {
        const socket = await by.connect(by.target.otlp);
        while (socket && !by.over) {
          const body = Buffer.concat(
            Array.from({length: 50}, () => spansRequest(4, [[`key-${++next}`, `value-${next}`]], `service-${next}`)),
          );
          if (!(await by.write(socket, post(body)))) return;
          const answer = await by.answer(socket, 30_000);
          by.count(`answered ${answer.slice(9, 12)}`);
          if (!answer) return;
        }
      });
    },
  },
];
