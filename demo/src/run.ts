// ./dev demo: a small backend, a handful of real clients, and sockeye between them, watched live.
//
// Each client is a process of its own. One is stopped (SIGSTOP) after a while: its kernel still acknowledges every
// byte, only its pongs stop. One sits behind a cable that is cut: nothing comes back at all. TCP reports neither; the
// heartbeats do.
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer, type AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {Cable} from './cable.js';
import {Fleet, type Change} from './fleet.js';
import {draw, summary, time} from './view.js';

const here = dirname(fileURLToPath(import.meta.url));
const options = parse(process.argv.slice(2));
const scratch = mkdtempSync(join(tmpdir(), 'sockeye-demo-'));
const children = new Set<ChildProcess>();
let ending = false;

function parse(argv: string[]): {seconds: number; plain: boolean; binary: string} {
  const parsed = {
    seconds: Infinity,
    plain: !process.stdout.isTTY,
    binary: process.env.SOCKEYE_BIN ?? join(here, '../../build/release/bin/sockeye'),
  };
  for (let i = 0; i < argv.length; i += 1) {
    if (argv[i] === '--plain') parsed.plain = true;
    else if (argv[i] === '--seconds' && Number(argv[i + 1]) > 0) parsed.seconds = Number(argv[(i += 1)]);
    else {
      console.error('usage: ./dev demo [--seconds N] [--plain]');
      process.exit(argv[i] === '--help' ? 0 : 2);
    }
  }
  return parsed;
}

