// Operations of the bulk: names, counts, percentiles, heat map.
import assert from 'node:assert/strict';
import {it} from 'node:test';
import {
  asked,
  assertPercentile,
  type Bulk,
  by,
  figuresOf,
  type Measure,
  type Range,
  type Span,
  within,
} from './bulk.js';
import type {Json} from './console.js';

const rolledUp: Measure[] = ['duration', 'first_chunk', 'last_chunk'];
const keyOf = (one: {service: string; operation: string}): string => `${one.service} ${one.operation}`;
const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
const counted = (spans: Span[]): {count: number; errors: number; cancelled: number} => ({
  count: spans.length,
  errors: spans.filter((span) => span.status === 'error').length,
  cancelled: spans.filter((span) => span.call === 'cancelled').length,
});

// One row of /latency is what is true of these spans.
function assertRow(row: Json, spans: Span[], histogram: Measure): void {
  const {count, errors, cancelled} = row;
  assert.deepEqual({count, errors, cancelled}, counted(spans), keyOf(row));
  for (const measure of rolledUp) {
    const values = figuresOf(spans, measure),
      told = row[measure],
      what = `${measure} of ${keyOf(row)}`;
    assert.equal(told.count, values.length, what);
    assert.equal(told.relative_error, 0.01);
    if (!values.length) {
      for (const figure of ['p50', 'p95', 'p99', 'min', 'max']) assert.equal(told[`${figure}_seconds`], null, what);
      continue;
    }
    assert.equal(told.min_seconds, Math.min(...values) / 1e9, what);
    assert.equal(told.max_seconds, Math.max(...values) / 1e9, what);
    for (const percent of [50, 95, 99]) assertPercentile(told[`p${percent}_seconds`], 1e9, values, percent, what);
  }
  const values = figuresOf(spans, histogram);
  let end = 0;
  for (const [low, high, count] of row.histogram) {
    const from = nanoseconds(low),
      below = nanoseconds(high);
    assert.ok(from >= end && below > from && below - from <= Math.max(1, from / 50), `${low} to ${high}`);
    end = below;
    assert.equal(count, values.filter((value) => value >= from && value < below).length);
  }
  assert.equal(sum(row.histogram.map((cell: number[]) => cell[2])), values.length);
}
const nanoseconds = (seconds: number): number => Math.round(seconds * 1e9);

