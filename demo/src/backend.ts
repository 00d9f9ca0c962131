// The service behind the proxy: it answers chats in a stream of small pieces, takes media, and otherwise stays quiet.
// Prints its port on one line and ends with its parent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const http = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end(`${request.url} is well\n`);
});
const server = new WebSocketServer({ server: http, perMessageDeflate: true });

server.on('connection', (socket, request) => {
  const path = new URL(request.url ?? '/', 'http://backend').pathname;
  if (path === '/chat') socket.on('message', (data) => streamReply(socket, data.toString()));
  if (path === '/media') acknowledgeMedia(socket);
  socket.on('error', () => socket.terminate());
});

function streamReply(socket: WebSocket, question: string): void {
  const pieces = Array.from({ length: 8 }, (_, i) => `${question.slice(0, 24)} · piece ${i + 1} of 8`);
  const timer = setInterval(() => {
    const piece = pieces.shift();
    if (piece === undefined || socket.readyState !== WebSocket.OPEN) return clearInterval(timer);
    socket.send(piece);
  }, 40);
}

function acknowledgeMedia(socket: WebSocket): void {
  let chunks = 0;
  socket.on('message', () => {
    chunks += 1;
    if (chunks % 50 === 0) socket.send(JSON.stringify({ event: 'mark', chunks }));
  });
}

http.listen(0, '127.0.0.1', () => console.log((http.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit(0)).resume();
