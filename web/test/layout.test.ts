import assert from 'node:assert/strict';
import {it} from 'node:test';
import type {Span} from '../src/api/types';
import {flagsText} from '../src/traces/flags';
import {criticalPath} from '../src/traces/critical_path';
import {layoutTrace, visibleRows, type Row} from '../src/traces/layout';
import {chunkTimes, streaming} from '../src/traces/streaming';
import {Random} from './random';
import {span as make} from './trace_data';

const T0 = 1_700_000_000_000;
const span = (id: string, parent: string, start: number, ms: number, more: Partial<Span> = {}): Span => ({
  ...make({trace_id: 't', id, parent, name: id, service: 's', start_ms: T0 + start, seconds: ms / 1000}),
  ...more,
});
const names = (rows: readonly Row[]) =>
  rows.map((row) => `${'.'.repeat(row.depth)}${row.span?.span_id ?? `(${row.missing})`}`);

it('orders children by start under their parents, whatever order they came in', () => {
  const layout = layoutTrace([
    span('c', 'a', 50, 10),
    span('b', 'a', 10, 30),
    span('a', '', 0, 100),
    span('d', 'b', 12, 5),
  ]);
  assert.deepEqual(names(layout.rows), ['a', '.b', '..d', '.c']);
  assert.deepEqual(
    layout.rows.map((row) => row.after),
    [4, 3, 3, 4],
  );
  assert.deepEqual(
    layout.rows.map((row) => row.parent),
    [-1, 0, 1, 0],
  );
  assert.equal(layout.from, T0);
  assert.equal(layout.to, T0 + 100);
});

it('gathers children of a parent that never came under a note', () => {
  const layout = layoutTrace([
    span('a', '', 0, 100),
    span('x', 'gone', 20, 10),
    span('y', 'gone', 40, 30),
    span('z', 'y', 45, 5),
  ]);
  assert.deepEqual(names(layout.rows), ['a', '(gone)', '.x', '.y', '..z']);
  assert.equal(layout.missing, 1);
  assert.deepEqual([layout.rows[1]!.start, layout.rows[1]!.end, layout.rows[1]!.after], [T0 + 20, T0 + 70, 5]);
});

it('cuts cycles open and still shows every span once', () => {
  const layout = layoutTrace([
    span('a', 'c', 5, 10),
    span('b', 'a', 6, 10),
    span('c', 'b', 7, 10),
    span('d', 'c', 1, 3),
    span('self', 'self', 9, 1),
    span('r', '', 0, 50),
  ]);
  assert.equal(layout.rows.length, 6);
  assert.equal(new Set(layout.rows.map((row) => row.span!.span_id)).size, 6);
  assert.equal(layout.cycles, 2);
  assert.deepEqual(
    layout.rows.filter((row) => row.note === 'cycle').map((row) => row.span!.span_id),
    ['a', 'self'],
  );
});

it('shows a span that came twice once, and says so', () => {
  const layout = layoutTrace([span('a', '', 0, 10), span('a', '', 0, 10), span('a', '', 0, 10)]);
  assert.equal(layout.rows.length, 1);
  assert.equal(layout.rows[0]!.copies, 2);
  assert.equal(layout.copies, 2);
});

it('keeps a clock ten years off out of the axis, and an end before its start from drawing backwards', () => {
  const layout = layoutTrace([span('a', '', 0, 100), span('b', 'a', -3.15e11, 50), span('c', 'a', 20, -30)]);
  assert.deepEqual([layout.from, layout.to, layout.offClock], [T0, T0 + 100, 1]);
  const at = (id: string) => layout.rows[layout.byId.get(id)!]!;
  assert.equal(at('b').note, 'off clock');
  assert.equal(at('c').note, 'backwards');
  assert.equal(at('c').end, at('c').start);
});

it('lays out 5,000 levels and 50,000 spans without recursion', () => {
  const deep = layoutTrace(Array.from({length: 5000}, (_, i) => span(`${i}`, i ? `${i - 1}` : '', i, 10_000 - i)));
  assert.equal(deep.depth, 4999);
  assert.equal(criticalPath(deep.rows).size > 0, true);
  const random = new Random(3);
  const wide = Array.from({length: 50_000}, (_, i) =>
    span(`${i}`, i ? `${Math.floor(random.next() * i)}` : '', i * 0.1, random.between(0, 900)),
  );
  const layout = layoutTrace(wide);
  assert.equal(layout.rows.length, 50_000);
  assert.equal(criticalPath(layout.rows).size > 0, true);
});

it('shows every span exactly once for random parents, cycles and holes included', () => {
  const random = new Random(99);
  for (let round = 0; round < 200; round++) {
    const many = random.whole(1, 40),
      spans = Array.from({length: many}, (_, i) =>
        span(
          `${i}`,
          random.next() < 0.1 ? '' : `${random.whole(0, many + 3)}`,
          random.whole(0, 500),
          random.whole(-5, 300),
        ),
      );
    const {rows} = layoutTrace(spans);
    assert.equal(rows.filter((row) => row.span).length, many);
    rows.forEach((row, i) => {
      assert.ok(row.after > i && row.after <= rows.length);
      if (row.parent >= 0)
        assert.ok(row.parent < i && rows[row.parent]!.after >= row.after && rows[row.parent]!.depth === row.depth - 1);
    });
    for (const list of criticalPath(rows).values()) for (const one of list) assert.ok(one.to > one.from);
  }
});

it('hides what is under folded rows', () => {
  const {rows} = layoutTrace([
    span('a', '', 0, 100),
    span('b', 'a', 10, 30),
    span('d', 'b', 12, 5),
    span('c', 'a', 50, 10),
  ]);
  assert.deepEqual([...visibleRows(rows, new Set([1]))], [0, 1, 3]);
  assert.deepEqual([...visibleRows(rows, new Set([0]))], [0]);
});