// A child whose stdin is ours: should this process die, the child sees the end of its input and leaves too.
function start(command: string, argv: string[]): ChildProcess {
  const child = spawn(command, argv, {stdio: ['pipe', 'pipe', 'pipe']});
  children.add(child);
  child.on('exit', () => children.delete(child));
  child.on('error', (error) => fail(`cannot start ${command}: ${error.message}`));
  return child;
}
const startScript = (name: string, ...argv: string[]): ChildProcess =>
  start(process.execPath, ['--import', 'tsx', join(here, name), ...argv]);

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({input: child.stdout!})) return line;
  return fail(`${child.spawnargs.join(' ')} ended early`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => done(true));
  });
  if (free) await new Promise((done) => server.close(done));
  return free;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({length: count}, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function fail(why: string): never {
  console.error(`demo: ${why}`);
  end(1);
  process.exit(1);
}

function end(status: number): void {
  if (ending) return;
  ending = true;
  if (!options.plain) process.stdout.write('\x1b[?25h\x1b[?1049l');
  for (const child of children) {
    child.kill('SIGCONT');
    child.kill('SIGTERM');
  }
  rmSync(scratch, {recursive: true, force: true});
  process.exitCode = status;
  const deadline = setTimeout(() => {
    for (const child of children) child.kill('SIGKILL');
  }, 3000);
  void Promise.all([...children].map((child) => once(child, 'exit'))).then(() => {
    clearTimeout(deadline);
    process.exit(status);
  });
}

async function main(): Promise<void> {
  process.on('SIGINT', () => end(0));
  process.on('SIGTERM', () => end(0));

  const backendPort = Number(await firstLine(startScript('backend.ts')));
  const [port, metricsPort, otlpPort, anyPort] = (await freePorts(4)) as [number, number, number, number];
  // The console's own port where it is free: an address worth remembering.
  const pagePort = (await isFree(16686)) ? 16686 : anyPort;
  const page = `http://127.0.0.1:${pagePort}`;
  const console_ = start(options.binary, [
    'console',
    '--listen',
    `127.0.0.1:${pagePort}`,
    '--otlp-http',
    `127.0.0.1:${otlpPort}`,
    '--otlp-grpc',
    'off',
    '--data',
    join(scratch, 'console'),
  ]);
  let consoleSaid = '';
  console_.stderr!.on('data', (chunk: Buffer) => (consoleSaid = (consoleSaid + chunk.toString()).slice(-4000)));
  console_.on('exit', (code) => ending || fail(`sockeye console ended with ${code}\n${consoleSaid}`));
  await until(
    async () => (await fetch(`${page}/healthz`)).ok,
    10_000,
    () => `the console did not become ready\n${consoleSaid}`,
  );
  const config = join(scratch, 'sockeye.yaml');
  writeFileSync(
    config,
    `service: demo
routes:
  - name: demo
    listen: 127.0.0.1:${port}
    upstream: ws://127.0.0.1:${backendPort}
    heartbeat: {interval: 3s, timeout: 1s, misses: 2}  # in production: 30s, 10s, 2
metrics: {listen: 127.0.0.1:${metricsPort}}
export:
  otlp: {endpoint: "http://127.0.0.1:${otlpPort}"}
  console: {endpoint: "${page}"}
drain: {timeout: 1s}
`,
  );
  const proxy = start(options.binary, ['proxy', '--config', config]);
  let proxySaid = '';
  proxy.stderr!.on('data', (chunk: Buffer) => (proxySaid = (proxySaid + chunk.toString()).slice(-4000)));
  proxy.on('exit', (code) => ending || fail(`sockeye proxy ended with ${code}\n${proxySaid}`));

  const base = `http://127.0.0.1:${metricsPort}`;
  await until(
    async () => (await fetch(`${base}/readyz`)).ok,
    10_000,
    () => `the proxy did not become ready\n${proxySaid}`,
  );

  const url = (path: string, at = port): string => `ws://127.0.0.1:${at}/${path}`;
  const keep = (kind: string, path: string, at = port): void => {
    const child = startScript('client.ts', kind, url(path, at));
    child.on('exit', () => ending || setTimeout(() => ending || keep(kind, path, at), 2500));
  };
  const cable = await Cable.to(port);
  keep('chat', 'chat');
  keep('media', 'media');
  keep('assistant', 'v1/realtime?model=demo-voice');
  keep('idle', 'idle');
  keep('visitor', 'visitor');
  frozenEvery(() => startScript('client.ts', 'idle', url('freezes')));
  vanishEvery(cable, () => startScript('client.ts', 'idle', url('vanishes', cable.port)));

  await watch(new Fleet(base), [
    'freezes: its process is stopped after a few seconds.   vanishes: its network is cut, no FIN, no RST.',
    'TCP reports neither. A ping every 3 s, a pong due within 1 s, the second miss ends the session.',
    `Look inside: ${page}   (metrics ${base}/metrics, sessions ${base}/sessions)   Ctrl-C ends the demo.`,
  ]);
  cable.close();
  end(0);
}

// Opens a client and lets it be seen healthy; then its process is stopped, and goes on long after the proxy has let it
// go.
function frozenEvery(open: () => ChildProcess): void {
  const child = open();
  // Resumed, it finds the Close that waits for it, and leaves.
  afterOpening(child, [6000, () => child.kill('SIGSTOP')], [20_000, () => child.kill('SIGCONT')]);
  child.on('exit', () => ending || setTimeout(() => ending || frozenEvery(open), 3000));
}

function vanishEvery(cable: Cable, open: () => ChildProcess): void {
  const child = open();
  afterOpening(child, [9000, () => cable.cut()], [24_000, () => cable.mend()]);
  child.on('exit', () => ending || setTimeout(() => ending || vanishEvery(cable, open), 3000));
}

// What to do, how many ms after the client said that it is open; nothing once it has left.
function afterOpening(child: ChildProcess, ...steps: [number, () => void][]): void {
  child.stdout!.once('data', () => {
    const timers = steps.map(([ms, step]) => setTimeout(step, ms));
    child.on('exit', () => timers.forEach(clearTimeout));
  });
}

async function watch(fleet: Fleet, legend: string[]): Promise<void> {
  const stop = Date.now() + options.seconds * 1000;
  const history: Change[] = [];
  let summarised = 0;
  if (options.plain) for (const line of legend) console.log(line);
  else process.stdout.write('\x1b[?1049h\x1b[?25l');
  while (!ending && Date.now() < stop) {
    const {picture, changes} = await fleet.look();
    if (ending) return;
    history.push(...changes);
    history.splice(0, Math.max(0, history.length - 200));
    if (options.plain) {
      for (const change of changes) console.log(`${time(change.at)}  ${change.bad ? '! ' : ''}${change.text}`);
      if (Date.now() - summarised >= 5000) {
        console.log(summary(picture));
        summarised = Date.now();
      }
    } else {
      const screen = draw(picture, history, process.stdout.columns || 100, process.stdout.rows || 30, legend);
      process.stdout.write(`\x1b[H${screen.replaceAll('\n', '\x1b[K\n')}\x1b[J`);
    }
    await new Promise((done) => setTimeout(done, 500));
  }
}

async function until(ready: () => Promise<boolean>, ms: number, why: () => string): Promise<void> {
  const deadline = Date.now() + ms;
  for (;;) {
    if (await ready().catch(() => false)) return;
    if (Date.now() > deadline || ending) fail(why());
    await new Promise((done) => setTimeout(done, 50));
  }
}

await main().catch((error: Error) => fail(error.message));
