// The port of the page and its API.
import {pause} from '../lib/wait.js';
import {type Attack, frame} from './attack.js';
import {idle} from './descriptors.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const paths = [
  '/../../../../etc/passwd',
  '/..%2f..%2f..%2f..%2fetc/passwd',
  '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
  '//etc/passwd',
  '/assets/../../../../etc/passwd',
  '/assets/..%5c..%5c..%5cetc/passwd',
  '/assets/%00/../../etc/passwd',
  '/....//....//etc/passwd',
  'file:///etc/passwd',
  '/proc/self/environ',
];
const markup = `<img src=x onerror=alert(1)>"'`;

export const page: Attack[] = [
  {
    name: 'page-idle',
    what: '4,096 idle connections to the page',
    target: 'console',
    ci: 1,
    attackers: [1],
    seconds: 4,
    run: idle((by) => by.target.page, 4096),
  },
  {
    name: 'page-unread',
    what: "a page's WebSocket that asks for nonsense without end and reads none of the answers",
    target: 'console',
    run: async (by) => {
      const request = frame(1, `{"${'x'.repeat(200)}`);
      const some = Buffer.concat(Array.from({length: 200}, () => request));
      await by.each(async () => {
        const socket = await by.session({port: by.target.page, path: '/api/v1/live', protocols: 'sockeye-page.v1'});
        if (!socket) return void (await pause(50));
        socket.pause();
        await by.flood(socket, some, 'requests', 200);
      });
    },
  },
  {
    name: 'page-traversal',
    what: 'paths that lead elsewhere',
    target: 'console',
    attackers: [4],
    ci: 4,
    run: async (by) => {
      let next = 0;
      await by.each(async () => {
        const socket = await by.connect(by.target.page);
        if (!socket) return;
        let got = '';
        socket.on('data', (bytes) => (got += bytes.toString('latin1')));
        await by.write(socket, get(paths[next++ % paths.length]!, 'Connection: close\r\n'));
        for (let i = 0; i < 100 && !socket.destroyed && !socket.readableEnded; ++i) await pause(5);
        by.count(`answered ${got.slice(9, 12)}`);
        if (/root:x:0|PATH=/.test(got)) by.count('!a file of the machine was served');
        socket.destroy();
      });
    },
  },
  {
    name: 'page-markup',
    what: 'names with markup in them, asked for again',
    target: 'console',
    attackers: [1],
    ci: 1,
    run: async (by) => {
      const span = {
        traceId: '0123456789abcdef0123456789abcdef',
        spanId: '0123456789abcdef',
        name: markup,
        startTimeUnixNano: String(BigInt(Date.now()) * 1_000_000n),
        endTimeUnixNano: String(BigInt(Date.now() + 1) * 1_000_000n),
      };
      const resource = {attributes: [{key: 'service.name', value: {stringValue: markup}}]};
      const body = JSON.stringify({resourceSpans: [{resource, scopeSpans: [{spans: [span]}]}]});
      const asked = ['/api/v1/services', `/api/v1/traces/${span.traceId}`, `/api/v1/${encodeURIComponent(markup)}`];
      await by.each(async () => {
        const headers = {'content-type': 'application/json'};
        await fetch(`http://127.0.0.1:${by.target.otlp}/v1/traces`, {method: 'POST', headers, body});
        for (const path of asked) {
          const answer = await fetch(`http://127.0.0.1:${by.target.page}${path}`);
          const safe = /json/.test(answer.headers.get('content-type') ?? '') || !(await answer.text()).includes('<img');
          if (!safe || answer.headers.get('x-content-type-options') !== 'nosniff')
            by.count('!markup was served as a page');
          by.count(`answered ${answer.status}`);
        }
        await pause(50);
      });
    },
  },
  {
    name: 'page-questions',
    what: 'the dearest questions of the API, eight at a time from each attacker',
    target: 'console',
    attackers: [1, 6],
    run: async (by) => {
      const questions = [
        '/api/v1/search?q=a',
        '/api/v1/operations',
        '/api/v1/spans?attribute=a%3Db',
        '/api/v1/groups?by=service',
      ];
      let next = 0;
      await by.each(async () => {
        const socket = await by.connect(by.target.page);
        while (socket && !by.over) {
          if (!(await by.write(socket, get(questions[next++ % questions.length]!)))) return;
          const answer = await by.answer(socket, 20_000);
          by.count(answer ? `answered ${answer.slice(9, 12)}` : 'unanswered');
          if (!answer) return;
        }
      }, by.number * 8);
    },
  },
  {
    name: 'page-slow-heads',
    what: '500 requests of which a byte comes now and then',
    target: 'console',
    attackers: [1],
    run: async (by) =>
      by.each(async () => {
        const socket = await by.connect(by.target.page);
        if (!socket) return;
        socket.resume();
        let good = await by.write(socket, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: ');
        while (good && !by.over) {
          await pause(100);
          good = await by.write(socket, 'x');
        }
      }, 500),
  },
];
