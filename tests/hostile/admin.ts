// The port where an orchestrator asks.
import {once} from 'node:events';
import {pause} from '../lib/wait.js';
import type {Attack, Attackers} from './attack.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
// Asks for the same again and again, on a new connection each time, and reads the answer to its end.
const reading = (path: string) => async (by: Attackers) =>
  by.each(async () => {
    const socket = await by.connect(by.target.admin);
    if (!socket) return;
    let got = 0;
    socket.on('data', (bytes: Buffer) => (got += bytes.length));
    socket.write(get(path, 'Connection: close\r\n'));
    await Promise.race([once(socket, 'close'), pause(by.left + 1)]);
    by.count(got ? 'answers' : 'unanswered');
    by.count('bytes', got);
  }, 8 * Math.min(by.number, 4));
// Asks for it again and again, and reads none of it.
const unread = (path: string) => async (by: Attackers) =>
  by.each(async () => {
    const socket = await by.connect(by.target.admin);
    if (!socket) return;
    socket.pause();
    for (let i = 0; i < 200 && (await by.write(socket, get(path))); ++i) by.count('asked');
    await by.hold(socket);
  }, 8);

export const admin: Attack[] = [
  {
    name: 'sessions-readers',
    what: '/sessions asked for by eight readers at a time while 2,000 sessions are open',
    target: 'proxy',
    attackers: [1],
    ci: 1,
    seconds: 4,
    run: async (by) => {
      for (let i = 0; i < 40; ++i) await Promise.all(Array.from({length: 50}, () => by.session()));
      await reading('/sessions')(by);
    },
  },
  {
    name: 'metrics-readers',
    what: '/metrics asked for by eight readers at a time and more',
    target: 'proxy',
    run: reading('/metrics'),
  },
  {
    name: 'metrics-unread',
    what: '/metrics asked for again and again, and no answer read',
    target: 'proxy',
    attackers: [1],
    run: unread('/metrics'),
  },
  {
    name: 'admin-slow-heads',
    what: '100 requests to the metrics port of which a byte comes now and then',
    target: 'proxy',
    attackers: [1],
    sheds: true,
    run: async (by) =>
      by.each(async () => {
        const socket = await by.connect(by.target.admin);
        if (!socket) return;
        socket.resume();
        let good = await by.write(socket, 'GET /metrics HTTP/1.1\r\nX: ');
        while (good && !by.over) {
          await pause(100);
          good = await by.write(socket, 'x');
        }
      }, 100),
  },
];
