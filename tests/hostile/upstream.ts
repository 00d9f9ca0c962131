// The attackers' own upstream, a process of its own: answers handshakes with 101 and reads whatever comes; requests
// with 200. What it does besides is in the path: /flood/… sends frames without end, /silent never answers.
// GET /-/stats and /-/reset on the port itself: connections, and all of them cut off at once.
import {createServer, type Socket} from 'node:net';
import {acceptKey, parseHead} from '../lib/endpoint.js';

const open = new Set<Socket>();
const stats = {open: 0, most: 0, total: 0, requests: 0, sessions: 0, '!smuggled requests came through': 0};
const empty = Buffer.alloc(65_536);
for (let at = 0; at < empty.length; at += 2) empty[at] = 0x81;

function flood(socket: Socket): void {
  const more = (): void => {
    if (!socket.destroyed) socket.write(empty, more);
  };
  more();
}

function session(socket: Socket, raw: string): void {
  const head = parseHead(raw);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(head.get('sec-websocket-key') ?? '')}`,
  ];
  if (/permessage-deflate/.test(head.get('sec-websocket-extensions') ?? ''))
    lines.push('Sec-WebSocket-Extensions: permessage-deflate');
  const protocol = head.get('sec-websocket-protocol')?.split(',')[0]?.trim();
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  ++stats.sessions;
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.target.startsWith('/flood')) flood(socket);
}

function accepted(socket: Socket): void {
  open.add(socket);
  ++stats.total;
  stats.open = open.size;
  stats.most = Math.max(stats.most, open.size);
  let got = '';
  const data = (bytes: Buffer): void => {
    got += bytes.toString('latin1');
    for (let end = got.indexOf('\r\n\r\n'); end >= 0; end = got.indexOf('\r\n\r\n')) {
      const head = got.slice(0, end + 4);
      got = got.slice(end + 4);
      if (/^GET \/-\/reset /.test(head)) for (const each of open) if (each !== socket) each.resetAndDestroy();
      if (/^GET \/-\//.test(head)) {
        const body = JSON.stringify(stats);
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      } else if (/^Upgrade:/im.test(head)) {
        socket.off('data', data);
        socket.resume();
        return session(socket, head);
      } else if (!/^[A-Z]+ \/silent/.test(head)) {
        ++stats.requests;
        if (/^GET \/smuggled/.test(head)) ++stats['!smuggled requests came through'];
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    }
    // Bodies are not looked at: what has no end of a head in it is one.
    if (got.length > 65_536) got = '';
  };
  socket.on('data', data);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open.delete(socket);
    stats.open = open.size;
  });
}

const server = createServer(accepted);
server.listen({port: 0, host: '127.0.0.1', backlog: 4096}, () =>
  console.log(`listening ${(server.address() as {port: number}).port}`),
);
process.on('SIGTERM', () => process.exit(0));
