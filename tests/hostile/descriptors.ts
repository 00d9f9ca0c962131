// Connections that do nothing but be there.
import {pause} from '../lib/wait.js';
import type {Attack, Attackers} from './attack.js';

// As many connections as asked for, kept as long as they last, those that ended opened again.
export const idle =
  (port: (by: Attackers) => number, number: number, first = '') =>
  async (by: Attackers): Promise<void> =>
    by.each(async () => {
      const socket = await by.connect(port(by));
      if (!socket) return void (await pause(200));
      if (first) await by.write(socket, first);
      await by.hold(socket);
      await pause(200);
    }, number);

export const descriptors: Attack[] = [
  {
    name: 'descriptors',
    what: '600 idle connections where the process may have 300 descriptors',
    target: 'proxy',
    ci: 1,
    attackers: [1],
    seconds: 4,
    sheds: true,
    setting: {descriptors: 300},
    run: idle((by) => by.target.port, 600),
  },
  {
    name: 'descriptors-admin',
    what: '600 idle connections to the metrics port where the process may have 300 descriptors',
    target: 'proxy',
    attackers: [1],
    sheds: true,
    setting: {descriptors: 300},
    run: idle((by) => by.target.admin, 600),
  },
];