it('marks the last segment of a connection without an end as open', () => {
  const segment = (id: string, start: number) =>
    span(id, '', start, 300, {name: 'websocket.connection.segment', session: 'S'});
  assert.deepEqual(
    layoutTrace([segment('1', 0), segment('2', 300)]).rows.map((row) => row.open),
    [false, true],
  );
  assert.deepEqual(
    layoutTrace([
      segment('1', 0),
      segment('2', 300),
      span('e', '', 0, 600, {name: 'websocket.connection', session: 'S'}),
    ]).rows.map((row) => row.open),
    [false, false, false],
  );
});

it('finds the critical path: back from the end, always through who ended last', () => {
  const {rows, byId} = layoutTrace([
    span('root', '', 0, 100),
    span('early', 'root', 10, 30),
    span('late', 'root', 30, 60),
    span('inner', 'late', 40, 20),
  ]);
  const path = criticalPath(rows),
    of = (id: string) => (path.get(byId.get(id)!) ?? []).map((one) => [one.from - T0, one.to - T0]);
  assert.deepEqual(of('root'), [
    [0, 30],
    [90, 100],
  ]); // `early` runs beside `late`: it delayed nothing
  assert.deepEqual(of('late'), [
    [30, 40],
    [60, 90],
  ]);
  assert.deepEqual(of('inner'), [[40, 60]]);
  assert.deepEqual(of('early'), []);
});

it('covers the root exactly once, chain of children or a child that outlives it', () => {
  const {rows, byId} = layoutTrace([
    span('root', '', 0, 100),
    span('a', 'root', 0, 40),
    span('b', 'root', 40, 30),
    span('c', 'root', 75, 500),
  ]);
  const path = criticalPath(rows),
    all = [...path.values()]
      .flat()
      .map((one) => [one.from - T0, one.to - T0])
      .sort((x, y) => x[0]! - y[0]!);
  assert.deepEqual(all, [
    [0, 40],
    [40, 70],
    [70, 75],
    [75, 100],
  ]);
  assert.deepEqual(
    (path.get(byId.get('c')!) ?? []).map((one) => one.to - T0),
    [100],
  );
});

it('reads chunks from events, or spreads them at the mean interval and says so', () => {
  const attributes = [
    {key: 'websocket.time_to_first_chunk', value: 0.5},
    {key: 'websocket.time_to_last_chunk', value: 1.5},
    {key: 'websocket.chunk.count', value: 5},
    {key: 'websocket.chunk.interval.mean', value: 0.25},
  ];
  assert.deepEqual(streaming(span('a', '', 0, 1600, {attributes})), {
    first: 0.5,
    last: 1.5,
    count: 5,
    chunks: [0.5, 0.75, 1, 1.25, 1.5],
    even: true,
    every: 1,
    longestGap: null,
    gap: null,
  });
  const event = (name: string, seconds: number) => ({
    name,
    time_ms: T0 + seconds * 1000,
    offset_ns: seconds * 1e9,
    attributes: [],
  });
  const known = streaming(
    span('a', '', 0, 1600, {attributes, events: [event('first_chunk', 0.5), event('chunk', 0.6), event('chunk', 1.5)]}),
  )!;
  assert.deepEqual([known.chunks, known.even, known.longestGap?.toFixed(2)], [[0.5, 0.6, 1.5], false, '0.90']);
  const paused = streaming(
    span('a', '', 0, 1600, {
      attributes,
      events: [
        event('first_chunk', 0.5),
        event('first_chunk', 0.5),
        {...event('chunk_gap', 1.3), attributes: [{key: 'websocket.chunk.interval', value: 0.7}]},
      ],
    }),
  )!;
  assert.deepEqual(
    [paused.chunks.map((at) => +at.toFixed(3)), paused.gap?.map((at) => +at.toFixed(3)), paused.even],
    [[0.5, 0.6, 1.3, 1.4, 1.5], [0.6, 1.3], true],
  );
  assert.equal(streaming(span('a', '', 0, 10)), null);
});

it('puts chunk marks where the proxy saw the chunks', () => {
  assert.deepEqual(chunkTimes('210400,40012,0,39988'), [0.2104, 0.250412, 0.250412, 0.2904]);
  for (const wrong of ['', '1,', 'a', '-1', '1,,2', null, 12]) assert.deepEqual(chunkTimes(wrong), [], String(wrong));
  const call = (values: Record<string, string | number>) =>
    streaming(
      make({
        trace_id: 't',
        id: 'a',
        name: 'a',
        service: 's',
        start_ms: 0,
        seconds: 2,
        values: {
          'websocket.time_to_first_chunk': 0.5,
          'websocket.time_to_last_chunk': 2,
          'websocket.chunk.count': 4,
          ...values,
        },
      }),
    )!;
  const known = call({'websocket.chunk.times': '500000,100000,1200000,200000'});
  assert.deepEqual([known.chunks, known.even, known.every, known.gap], [[0.5, 0.6, 1.8, 2], false, 1, [0.6, 1.8]]);
  const thinned = call({
    'websocket.chunk.count': 1000,
    'websocket.chunk.times': '500000,500000',
    'websocket.chunk.times.every': 512,
  });
  assert.deepEqual([thinned.chunks, thinned.even, thinned.every, thinned.gap], [[0.5, 1, 2], false, 512, null]);
  assert.equal(call({}).even, true);
});

it('reads the flags of a span', () => {
  assert.deepEqual([1, 0x303, 0x100].map(flagsText), [
    'sampled (0x1)',
    'sampled, random trace id, parent is remote (0x303)',
    'not sampled, parent is local (0x100)',
  ]);
});
