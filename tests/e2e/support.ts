// What the end-to-end tests share: real backends and clients, and the proxy between them.
import assert from 'node:assert/strict';
import {createServer, type IncomingMessage, type RequestListener, type Server} from 'node:http';
import {createServer as createTlsServer} from 'node:https';
import {readFileSync} from 'node:fs';
import {once} from 'node:events';
import type {Duplex} from 'node:stream';
import {after} from 'node:test';
import {WebSocket, WebSocketServer} from 'ws';
import type {Certificate} from '../lib/certs.js';
import {Metrics} from '../lib/metrics.js';
import {peerProgram, Process} from '../lib/process.js';
import {type Proxy, type ProxyOptions, startProxy} from '../lib/proxy.js';
import {eventually, withDeadline} from '../lib/wait.js';

// Everything a test file started is stopped when the file ends, last first.
const cleanups: (() => unknown)[] = [];
export const cleanup = (work: () => unknown): void => void cleanups.push(work);
after(async () => {
  for (const work of cleanups.reverse()) await work();
});

export async function proxy(options: ProxyOptions): Promise<Proxy> {
  const one = await startProxy(options);
  cleanup(() => one.stop());
  return one;
}
export function child(name: string, command: string, args: string[]): Process {
  const one = new Process(name, command, args);
  cleanup(() => one.stop());
  return one;
}
export const program = (name: string, ...args: string[]): Process =>
  child(name, process.execPath, [peerProgram(name), ...args]);
export async function listening(one: Process): Promise<number> {
  return Number((await one.saw(/^listening (\d+)$/m))[1]);
}

export interface Backend {
  port: number;
  server: Server;
  sockets: Set<WebSocket>;
  requests: IncomingMessage[]; // upgrades, in order
  closes: {code: number; reason: string; at: number}[];
  accepted?: (socket: WebSocket) => void; // called for each session
}

export interface BackendOptions {
  tls?: Certificate & {ca?: string};
  deflate?: boolean;
  protocols?: string[];
  http?: RequestListener;
  echo?: boolean;
  path?: string; // a Unix socket
  onUpgrade?: (request: IncomingMessage, socket: Duplex) => boolean; // true: handled
}

// Node's `ws` in this process, which keeps what it was asked.
export async function backend(options: BackendOptions = {}): Promise<Backend> {
  const http: RequestListener = options.http ?? ((_, response) => response.writeHead(404).end());
  const server = options.tls
    ? createTlsServer(
        {
          cert: readFileSync(options.tls.certificate),
          key: readFileSync(options.tls.key),
          ...(options.tls.ca ? {ca: readFileSync(options.tls.ca), requestCert: true, rejectUnauthorized: true} : {}),
        },
        http,
      )
    : createServer(http);
  const one: Backend = {port: 0, server, sockets: new Set(), requests: [], closes: []};
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: options.deflate ? {threshold: 0} : false,
    handleProtocols: (offered) => [...offered].find((name) => options.protocols?.includes(name)) ?? false,
  });
  server.on('upgrade', (request, socket, head) => {
    one.requests.push(request);
    socket.on('error', () => undefined);
    if (options.onUpgrade?.(request, socket)) return;
    sockets.handleUpgrade(request, socket, head, (accepted) => sockets.emit('connection', accepted, request));
  });
  sockets.on('connection', (socket) => {
    one.sockets.add(socket);
    if (options.echo ?? true) socket.on('message', (data, binary) => socket.send(data as Buffer, {binary}));
    socket.on('close', (code, reason) => {
      one.sockets.delete(socket);
      one.closes.push({code, reason: reason.toString(), at: Date.now()});
    });
    socket.on('error', () => undefined);
    one.accepted?.(socket);
  });
  if (options.path) server.listen(options.path);
  else server.listen(0, '127.0.0.1', 1024);
  await once(server, 'listening');
  const address = server.address();
  one.port = typeof address === 'object' && address ? address.port : 0;
  cleanup(() => {
    for (const socket of one.sockets) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return one;
}

export async function connected(url: string, options: object = {}, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, {perMessageDeflate: false, ...options});
  cleanup(() => socket.terminate());
  await withDeadline(
    10_000,
    `connection to ${url}`,
    () =>
      new Promise<void>((resolve, reject) => {
        socket.once('open', () => resolve());
        socket.once('error', reject);
        socket.once('unexpected-response', (_request, response) =>
          reject(new Error(`refused with ${response.statusCode}`)),
        );
      }),
  );
  socket.on('error', () => undefined);
  return socket;
}

// Sends one message and gives what comes back first.
export async function roundTrip(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
  return withDeadline(10_000, 'echo', async () => {
    const answer = once(socket, 'message');
    socket.send(message);
    return (await answer)[0] as Buffer;
  });
}

export async function closed(socket: WebSocket, ms = 10_000): Promise<{code: number; reason: string}> {
  return withDeadline(ms, 'close', async () => {
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    return {code, reason: reason.toString()};
  });
}
export async function shut(socket: WebSocket, code = 1000): Promise<{code: number; reason: string}> {
  const end = closed(socket);
  socket.close(code);
  return end;
}

export const metrics = async (one: Proxy): Promise<Metrics> => new Metrics((await one.get('/metrics')).body);

export async function quiet(one: Proxy): Promise<Metrics> {
  return eventually('no session is active', async () => {
    const now = await metrics(one);
    return now.sum('websocket_connections_active') === 0 ? now : undefined;
  });
}

export const logLines = (one: Proxy, pattern: RegExp): string[] =>
  one.log.split('\n').filter((line) => pattern.test(line));

export function near(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected} ± ${tolerance}`);
}
