// Traces of the bulk: found by every condition, in every order, by id, and from the one search box.
import assert from 'node:assert/strict';
import {it} from 'node:test';
import {asked, type Bulk, by, figuresOf, type Measure, type Span, within} from './bulk.js';
import type {Json} from './console.js';

export const traceIds = (spans: Span[]): string[] => [...new Set(spans.map((span) => span.trace))].sort();

export function tracesTell(bulk: Bulk): void {
  const filters: Record<string, [query: string, fits: (span: Span) => boolean]> = {
    'all of them': ['', () => true],
    errors: ['&status=error', (span) => span.status === 'error'],
    'those that were cancelled': [
      '&attribute=websocket.invocation.status:cancelled',
      (span) => span.call === 'cancelled',
    ],
    'those of one tenant': ['&attribute=tenant.id:tenant-3', (span) => span.attributes['tenant.id'] === 'tenant-3'],
    'those of one service': ['&service=shop-2', (span) => span.service === 'shop-2'],
    'those of one operation': [
      `&operation=${encodeURIComponent('call 0001 of 5000')}`,
      (span) => span.operation === 'call 0001 of 5000',
    ],
    'those of a duration': [
      '&min_duration_seconds=1&max_duration_seconds=2',
      ({figures}) => figures.duration >= 1e9 && figures.duration <= 2e9,
    ],
    'those with a child': ['&operation=lookup', (span) => span.operation === 'lookup'],
  };
  for (const [what, [query, fits]] of Object.entries(filters))
    it(`finds ${what}, none twice and none left out, in a range that ends in the middle`, async () => {
      const {middle} = bulk.ranges;
      const found = await bulk.console.pages(`/traces?${asked(middle)}&limit=200${query}`, 'traces');
      const all = by(within(bulk.spans, middle), (span) => span.trace);
      const wanted = by(within(bulk.spans, middle).filter(fits), (span) => span.trace);
      assert.ok(wanted.size > 1);
      assert.deepEqual(found.map((each) => each.trace_id).sort(), [...wanted.keys()].sort());
      for (const [i, each] of found.entries()) {
        assert.ok(i === 0 || found[i - 1].start_ms >= each.start_ms, 'latest first');
        const its = all.get(each.trace_id)!;
        assert.deepEqual(
          {
            root: [each.root_service, each.root_operation, each.root_missing],
            start_ms: each.start_ms,
            duration: each.duration_seconds,
            spans: each.spans,
            errors: each.errors,
            matched: each.matched,
            sorted: each.sorted_seconds,
            services: each.services,
          },
          {
            root: [its[0]!.service, its[0]!.operation, false],
            start_ms: Number(its[0]!.start_ns / 1000n) / 1000,
            duration: its[0]!.figures.duration / 1e9,
            spans: its.length,
            errors: its.filter((span) => span.status === 'error').length,
            matched: wanted.get(each.trace_id)!.length,
            sorted: null,
            services: its.map(({service}) => ({service, spans: 1})).sort((a, b) => (a.service < b.service ? -1 : 1)),
          },
        );
      }
    });

  it('sorts traces by the figure of their foremost span, over the whole range', async () => {
    const {middle} = bulk.ranges;
    // Of those that have a child: two spans of a trace match, and only one of them has chunks.
    const wide = within(bulk.spans, middle);
    const paired = new Set(wide.filter((span) => span.parent).map((span) => span.trace));
    const spans = wide.filter((span) => paired.has(span.trace) && span.figures.duration >= 1e9);
    for (const [sort, order] of [
      ['duration', 'desc'],
      ['duration', 'asc'],
      ['first_chunk', 'desc'],
      ['last_chunk', 'asc'],
      ['longest_pause', 'desc'],
      ['perceived', 'asc'],
      ['chunks', 'desc'],
    ] as [Measure, 'asc' | 'desc'][]) {
      const path = `/traces?${asked(middle)}&limit=200&min_duration_seconds=1&sort=${sort}&order=${order}`;
      const found = (await bulk.console.pages(path, 'traces')).filter((each) => paired.has(each.trace_id));
      const unit = sort === 'chunks' ? 1 : 1e9;
      const wanted = [...by(spans, (span) => span.trace)]
        .map(([trace, its]) => [trace, figuresOf(its, sort)] as const)
        .filter(([, figures]) => figures.length)
        .map(([trace, figures]) => [trace, (order === 'asc' ? Math.min : Math.max)(...figures) / unit] as const);
      assert.ok(wanted.length > 20);
      assert.deepEqual(
        new Map(found.map((each) => [each.trace_id, each.sorted_seconds])),
        new Map(wanted),
        `${sort} ${order}`,
      );
      assert.equal(found.length, wanted.length);
      const told = found.map((each) => each.sorted_seconds);
      assert.deepEqual(
        told,
        [...told].sort((a, b) => (order === 'asc' ? a - b : b - a)),
      );
    }
  });

  it('keeps every span of it, and every trace as it was sent', async () => {
    const {store} = await bulk.console.api('/status');
    assert.deepEqual([store.spans, store.duplicate_spans, store.refused_batches], [bulk.spans.length, 0, 0]);
    for (const span of [bulk.spans[0]!, bulk.spans[4321]!, bulk.spans.at(-1)!]) {
      const trace = await bulk.console.api(`/traces/${span.trace}`);
      assert.deepEqual(
        trace.spans.map((one: Json) => [
          one.span_id,
          one.parent_id,
          one.name,
          one.service,
          one.kind,
          one.start_unix_ns,
          one.duration_ns,
          one.status,
        ]),
        bulk.spans
          .filter((one) => one.trace === span.trace)
          .map((one) => [
            one.id,
            one.parent,
            one.operation,
            one.service,
            one.kind,
            String(one.start_ns),
            one.figures.duration,
            one.status,
          ]),
      );
    }
  });

  it('finds a trace by its id in every form, and operations by a part of their name', async () => {
    const search = async (q: string, kind: string): Promise<Json> =>
      (await bulk.console.api(`/search?q=${encodeURIComponent(q)}&limit=50`)).groups.find(
        (group: Json) => group.kind === kind,
      );
    const {trace, id, service, operation} = bulk.spans[7777]!;
    const others = traceIds(bulk.spans);
    for (const [q, wanted] of [
      [trace, [trace]],
      [trace.toUpperCase(), [trace]],
      [`00-${trace}-${id}-01`, [trace]],
      [trace.slice(0, 31), others.filter((other) => other.startsWith(trace.slice(0, 31)))],
    ] as [string, string[]][]) {
      const group = await search(q, 'trace');
      assert.deepEqual(group.items.map((item: Json) => item.trace_id).sort(), wanted, q);
      assert.deepEqual([group.total, group.more], [wanted.length, false], q);
      const item = group.items.find((each: Json) => each.trace_id === trace);
      assert.equal(item.detail.includes(service) && item.detail.includes(operation), true, item.detail);
    }
    const many = await search('feed0000', 'trace');
    assert.deepEqual([many.items.length, many.total, many.more], [50, null, true]);

    const named = await search('CALL 01', 'operation');
    assert.deepEqual([named.items.length, named.total, named.more], [50, 100, true]);
    const only = await search('0123 OF', 'operation');
    assert.equal(only.total, 1);
    const query = new URLSearchParams(only.items[0].query);
    assert.deepEqual(
      (await bulk.console.pages(`/traces?${query}&limit=200`, 'traces')).map((each) => each.trace_id).sort(),
      traceIds(bulk.spans.filter((span) => span.operation.startsWith('call 0123'))),
    );
  });
}
