// All sessions of one client lost at once: a balancer that fails has this shape.
import {pause} from '../lib/wait.js';
import type {Attack, Attackers} from './attack.js';

const loss =
  (sessions: number, wait: number) =>
  async (by: Attackers): Promise<void> => {
    let opened = 0;
    by.begin();
    await Promise.all(
      Array.from({length: 64}, async () => {
        while (opened < sessions) {
          ++opened;
          await by.session({from: '127.66.0.1', headers: ['User-Agent: fleet']});
        }
      }),
    );
    await fetch(`http://127.0.0.1:${by.target.upstream}/-/reset`).catch(() => by.count('failed'));
    by.count('losses');
    await pause(wait);
    // Back, all at once.
    await by.each(async () => {
      const socket = await by.session({from: '127.66.0.1', headers: ['User-Agent: fleet']});
      socket?.resetAndDestroy();
    }, 16);
  };

export const reconnects: Attack[] = [
  {
    name: 'mass-loss',
    what: '1,500 sessions of one client lost at once, and handshakes after it',
    target: 'proxy',
    attackers: [1],
    ci: 1,
    seconds: 5,
    run: loss(1500, 500),
  },
  {
    name: 'mass-loss-minute',
    what: '8,000 sessions of one client lost at once, and the handshakes a minute later',
    target: 'proxy',
    attackers: [1],
    seconds: 85,
    slow: 'a minute',
    setting: {route: {client_id: ['header.user-agent']}},
    run: loss(8000, 55_000),
  },
];
