// Frames that cost more to look at than to send.
import {type Attack, type Attackers, frame, repeated} from './attack.js';

// A session per attacker, the same frames as fast as they are taken.
const flood =
  (one: Buffer, path = '/attack', first?: Buffer) =>
  async (by: Attackers): Promise<void> => {
    const {bytes, count} = repeated(one);
    await by.each(async () => {
      const socket = await by.session({path});
      if (!socket) return;
      if (first) await by.write(socket, first);
      await by.flood(socket, bytes, 'frames', count);
    });
  };
const text = 1,
  binary = 2,
  ping = 9;
// What is attacked is how frames are read, not what a route allows.
const allowing = {route: {limits: {fragments: 1_000_000_000, control_rate: 1_000_000_000}}};

export const frames: Attack[] = [
  {
    name: 'empty-text',
    what: 'empty text messages',
    target: 'proxy',
    ci: 32,
    run: flood(frame(text)),
  },
  {name: 'empty-binary', what: 'empty binary messages', target: 'proxy', run: flood(frame(binary))},
  {
    name: 'empty-continuations',
    what: 'one message of empty fragments without end',
    target: 'proxy',
    setting: allowing,
    run: flood(frame(0, '', false), '/attack', frame(binary, 'x', false)),
  },
  {
    name: 'tiny-fragments',
    what: 'messages of 16,000 fragments of a byte, as many as a route allows',
    target: 'proxy',
    run: async (by) => {
      const piece = frame(0, 'x', false);
      const bytes = Buffer.concat([
        frame(text, 'x', false),
        ...Array.from({length: 16_000}, () => piece),
        frame(0, '', true),
      ]);
      await by.each(async () => {
        const socket = await by.session();
        if (socket) await by.flood(socket, bytes, 'frames', 16_002);
      });
    },
  },
  {name: 'pings', what: 'pings, which a route ends with 1008', target: 'proxy', run: flood(frame(ping))},
  {
    name: 'pings-allowed',
    what: 'pings of 125 bytes where a route allows them',
    target: 'proxy',
    setting: allowing,
    run: flood(frame(ping, 'x'.repeat(125))),
  },
  {
    name: 'upstream-empty-text',
    what: 'an upstream that sends empty text messages',
    target: 'proxy',
    run: async (by) =>
      by.each(async () => {
        const socket = await by.session({path: '/flood'});
        if (socket) await by.hold(socket);
      }),
  },
  {
    name: 'slow-readers',
    what: 'an upstream that sends without end, clients that do not read',
    target: 'proxy',
    setting: {route: {limits: {buffered: '1MiB'}}},
    run: async (by) =>
      by.each(async () => {
        const socket = await by.session({path: '/flood'});
        socket?.pause();
        if (socket) await by.hold(socket);
      }),
  },
  {
    name: 'size-bombs',
    what: 'frames that announce up to 2^63 bytes and do not come, at every limit',
    target: 'proxy',
    run: async (by) => {
      const announced = (length: bigint): Buffer => {
        const bytes = Buffer.alloc(14);
        bytes[0] = 0x82;
        bytes[1] = 0xff;
        bytes.writeBigUInt64BE(length, 2);
        return bytes;
      };
      const bombs = [(1n << 63n) - 1n, 1n << 63n, 1n << 32n, (16n << 20n) + 1n, 16n << 20n].map(announced);
      let next = 0;
      await by.each(async () => {
        const socket = await by.session();
        if (!socket) return;
        await by.write(socket, bombs[next++ % bombs.length]!);
        by.count('bombs');
        await by.write(socket, Buffer.alloc(65_536));
        socket.destroy();
      });
    },
  },
];
