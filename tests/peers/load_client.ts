// load_client.mjs URL --sessions N --rate PER_SECOND --seconds S --size BYTES [--ca FILE] [--deflate]
//
// N sessions, spread evenly over the interval; each sends S·rate messages at its rate and expects every one back, in
// order and unchanged, then closes 1000. Prints "connected", then as JSON what it counted. Loopback source addresses
// vary.
import {readFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {WebSocket} from 'ws';
import {makeMessage, readMessage, smallDeflate, Tap} from '../lib/load.js';
import {pause, pool} from '../lib/wait.js';

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    sessions: {type: 'string', default: '10'},
    rate: {type: 'string', default: '50'},
    seconds: {type: 'string', default: '5'},
    size: {type: 'string', default: '160'},
    ca: {type: 'string'},
    deflate: {type: 'boolean', default: false},
  },
});
const url = positionals[0]!;
const [sessions, rate, seconds, size] = [values.sessions, values.rate, values.seconds, values.size].map(Number) as [
  number,
  number,
  number,
  number,
];
const each = Math.round(rate * seconds);
const count = {
  sessions,
  sent: 0,
  received: 0,
  sentBytes: 0,
  receivedBytes: 0,
  closes: {} as Record<string, number>,
  wrong: [] as string[],
  lateMs: 0,
};
const ca = values.ca ? readFileSync(values.ca) : undefined;

interface Session {
  socket: WebSocket;
  tap?: Tap;
  sent: number;
  received: number;
  done: () => void;
  finished: Promise<void>;
}

function connect(index: number): Promise<Session> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      ca,
      perMessageDeflate: values.deflate ? smallDeflate : false,
      ...(url.includes('127.0.0.1') ? {localAddress: `127.0.0.${1 + (index % 200)}`} : {}),
    } as object);
    let done: () => void = () => undefined;
    const finished = new Promise<void>((resolveDone) => (done = resolveDone));
    const session: Session = {socket, sent: 0, received: 0, done, finished};
    socket.on('open', () => {
      if (values.deflate) session.tap = new Tap(socket);
      resolve(session);
    });
    socket.on('error', (error) => reject(error));
    socket.on('message', (data: Buffer) => {
      const read = readMessage(data);
      if (typeof read === 'string') count.wrong.push(read);
      else if (read.session !== index || read.sequence !== session.received)
        count.wrong.push(`session ${index}: got ${read.session}/${read.sequence} as number ${session.received}`);
      ++session.received;
      ++count.received;
      count.receivedBytes += data.length;
      if (session.received === each) socket.close(1000);
    });
    socket.on('close', (code) => {
      count.closes[code] = (count.closes[code] ?? 0) + 1;
      if (session.received !== each)
        count.wrong.push(`session ${index}: ${session.received} of ${each} came back, close ${code}`);
      session.done();
    });
  });
}

const open: Session[] = [];
await pool(
  50,
  Array.from({length: sessions}, (_, i) => async () => {
    open[i] = await connect(i);
  }),
);
console.log('connected');

const interval = 1000 / rate;
const begun = performance.now();
// One clock for all: at each tick every session sends what is due by then.
for (;;) {
  const now = performance.now() - begun;
  let left = 0;
  for (const [i, session] of open.entries()) {
    const due = Math.min(each, Math.floor((now - (i / sessions) * interval) / interval) + 1);
    // Behind the clock it goes on at the pace of the echoes: a client that floods is another test.
    while (session.sent < due && session.sent - session.received < 8 && session.socket.readyState === WebSocket.OPEN) {
      session.socket.send(makeMessage(i, session.sent++, size));
      ++count.sent;
      count.sentBytes += size;
    }
    if (session.sent < each && session.socket.readyState === WebSocket.OPEN) ++left;
  }
  if (!left) break;
  await pause(1);
}
count.lateMs = Math.round(performance.now() - begun - seconds * 1000);
await Promise.all(open.map((session) => session.finished));
if (values.deflate) {
  count.sentBytes = open.reduce((sum, session) => sum + session.tap!.sent, 0);
  count.receivedBytes = open.reduce((sum, session) => sum + session.tap!.received, 0);
}
console.log(`report ${JSON.stringify({...count, wrong: count.wrong.slice(0, 20)})}`);
process.exit(0);
