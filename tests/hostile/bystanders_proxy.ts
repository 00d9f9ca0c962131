// Sessions that send a message each 20 ms, whatever has come back of those before, and measure when each echo comes.
import {createServer, connect, type Socket} from 'node:net';
import {once} from 'node:events';
import {acceptKey, readHead, upgradeRequest} from '../lib/endpoint.js';
import {encode, FrameReader} from '../lib/frame.js';
import {withDeadline} from '../lib/wait.js';
import {closePayload} from '../lib/frame.js';
import type {Target} from './attack.js';
import {Probe, type Probed} from './probe.js';
import {Series, type Waits} from './series.js';

export interface ProxyLap {
  sessions: Waits[];
  lost: number;
  handshakes: Probed;
  healthz: Probed;
}

const every = 20; // ms
const sessions = 4; // enough that each worker has one, but for one time in eight
const key = 'dGhlIHNhbXBsZSBub25jZQ==';

class Session {
  readonly waits = new Series();
  lost = false;
  private readonly sent = new Map<number, number>();
  private last = 0;

  constructor(socket: Socket, name: string) {
    const reader = new FrameReader();
    socket.on('data', (bytes: Buffer) => {
      for (const frame of reader.push(bytes)) {
        const number = Number(/ (\d+)$/.exec(frame.payload.toString())?.[1]);
        const since = this.sent.get(number);
        if (frame.opcode === 9) socket.write(encode({opcode: 10, payload: frame.payload}, true));
        else if (frame.opcode === 1 && since !== undefined) {
          this.sent.delete(number);
          this.waits.add(performance.now() - since);
        } else if (frame.opcode !== 10) this.lost = true; // a Close, or an echo that is none
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.lost = true));
    setInterval(() => {
      if (this.lost) return;
      this.sent.set(++this.last, performance.now());
      socket.write(encode({opcode: 1, payload: Buffer.from(`${name} is still here ${this.last}`)}, true));
    }, every);
  }
  take(): Waits {
    const now = performance.now();
    return this.waits.take([...this.sent.values()].map((since) => now - since));
  }
}

export class ProxyBystanders {
  private readonly sessions: Session[] = [];
  private handshakes?: Probe;
  private healthz?: Probe;

  // The echo server's port: they are their own upstream.
  async listen(): Promise<number> {
    const server = createServer((socket) => {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      readHead(socket).then(
        (head) => {
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
              `Sec-WebSocket-Accept: ${acceptKey(head.get('sec-websocket-key') ?? '')}\r\n\r\n`,
          );
          const reader = new FrameReader();
          socket.on('data', (bytes: Buffer) => {
            for (const {opcode, payload} of reader.push(bytes)) {
              socket.write(encode({opcode: opcode === 9 ? 10 : opcode, payload}, false));
              if (opcode === 8) socket.end();
            }
          });
          socket.resume();
        },
        () => socket.destroy(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as {port: number}).port;
  }

  async begin(target: Target): Promise<void> {
    const request = upgradeRequest({path: '/bystander'}, key);
    for (let i = 0; i < sessions; ++i) {
      const socket = connect(target.port, '127.0.0.1');
      socket.setNoDelay(true);
      await withDeadline(10_000, 'a connection', () => once(socket, 'connect'));
      socket.write(request);
      const head = await readHead(socket);
      if (head.status !== 101) throw new Error(`a bystander was answered ${head.start}`);
      this.sessions.push(new Session(socket, `session ${i}`));
      socket.resume();
    }
    const ask = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    const close = encode({opcode: 8, payload: closePayload(1000)}, true);
    this.healthz = new Probe(target.admin, ask, /^HTTP\/1\.1 200/, 50);
    this.handshakes = new Probe(target.port, request, /^HTTP\/1\.1 101/, 250, close);
  }
  take(): ProxyLap {
    return {
      sessions: this.sessions.map((each) => each.take()),
      lost: this.sessions.filter((each) => each.lost).length,
      handshakes: this.handshakes!.take(),
      healthz: this.healthz!.take(),
    };
  }
}
