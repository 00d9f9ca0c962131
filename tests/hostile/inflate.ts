// Messages that are small until they are inflated.
import {constants, deflateRawSync} from 'node:zlib';
import {type Attack, type Attackers, frame} from './attack.js';

// As RFC 7692 §7.2.1 has it: without the last four bytes of the flush.
const packed = (size: number): Buffer => {
  const bytes = deflateRawSync(Buffer.alloc(size, 'x'), {level: 9, finishFlush: constants.Z_SYNC_FLUSH});
  return frame(1, bytes.subarray(0, -4), true, 4);
};
const bombs =
  (size: number, room: number) =>
  async (by: Attackers): Promise<void> => {
    const bomb = packed(size);
    const count = Math.max(1, Math.floor(room / bomb.length));
    const bytes = Buffer.concat(Array.from({length: count}, () => bomb));
    await by.each(async () => {
      const socket = await by.session({extensions: 'permessage-deflate'});
      if (socket) await by.flood(socket, bytes, 'bombs', count);
    });
  };

export const inflate: Attack[] = [
  {
    name: 'deflate-bombs',
    what: 'messages of 64 KiB that inflate to 63 MiB, on a route as it is by default',
    target: 'proxy',
    ci: 1,
    run: bombs(63 << 20, 1),
  },
  {
    name: 'deflate-bombs-observed',
    what: 'the same where every message is inflated',
    target: 'proxy',
    setting: {route: {compression: 'observe'}},
    run: bombs(63 << 20, 1),
  },
  {
    name: 'deflate-many',
    what: 'messages of 1 KiB that inflate to 1 MiB',
    target: 'proxy',
    setting: {route: {compression: 'observe'}},
    run: bombs(1 << 20, 65_536),
  },
  {
    name: 'deflate-contexts',
    what: '2,000 sessions with a window of 32 KiB each',
    target: 'proxy',
    attackers: [1],
    setting: {route: {compression: 'observe'}},
    run: async (by) => {
      const bytes = packed(64 << 10);
      let opened = 0;
      await Promise.all(
        Array.from({length: 50}, async () => {
          while (!by.over && opened < 2000) {
            ++opened;
            const socket = await by.session({extensions: 'permessage-deflate'});
            if (socket) await by.write(socket, bytes);
          }
        }),
      );
    },
  },
];
