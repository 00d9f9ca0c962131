// Attackers of all families who come and go at random, at a proxy and at the console it reports to, with bystanders at
// both all the while. In the end: the bystanders are there, memory is flat, descriptors are back, the accounts add up.
import {eventually, pause} from '../lib/wait.js';
import type {Attack} from './attack.js';
import {attacks} from './attacks.js';
import {bars, megabytes} from './judge.js';
import {type Lap, leftovers, Stage} from './stage.js';

// Of those that need no configuration of their own but a dialect's.
const route = {dialect: 'jsonrpc', compression: 'observe'};
const mixed = (target: string): Attack[] =>
  attacks.filter(
    ({setting = {}, slow, needs, ...attack}) =>
      attack.target === target && !slow && !needs && !setting.tls && !setting.descriptors && !setting.listen,
  );

// mulberry32: the same run for the same seed, as far as the machine lets it be.
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// One attack after the other, some seconds each, until the time is over.
async function siege(stage: Stage, from: Attack[], until: number, next: () => number): Promise<void> {
  while (performance.now() < until && !stage.attacked.exited) {
    const attack = from[Math.floor(next() * from.length)]!;
    const seconds = 3 + Math.floor(next() * 8);
    const number = [1, 2, 4, 8, 16][Math.floor(next() * 5)]!;
    if (process.env.SOCKEYE_HOSTILE_VERBOSE)
      console.log(`${stage.target.kind}: ${attack.name} × ${number}, ${seconds} s`);
    const one = stage.attackers(attack, number, seconds, Math.floor(next() * 2 ** 31));
    await eventually('the attackers have left', () => one.exited, (seconds + 30) * 1000, 100).catch(() => one.stop());
    await pause(next() * 2000);
  }
}

interface Watched {
  name: 'proxy' | 'console';
  stage: Stage;
  memory: number; // at the beginning
  descriptors: number;
  samples: number[]; // of memory, bytes
}

export async function soak(minutes: number, seed: number): Promise<string[]> {
  const next = random(seed);
  const console_ = await Stage.open({target: 'console'});
  const {page, otlp} = console_.target;
  const config = {
    export: {otlp: {endpoint: `http://127.0.0.1:${otlp}`}, console: {endpoint: `http://127.0.0.1:${page}`}},
  };
  const proxy = await Stage.open({target: 'proxy', setting: {route, config}});
  try {
    await pause(3000);
    const watched = (['proxy', 'console'] as const).map((name): Watched => {
      const stage = name === 'proxy' ? proxy : console_;
      return {name, stage, memory: stage.resident().now, descriptors: stage.descriptors(), samples: []};
    });
    const until = performance.now() + minutes * 60_000;
    const timer = setInterval(() => {
      for (const {stage, samples} of watched) samples.push(stage.resident().now);
    }, 1000);
    const begun = performance.now();
    const say = setInterval(() => void report(watched, begun), 30_000);
    await Promise.all(watched.flatMap(({name, stage}) => [1, 2].map(() => siege(stage, mixed(name), until, next))));
    clearInterval(timer);
    clearInterval(say);
    await report(watched, begun);
    const found = await Promise.all(watched.map((each) => verdict(each)));
    return [...found.flat(), ...(await accounts(proxy))];
  } finally {
    await proxy.close();
    await console_.close();
  }
}

const worst = (lap: Lap): number =>
  Math.max(...('sessions' in lap ? lap.sessions : [lap.otlp]).map((each) => each.worst));
async function report(watched: Watched[], begun: number): Promise<void> {
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
  for (const {name, stage} of watched) {
    const lap = await stage.lap().catch(() => undefined);
    if (!lap) continue;
    const said = [
      `${minutes} min: ${name.padEnd(7)} worst wait ${worst(lap).toFixed(0)} ms`,
      `/healthz ${lap.healthz.worst.toFixed(0)} ms`,
      `${megabytes(stage.resident().now)} MiB`,
      `${stage.descriptors()} descriptors`,
      `${lap.lost} bystanders lost`,
    ];
    console.log(said.join(', '));
  }
}

async function verdict({name, stage, memory, descriptors, samples}: Watched): Promise<string[]> {
  if (stage.exited) return [`the ${name} ended: ${stage.exited}`];
  const found = (await leftovers(stage, descriptors, 30_000)).map((what) => `${name}: ${what}`);
  const lap = await stage.lap();
  if (lap.lost) found.push(`${name}: ${lap.lost} bystanders lost their connection`);
  const mean = (of: number[]): number => of.reduce((sum, each) => sum + each, 0) / Math.max(1, of.length);
  const quarter = Math.floor(samples.length / 4);
  const [third, last] = [mean(samples.slice(2 * quarter, 3 * quarter)), mean(samples.slice(3 * quarter))];
  if (last - third > 0.15 * third + (16 << 20))
    found.push(`${name}: memory grows: ${megabytes(third)} MiB in the third quarter, ${megabytes(last)} in the last`);
  const most = Math.max(...samples) - memory;
  // Spans that wait for a collector have a bound of their own (docs/running.md).
  if (most > bars.memory[name] + (name === 'proxy' ? 64 << 20 : 0))
    found.push(`${name}: ${megabytes(most)} MiB more at most`);
  return found;
}

// What was opened was closed or is open; what was received was exported, dropped or waits.
async function accounts(stage: Stage): Promise<string[]> {
  let said = '';
  await eventually(
    'the accounts add up',
    async () => {
      const now = await stage.metrics();
      const total = (result: string): number => now.sum('websocket_connections_total', {result});
      const [opened, closed, active] = [total('accept'), total('close'), now.sum('websocket_connections_active')];
      const spans = (what: string): number => now.sum(`sockeye_spans_${what}_total`);
      const [received, exported, dropped] = [spans('received'), spans('exported'), spans('dropped')];
      const queued = now.sum('sockeye_queue_length');
      said =
        `${opened} sessions opened, ${closed} closed, ${active} open; ` +
        `${received} spans received, ${exported} exported, ${dropped} dropped, ${queued} queued`;
      return opened === closed + active && received === exported + dropped + queued;
    },
    15_000,
    200,
  ).catch(() => (said = `do not add up: ${said}`));
  console.log(`accounts: ${said}`);
  return /^do not/.test(said) ? [`the accounts ${said}`] : [];
}
