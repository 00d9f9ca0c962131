// Both ends of a proxied session in our hands: a raw client, the proxy, a raw server.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import type {Server, Socket} from 'node:net';
import {randomBytes} from 'node:crypto';
import {
  type AcceptOptions,
  acceptEndpoint,
  connectEndpoint,
  type Endpoint,
  type Head,
  listenRaw,
  open,
  readHead,
  type RequestOptions,
} from '../lib/endpoint.js';
import {Metrics} from '../lib/metrics.js';
import {type Config, type Proxy, startProxy} from '../lib/proxy.js';
import {eventually, withDeadline} from '../lib/wait.js';

export interface Pair {
  client: Endpoint;
  server: Endpoint;
  route: string;
}

type Take = (socket: Socket, request: Head) => void;

// A route a behaviour; a request's first path segment chooses it.
const behaviours: Record<string, Config> = {
  pass: {compression: 'pass'},
  observe: {compression: 'observe', limits: {message: '1MiB', frame: '1MiB'}},
  decline: {compression: 'decline'},
  forward: {conformance: 'forward'},
  small: {limits: {frame: '64KiB', message: '128KiB', fragments: 100, control_rate: 20}},
  beat: {heartbeat: {interval: '300ms', timeout: '5s', misses: 2}},
  timing: {limits: {handshake_timeout: '400ms', close_timeout: '500ms'}},
};

export class Bench {
  private waiting = new Map<string, Take>();
  private serial = 0;
  arrived = 0; // connections that reached the server

  private constructor(
    readonly server: Server & {port: number},
    readonly proxy: Proxy,
  ) {}

  static async start(): Promise<Bench> {
    let bench: Bench | undefined;
    const server = await listenRaw((socket, request) => bench?.take(socket, request));
    const routes = Object.entries(behaviours).map(([name, config]) => ({
      heartbeat: {interval: '1h', timeout: '1h'},
      ...config,
      name,
      match: {path: `/${name}`},
      upstream: `ws://127.0.0.1:${server.port}`,
    }));
    bench = new Bench(server, await startProxy({routes, threads: 1}));
    return bench;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    this.server.close();
  }

  private take(socket: Socket, request: Head): void {
    ++this.arrived;
    const key = request.target.split('?')[0]!;
    const take = this.waiting.get(key);
    this.waiting.delete(key);
    if (take) take(socket, request);
    else socket.destroy();
  }

  path(route: string): string {
    return `/${route}/${++this.serial}`;
  }

  // The connection the proxy makes for `path`.
  upstream(path: string): Promise<[Socket, Head]> {
    return withDeadline(
      5000,
      `connection for ${path}`,
      () => new Promise<[Socket, Head]>((resolve) => this.waiting.set(path, (...arrived) => resolve(arrived))),
    );
  }

  async pair(route = 'pass', request: RequestOptions = {}, accept: AcceptOptions = {}): Promise<Pair> {
    const path = this.path(route);
    const arriving = this.upstream(path).then(([socket, head]) => acceptEndpoint(socket, head, accept));
    const [client, server] = await Promise.all([
      connectEndpoint({port: this.proxy.port}, {path, ...request}),
      arriving,
    ]);
    return {client, server, route};
  }

  // Sends a request's bytes as they are; gives the answer's head and body.
  async request(bytes: string | Buffer): Promise<{head: Head; body: string; ended: boolean}> {
    const socket = await open({port: this.proxy.port});
    socket.write(bytes as string);
    return this.answer(socket);
  }

  async answer(socket: Socket): Promise<{head: Head; body: string; ended: boolean}> {
    const head = await readHead(socket, 5000);
    let body = '';
    socket.on('data', (part: Buffer) => (body += part.toString('latin1')));
    socket.resume();
    const length = Number(head.get('content-length') ?? 0);
    await eventually('the whole body', () => body.length >= length, 5000);
    const closes = /close/i.test(head.get('connection') ?? '');
    let ended = false;
    if (closes) {
      if (!socket.readableEnded) await withDeadline(5000, 'end of the connection', () => once(socket, 'end'));
      ended = true;
    }
    socket.destroy();
    return {head, body, ended};
  }

  // A well-formed upgrade with lines replaced, added or (undefined) left out.
  upgrade(
    path: string,
    change: Record<string, string | string[] | undefined> = {},
    start = `GET ${path} HTTP/1.1`,
    behind = '',
  ): string {
    const fields: Record<string, string | string[] | undefined> = {
      Host: 'localhost',
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      'Sec-WebSocket-Version': '13',
      ...change,
    };
    const lines = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}`),
    );
    return [start, ...lines, '', ''].join('\r\n') + behind;
  }

  async metrics(): Promise<Metrics> {
    return new Metrics((await this.proxy.get('/metrics')).body);
  }

  // Runs `work` and checks that exactly one anomaly of `kind` was counted on its route meanwhile.
  async counts(kind: string, route: string, work: () => Promise<void>): Promise<void> {
    const labels = {kind, ...(route ? {route} : {})};
    const before = (await this.metrics()).sum('websocket_anomalies_total', labels);
    await work();
    await eventually(
      `one more ${kind} is counted`,
      async () => (await this.metrics()).sum('websocket_anomalies_total', labels) === before + 1,
      10_000,
    );
  }

  // Both legs are closed with `code`, and neither gets anything else.
  async bothClosed(pair: Pair, code: number, ahead: {client?: number; server?: number} = {}): Promise<void> {
    for (const [name, end] of [
      ['client', pair.client],
      ['server', pair.server],
    ] as const) {
      await end.until(() => end.ended !== undefined, 5000);
      assert.equal(
        end.close?.code,
        code,
        `the ${name} is told ${code} (${JSON.stringify(end.log.map((event) => event.kind))})`,
      );
      assert.notEqual(end.ended, undefined, `the ${name}'s connection ends`);
      assert.equal(end.messages().length, ahead[name] ?? 0, `messages that reach the ${name}`);
      assert.deepEqual(end.violations(), [], `what reaches the ${name} is well-formed`);
      end.destroy();
    }
  }
}
