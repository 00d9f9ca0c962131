// One raw end of a WebSocket, in either role: writes any bytes, records what comes back, and checks that what comes
// back is itself right. It answers pings and Closes as RFC 6455 asks unless told not to; everything else is the
// caller's.
import {createHash, randomBytes} from 'node:crypto';
import {isUtf8} from 'node:buffer';
import {connect, createServer, type Server, type Socket} from 'node:net';
import {connect as connectTls, type ConnectionOptions} from 'node:tls';
import {once} from 'node:events';
import {closePayload, encode, type Frame, FrameReader, opcodes, type Received} from './frame.js';
import {withDeadline} from './wait.js';

export type Role = 'client' | 'server';

export type Event =
  | {kind: 'message'; binary: boolean; payload: Buffer; compressed: boolean; frames: number}
  | {kind: 'ping' | 'pong'; payload: Buffer}
  | {kind: 'close'; code: number; reason: Buffer} // 1005: no code in it
  | {kind: 'violation'; text: string}
  | {kind: 'mark'; name: string}
  | {kind: 'end'; how: 'fin' | 'reset'};

export interface Head {
  start: string; // request or status line
  status: number; // 0 for a request
  target: string;
  fields: [string, string][];
  get(name: string): string | undefined;
  raw: string;
}

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const acceptKey = (key: string): string =>
  createHash('sha1')
    .update(key + guid)
    .digest('base64');

