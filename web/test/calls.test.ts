import assert from 'node:assert/strict';
import {it} from 'node:test';
import {knownSeconds} from '../src/operations/known';
import {askedOutcome, outcomeOf, outcomeTone, withOutcome} from '../src/traces/outcome';
import type {Group} from '../src/api/types';
import {cutText} from '../src/control/cut';
import {columnOf, densest, heatGrid, place, rowOf} from '../src/operations/buckets';
import {callsOf, readGrouping} from '../src/traces/grouping';
import {boundsText, filtersOn, readTraceFilter, spanParameters} from '../src/traces/search_filter';
import {latency, spans} from './call_data';
import {world} from './fleet_data';

const filterOf = (text: string) => readTraceFilter(new URLSearchParams(text));
const query = (values: Record<string, unknown>) => {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(values))
    if (value !== null && value !== '' && value !== false) out.set(key, String(value));
  return out;
};

it('lists calls unless asked for something else, and asks for exact bounds', () => {
  const range = {from: 1000, to: 2000};
  assert.equal(filterOf('').view, 'calls');
  assert.equal(spanParameters(filterOf(''), range)['calls'], true);
  const cell = filterOf('view=spans&measure=first_chunk&low=0.134217728&high=0.1368&min=9s');
  const asked = spanParameters(cell, range);
  assert.deepEqual(
    [asked['calls'], asked['measure'], asked['min_seconds'], asked['max_seconds']],
    [false, 'first_chunk', 0.134217728, 0.1368],
  );
  assert.equal(boundsText(cell), 'First chunk from 134 ms to below 137 ms');
  assert.equal(spanParameters(filterOf('min=300ms'), range)['min_seconds'], 0.3);
  assert.equal(filtersOn(filterOf('view=groups&by=route')), false);
  assert.equal(filtersOn(filterOf('target=ws://x')), true);
});

it('gives every cell of a heat map bounds by which exactly its spans are found', () => {
  const w = world(false),
    step = 120,
    to = Math.floor(w.started / 120_000) * 120_000 - 30_000, // within a step
    from = to - 3_600_000;
  for (const measure of ['duration', 'first_chunk'] as const) {
    const answer = latency(
      w,
      query({
        from_ms: from,
        to_ms: to,
        service: 'voice-bridge',
        operation: 'media_reply',
        step_seconds: step,
        histogram: measure,
      }),
    );
    const grid = heatGrid(answer.rows, step * 1000, from, to);
    assert.ok(grid.rows.length > 4 && grid.rows.length <= 41, `${grid.rows.length} rows`);
    for (let i = 1; i < grid.rows.length; i++) assert.ok(grid.rows[i]!.low >= grid.rows[i - 1]!.high);
    assert.ok(grid.partial.size > 0); // the range ends within a step
    let cells = 0;
    for (const [key, many] of grid.counts) {
      const row = grid.rows[rowOf(key)]!,
        [begin, end] = grid.spans[columnOf(key)]!;
      const found = spans(
        w,
        query({
          from_ms: begin,
          to_ms: end,
          service: 'voice-bridge',
          operation: 'media_reply',
          measure,
          min_seconds: row.low,
          max_seconds: row.high,
        }),
      );
      assert.equal(found.total, many, `${measure} ${begin} ${row.low}`);
      if (++cells > 60) break;
    }
    assert.ok(cells > 20);
  }
});

it('merges fine buckets into rows that can be seen, and knows which columns are not over', () => {
  const minute = (time_ms: number, partial = false) => ({time_ms, from_ms: time_ms, to_ms: time_ms + 60_000, partial});
  const bucket = (i: number, many: number): [number, number, number] => [1.02 ** i, 1.02 ** (i + 1), many];
  const grid = heatGrid(
    [
      {...minute(0), histogram: [bucket(0, 2), bucket(1, 1), bucket(200, 1)]},
      {...minute(60_000, true), histogram: [bucket(1, 5)]},
    ],
    60_000,
    0,
    120_000,
  );
  assert.equal(grid.times.length, 2);
  assert.equal(grid.counts.get(place(0, 0)), 3);
  assert.equal(grid.counts.get(place(1, 0)), 5);
  assert.deepEqual([grid.most, grid.rows[0]], [5, {low: 1, high: 1.02 ** 2}]);
  assert.equal(grid.rows[grid.rows.length - 1]!.high, 1.02 ** 201);
  assert.deepEqual([...grid.partial], [1]);
  assert.deepEqual(densest(grid), [1, 0]);
  const empty = heatGrid([], 60_000, 0, 120_000);
  assert.deepEqual([empty.rows.length, empty.most, densest(empty)], [0, 0, null]);
});

