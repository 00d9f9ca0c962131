// Calls by the ten thousand, sent to a console as OTLP, of which every figure is known: each is a trace of its own with
// one span, or two where a call has a child.
import assert from 'node:assert/strict';
import {pool} from '../lib/wait.js';
import type {Console, Json} from './console.js';

export interface Made {
  index: number;
  trace: string;
  service: string;
  operation: string;
  tenant: string;
  start_ns: bigint;
  duration_ns: number;
  first_ns: number; // to the first chunk
  status: 'ok' | 'error' | 'cancelled';
  child: boolean;
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

// `count` calls of `names` operations of five services, evenly over `span_ms` from `from_ms`, in the order of their
// start. Durations are log-uniform from 0.1 ms to 100 s. The first operations are called more often than the last.
export function calls(count: number, names: number, from_ms: number, span_ms: number): Made[] {
  const next = random(42);
  return Array.from({length: count}, (_, index) => {
    const which = index < names ? index : Math.floor(next() ** 2 * names);
    const duration_ns = Math.round(10 ** (5 + 6 * next()));
    const fate = next();
    return {
      index,
      trace: `feed${index.toString(16).padStart(28, '0')}`,
      service: `shop-${which % 5}`,
      operation: `call ${String(which).padStart(4, '0')} of ${names}`,
      tenant: `tenant-${index % 17}`,
      start_ns:
        BigInt(Math.round(from_ms)) * 1_000_000n + (BigInt(index) * BigInt(span_ms) * 1_000_000n) / BigInt(count),
      duration_ns,
      first_ns: Math.round(duration_ns * (0.1 + 0.8 * next())),
      status: fate < 0.02 ? 'error' : fate < 0.05 ? 'cancelled' : 'ok',
      child: index % 10 === 0,
    };
  });
}

const text = (key: string, stringValue: string): Json => ({key, value: {stringValue}});
function spans(one: Made): Json[] {
  const id = (one.index + 1).toString(16).padStart(15, '0');
  const span: Json = {
    traceId: one.trace,
    spanId: `a${id}`,
    name: one.operation,
    kind: 2,
    startTimeUnixNano: String(one.start_ns),
    endTimeUnixNano: String(one.start_ns + BigInt(one.duration_ns)),
    status: one.status === 'error' ? {code: 2, message: 'broke'} : {},
    attributes: [
      text('tenant.id', one.tenant),
      text('websocket.invocation.status', one.status),
      {key: 'websocket.chunk.count', value: {intValue: '1'}},
      {key: 'websocket.time_to_first_chunk', value: {doubleValue: one.first_ns / 1e9}},
      {key: 'websocket.time_to_last_chunk', value: {doubleValue: one.first_ns / 1e9}},
    ],
  };
  if (!one.child) return [span];
  const child = {
    ...span,
    spanId: `c${id}`,
    parentSpanId: `a${id}`,
    name: 'lookup',
    kind: 3,
    status: {},
    attributes: [text('db.system', 'sqlite')],
  };
  return [span, child];
}

export async function deliver(to: Console, those: Made[]): Promise<void> {
  const size = 1000;
  const batches = Array.from({length: Math.ceil(those.length / size)}, (_, i) => those.slice(i * size, (i + 1) * size));
  await pool(
    3,
    batches.map((batch) => async () => {
      const services = new Map<string, Json[]>();
      for (const one of batch) services.set(one.service, [...(services.get(one.service) ?? []), ...spans(one)]);
      const request = {
        resourceSpans: [...services].map(([service, list]) => ({
          resource: {attributes: [text('service.name', service)]},
          scopeSpans: [{scope: {name: 'bulk'}, spans: list}],
        })),
      };
      const answer = await to.send('traces', request);
      assert.equal(answer.status, 200, answer.text);
    }),
  );
}

// The value of rank q of those, by the nearest rank; and what an estimate of it may be that is off by `error` of the
// value, whichever of the neighbouring ranks it takes.
export function quantile(values: number[], q: number, error: number): [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return [sorted[Math.max(0, at - 1)]! * (1 - error), sorted[Math.min(sorted.length - 1, at + 1)]! * (1 + error)];
}
