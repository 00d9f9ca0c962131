// What TLS costs: handshakes, with clients and with an upstream.
import {connect as connectTls} from 'node:tls';
import {pause} from '../lib/wait.js';
import type {Attack} from './attack.js';

export const handshakes: Attack[] = [
  {
    name: 'tls-handshakes',
    what: 'TLS handshakes as fast as they go, none of them resumed, each cut off when it is done',
    target: 'proxy',
    setting: {tls: 'listener'},
    ci: 32,
    run: async (by) =>
      by.each(async () => {
        while (!by.over) {
          const socket = await by.connect(by.target.port, {tls: true});
          if (!socket) return;
          socket.destroy();
        }
      }),
  },
  {
    name: 'tls-half-open',
    what: 'a ClientHello and nothing more, 200 a time; and bytes that are no TLS',
    target: 'proxy',
    attackers: [1],
    setting: {tls: 'listener'},
    run: async (by) => {
      const hello = await clientHello();
      await by.each(async (index) => {
        const socket = await by.connect(by.target.port);
        if (!socket) return;
        socket.resume();
        await by.write(socket, index % 4 ? hello : Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
        await by.hold(socket);
      }, 200 * by.number);
    },
  },
  {
    name: 'tls-stalled-upstream',
    what: 'handshakes to an upstream that takes a ClientHello and says nothing',
    target: 'proxy',
    setting: {tls: 'stalled', route: {limits: {handshake_timeout: '2s'}}},
    run: async (by) =>
      by.each(async () => {
        const socket = await by.session();
        socket?.destroy();
      }, by.number * 8),
  },
];

// One of Node's own, taken from a server that is not one.
async function clientHello(): Promise<Buffer> {
  const {createServer} = await import('node:net');
  return new Promise((resolve) => {
    const server = createServer((socket) =>
      socket.once('data', (bytes) => {
        resolve(bytes);
        socket.destroy();
        server.close();
      }),
    );
    server.listen(0, '127.0.0.1', () => {
      const socket = connectTls({port: (server.address() as {port: number}).port, host: '127.0.0.1'});
      socket.on('error', () => pause(0));
    });
  });
}
