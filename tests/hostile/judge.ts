// What an attack may cost the others, and whether it did.
import type {ConsoleLap} from './bystanders_console.js';
import type {ProxyLap} from './bystanders_proxy.js';
import type {Attack} from './attack.js';
import type {Outcome} from './stage.js';
import type {Waits} from './series.js';

const mib = 1 << 20;
// `gross`: what an overloaded machine cannot do by itself. Otherwise the bars that docs/benchmarks.md states.
export const bars = {
  gross: {echo: 1000, healthz: 1000, memory: {proxy: 128 * mib, console: 384 * mib}},
  p99: {one: 10, many: 50}, // ms above the session's own quiet p99
  healthz: 100, // ms
  memory: {proxy: 64 * mib, console: 256 * mib}, // above the quiet process
};

export interface Figures {
  quiet: {p50: number; p99: number};
  p99: number; // of the session that fared worst
  worst: number;
  above: number; // p99 above that session's own quiet p99
  handshake: number; // worst; of a console: its exporters
  refused: number;
  healthz: number;
  late: number; // of a timer in the process that measured
  memory: number; // bytes grown, at most
  after: number; // bytes grown, when the attackers had gone
}

const most = (values: number[]): number => Math.max(0, ...values);
// Those whose waits count: of a proxy its sessions, of a console its exporter over HTTP.
const voices = (lap: ProxyLap | ConsoleLap): Waits[] => ('sessions' in lap ? lap.sessions : [lap.otlp]);

const others = (lap: ProxyLap | ConsoleLap) =>
  'sessions' in lap ? [lap.handshakes] : [lap.otlp, lap.grpc, lap.fresh, lap.api];
const refused = (lap: ProxyLap | ConsoleLap): number => others(lap).reduce((sum, each) => sum + each.failed, 0);
const said = (lap: ProxyLap | ConsoleLap): string => JSON.stringify(others(lap).map((each) => each.said));

export function figures({quiet, during, aftermath, memory}: Outcome): Figures {
  const before = voices(quiet);
  const meanwhile = voices(during);
  return {
    quiet: {p50: most(before.map((each) => each.p50)), p99: most(before.map((each) => each.p99))},
    p99: most(meanwhile.map((each) => each.p99)),
    worst: most([...meanwhile, ...voices(aftermath)].map((each) => each.worst)),
    above: most(meanwhile.map((each, i) => each.p99 - before[i]!.p99)),
    handshake:
      'sessions' in during ? during.handshakes.worst : most([during.grpc.worst, during.fresh.worst, during.api.worst]),
    refused: refused(during),
    healthz: most([during.healthz.worst, aftermath.healthz.worst]),
    late: most([during.late.worst, aftermath.late.worst]),
    memory: Math.max(0, memory.most - memory.quiet),
    after: memory.after - memory.quiet,
  };
}

// What fails the attack, in words.
export function faults(attack: Attack, outcome: Outcome, strict: boolean): string[] {
  const got = figures(outcome);
  const found: string[] = [];
  const {during, aftermath, after} = outcome;
  if (outcome.exited) found.push(`the process ended: ${outcome.exited}`);
  const lost = Math.max(during.lost, after.lost);
  if (lost) found.push(`${lost} bystanders lost their connection`);
  found.push(...outcome.left);
  const bound = (strict ? bars : bars.gross).memory[outcome.target];
  if (got.memory > bound) found.push(`${megabytes(got.memory)} MiB more, ${bound / mib} are allowed`);
  const unhealthy = [during, aftermath, after].map((lap) => lap.healthz);
  if (unhealthy.some((each) => each.failed))
    found.push(`/healthz failed: ${JSON.stringify(unhealthy.map((each) => each.said))}`);
  if (got.refused && !attack.sheds)
    found.push(`${got.refused} of the bystanders' own requests were refused: ${said(during)}`);
  if (refused(after)) found.push(`${refused(after)} were refused after the attackers had gone: ${said(after)}`);
  // What an attacker names with an exclamation mark should not have been possible.
  for (const [what, times] of Object.entries({...outcome.did, ...outcome.upstream}))
    if (what.startsWith('!') && times) found.push(`${what.slice(1)}: ${times} times`);
  const quick = strict && outcome.target === 'proxy';
  const bar = quick ? (outcome.attackers === 1 ? bars.p99.one : bars.p99.many) : bars.gross.echo;
  if (quick && got.above > bar) found.push(`p99 ${got.above.toFixed(0)} ms above the quiet one, ${bar} are allowed`);
  if (got.worst > bars.gross.echo + got.late) found.push(`a bystander waited ${got.worst.toFixed(0)} ms`);
  const health = strict ? bars.healthz : bars.gross.healthz;
  if (got.healthz > health + got.late) found.push(`/healthz took ${got.healthz.toFixed(0)} ms`);
  return found;
}

export const megabytes = (bytes: number): string => (bytes / mib).toFixed(0);

const columns = [
  'attack',
  '×',
  'quiet p50',
  'p99',
  'attacked p99',
  'worst',
  'p99 − quiet',
  'handshake',
  'healthz',
  'late',
  'MiB',
  'after',
  'fds',
];
export const header = (): string => line(columns);
export function row(outcome: Outcome): string {
  const got = figures(outcome);
  const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
  return line([
    outcome.attack,
    String(outcome.attackers),
    ms(got.quiet.p50),
    ms(got.quiet.p99),
    ms(got.p99),
    ms(got.worst),
    ms(got.above),
    ms(got.handshake) + (got.refused ? `, ${got.refused} refused` : ''),
    ms(got.healthz),
    ms(got.late),
    `+${megabytes(got.memory)}`,
    `+${megabytes(got.after)}`,
    `${outcome.descriptors.quiet}/${outcome.descriptors.most}/${outcome.descriptors.after}`,
  ]);
}
const widths = [26, 4, 9, 6, 12, 7, 11, 10, 7, 6, 6, 6, 12];
const line = (cells: string[]): string =>
  cells
    .map((cell, i) => (i ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
    .join(' ')
    .trimEnd();
