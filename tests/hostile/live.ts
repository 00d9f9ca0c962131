// Proxies that report what no proxy has.
import {randomBytes} from 'node:crypto';
import {constants, deflateRawSync} from 'node:zlib';
import type {Socket} from 'node:net';
import {pause} from '../lib/wait.js';
import {type Attack, type Attackers, frame} from './attack.js';
import {field, fixed, now, number} from './protobuf.js';

const report = (...parts: Buffer[]): Buffer => Buffer.concat([fixed(1, now()), ...parts]);
const hello = (instance: string): Buffer =>
  field(
    2,
    Buffer.concat([
      number(1, 1),
      field(2, instance),
      field(3, 'attacker'),
      field(4, 'host'),
      field(5, '1'),
      fixed(6, now()),
    ]),
  );
const reporter = async (by: Attackers, instance: string, extensions?: string): Promise<Socket | undefined> => {
  const socket = await by.session({
    port: by.target.page,
    path: '/api/v1/live/report',
    protocols: 'sockeye-live.v1',
    extensions,
  });
  if (!socket) return void (await pause(100));
  return (await by.write(socket, frame(2, report(hello(instance))))) ? socket : undefined;
};

// A report of sessions with texts as long as they may be, and where each id is in it: for ids that are new each time.
function sessions(count: number, text: number): {bytes: Buffer; ids: number[]} {
  const mark = randomBytes(16);
  const long = 'x'.repeat(text);
  const texts = Buffer.concat([2, 3, 4, 5, 6, 7, 8].map((each) => field(each, long)));
  const opened = field(3, Buffer.concat([field(1, mark), texts, fixed(10, now())]));
  const bytes = frame(2, report(...Array.from({length: count}, () => opened)));
  const ids: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 16)) ids.push(at);
  return {bytes, ids};
}
const renewed = ({bytes, ids}: {bytes: Buffer; ids: number[]}): Buffer => {
  const copy = Buffer.from(bytes);
  for (const at of ids) randomBytes(16).copy(copy, at);
  return copy;
};
const bomb =
  (count: number, text: number) =>
  async (by: Attackers): Promise<void> => {
    const template = sessions(count, text);
    await by.each(async () => {
      const socket = await reporter(by, randomBytes(8).toString('hex'));
      while (socket && !by.over) {
        if (!(await by.write(socket, renewed(template)))) return;
        by.count('sessions reported', count);
      }
    });
  };

export const live: Attack[] = [
  {
    name: 'live-bombs',
    what: 'reports of new sessions without end, their texts as long as they may be',
    target: 'console',
    ci: 1,
    attackers: [1, 6],
    run: bomb(35, 4096),
  },
  {
    name: 'live-many-sessions',
    what: 'reports of new sessions without end, their texts short',
    target: 'console',
    attackers: [1, 6],
    run: bomb(5000, 4),
  },
  {
    name: 'live-deflate',
    what: 'compressed reports, if the console takes them',
    target: 'console',
    attackers: [1, 6],
    run: async (by) => {
      const {bytes} = sessions(35, 4096);
      const packed = deflateRawSync(bytes.subarray(14), {level: 9, finishFlush: constants.Z_SYNC_FLUSH});
      await by.each(async () => {
        const socket = await reporter(by, randomBytes(8).toString('hex'), 'permessage-deflate');
        if (socket) await by.flood(socket, frame(2, packed.subarray(0, -4), true, 4), 'reports', 1);
        await pause(50);
      });
    },
  },
  {
    name: 'live-reporters',
    what: 'proxies that say hello and are gone, each a new one',
    target: 'console',
    run: async (by) =>
      by.each(async () => {
        const socket = await reporter(by, randomBytes(8).toString('hex'));
        await pause(5);
        socket?.destroy();
      }),
  },
  {
    name: 'live-impostor',
    what: "a hello with another proxy's instance",
    target: 'console',
    ci: 1,
    attackers: [1],
    run: async (by) =>
      by.each(async () => {
        const socket = await reporter(by, 'bystander-instance');
        await pause(50);
        socket?.destroy();
      }),
  },
];
