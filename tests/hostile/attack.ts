// What an attack is, and what attackers do it with: connections with everything that goes wrong on them expected.
import {connect, type Socket} from 'node:net';
import {connect as connectTls} from 'node:tls';
import {encode} from '../lib/frame.js';
import {upgradeRequest} from '../lib/endpoint.js';
import type {Config} from '../lib/proxy.js';
import {pause} from '../lib/wait.js';

export interface Setting {
  route?: Config; // of the route that is attacked; the bystanders have one of their own, on the same port
  config?: Config; // the other top-level keys
  descriptors?: number; // RLIMIT_NOFILE
  tls?: 'listener' | 'stalled'; // stalled: an upstream that accepts, and then says nothing
  listen?: string; // another address than 127.0.0.1
  user?: number; // whose process it is, where this one is root's
  arguments?: string[]; // of the console
}

export interface Attack {
  name: string;
  what: string; // what the attackers do, in a line
  target: 'proxy' | 'console';
  attackers?: number[]; // those that make sense, other than 1 and 32
  ci?: number; // how many attackers a run in CI has; none: it is left out there
  seconds?: number; // how long at least; what it needs to have its effect
  setting?: Setting;
  sheds?: boolean; // new connections may be refused meanwhile: that is the defence
  keeps?: number; // descriptors that may stay for the next one, such as an upstream's connections
  needs?: 'root' | 'namespace';
  slow?: string; // why it is only in a full run
  run(by: Attackers): Promise<void>;
}

export interface Target {
  kind: 'proxy' | 'console';
  pid: number;
  port: number; // of the proxy's route
  admin: number; // where /healthz is
  upstream: number; // of the attackers' own upstream
  page: number;
  otlp: number;
  grpc: number;
  host: string;
  tls: boolean; // of the attacked route's listener
  bystanders?: number; // the port of theirs, where the attacked one is another
}

export interface SessionOptions {
  path?: string;
  extensions?: string;
  protocols?: string;
  headers?: string[];
  from?: string; // the address to come from
  port?: number;
}

export class Attackers {
  readonly counts: Record<string, number> = {};
  private until = Infinity;
  private next = 0;

  constructor(
    readonly target: Target,
    readonly number: number,
    readonly seconds: number,
    readonly seed = 1,
    private readonly begun: () => void = () => undefined,
  ) {}
  // The time begins with the first connection: what an attack makes ready before does not count.
  begin(): void {
    if (this.until !== Infinity) return;
    this.until = performance.now() + this.seconds * 1000;
    this.begun();
  }
  get over(): boolean {
    return performance.now() >= this.until;
  }
  get left(): number {
    return Math.max(0, this.until - performance.now());
  }
  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  // Runs `work` for each attacker, again whenever it has ended, until the time is over.
  async each(work: (index: number) => Promise<void>, width = this.number): Promise<void> {
    this.begin();
    const one = async (index: number): Promise<void> => {
      while (!this.over) {
        await work(index).catch(() => this.count('failed'));
        await pause(20);
      }
    };
    await Promise.all(Array.from({length: width}, (_, i) => one(i)));
  }

  // Each connection from an address of its own, as far as 127.0.0.0/8 goes round: no limit by address helps.
  connect(port: number, options: {tls?: boolean; from?: string} = {}): Promise<Socket | undefined> {
    this.begin();
    return new Promise((resolve) => {
      const index = this.next++;
      const {host} = this.target;
      const own = `127.66.${(index >> 7) & 127}.${1 + (index & 127)}`;
      const at = {host, port, localAddress: host === '::1' ? undefined : (options.from ?? own)};
      const socket = options.tls ? connectTls({...at, rejectUnauthorized: false} as never) : connect(at);
      socket.setNoDelay(true);
      socket.once(options.tls ? 'secureConnect' : 'connect', () => {
        this.count('connections');
        resolve(socket);
      });
      socket.once('close', () => resolve(undefined));
      socket.on('error', () => this.count('errors'));
    });
  }

  // What comes back first, up to the end of a head; empty when nothing came.
  answer(socket: Socket, ms = 5000): Promise<string> {
    return new Promise((resolve) => {
      let got = '';
      const done = (): void => {
        clearTimeout(timer);
        socket.off('data', data);
        resolve(got);
      };
      const data = (bytes: Buffer): void => {
        got += bytes.toString('latin1');
        if (got.includes('\r\n\r\n')) done();
      };
      const timer = setTimeout(done, ms);
      socket.on('data', data);
      socket.once('close', done);
    });
  }

  // A WebSocket session through the proxy, as a socket; nothing where it was refused.
  async session(options: SessionOptions = {}): Promise<Socket | undefined> {
    const {from, port = this.target.port, ...request} = options;
    const socket = await this.connect(port, {tls: this.target.tls, from});
    if (!socket) return undefined;
    socket.write(upgradeRequest({path: '/attack', ...request}, 'dGhlIHNhbXBsZSBub25jZQ=='));
    const head = await this.answer(socket, 15_000);
    if (!/^HTTP\/1\.1 101/.test(head)) {
      this.count(head ? `answered ${head.slice(9, 12)}` : 'unanswered');
      socket.destroy();
      return undefined;
    }
    this.count('sessions');
    socket.resume();
    return socket;
  }

  // False once the socket is gone. Waits until the kernel has taken all of it.
  write(socket: Socket, bytes: Uint8Array | string): Promise<boolean> {
    return new Promise((resolve) => {
      if (socket.destroyed || !socket.writable) return resolve(false);
      const gone = (): void => resolve(false);
      socket.once('close', gone);
      socket.write(bytes, (error) => {
        socket.off('close', gone);
        resolve(!error);
      });
    });
  }

  // The same bytes again and again, as fast as they are taken.
  async flood(socket: Socket, bytes: Buffer, what = 'bytes', each = bytes.length): Promise<void> {
    while (!this.over && (await this.write(socket, bytes))) this.count(what, each);
  }

  async hold(socket: Socket): Promise<void> {
    while (!this.over && !socket.destroyed) await pause(Math.min(100, this.left + 1));
  }
}

// Frames of a client, with a mask of zeros: what is attacked has them to read, not this process to make.
export const frame = (opcode: number, payload: Buffer | string = '', fin = true, rsv = 0): Buffer => {
  const bytes = Buffer.from(payload as string);
  const head = encode({opcode, fin, rsv, announced: BigInt(bytes.length), masked: false}, true);
  head[1] = head[1]! | 0x80;
  return Buffer.concat([head, Buffer.alloc(4), bytes]);
};
// As many copies as fit into `room`, and how many those are.
export const repeated = (one: Buffer, room = 65_536): {bytes: Buffer; count: number} => {
  const count = Math.max(1, Math.floor(room / one.length));
  return {bytes: Buffer.concat(Array.from({length: count}, () => one)), count};
};