export function operationsTell(bulk: Bulk): void {
  const latency = async (range: Range, query: string): Promise<Json[]> =>
    bulk.console.pages(`/latency?${asked(range)}&limit=1000${query}`, 'rows');

  it('names every operation, and finds them by a part of their name', async () => {
    const known = by(bulk.spans, keyOf);
    const entries = await bulk.console.pages('/operations?limit=777', 'entries');
    assert.deepEqual(entries.map(keyOf), [...known.keys()].sort());
    for (const entry of entries) assert.deepEqual(entry.kinds, [known.get(keyOf(entry))![0]!.kind]);
    const some = await bulk.console.pages('/operations?limit=100&service=shop-3&search=CALL%2012', 'operations');
    assert.deepEqual(
      some,
      [...new Set(bulk.spans.map((span) => span.operation))]
        .filter((name) => name.startsWith('call 12') && Number(name.slice(5, 9)) % 5 === 3)
        .sort(),
    );
  });

  for (const name of ['whole', 'hours', 'middle'] as const)
    it(`counts and measures every operation, ${name}`, async () => {
      const range = bulk.ranges[name];
      const histogram = name === 'middle' ? 'first_chunk' : 'duration';
      const spans = within(bulk.spans, range),
        wanted = by(spans, keyOf);
      const {total, totals, complete} = await bulk.console.api(`/latency?${asked(range)}&limit=1`);
      assert.deepEqual({total, totals, complete}, {total: wanted.size, totals: counted(spans), complete: true});
      const rows = await latency(range, `&histogram=${histogram}`);
      assert.deepEqual(rows.map(keyOf).sort(), [...wanted.keys()].sort());
      for (const row of rows) {
        assert.deepEqual([row.time_ms, row.from_ms, row.to_ms, row.partial], [range.from, range.from, range.to, false]);
        assertRow(row, wanted.get(keyOf(row))!, histogram);
      }
    });

  it('sorts operations by every column over all of them, and those that lack it come last', async () => {
    const range = bulk.ranges.hours;
    const all = await latency(range, '');
    const figure = (row: Json, sort: string): number | string | null => {
      if (sort === 'error_rate') return row.errors / row.count;
      const [, measure, which] = /^(.+)_(p\d\d|max)$/.exec(sort) ?? [];
      return measure ? row[measure][`${which}_seconds`] : row[sort];
    };
    const order = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0);
    const columns = ['p50', 'p95', 'p99', 'max'].flatMap((which) => rolledUp.map((measure) => `${measure}_${which}`));
    for (const [i, sort] of [
      'count',
      'errors',
      'error_rate',
      'cancelled',
      'operation',
      'service',
      ...columns,
    ].entries()) {
      const ascending = i % 2 === 0;
      const wanted: (number | string | null)[] = all.map((row) => figure(row, sort)).filter((value) => value !== null);
      wanted.sort((a, b) => (ascending ? order(a!, b!) : order(b!, a!)));
      while (wanted.length < all.length) wanted.push(null);
      const query = `&sort=${sort}&order=${ascending ? 'asc' : 'desc'}`;
      // All the way for some; of the others the first thousand.
      const rows =
        i % 6 === 5
          ? await latency(range, query)
          : (await bulk.console.api(`/latency?${asked(range)}&limit=1000${query}`)).rows;
      assert.deepEqual(
        rows.map((row: Json) => figure(row, sort)),
        wanted.slice(0, rows.length),
        query,
      );
      if (i % 6 === 5) assert.deepEqual(rows.map(keyOf).sort(), all.map(keyOf).sort(), query);
    }
  });

  it('finds operations by a part of their name, with totals of those alone', async () => {
    const range = bulk.ranges.middle;
    for (const [query, fits] of [
      ['&search=CALL%2000', (span: Span) => span.operation.startsWith('call 00')],
      ['&search=helf-2', (span: Span) => span.service === 'shelf-2'],
      ['&service=shop-4&search=9', (span: Span) => span.service === 'shop-4' && span.operation.includes('9')],
    ] as [string, (span: Span) => boolean][]) {
      const spans = within(bulk.spans, range).filter(fits);
      const answer = await bulk.console.api(`/latency?${asked(range)}&limit=1000${query}`);
      assert.ok(spans.length > 1);
      assert.deepEqual(answer.totals, counted(spans), query);
      assert.deepEqual(answer.rows.map(keyOf).sort(), [...by(spans, keyOf).keys()].sort(), query);
    }
  });

  // The ends of the range cut the first and the last step.
  for (const histogram of ['duration', 'first_chunk'] as const)
    it(`draws a heat map of which each cell leads to exactly its calls, by ${histogram}`, async () => {
      const range = bulk.ranges.middle,
        step = 300_000;
      const {service, operation} = bulk.spans[histogram === 'duration' ? 0 : 1]!;
      const whose = `service=${service}&operation=${encodeURIComponent(operation)}`;
      const spans = within(bulk.spans, range).filter((span) => keyOf(span) === keyOf({service, operation}));
      const steps = by(spans, (span) => String(Math.floor(Number(span.start_ns / 1_000_000n) / step) * step));
      const {rows} = await bulk.console.api(
        `/latency?${asked(range)}&${whose}&step_seconds=${step / 1000}&histogram=${histogram}`,
      );
      assert.ok(steps.size > 1);
      assert.deepEqual(
        rows.map((row: Json) => row.time_ms),
        [...steps.keys()].map(Number).sort((a, b) => a - b),
      );
      for (const row of rows) {
        const end = row.time_ms + step;
        assert.equal(row.partial, row.time_ms < range.from || end > range.to);
        assert.deepEqual([row.from_ms, row.to_ms], [Math.max(row.time_ms, range.from), Math.min(end, range.to)]);
        const its = steps.get(String(row.time_ms))!;
        assertRow(row, its, histogram);
        for (const [low, high, count] of row.histogram) {
          const cell = `measure=${histogram}&min_seconds=${low}&max_seconds=${high}`;
          const answer = await bulk.console.api(
            `/spans?from_ms=${row.from_ms}&to_ms=${row.to_ms}&${whose}&${cell}&limit=200`,
          );
          assert.deepEqual(
            answer.spans.map((span: Json) => span.span_id).sort(),
            its
              .filter(({figures}) => {
                const value = figures[histogram];
                return value !== undefined && value >= nanoseconds(low) && value < nanoseconds(high);
              })
              .map((span) => span.id)
              .sort(),
            cell,
          );
          assert.deepEqual([answer.spans.length, answer.total], [count, count], cell);
        }
      }
    });
}