export function parseHead(raw: string): Head {
  const lines = raw.replace(/\r\n\r\n$/, '').split('\r\n');
  const start = lines.shift() ?? '';
  const fields = lines.map((line): [string, string] => {
    const at = line.indexOf(':');
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  const words = start.split(' ');
  const response = start.startsWith('HTTP/');
  return {
    start,
    raw,
    fields,
    status: response ? Number(words[1]) : 0,
    target: response ? '' : (words[1] ?? ''),
    get: (name) => {
      const all = fields.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value);
      return all.length ? all.join(', ') : undefined;
    },
  };
}

export interface RequestOptions {
  path?: string;
  host?: string;
  headers?: string[]; // whole lines
  key?: string;
  extensions?: string;
  protocols?: string;
  behind?: Buffer; // written in the same go, behind the head
}

export function upgradeRequest(options: RequestOptions, key: string): string {
  const lines = [
    `GET ${options.path ?? '/'} HTTP/1.1`,
    `Host: ${options.host ?? 'localhost'}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
  ];
  if (options.extensions) lines.push(`Sec-WebSocket-Extensions: ${options.extensions}`);
  if (options.protocols) lines.push(`Sec-WebSocket-Protocol: ${options.protocols}`);
  return [...lines, ...(options.headers ?? []), '', ''].join('\r\n');
}

export interface AcceptOptions {
  extensions?: string;
  protocol?: string;
  headers?: string[];
  behind?: Buffer;
}

export function upgradeResponse(request: Head, options: AcceptOptions = {}): string {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(request.get('sec-websocket-key') ?? '')}`,
  ];
  if (options.extensions) lines.push(`Sec-WebSocket-Extensions: ${options.extensions}`);
  if (options.protocol) lines.push(`Sec-WebSocket-Protocol: ${options.protocol}`);
  return [...lines, ...(options.headers ?? []), '', ''].join('\r\n');
}

// Reads one HTTP head from a socket; what came behind it is put back.
export async function readHead(socket: Socket, deadlineMs = 10_000): Promise<Head> {
  let got: Buffer = Buffer.alloc(0);
  return withDeadline(
    deadlineMs,
    'an HTTP head',
    () =>
      new Promise<Head>((resolve, reject) => {
        const done = (error?: Error) => {
          socket.off('data', data);
          socket.off('close', closed);
          socket.off('end', closed);
          socket.pause();
          if (error) reject(error);
        };
        const closed = () =>
          done(
            new Error(
              `connection ended after ${got.length} bytes of a head: ` +
                JSON.stringify(got.toString('latin1').slice(0, 200)),
            ),
          );
        const data = (bytes: Buffer) => {
          got = got.length ? Buffer.concat([got, bytes]) : bytes;
          const at = got.indexOf('\r\n\r\n');
          if (at < 0) return;
          done();
          if (got.length > at + 4) socket.unshift(got.subarray(at + 4));
          resolve(parseHead(got.subarray(0, at + 4).toString('latin1')));
        };
        socket.on('data', data);
        socket.on('close', closed);
        socket.on('end', closed);
        socket.resume();
      }),
  );
}

export interface Address {
  port: number;
  host?: string;
  tls?: ConnectionOptions;
  localAddress?: string;
}

export async function open(address: Address): Promise<Socket> {
  const host = address.host ?? '127.0.0.1';
  const socket = address.tls
    ? connectTls({host, port: address.port, allowHalfOpen: true, ...address.tls} as ConnectionOptions)
    : connect({host, port: address.port, allowHalfOpen: true, localAddress: address.localAddress});
  socket.setNoDelay(true);
  await withDeadline(10_000, `a connection to port ${address.port}`, () =>
    once(socket, address.tls ? 'secureConnect' : 'connect'),
  );
  socket.on('error', () => undefined); // seen as 'close' with hadError
  return socket;
}

export class Endpoint {
  readonly log: Event[] = [];
  readonly head: Head; // the other side's: its response (we are the client) or its request
  received = 0; // bytes
  closeSent = false;
  close?: {code: number; reason: Buffer};
  ended?: 'fin' | 'reset'; // how the other side's TCP ended
  endedFirst = false; // ... before we ended ours
  answerPings = true;
  answerClose = true;
  recordPings = false;
  deflate = false; // permessage-deflate is in force: RSV1 on a message's first frame is right
  onFrame?: (frame: Received) => void;
  private reader = new FrameReader();
  private parts: Buffer[] = [];
  private partSize = 0;
  private partOpcode = -1;
  private partCompressed = false;
  private partFrames = 0;
  private broken = false;
  private weEnded = false;
  private waiters: (() => void)[] = [];

  constructor(
    readonly socket: Socket,
    readonly role: Role,
    head: Head,
  ) {
    this.head = head;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.receive(bytes));
    socket.on('end', () => this.end('fin'));
    socket.on('error', () => this.end('reset'));
    socket.on('close', (error: boolean) => this.end(error ? 'reset' : 'fin'));
    socket.resume();
  }

  // ---- writing

  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (!this.socket.writable) return resolve();
      this.socket.write(bytes, () => resolve());
    });
  }

  // The same bytes, `size` at a time, each its own write.
  async chop(bytes: Buffer, size: number): Promise<void> {
    for (let at = 0; at < bytes.length && this.socket.writable; at += size)
      await this.write(bytes.subarray(at, at + size));
  }

  bytesOf(frame: Frame): Buffer {
    if (frame.opcode === opcodes.close) this.closeSent = true;
    return encode(frame, this.role === 'client');
  }

  send(...frames: Frame[]): Promise<void> {
    return this.write(Buffer.concat(frames.map((frame) => this.bytesOf(frame))));
  }

  text(value: string): Promise<void> {
    return this.send({opcode: opcodes.text, payload: Buffer.from(value)});
  }

  sendClose(code?: number, reason = ''): Promise<void> {
    return this.send({opcode: opcodes.close, payload: closePayload(code, reason)});
  }

  finish(): void {
    this.weEnded = true;
    this.socket.end();
  }

  destroy(): void {
    this.weEnded = true;
    this.socket.destroy();
  }

  reset(): void {
    this.weEnded = true;
    if ('resetAndDestroy' in this.socket) this.socket.resetAndDestroy();
    else (this.socket as Socket).destroy();
  }

  // ---- waiting

  // Resolves when `done` holds, checked after everything received; false when `ms` passed or the connection ended
  // first.
  async until(done: () => boolean, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    for (;;) {
      if (done()) return true;
      const left = deadline - Date.now();
      if (left <= 0) return false;
      if (this.ended) return done();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  mark(name: string): void {
    this.add({kind: 'mark', name});
  }

  messages(): Extract<Event, {kind: 'message'}>[] {
    return this.log.filter((event): event is Extract<Event, {kind: 'message'}> => event.kind === 'message');
  }
  violations(): string[] {
    return this.log.flatMap((event) => (event.kind === 'violation' ? [event.text] : []));
  }
  // Takes the next message out of the log.
  async next(ms: number): Promise<Extract<Event, {kind: 'message'}> | undefined> {
    const find = () =>
      this.log.findIndex((event) => event.kind === 'message' || event.kind === 'violation' || event.kind === 'close');
    await this.until(() => find() >= 0, ms);
    const at = find();
    const event = this.log[at];
    if (event?.kind !== 'message') return undefined;
    this.log.splice(at, 1);
    return event;
  }

  // Closes properly and waits until both TCP directions are gone.
  async shut(code = 1000, ms = 5000): Promise<void> {
    if (!this.closeSent) await this.sendClose(code);
    await this.until(() => this.close !== undefined, ms);
    this.finish();
    await this.until(() => this.ended !== undefined, ms);
    this.destroy();
  }

  // ---- reading

  private add(event: Event): void {
    this.log.push(event);
    this.wake();
  }

  private wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }

  private end(how: 'fin' | 'reset'): void {
    if (this.ended) return;
    this.ended = how;
    this.endedFirst = !this.weEnded;
    if (how === 'fin' && this.reader.rest > 0 && !this.broken)
      this.add({kind: 'violation', text: 'ended inside a frame'});
    this.add({kind: 'end', how});
    if (!this.socket.writableEnded && how === 'fin' && this.autoEnd) this.socket.end();
  }
  autoEnd = true; // answer a FIN with ours

  private receive(bytes: Buffer): void {
    this.received += bytes.length;
    if (this.broken) return;
    for (const frame of this.reader.push(bytes)) {
      this.onFrame?.(frame);
      this.frame(frame);
      if (this.broken) return;
    }
  }

  private violate(text: string): void {
    this.broken = true;
    this.add({kind: 'violation', text});
  }

  private frame(frame: Received): void {
    const {opcode, payload} = frame;
    if (this.close) return this.violate(`frame (opcode ${opcode}) after Close`);
    if (frame.masked !== (this.role === 'server'))
      return this.violate(frame.masked ? 'masked server frame' : 'unmasked client frame');
    if (!frame.minimal) return this.violate('length is not minimal');
    if (opcode >= 8) {
      if (!frame.fin) return this.violate('fragmented control frame');
      if (payload.length > 125) return this.violate('control frame over 125 bytes');
      if (frame.rsv !== 0) return this.violate('RSV on a control frame');
      if (opcode === opcodes.close) return this.closed(payload);
      if (opcode === opcodes.ping) {
        if (this.recordPings) this.add({kind: 'ping', payload});
        if (this.answerPings && !this.closeSent) void this.send({opcode: opcodes.pong, payload});
        return;
      }
      if (opcode === opcodes.pong) return this.add({kind: 'pong', payload});
      return this.violate(`control opcode ${opcode}`);
    }
    if (opcode === opcodes.continuation) {
      if (this.partOpcode < 0) return this.violate('continuation with nothing to continue');
      if (frame.rsv !== 0) return this.violate('RSV on a continuation');
    } else {
      if (opcode > 2) return this.violate(`data opcode ${opcode}`);
      if (this.partOpcode >= 0) return this.violate('message inside a message');
      if (frame.rsv !== 0 && !(frame.rsv === 4 && this.deflate)) return this.violate(`RSV ${frame.rsv}`);
      this.partOpcode = opcode;
      this.partCompressed = frame.rsv === 4;
      this.partFrames = 0;
    }
    ++this.partFrames;
    this.parts.push(payload);
    this.partSize += payload.length;
    if (!frame.fin) return;
    const whole = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts, this.partSize);
    const binary = this.partOpcode === opcodes.binary;
    this.parts = [];
    this.partSize = 0;
    this.partOpcode = -1;
    if (!binary && !this.partCompressed && !isUtf8(whole)) return this.violate('text is not UTF-8');
    this.add({kind: 'message', binary, payload: whole, compressed: this.partCompressed, frames: this.partFrames});
  }

  private closed(payload: Buffer): void {
    if (payload.length === 1) return this.violate('Close payload of one byte');
    const code = payload.length ? payload.readUInt16BE(0) : 1005;
    const reason = payload.subarray(2);
    if (
      payload.length &&
      !(code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) &&
      !(code >= 3000 && code <= 4999)
    )
      return this.violate(`Close code ${code}`);
    if (!isUtf8(reason)) return this.violate('Close reason is not UTF-8');
    this.close = {code, reason};
    if (!this.closeSent && this.answerClose) void this.send({opcode: opcodes.close, payload: payload.subarray(0, 2)});
    this.add({kind: 'close', code, reason});
  }
}

