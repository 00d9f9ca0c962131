// Calls by the ten thousand, sent to a console as OTLP, of which every figure is known: each is a trace of its own with
// one span, or two where a call has a child.
import assert from 'node:assert/strict';
import {pool} from '../lib/wait.js';
import type {Console, Json} from './console.js';

export type Measure = 'duration' | 'first_chunk' | 'last_chunk' | 'longest_pause' | 'perceived' | 'chunks';
export interface Span {
  trace: string;
  id: string;
  parent: string; // "" = none
  service: string;
  operation: string;
  kind: 'server' | 'client';
  status: 'unset' | 'error';
  call: 'ok' | 'error' | 'cancelled' | null; // websocket.invocation.status
  start_ns: bigint;
  figures: {duration: number} & Partial<Record<Measure, number>>; // nanoseconds, and a number of chunks
  attributes: Record<string, string>; // besides
}

// Mulberry32: the same calls every time.
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The spans of `count` calls of `names` operations of five services, evenly over `span_ms` from `from_ms`, in the order
// of their start. Durations are log-uniform from 0.1 ms to 100 s. The first operations are called more often than the
// last. Every tenth call calls another service in turn.
export function calls(count: number, names: number, from_ms: number, span_ms: number): Span[] {
  const next = random(42);
  return Array.from({length: count}, (_, index) => {
    const which = index < names ? index : Math.floor(next() ** 2 * names);
    const duration = Math.round(10 ** (5 + 6 * next()));
    const fate = next();
    const first_chunk = Math.round(duration * (0.1 + 0.4 * next())),
      last_chunk = Math.round(first_chunk + (duration - first_chunk) * next());
    const chunks = index % 7;
    const span: Span = {
      trace: `feed${index.toString(16).padStart(28, '0')}`,
      id: `a${(index + 1).toString(16).padStart(15, '0')}`,
      parent: '',
      service: `shop-${which % 5}`,
      operation: `call ${String(which).padStart(4, '0')} of ${names}`,
      kind: 'server',
      status: fate < 0.02 ? 'error' : 'unset',
      call: fate < 0.02 ? 'error' : fate < 0.05 ? 'cancelled' : 'ok',
      start_ns:
        BigInt(Math.round(from_ms)) * 1_000_000n + (BigInt(index) * BigInt(span_ms) * 1_000_000n) / BigInt(count),
      figures: {
        duration,
        chunks,
        ...(chunks > 0 ? {first_chunk, last_chunk: chunks > 1 ? last_chunk : first_chunk} : {}),
        ...(chunks > 1 ? {longest_pause: Math.ceil((last_chunk - first_chunk) / (chunks - 1))} : {}),
        ...(chunks === 5 ? {perceived: Math.round(first_chunk / 2)} : {}),
      },
      attributes: {
        'tenant.id': `tenant-${index % 17}`,
        ...(index % 3 ? {'sockeye.route': `route-${index % 4}`} : {}),
        'url.path': `/calls/${index % 6}`,
        'client.address': `192.0.2.${index % 40}`,
        'sockeye.dialect': index % 2 ? 'json-rpc' : 'graphql-transport-ws',
      },
    };
    if (index % 10) return [span];
    const child: Span = {
      ...span,
      id: `c${span.id.slice(1)}`,
      parent: span.id,
      service: `shelf-${index % 4}`,
      operation: 'lookup',
      kind: 'client',
      status: 'unset',
      call: null,
      figures: {duration: Math.ceil(duration / 2)},
      attributes: {'db.system': 'sqlite'},
    };
    return [span, child];
  }).flat();
}

const text = (key: string, stringValue: string): Json => ({key, value: {stringValue}});
const attributeOf: Partial<Record<Measure, string>> = {
  first_chunk: 'websocket.time_to_first_chunk',
  last_chunk: 'websocket.time_to_last_chunk',
  longest_pause: 'websocket.chunk.interval.max',
  perceived: 'websocket.time_to_first_chunk.perceived',
};
function otlp(span: Span): Json {
  const attributes = Object.entries(span.attributes).map(([key, value]) => text(key, value));
  if (span.call) attributes.push(text('websocket.invocation.status', span.call));
  for (const [measure, value] of Object.entries(span.figures))
    if (measure === 'chunks') attributes.push({key: 'websocket.chunk.count', value: {intValue: String(value)}});
    else if (measure !== 'duration')
      attributes.push({key: attributeOf[measure as Measure]!, value: {doubleValue: value / 1e9}});
  return {
    traceId: span.trace,
    spanId: span.id,
    parentSpanId: span.parent,
    name: span.operation,
    kind: span.kind === 'server' ? 2 : 3,
    startTimeUnixNano: String(span.start_ns),
    endTimeUnixNano: String(span.start_ns + BigInt(span.figures.duration)),
    status: span.status === 'error' ? {code: 2, message: 'broke'} : {},
    attributes,
  };
}

export async function deliver(to: Console, those: Span[]): Promise<void> {
  const size = 1000;
  const batches = Array.from({length: Math.ceil(those.length / size)}, (_, i) => those.slice(i * size, (i + 1) * size));
  await pool(
    3,
    batches.map((batch) => async () => {
      const request = {
        resourceSpans: [...by(batch, (span) => span.service)].map(([service, spans]) => ({
          resource: {attributes: [text('service.name', service)]},
          scopeSpans: [{scope: {name: 'bulk'}, spans: spans.map(otlp)}],
        })),
      };
      const answer = await to.send('traces', request);
      assert.equal(answer.status, 200, answer.text);
    }),
  );
}

// ---- what is asked for, and what is true of it

export interface Range {
  from: number; // Unix milliseconds
  to: number; // exclusive
}
export interface Bulk {
  console: Console;
  spans: Span[]; // all of them
  names: number; // of operations
  ranges: Record<'whole' | 'hours' | 'middle', Range>;
}

export const asked = (range: Range): string => `from_ms=${range.from}&to_ms=${range.to}`;
export const within = (spans: Span[], {from, to}: Range): Span[] =>
  spans.filter((span) => span.start_ns >= BigInt(from) * 1_000_000n && span.start_ns < BigInt(to) * 1_000_000n);

export function by<T>(those: T[], key: (one: T) => string): Map<string, T[]> {
  const out = new Map<string, T[]>();
  for (const one of those) {
    const list = out.get(key(one));
    if (list) list.push(one);
    else out.set(key(one), [one]);
  }
  return out;
}

export const figuresOf = (spans: Span[], measure: Measure): number[] =>
  spans.map((span) => span.figures[measure]).filter((value): value is number => value !== undefined);

// The value that a share of `percent` of those are not above, by the nearest rank.
export function percentile(values: number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)]!;
}
// An estimate of it that is off by `error` of it at most, and never beyond the smallest and the largest. Of whole
// numbers, `unit` of which are 1 as it is shown.
export function assertPercentile(shown: number, unit: number, values: number[], percent: number, what: string): void {
  const right = percentile(values, percent),
    value = Math.round(shown * unit);
  assert.ok(
    Math.abs(value - right) <= right * 0.01 && value <= Math.max(...values) && value >= Math.min(...values),
    `${what}: p${percent} is ${right}, not ${value}`,
  );
}
