// load_server.mjs [--tls CERT KEY] [--deflate]: checks every message for order and damage and sends it back. Prints
// "listening PORT"; on the line "report" prints what it counted as JSON.
import {readFileSync} from 'node:fs';
import {createServer as createPlain} from 'node:http';
import {createServer as createTls} from 'node:https';
import {createInterface} from 'node:readline';
import {type WebSocket, WebSocketServer} from 'ws';
import {readMessage, smallDeflate, Tap} from '../lib/load.js';

const flags = process.argv.slice(2);
const tls = flags.indexOf('--tls');
const deflate = flags.includes('--deflate');
const count = {sessions: 0, open: 0, received: 0, sent: 0, receivedBytes: 0, sentBytes: 0, wrong: [] as string[]};
const taps: Tap[] = [];

const server =
  tls >= 0 ? createTls({cert: readFileSync(flags[tls + 1]!), key: readFileSync(flags[tls + 2]!)}) : createPlain();
new WebSocketServer({server, perMessageDeflate: deflate ? smallDeflate : false}).on(
  'connection',
  (socket: WebSocket) => {
    ++count.sessions;
    ++count.open;
    if (deflate) taps.push(new Tap(socket));
    let next = 0;
    socket.on('message', (data: Buffer) => {
      ++count.received;
      count.receivedBytes += data.length;
      const read = readMessage(data);
      if (typeof read === 'string') count.wrong.push(read);
      else if (read.sequence !== next++)
        count.wrong.push(`session ${read.session}: ${read.sequence} came as number ${next - 1}`);
      socket.send(data);
      ++count.sent;
      count.sentBytes += data.length;
    });
    socket.on('close', () => --count.open);
    socket.on('error', () => undefined);
  },
);
server.listen(0, '127.0.0.1', 1024, () => console.log(`listening ${(server.address() as {port: number}).port}`));
createInterface({input: process.stdin}).on('line', () => {
  if (deflate) {
    count.receivedBytes = taps.reduce((sum, tap) => sum + tap.received, 0);
    count.sentBytes = taps.reduce((sum, tap) => sum + tap.sent, 0);
  }
  console.log(`report ${JSON.stringify({...count, wrong: count.wrong.slice(0, 20)})}`);
});
process.on('SIGTERM', () => process.exit(0));
