// Requests and handshakes that are slow, many, cut off, or two at once.
import {randomBytes} from 'node:crypto';
import {upgradeRequest} from '../lib/endpoint.js';
import {pause} from '../lib/wait.js';
import {type Attack, type Attackers, frame, repeated} from './attack.js';

// Many connections that each send a little now and then.
const dribble = (begin: string, more: string, per: number) => async (by: Attackers) =>
  by.each(async () => {
    const socket = await by.connect(by.target.port);
    if (!socket) return;
    socket.resume();
    let good = await by.write(socket, begin);
    while (good && !by.over) {
      await pause(100);
      good = await by.write(socket, more);
    }
    by.count('ended');
  }, by.number * per);

const hidden = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const smuggling = [
  `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  `POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /e HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /f HTTP/1.1\r\nHost: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /g HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n${hidden}`,
  `POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\nx\r\nZ\r\n0\r\n\r\n${hidden}`,
  `GET /i HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 0\r\n\r\n${hidden}`,
  `GET /j\r\n\r\n${hidden}`,
];

export const http: Attack[] = [
  {
    name: 'slow-heads',
    what: 'request heads of which a byte comes now and then (slow loris), 300 a time',
    target: 'proxy',
    attackers: [1],
    ci: 1,
    run: dribble('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ', 'x', 300),
  },
  {
    name: 'slow-bodies',
    what: 'bodies of which a byte comes now and then, 100 a time',
    target: 'proxy',
    attackers: [1],
    run: dribble('POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n', 'x', 100),
  },
  {
    name: 'big-heads',
    what: 'request heads that never end',
    target: 'proxy',
    run: async (by) => {
      const line = Buffer.from(`X: ${'y'.repeat(8000)}\r\n`);
      await by.each(async () => {
        const socket = await by.connect(by.target.port);
        if (!socket) return;
        socket.resume();
        await by.write(socket, 'GET / HTTP/1.1\r\nHost: a\r\n');
        await by.flood(socket, line, 'lines', 1);
      });
    },
  },
  {
    name: 'garbage',
    what: 'bytes that are no HTTP',
    target: 'proxy',
    run: async (by) =>
      by.each(async () => {
        const socket = await by.connect(by.target.port);
        if (!socket) return;
        socket.resume();
        await by.write(socket, randomBytes(1 + Math.floor(Math.random() * 2000)));
        await pause(5);
        socket.destroy();
      }),
  },
  {
    name: 'pipelining',
    what: 'plain requests, pipelined, as fast as they are answered',
    target: 'proxy',
    attackers: [3, 32],
    run: async (by) => {
      const {bytes, count} = repeated(Buffer.from('GET /plain HTTP/1.1\r\nHost: a\r\n\r\n'), 8192);
      await by.each(async () => {
        const socket = await by.connect(by.target.port);
        if (!socket) return;
        socket.on('data', (data: Buffer) => {
          for (let at = data.indexOf('HTTP/1.1 '); at >= 0; at = data.indexOf('HTTP/1.1 ', at + 9))
            by.count(`answered ${data.toString('latin1', at + 9, at + 12)}`);
        });
        await by.flood(socket, bytes, 'requests', count);
      });
    },
  },
  {
    name: 'connections-upstream',
    what: 'plain requests one by one, as long as an upstream that is asked by a connection each runs out of ports',
    target: 'proxy',
    attackers: [8],
    ci: 8,
    keeps: 16,
    seconds: 4,
    run: async (by) => {
      by.begin();
      const asked = async (): Promise<Record<string, number>> =>
        (await fetch(`http://127.0.0.1:${by.target.upstream}/-/stats`)).json() as Promise<Record<string, number>>;
      const end = performance.now() + by.left - 1000;
      await Promise.all(
        Array.from({length: by.number}, async () => {
          const socket = await by.connect(by.target.port);
          while (socket && performance.now() < end && (await by.write(socket, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')))
            by.count(`answered ${(await by.answer(socket)).slice(9, 12)}`);
        }),
      );
      const {total, requests} = await asked();
      if (total! > 200 && total! > requests! / 4)
        by.count('!plain requests that each took an upstream connection', total);
    },
  },
  {
    name: 'smuggling',
    what: 'requests whose end is a matter of opinion, with another one behind it',
    target: 'proxy',
    ci: 32,
    run: async (by) => {
      let next = 0;
      await by.each(async () => {
        const socket = await by.connect(by.target.port);
        if (!socket) return;
        socket.write(Buffer.from(smuggling[next++ % smuggling.length]!, 'latin1'));
        by.count(`answered ${(await by.answer(socket, 1000)).slice(9, 12)}`);
        socket.destroy();
      });
    },
  },
  {
    name: 'handshakes',
    what: 'handshakes, each cut off as soon as it is answered',
    target: 'proxy',
    ci: 32,
    run: async (by) =>
      by.each(async () => {
        while (!by.over) {
          const socket = await by.session();
          if (!socket) return;
          socket.resetAndDestroy();
        }
      }),
  },
  {
    name: 'vanishing',
    what: 'connections that vanish at every stage of a handshake',
    target: 'proxy',
    run: async (by) => {
      const text = upgradeRequest({path: '/attack'}, 'dGhlIHNhbXBsZSBub25jZQ==');
      let next = 0;
      await by.each(async () => {
        while (!by.over) {
          const socket = await by.connect(by.target.port);
          if (!socket) return;
          const size = next++ % (text.length + 40);
          await by.write(socket, text.slice(0, Math.min(size, text.length)) || 'G');
          if (next % 2) socket.resetAndDestroy();
          else socket.destroy();
        }
      });
    },
  },
  {
    name: 'reloads',
    what: 'the configuration read again 20 times a second, and new sessions all the time',
    target: 'proxy',
    attackers: [4],
    ci: 4,
    run: async (by) => {
      by.begin();
      const timer = setInterval(() => process.kill(by.target.pid, 'SIGHUP'), 50);
      const {bytes, count} = repeated(frame(1, '{"a":1}'), 4096);
      await by.each(async () => {
        const socket = await by.session();
        if (!socket) return;
        for (let i = 0; i < 20 && !by.over; ++i) {
          await by.write(socket, bytes);
          by.count('frames', count);
          await pause(2);
        }
        socket.destroy();
      });
      clearInterval(timer);
    },
  },
  {
    name: 'ipv6',
    what: 'empty text messages and handshakes over IPv6',
    target: 'proxy',
    setting: {listen: '[::1]'},
    run: async (by) => {
      const {bytes, count} = repeated(frame(1));
      await by.each(async (index) => {
        const socket = await by.session();
        if (!socket) return;
        if (index % 2) return void socket.resetAndDestroy();
        await by.flood(socket, bytes, 'frames', count);
      });
    },
  },
];
