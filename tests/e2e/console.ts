// `sockeye console` as a child process: ports of its own, data in a temporary folder, killed and started again on the
// same data and ports where a test asks for it; and the requests that tests ask it, as bytes and as JSON.
import assert from 'node:assert/strict';
import {request as plain, type IncomingHttpHeaders, type RequestOptions} from 'node:http';
import {request as secure} from 'node:https';
import {once} from 'node:events';
import {join} from 'node:path';
import {Process, sockeye, temporaryFolder} from '../lib/process.js';
import {eventually, Hopeless, withDeadline} from '../lib/wait.js';
import {cleanup} from './support.js';

export type Json = any;
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  json: Json; // undefined where it is none
}
export interface Asking {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
  ca?: Buffer;
}

export async function ask(url: string, asking: Asking = {}): Promise<Answer> {
  return withDeadline(30_000, `answer from ${url}`, async () => {
    const {protocol, hostname, port, pathname, search} = new URL(url);
    const options: RequestOptions = {
      hostname,
      port,
      path: pathname + search,
      method: asking.method ?? (asking.body === undefined ? 'GET' : 'POST'),
      headers: {...asking.headers},
      agent: false,
    };
    const one = protocol === 'https:' ? secure({...options, ca: asking.ca}) : plain(options);
    const answered = once(one, 'response');
    one.end(asking.body);
    const [response] = (await answered) as [import('node:http').IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    const body = Buffer.concat(parts),
      text = body.toString();
    let json: Json;
    if (/json/.test(response.headers['content-type'] ?? '') && text) json = JSON.parse(text);
    return {status: response.statusCode ?? 0, headers: response.headers, body, text, json};
  });
}

export interface ConsoleOptions {
  arguments?: string[];
  data?: string;
  token?: string;
  ca?: Buffer;
}

export class Console {
  url = ''; // page and API
  otlp = '';
  grpc = ''; // HOST:PORT
  private process?: Process;

  constructor(
    readonly data: string,
    private readonly options: ConsoleOptions,
  ) {}

  // The ports are the system's choice at the first start, and the same at every later one.
  async start(): Promise<void> {
    const at = (known: string): string => (known ? new URL(known).host : '127.0.0.1:0');
    this.process = new Process(
      'sockeye console',
      sockeye(),
      [
        'console',
        '--data',
        this.data,
        '--listen',
        at(this.url),
        '--otlp-http',
        at(this.otlp),
        '--otlp-grpc',
        this.grpc || '127.0.0.1:0',
        ...(this.options.arguments ?? []),
      ],
      {env: {PATH: process.env.PATH, HOME: this.data}},
    );
    const [, url, otlp, grpc] = await this.process.saw(/console: (http\S+); OTLP (http\S+), gRPC (\S+); data/);
    [this.url, this.otlp, this.grpc] = [url!, otlp!, grpc!];
    await eventually(
      'the console answers',
      async () => {
        if (this.process!.exited) throw new Hopeless(`the console exited: ${this.log}`);
        return (await this.ask('/healthz')).status === 200;
      },
      30_000,
    );
  }
  get log(): string {
    return this.process?.err ?? '';
  }
  get running(): boolean {
    return this.process !== undefined && !this.process.exited;
  }
  get pid(): number {
    return this.process!.pid;
  }
  rss(): number {
    return this.process!.rss();
  }
  async kill(): Promise<void> {
    this.process!.signal('SIGKILL');
    await this.process!.exit().catch(() => undefined);
  }
  async stop(): Promise<void> {
    await this.process?.stop();
  }

  async ask(path: string, asking: Asking = {}): Promise<Answer> {
    const headers = {...(this.options.token ? {authorization: `Bearer ${this.options.token}`} : {}), ...asking.headers};
    return ask(this.url + path, {ca: this.options.ca, ...asking, headers});
  }
  async api(path: string): Promise<Json> {
    const answer = await this.ask(`/api/v1${path}`);
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    return answer.json;
  }
  // All of a list that comes in pages.
  async pages(path: string, list: string): Promise<Json[]> {
    const found: Json[] = [];
    for (let cursor = '', page = 0; page === 0 || cursor; ++page) {
      assert.ok(page < 2000, 'the cursor ends');
      const answer = await this.api(`${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      found.push(...answer[list]);
      ({cursor} = answer);
    }
    return found;
  }
  async jaeger(path: string): Promise<Json> {
    const answer = await this.ask(`/api${path}`);
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    assert.equal(answer.json.errors, null);
    return answer.json.data;
  }
  // OTLP: an object goes as JSON, bytes as protobuf.
  async send(
    signal: 'traces' | 'logs' | 'metrics',
    body: object | Buffer,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const type = Buffer.isBuffer(body) ? 'application/x-protobuf' : 'application/json';
    const token: Record<string, string> = this.options.token ? {authorization: `Bearer ${this.options.token}`} : {};
    return ask(`${this.otlp}/v1/${signal}`, {
      ca: this.options.ca,
      headers: {'content-type': type, ...token, ...headers},
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
    });
  }
  // The trace, once it has that many spans.
  async trace(id: string, spans = 1): Promise<Json> {
    return eventually(
      `${spans} span(s) of trace ${id}`,
      async () => {
        const answer = await this.ask(`/api/v1/traces/${id}`);
        return answer.status === 200 && answer.json.spans.length >= spans ? answer.json : undefined;
      },
      20_000,
      50,
    );
  }
}

export async function console_(options: ConsoleOptions = {}): Promise<Console> {
  const one = new Console(options.data ?? join(temporaryFolder(), 'data'), options);
  cleanup(() => one.stop());
  await one.start();
  return one;
}

// One that is expected to give up by itself: its exit status and what it said.
export async function refusal(...args: string[]): Promise<{status: number | null; said: string}> {
  const one = new Process('sockeye console', sockeye(), ['console', ...args], {
    env: {PATH: process.env.PATH, HOME: temporaryFolder()},
  });
  cleanup(() => one.stop());
  const status = await one.exit();
  return {status, said: one.err};
}

let ids = 0;
const unique = Math.floor(Math.random() * 2 ** 32)
  .toString(16)
  .padStart(8, '0');
export const traceId = (): string => `${unique}${(++ids).toString(16).padStart(24, '0')}`;
export const spanId = (): string => `${unique}${(++ids).toString(16).padStart(8, '0')}`;
export const nanoseconds = (ms = Date.now()): bigint => BigInt(Math.round(ms * 1000)) * 1000n;

// An ExportTraceServiceRequest in JSON with these spans; what a span leaves out is made up.
export function spansRequest(spans: Json[], resource: Record<string, string> = {'service.name': 'tester'}): Json {
  const start = nanoseconds();
  const whole = spans.map((span) => ({
    spanId: spanId(),
    name: 'work',
    kind: 1,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 1_000_000n),
    ...span,
  }));
  return {
    resourceSpans: [
      {
        resource: {attributes: Object.entries(resource).map(([key, value]) => ({key, value: {stringValue: value}}))},
        scopeSpans: [{scope: {name: 'by hand', version: '1'}, spans: whole}],
      },
    ],
  };
}
export const attributesOf = (list: {key: string; value: Json}[]): Record<string, Json> =>
  Object.fromEntries(list.map(({key, value}) => [key, value]));
