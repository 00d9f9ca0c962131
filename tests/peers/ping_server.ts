// ping_server.mjs: listens on a free loopback port, answers pings, and prints "ping <unix ms>" for each.
import {WebSocketServer} from 'ws';

const server: WebSocketServer = new WebSocketServer({host: '127.0.0.1', port: 0}, () =>
  console.log(`listening ${(server.address() as {port: number}).port}`),
);
server.on('connection', (socket) => {
  socket.on('ping', () => console.log(`ping ${Date.now()}`));
  socket.on('close', (code) => console.log(`close ${code}`));
  socket.on('error', () => undefined);
});
process.on('SIGTERM', () => process.exit(0));
