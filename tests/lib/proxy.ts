// `sockeye proxy` as a child process: configuration in a temporary folder, ports that are free, stopped by its own pid.
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {freePorts, Process, sockeye, temporaryFolder} from './process.js';
import {eventually, Hopeless} from './wait.js';

export type Config = Record<string, unknown>;

export interface ProxyOptions {
  routes: Config[]; // `listen` is filled in where it is missing: one port for all such routes
  config?: Config; // the other top-level keys
  threads?: number;
  environment?: Record<string, string>;
  level?: string;
}

export class Proxy {
  constructor(
    readonly process: Process,
    readonly port: number,
    readonly metricsPort: number,
    readonly file: string,
    private options: ProxyOptions,
  ) {}

  static text(options: ProxyOptions, port: number, metricsPort: number): string {
    // JSON is YAML.
    return JSON.stringify(
      {
        ...options.config,
        routes: options.routes.map((route, i) => ({name: `route${i}`, listen: `127.0.0.1:${port}`, ...route})),
        metrics: {listen: `127.0.0.1:${metricsPort}`},
      },
      undefined,
      1,
    );
  }

  // Writes a changed configuration; `reload` is the caller's SIGHUP.
  configure(change: Partial<ProxyOptions>): void {
    this.options = {...this.options, ...change};
    writeFileSync(this.file, Proxy.text(this.options, this.port, this.metricsPort));
  }

  async get(path: string, accept?: string): Promise<{status: number; body: string; type: string}> {
    const answer = await fetch(`http://127.0.0.1:${this.metricsPort}${path}`, accept ? {headers: {accept}} : {});
    return {status: answer.status, body: await answer.text(), type: answer.headers.get('content-type') ?? ''};
  }
  async sessions(): Promise<any> {
    return JSON.parse((await this.get('/sessions')).body);
  }
  get log(): string {
    return this.process.err;
  }
  // The second signal ends a drain that waits for sessions of the test.
  async stop(): Promise<void> {
    if (this.process.exited) return;
    this.process.signal('SIGTERM');
    await eventually('exit', () => this.process.exited, 200, 10).catch(() => undefined);
    await this.process.stop();
  }
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const folder = temporaryFolder();
  const file = join(folder, 'sockeye.yaml');
  // A port can be taken between asking for it and listening on it; then another one is asked for.
  for (let attempt = 0; ; ++attempt) {
    const [port, metricsPort] = (await freePorts(2)) as [number, number];
    writeFileSync(file, Proxy.text(options, port, metricsPort));
    const child = new Process(
      'sockeye proxy',
      sockeye(),
      [
        'proxy',
        '--config',
        file,
        ...(options.threads ? ['--threads', String(options.threads)] : []),
        ...(options.level ? ['--log-level', options.level] : []),
      ],
      {env: {PATH: process.env.PATH, HOME: folder, ...options.environment}},
    );
    const proxy = new Proxy(child, port, metricsPort, file, options);
    try {
      await eventually(
        `the proxy is ready (${child.err.slice(-500)})`,
        async () => {
          if (child.exited) throw new Hopeless(`sockeye exited: ${child.err}`);
          return (await proxy.get('/readyz')).status === 200;
        },
        30_000,
      );
      return proxy;
    } catch (error) {
      await child.stop();
      if (attempt === 2 || !/in use/i.test(child.err))
        throw new Error(`${error instanceof Error ? error.message : error}\n${child.err}`);
    }
  }
}
