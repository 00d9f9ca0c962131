// One attack: what is attacked, the bystanders and the attackers, each a process of its own; and what it did to them.
import {chmodSync, chownSync, readdirSync, readFileSync, readlinkSync, writeFileSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {Metrics} from '../lib/metrics.js';
import {Authority, type Certificate} from '../lib/certs.js';
import {freePorts, Process, sockeye, temporaryFolder, testsFolder} from '../lib/process.js';
import {type Config, Proxy} from '../lib/proxy.js';
import {eventually, Hopeless, pause} from '../lib/wait.js';
import type {Attack, Setting, Target} from './attack.js';
import type {ConsoleLap} from './bystanders_console.js';
import type {ProxyLap} from './bystanders_proxy.js';
import type {Waits} from './series.js';

export type Lap = (ProxyLap | ConsoleLap) & {late: Waits};
export interface Timing {
  quiet: number; // seconds
  attack: number;
}
export interface Outcome {
  attack: string;
  attackers: number;
  skipped?: string;
  target: 'proxy' | 'console';
  quiet: Lap;
  during: Lap;
  aftermath: Lap; // until everything had come back
  after: Lap;
  memory: {quiet: number; most: number; after: number}; // bytes, resident
  descriptors: {quiet: number; most: number; after: number};
  left: string[]; // what did not come back once the attackers had gone
  exited?: string; // the end of the process, if it ended
  did: Record<string, number>; // what the attackers say
  upstream: Record<string, number>;
}

const program = (name: string): string => join(testsFolder, 'dist/hostile', `${name}.mjs`);
const node = (name: string, ...args: string[]): Process =>
  new Process(name, process.execPath, [program(name), ...args]);
// Attackers stand for other machines: they are not to take the processor from those who are measured.
const meek = (name: string, ...args: string[]): Process =>
  new Process(name, 'nice', ['-n', '5', process.execPath, program(name), ...args]);
const port = async (one: Process): Promise<number> => Number((await one.saw(/^listening (\d+)$/m))[1]);

export class Stage {
  private laps = 0;
  private constructor(
    private readonly running: Process[],
    readonly attacked: Process,
    private readonly bystanders: Process,
    readonly target: Target,
  ) {}

  static async open(attack: Pick<Attack, 'target' | 'setting'>): Promise<Stage> {
    const running: Process[] = [];
    try {
      return await Stage.opened(attack, running);
    } catch (error) {
      for (const one of running) await one.stop();
      throw error;
    }
  }
  private static async opened(attack: Pick<Attack, 'target' | 'setting'>, running: Process[]): Promise<Stage> {
    const bystanders = node('bystanders', attack.target);
    const upstream = meek('upstream');
    running.push(bystanders, upstream);
    const target: Target = {
      kind: attack.target,
      pid: 0,
      host: (attack.setting?.listen ?? '127.0.0.1').replace(/[[\]]/g, ''),
      port: 0,
      admin: 0,
      upstream: await port(upstream),
      page: 0,
      otlp: 0,
      grpc: 0,
      tls: attack.setting?.tls === 'listener',
    };
    const echo = await port(bystanders);
    const attacked = await (attack.target === 'proxy'
      ? proxy(attack, target, echo, running)
      : console_(attack, target, running));
    target.pid = attacked.pid;
    bystanders.line(JSON.stringify({...target, port: target.bystanders ?? target.port}));
    await bystanders.saw(/^begun$/m, 15_000);
    return new Stage(running, attacked, bystanders, target);
  }

  async close(): Promise<void> {
    for (const one of this.running.splice(0).reverse()) {
      // Nothing is looked at any more: a drain is not waited for.
      one.signal('SIGKILL');
      await one.stop();
    }
  }

  attackers(attack: Attack, number: number, seconds: number, seed = 1): Process {
    const words = [attack.name, String(number), String(seconds), String(seed), JSON.stringify(this.target)];
    const one = meek('attacker', ...words);
    this.running.push(one);
    return one;
  }

  async lap(): Promise<Lap> {
    const number = ++this.laps;
    this.bystanders.line(String(number));
    return JSON.parse((await this.bystanders.saw(new RegExp(`^lap ${number} (.*)$`, 'm'), 30_000))[1]!);
  }

  // Bytes: now, and the most since forgetMost().
  resident(): {now: number; most: number} {
    try {
      const text = readFileSync(`/proc/${this.attacked.pid}/status`, 'utf8');
      const of = (name: string): number => 1024 * Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0);
      return {now: of('VmRSS'), most: of('VmHWM')};
    } catch {
      return {now: 0, most: 0};
    }
  }
  // Of a process that may not be looked into these two are known to root alone.
  forgetMost(): void {
    try {
      writeFileSync(`/proc/${this.attacked.pid}/clear_refs`, '5');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    }
  }
  descriptors(): number {
    try {
      return readdirSync(`/proc/${this.attacked.pid}/fd`).length;
    } catch {
      return 0;
    }
  }
  // How many of what.
  described(): string {
    const kinds: Record<string, number> = {};
    for (const each of readdirSync(`/proc/${this.attacked.pid}/fd`)) {
      try {
        const kind = readlinkSync(`/proc/${this.attacked.pid}/fd/${each}`).replace(/:\[\d+\]$/, '');
        kinds[basename(kind)] = (kinds[basename(kind)] ?? 0) + 1;
      } catch {
        // Closed meanwhile.
      }
    }
    return JSON.stringify(kinds);
  }
  async metrics(): Promise<Metrics> {
    const answer = await fetch(`http://127.0.0.1:${this.target.admin}/metrics`, {signal: AbortSignal.timeout(5000)});
    return new Metrics(await answer.text());
  }
  async upstreamStats(): Promise<Record<string, number>> {
    const answer = await fetch(`http://127.0.0.1:${this.target.upstream}/-/stats`).catch(() => undefined);
    return answer ? ((await answer.json()) as Record<string, number>) : {};
  }
  get exited(): string | undefined {
    if (!this.attacked.exited) return undefined;
    const {exitCode, signalCode} = this.attacked.child;
    return `${signalCode ?? `status ${exitCode}`}: ${this.attacked.err.slice(-500)}`;
  }
}