it('says how much of how much is shown', () => {
  assert.equal(cutText(50, 12_345, 'call', 'calls', true), '50 of 12,345 calls');
  assert.equal(cutText(50, null, 'call', 'calls', true), 'The first 50 calls; there are more');
  assert.equal(cutText(1, 1, 'call', 'calls', false), '1 call');
  assert.equal(cutText(0, null, 'call', 'calls', false), '0 calls');
});

it('leads from the number of a group to the calls it counts', () => {
  const group: Group = {
    value: 'gpt',
    count: 9,
    errors: 2,
    measured: 9,
    p50: 0.1,
    p95: 0.75,
    p99: 1,
    max: 2,
    query: {attribute: 'gen_ai.request.model:gpt'},
  };
  const at = new URLSearchParams('view=groups&by=attribute&key=gen_ai.request.model&figure=first_chunk&service=bridge');
  const grouping = readGrouping(at);
  assert.deepEqual(
    [grouping.by, grouping.figure, grouping.ready],
    ['attribute:gen_ai.request.model', 'first_chunk', true],
  );
  assert.equal(
    callsOf(at, grouping, group, {errors: true}),
    '/traces?service=bridge&attribute=gen_ai.request.model%3Agpt&status=error',
  );
  assert.equal(
    callsOf(at, grouping, group, {from: 0.75}),
    '/traces?service=bridge&attribute=gen_ai.request.model%3Agpt&measure=first_chunk&low=0.75&sort=first_chunk',
  );
  assert.equal(
    callsOf(at, grouping, {...group, value: null, query: {without: 'attribute:gen_ai.request.model'}}, {}),
    '/traces?service=bridge&without=attribute%3Agen_ai.request.model',
  );
  assert.equal(readGrouping(new URLSearchParams('by=attribute')).ready, false);
  const plain = new URLSearchParams('view=groups&spans=all');
  assert.equal(
    callsOf(plain, readGrouping(plain), {...group, query: {route: 'chat'}}, {}),
    '/traces?view=spans&route=chat',
  );
  assert.equal(callsOf(plain, readGrouping(plain), {...group, query: null}, {}), '');
});

it('tells the outcome of a call from the status of its span', () => {
  const span = (value?: string) => ({attributes: value ? [{key: 'websocket.invocation.status', value}] : []});
  assert.deepEqual([outcomeOf(span('cancelled')), outcomeOf(span())], ['cancelled', null]);
  assert.deepEqual(['ok', 'error', 'cancelled', 'incomplete', 'open'].map(outcomeTone), [
    'soft',
    'bad',
    'warn',
    'bad',
    'good',
  ]);
  const asked = withOutcome(['a:b', 'websocket.invocation.status:ok'], 'error');
  assert.deepEqual([asked, askedOutcome(asked)], [['a:b', 'websocket.invocation.status:error'], 'error']);
  assert.deepEqual([withOutcome(asked, ''), askedOutcome(['a:b'])], [['a:b'], '']);
});

it('takes rates over the time that is past and of which anything is known', () => {
  const gap = {what: 'before' as const, instance: null, from_ms: 0, to_ms: 600_000, missing_seconds: 600};
  const away = {...gap, what: 'console' as const, from_ms: 700_000, to_ms: 800_000, missing_seconds: 100};
  assert.equal(knownSeconds(0, 3_600_000, 1_200_000, [gap, away]), 600); // spans of the gap came later
  assert.equal(knownSeconds(900_000, 3_600_000, 1_200_000, []), 300);
  assert.equal(knownSeconds(0, 500_000, 1_200_000, [{...gap, to_ms: 500_000}]), 0);
});
