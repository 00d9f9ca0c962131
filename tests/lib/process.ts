// Child processes of a test: started with their output collected, stopped by their own pid, never by name.
import {type ChildProcess, spawn, type SpawnOptions} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {once} from 'node:events';
import {eventually, Hopeless} from './wait.js';

// dist/<folder>/<program>.mjs → tests/ → the repository.
export const testsFolder = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const repository = resolve(testsFolder, '..');
export const peerProgram = (name: string): string => join(testsFolder, 'dist/peers', `${name}.mjs`);
export const python = '/usr/bin/python3'; // Debian's own: it has python3-websockets
export const binary = (name: string): string =>
  join(
    process.env.SOCKEYE_BIN ? dirname(resolve(process.env.SOCKEYE_BIN)) : join(repository, 'build/release/bin'),
    name,
  );
export const sockeye = (): string => (process.env.SOCKEYE_BIN ? resolve(process.env.SOCKEYE_BIN) : binary('sockeye'));

export class Process {
  out = '';
  err = '';
  readonly child: ChildProcess;
  private listeners: ((line: string) => void)[] = [];
  private partial = '';

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    options: SpawnOptions = {},
  ) {
    // The kernel ends it should this process die without a chance to (setpriv becomes the command; the pid is its own).
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
    living.add(this);
    this.child.on('exit', () => living.delete(this));
    this.child.on('error', (error) => (this.err += `${error.message}\n`));
    this.child.stdin?.on('error', () => undefined);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.partial += text;
      const lines = this.partial.split('\n');
      this.partial = lines.pop() ?? '';
      for (const line of lines) for (const listener of this.listeners) listener(line);
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }
  get exited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
  onLine(listener: (line: string) => void): void {
    this.listeners.push(listener);
  }
  line(text: string): void {
    this.child.stdin?.write(`${text}\n`);
  }
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  // A line of standard output that matches, from the beginning on.
  async saw(pattern: RegExp, ms = 60_000): Promise<RegExpMatchArray> {
    return eventually(
      `${this.name} prints ${pattern}; so far: ${this.out.slice(-400)}${this.err.slice(-400)}`,
      () => {
        const match = this.out.match(pattern) ?? this.err.match(pattern);
        if (!match && this.exited) throw new Hopeless(`${this.name} exited: ${this.err.slice(-2000)}`);
        return match;
      },
      ms,
    );
  }

  async exit(ms = 10_000): Promise<number | null> {
    await eventually(`${this.name} (pid ${this.pid}) exits`, () => this.exited, ms);
    return this.child.exitCode;
  }

  // SIGTERM, then SIGKILL after `ms`. Continues it first: a stopped process takes no SIGTERM.
  async stop(ms = 5000): Promise<void> {
    if (this.exited || !this.pid) return;
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ms);
    if (!this.exited) await once(this.child, 'exit');
    clearTimeout(timer);
  }

  // Bytes of resident memory.
  rss(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  }
}

// Whatever ends this program ends its children too.
const living = new Set<Process>();
const folders = new Set<string>();
process.on('exit', () => {
  for (const one of living) one.child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, {recursive: true, force: true});
});
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockeye-test-'));
  folders.add(folder);
  return folder;
}

// Ports that were free a moment ago; all held open together so that they differ.
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({length: count}, async () => {
      const server = createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as {port: number}).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
