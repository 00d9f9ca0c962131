// Node's `ws` as a WebSocket peer.
//
//   ws_peer.mjs serve [--tls CERT KEY] [--no-deflate]   echoes on a free loopback port, printed as "listening PORT"
//   ws_peer.mjs connect [--no-deflate]                  reads URLs, one a line, from standard input; connects, echoes
//
// permessage-deflate is offered and accepted, for messages of any size; limits are out of the way: what is under test
// is the other side.
import {readFileSync} from 'node:fs';
import {createServer as createPlain} from 'node:http';
import {createServer as createTls} from 'node:https';
import {createInterface} from 'node:readline';
import {WebSocket, WebSocketServer} from 'ws';

const [mode, ...flags] = process.argv.slice(2);
const at = flags.indexOf('--tls');
const limits = {maxPayload: 1 << 30, maxFragments: 1 << 20, maxBufferedChunks: 1 << 22};
const perMessageDeflate = flags.includes('--no-deflate') ? false : {threshold: 0, zlibDeflateOptions: {level: 1}};

function echo(socket: WebSocket): void {
  socket.on('message', (data, binary) => socket.send(data as Buffer, {binary}));
  socket.on('error', () => undefined);
}

if (mode === 'serve') {
  const server =
    at >= 0 ? createTls({cert: readFileSync(flags[at + 1]!), key: readFileSync(flags[at + 2]!)}) : createPlain();
  const sockets = new WebSocketServer({server, perMessageDeflate, ...limits} as ConstructorParameters<
    typeof WebSocketServer
  >[0]);
  sockets.on('connection', echo);
  server.listen(0, '127.0.0.1', () => console.log(`listening ${(server.address() as {port: number}).port}`));
} else if (mode === 'connect') {
  createInterface({input: process.stdin})
    .on('line', (url) => {
      const socket = new WebSocket(url, {perMessageDeflate, ...limits} as object);
      echo(socket);
      socket.on('error', (error) => console.error(`${url}: ${error.message}`));
    })
    .on('close', () => process.exit(0));
  console.log('ready');
} else {
  console.error('ws_peer.mjs serve | connect');
  process.exit(2);
}
process.on('SIGTERM', () => process.exit(0));
