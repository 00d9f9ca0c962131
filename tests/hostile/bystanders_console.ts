// Who has business with a console: an SDK that exports over HTTP, one over gRPC, a reader of the API, a page, a proxy.
import {Agent, request} from 'node:http';
import {Client, credentials} from '@grpc/grpc-js';
import {WebSocket} from 'ws';
import type {Target} from './attack.js';
import {Probe, type Probed} from './probe.js';
import {exportPath, field, fixed, http2, now, number, spansRequest} from './protobuf.js';
import {Series} from './series.js';

export interface ConsoleLap {
  otlp: Probed;
  grpc: Probed;
  fresh: Probed; // a new connection to the gRPC port
  api: Probed;
  healthz: Probed;
  lost: number; // the page's WebSocket, the proxy's
}

// One request at a time, the next one `every` ms after the last one was begun or as soon as it is answered.
class Exporter {
  private readonly waits = new Series();
  private since = 0;
  private failed = 0;
  constructor(
    private readonly name: string,
    send: () => Promise<boolean>,
    every: number,
  ) {
    setInterval(() => {
      if (this.since) return;
      const begun = (this.since = performance.now());
      send().then(
        (good) => this.done(begun, good),
        () => this.done(begun, false),
      );
    }, every);
  }
  private done(begun: number, good: boolean): void {
    this.waits.add(performance.now() - begun);
    this.since = 0;
    if (!good) ++this.failed;
  }
  take(): Probed {
    const {failed} = this;
    this.failed = 0;
    const open = this.since ? [performance.now() - this.since] : [];
    return {...this.waits.take(open), failed, said: failed ? {[this.name]: failed} : {}};
  }
}

export class ConsoleBystanders {
  private otlp?: Exporter;
  private grpc?: Exporter;
  private fresh?: Probe;
  private api?: Probe;
  private healthz?: Probe;
  private lost = 0;

  async listen(): Promise<number> {
    return 0;
  }

  async begin(target: Target): Promise<void> {
    const agent = new Agent({keepAlive: true, maxSockets: 1});
    const overHttp = (): Promise<boolean> =>
      new Promise((resolve, reject) => {
        const body = spansRequest(2);
        const one = request(
          {
            host: '127.0.0.1',
            port: target.otlp,
            path: '/v1/traces',
            method: 'POST',
            agent,
            headers: {'content-type': 'application/x-protobuf', 'content-length': body.length},
          },
          (response) => {
            response.resume();
            response.on('end', () => resolve(response.statusCode === 200));
          },
        );
        one.on('error', reject);
        one.end(body);
      });
    this.otlp = new Exporter('OTLP over HTTP', overHttp, 50);
    const client = new Client(`127.0.0.1:${target.grpc}`, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const overGrpc = (): Promise<boolean> =>
      new Promise((resolve) =>
        client.makeUnaryRequest(exportPath, same, same, spansRequest(2), {deadline: Date.now() + 10_000}, (error) =>
          resolve(!error),
        ),
      );
    this.grpc = new Exporter('OTLP over gRPC', overGrpc, 100);
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    this.api = new Probe(target.page, get('/api/v1/status'), /^HTTP\/1\.1 200/, 200);
    this.healthz = new Probe(target.page, get('/healthz'), /^HTTP\/1\.1 200/, 50);
    // RFC 9113 §3.4: a server's first frame is SETTINGS, of type 4.
    const settings = (got: string): boolean => got.length >= 9;
    const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2(4, 0, 0)]);
    this.fresh = new Probe(target.grpc, preface, /^[\s\S]{3}\x04/, 500, undefined, settings);
    await Promise.all([this.page(target), this.proxy(target)]);
  }
  take(): ConsoleLap {
    return {
      otlp: this.otlp!.take(),
      grpc: this.grpc!.take(),
      fresh: this.fresh!.take(),
      api: this.api!.take(),
      healthz: this.healthz!.take(),
      lost: this.lost,
    };
  }

  private open(url: string, protocol: string, options = {}): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, [protocol], {perMessageDeflate: false, ...options});
      socket.once('open', () => resolve(socket));
      socket.on('error', reject);
      socket.on('close', () => ++this.lost);
    });
  }
  private async page(target: Target): Promise<void> {
    const at = `127.0.0.1:${target.page}`;
    const socket = await this.open(`ws://${at}/api/v1/live`, 'sockeye-page.v1', {headers: {origin: `http://${at}`}});
    socket.send(JSON.stringify({fleet: true}));
  }
  // A proxy with nothing to report but that it is there.
  private async proxy(target: Target): Promise<void> {
    const socket = await this.open(`ws://127.0.0.1:${target.page}/api/v1/live/report`, 'sockeye-live.v1');
    const began = now();
    const hello = Buffer.concat([
      number(1, 1),
      field(2, 'bystander-instance'),
      field(3, 'bystander'),
      field(4, 'host'),
      field(5, '1'),
      fixed(6, began),
    ]);
    socket.send(Buffer.concat([fixed(1, began), field(2, hello), number(8, 1)]));
    setInterval(() => socket.send(fixed(1, now())), 1000);
  }
}