export async function connectEndpoint(address: Address, options: RequestOptions = {}): Promise<Endpoint> {
  const socket = await open(address);
  const key = options.key ?? randomBytes(16).toString('base64');
  const head = Buffer.from(upgradeRequest(options, key), 'latin1');
  socket.write(options.behind ? Buffer.concat([head, options.behind]) : head);
  const answer = await readHead(socket);
  if (answer.status !== 101) {
    socket.destroy();
    throw new Error(`handshake refused: ${answer.start}`);
  }
  if (answer.get('sec-websocket-accept') !== acceptKey(key)) {
    socket.destroy();
    throw new Error('Sec-WebSocket-Accept does not fit the key');
  }
  const endpoint = new Endpoint(socket, 'client', answer);
  endpoint.deflate = /permessage-deflate/.test(answer.get('sec-websocket-extensions') ?? '');
  return endpoint;
}

// Listens on a free loopback port and hands each socket and its parsed request to `accept`, which answers.
export async function listenRaw(
  accept: (socket: Socket, request: Head) => void,
  host = '127.0.0.1',
): Promise<Server & {port: number}> {
  const server = createServer({allowHalfOpen: true, noDelay: true}, (socket) => {
    socket.on('error', () => undefined);
    readHead(socket).then(
      (request) => accept(socket, request),
      () => socket.destroy(),
    );
  });
  server.listen(0, host, 1024);
  await once(server, 'listening');
  const address = server.address();
  return Object.assign(server, {port: typeof address === 'object' && address ? address.port : 0});
}

export function acceptEndpoint(socket: Socket, request: Head, options: AcceptOptions = {}): Endpoint {
  const head = Buffer.from(upgradeResponse(request, options), 'latin1');
  socket.write(options.behind ? Buffer.concat([head, options.behind]) : head);
  const endpoint = new Endpoint(socket, 'server', request);
  endpoint.deflate = /permessage-deflate/.test(options.extensions ?? '');
  return endpoint;
}