function started(command: string[], folder: string, setting: Setting = {}): Process {
  const {descriptors, user} = setting;
  const words = [
    ...(descriptors ? ['prlimit', `--nofile=${descriptors}`, '--'] : []),
    ...(user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'] : []),
    ...command,
  ];
  return new Process(command[1]!, words[0]!, words.slice(1), {env: {PATH: process.env.PATH, HOME: folder}});
}
// A certificate that the process may read, whosever it is.
function certificate(user?: number): Certificate {
  const own = new Authority().issue('test');
  if (user) {
    chmodSync(dirname(own.key), 0o755);
    for (const file of [own.key, own.certificate]) chownSync(file, user, user);
  }
  return own;
}

async function proxy(
  {setting}: Pick<Attack, 'setting'>,
  target: Target,
  echo: number,
  running: Process[],
): Promise<Process> {
  const folder = temporaryFolder();
  [target.port, target.admin, target.bystanders] = (await freePorts(3)) as [number, number, number];
  const scheme = setting?.tls === 'stalled' ? 'wss' : 'ws';
  const attacked: Config = {name: 'attacked', upstream: `${scheme}://127.0.0.1:${target.upstream}`, ...setting?.route};
  if (setting?.tls === 'listener') attacked.tls = certificate(setting.user);
  else if (setting?.listen) attacked.listen = `${setting.listen}:${target.port}`;
  else target.bystanders = target.port;
  const bystanders: Config = {
    name: 'bystanders',
    listen: `127.0.0.1:${target.bystanders}`,
    match: {path: '/bystander'},
    upstream: `ws://127.0.0.1:${echo}`,
  };
  if (setting?.user) chmodSync(folder, 0o755);
  const file = join(folder, 'sockeye.yaml');
  writeFileSync(file, Proxy.text({routes: [bystanders, attacked], config: setting?.config}, target.port, target.admin));
  const one = started([sockeye(), 'proxy', '--config', file], folder, setting);
  running.push(one);
  await eventually(
    'the proxy is ready',
    async () => {
      if (one.exited) throw new Hopeless(`sockeye exited: ${one.err}`);
      return (await fetch(`http://127.0.0.1:${target.admin}/readyz`)).status === 200;
    },
    30_000,
  );
  return one;
}

async function console_({setting}: Pick<Attack, 'setting'>, target: Target, running: Process[]): Promise<Process> {
  const folder = temporaryFolder();
  const words = ['console', '--data', join(folder, 'data')];
  for (const flag of ['--listen', '--otlp-http', '--otlp-grpc']) words.push(flag, '127.0.0.1:0');
  const one = started([sockeye(), ...words, ...(setting?.arguments ?? [])], folder, setting);
  running.push(one);
  const [, page, otlp, grpc] = await one.saw(/console: http\S+:(\d+); OTLP http\S+:(\d+), gRPC \S+:(\d+); data/);
  [target.page, target.otlp, target.grpc, target.admin] = [Number(page), Number(otlp), Number(grpc), Number(page)];
  return one;
}

export async function play(attack: Attack, number: number, timing: Timing): Promise<Outcome> {
  const stage = await Stage.open(attack);
  try {
    await pause(500);
    await stage.lap();
    await pause(timing.quiet * 1000);
    const quiet = await stage.lap();
    const memory = {quiet: stage.resident().now, most: 0, after: 0};
    const descriptors = {quiet: stage.descriptors(), most: 0, after: 0};
    stage.forgetMost();

    const seconds = Math.max(timing.attack, attack.seconds ?? 0);
    const one = stage.attackers(attack, number, seconds);
    await one.saw(/^begun$/m, 30_000);
    await stage.lap();
    const end = performance.now() + (seconds + 10) * 1000;
    while (!one.exited && performance.now() < end) {
      await pause(100);
      descriptors.most = Math.max(descriptors.most, stage.descriptors());
    }
    const during = await stage.lap();
    const left = await leftovers(stage, descriptors.quiet + (attack.keeps ?? 0));
    const aftermath = await stage.lap();
    await pause(1000);
    const after = await stage.lap();
    memory.most = stage.resident().most;
    memory.after = stage.resident().now;
    descriptors.after = stage.descriptors();
    const did = /^did (.*)$/m.exec(one.out)?.[1];
    if (one.child.exitCode !== 0) left.push(`the attackers failed: ${one.err.slice(-300)}`);
    return {
      attack: attack.name,
      attackers: number,
      target: attack.target,
      quiet,
      during,
      aftermath,
      after,
      memory,
      descriptors,
      left,
      exited: stage.exited,
      did: did ? JSON.parse(did) : {},
      upstream: await stage.upstreamStats(),
    };
  } finally {
    await stage.close();
  }
}

// What has not come back within `ms`.
export async function leftovers(stage: Stage, descriptors: number, ms = 10_000): Promise<string[]> {
  const found: string[] = [];
  const back = async (what: () => string, probe: () => boolean | Promise<boolean>): Promise<void> => {
    await eventually('', () => stage.attacked.exited || probe(), ms, 100).catch(() => found.push(what()));
  };
  // The bystanders' probes come and go.
  await back(
    () => `${stage.descriptors()} descriptors, ${descriptors} before: ${stage.described()}`,
    () => stage.descriptors() <= descriptors + 6,
  );
  if (stage.target.kind === 'console') return found;
  let active = 0;
  await back(
    () => `${active} sessions of the attackers`,
    async () => {
      active = (await stage.metrics()).sum('websocket_connections_active', {route: 'attacked'});
      return active === 0;
    },
  );
  return found;
}
