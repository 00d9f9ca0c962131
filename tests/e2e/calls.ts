// A proxy that exports to a collector of this process, and the calls it tells of, against what was really called.
import assert from 'node:assert/strict';
import type {Span} from '../lib/collector.js';
import type {Proxy} from '../lib/proxy.js';
import {eventually} from '../lib/wait.js';
import {proxy, quiet} from './support.js';
import {collector, type Collector, exported} from './collector.js';

export interface Stage {
  one: Proxy;
  to: Collector;
  url: string;
}
export async function stage(port: number, route = {}): Promise<Stage> {
  const to = await collector();
  const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${port}`, ...route}], config: exported(to.endpoint)});
  return {one, to, url: `ws://127.0.0.1:${one.port}`};
}
export const readAs = (at: Stage, dialect: string): Promise<unknown> =>
  eventually(`the session is read as ${dialect}`, async () =>
    (await at.one.sessions()).sessions.some((row: {dialect: string}) => row.dialect === dialect),
  );

// When every session has ended: the spans of its calls in the order they began, as many as were counted. Nothing is
// left open, no message was odd but those that are expected, and the peers did nothing wrong but what they always do.
export async function spansOfCalls(
  at: Stage,
  dialectErrors: Record<string, number> = {},
  habits: string[] = [],
): Promise<Span[]> {
  const counted = await quiet(at.one);
  const total = counted.sum('websocket_invocations_total'),
    sessions = counted.sum('websocket_connections_total', {result: 'close'});
  const found = await eventually(
    'a span of every call and of the connection',
    () => {
      const spans = at.to.spans.filter(
        (span) => span.name !== 'websocket.invocation.interim' && 'websocket.invocation.number' in span.attributes,
      );
      return spans.length >= total &&
        at.to.spans.filter((span) => span.name === 'websocket.connection').length >= sessions
        ? spans
        : undefined;
    },
    20_000,
  );
  const place = (span: Span) =>
    [String(span.attributes['websocket.session.id']), Number(span.attributes['websocket.invocation.number'])] as const;
  found.sort((a, b) => place(a)[0].localeCompare(place(b)[0]) || place(a)[1] - place(b)[1]);
  assert.equal(found.length, total);
  assert.equal(counted.sum('websocket_invocations_active'), 0);
  assert.deepEqual(
    counted.samples.filter(
      (each) => each.name === 'websocket_anomalies_total' && each.value && !habits.includes(each.labels.kind!),
    ),
    [],
  );
  const odd = counted.samples
    .filter((each) => each.name === 'sockeye_dialect_errors_total' && each.value)
    .map((each) => [each.labels.kind, each.value]);
  assert.deepEqual(Object.fromEntries(odd), dialectErrors);
  for (const span of found)
    assert.equal(
      span.status === 2,
      ['error', 'incomplete'].includes(String(span.attributes['websocket.invocation.status'])),
      span.name,
    );
  return found;
}

export type Call = [operation: string, status: string, chunks: number];
// The same, and they are those that are expected: each is one span and counted once.
export async function calls(
  at: Stage,
  expected: Call[],
  dialectErrors: Record<string, number> = {},
  habits: string[] = [],
): Promise<Span[]> {
  const found = await spansOfCalls(at, dialectErrors, habits);
  assert.deepEqual(
    found.map((span) => [
      span.name,
      span.attributes['websocket.invocation.status'],
      span.attributes['websocket.chunk.count'],
    ]),
    expected,
  );
  const counted = await quiet(at.one);
  for (const [operation, status] of expected)
    assert.equal(
      counted.sum('websocket_invocations_total', {operation, status}),
      expected.filter((each) => each[0] === operation && each[1] === status).length,
      `${operation} ${status}`,
    );
  return found;
}
