// Spans of the bulk: in every order, by every condition, and counted by what they have in common.
import assert from 'node:assert/strict';
import {it} from 'node:test';
import {asked, assertPercentile, type Bulk, by, figuresOf, type Measure, type Span, within} from './bulk.js';
import type {Json} from './console.js';

const measures: Measure[] = ['duration', 'first_chunk', 'last_chunk', 'longest_pause', 'perceived', 'chunks'];
const unitOf = (measure: Measure): number => (measure === 'chunks' ? 1 : 1e9);
const spanIds = (spans: Span[]): string[] => spans.map((span) => span.id).sort();

export function spansTell(bulk: Bulk): void {
  const found = async (query: string): Promise<Json[]> =>
    bulk.console.pages(`/spans?${asked(bulk.ranges.middle)}&limit=200${query}`, 'spans');

  for (const order of ['desc', 'asc'] as const)
    it(`sorts spans by every figure over the whole range, none twice and none left out, ${order}`, async () => {
      const spans = within(bulk.spans, bulk.ranges.middle).filter((span) => span.service === 'shop-2');
      const known = new Map(spans.map((span) => [span.id, span]));
      for (const measure of measures) {
        const query = `&service=shop-2&sort=${measure}&order=${order}`;
        const rows = await found(query);
        const wanted = spans.filter((span) => span.figures[measure] !== undefined);
        assert.deepEqual(rows.map((row) => row.span_id).sort(), spanIds(wanted), query);
        const values = rows.map((row) => known.get(row.span_id)!.figures[measure]!);
        assert.deepEqual(
          values,
          [...values].sort((a, b) => (order === 'asc' ? a - b : b - a)),
          query,
        );
        const {total} = await bulk.console.api(`/spans?${asked(bulk.ranges.middle)}&limit=1${query}`);
        assert.equal(total, wanted.length, query);
      }
      const rows = await found(`&service=shop-2&order=${order}`);
      const starts = spans.map((span) => String(span.start_ns)).sort();
      assert.deepEqual(
        rows.map((row) => row.start_unix_ns),
        order === 'asc' ? starts : starts.reverse(),
      );
      for (const row of rows) {
        const {figures, call, attributes} = known.get(row.span_id)!;
        const seconds = (measure: Measure): number | null =>
          figures[measure] === undefined ? null : figures[measure]! / 1e9;
        assert.deepEqual(
          [row.duration_ns, row.figures, row.route, row.target],
          [
            figures.duration,
            {
              first_chunk_seconds: seconds('first_chunk'),
              last_chunk_seconds: seconds('last_chunk'),
              longest_pause_seconds: seconds('longest_pause'),
              perceived_seconds: seconds('perceived'),
              chunks: figures.chunks ?? null,
              call_status: call,
            },
            attributes['sockeye.route'] ?? '',
            attributes['url.path'],
          ],
        );
      }
    });

  const seconds = (low: number, high: number, value: number | undefined): boolean =>
    value !== undefined && value >= low * 1e9 && value < high * 1e9;
  const filters: Record<string, [query: string, fits: (span: Span) => boolean]> = {
    status: ['&status=error', (span) => span.status === 'error'],
    kind: ['&kind=client', (span) => span.kind === 'client'],
    duration: [
      '&min_duration_seconds=1&max_duration_seconds=2',
      ({figures}) => figures.duration >= 1e9 && figures.duration <= 2e9,
    ],
    'first chunk': [
      '&measure=first_chunk&min_seconds=0.2&max_seconds=0.5',
      ({figures}) => seconds(0.2, 0.5, figures.first_chunk),
    ],
    'longest pause, sorted by another': [
      '&measure=longest_pause&min_seconds=0.1&max_seconds=20&sort=perceived',
      ({figures}) => seconds(0.1, 20, figures.longest_pause) && figures.perceived !== undefined,
    ],
    attribute: ['&attribute=tenant.id:tenant-5', (span) => span.attributes['tenant.id'] === 'tenant-5'],
    'two attributes': [
      '&attribute=tenant.id:tenant-5&attribute=websocket.invocation.status:cancelled',
      (span) => span.attributes['tenant.id'] === 'tenant-5' && span.call === 'cancelled',
    ],
    'an attribute that is there': [
      '&attribute=db.system:&sort=duration',
      (span) => span.attributes['db.system'] !== undefined,
    ],
    'no route': ['&without=route&calls=true', (span) => span.call !== null && !span.attributes['sockeye.route']],
    'route, target, client and dialect': [
      '&route=route-1&target=/calls/1&client=192.0.2.1&dialect=json-rpc',
      ({attributes}) =>
        attributes['sockeye.route'] === 'route-1' &&
        attributes['url.path'] === '/calls/1' &&
        attributes['client.address'] === '192.0.2.1',
    ],
    'a part of the name': ['&operation_contains=CALL%2004', (span) => span.operation.startsWith('call 04')],
  };
  it('finds spans by every condition, none twice and none left out', async () => {
    const spans = within(bulk.spans, bulk.ranges.middle);
    for (const [what, [query, fits]] of Object.entries(filters)) {
      const wanted = spans.filter(fits);
      assert.ok(wanted.length > 1, what);
      assert.deepEqual((await found(query)).map((row) => row.span_id).sort(), spanIds(wanted), what);
    }
  });

  const groupings: Record<string, (span: Span) => string | undefined> = {
    'attribute:tenant.id': (span) => span.attributes['tenant.id'],
    route: (span) => span.attributes['sockeye.route'],
    target: (span) => span.attributes['url.path'],
    client: (span) => span.attributes['client.address'],
    dialect: (span) => span.attributes['sockeye.dialect'],
    service: (span) => span.service,
    operation: (span) => span.operation,
    status: (span) => span.status,
    kind: (span) => span.kind,
  };
  for (const [i, [group, of]] of Object.entries(groupings).entries())
    it(`counts and measures spans by ${group}, and each group leads to its spans`, async () => {
      const range = bulk.ranges.middle;
      const spans = within(bulk.spans, range);
      const wanted = by(spans, (span) => of(span) ?? 'none of it');
      for (const figure of group.startsWith('attribute') ? measures : [measures[i % 6]!]) {
        const path = `/groups?${asked(range)}&by=${group}&figure=${figure}&limit=200`;
        const groups = await bulk.console.pages(path, 'groups');
        const {total_groups, counted} = await bulk.console.api(path);
        assert.deepEqual([total_groups, counted], [wanted.size, spans.length]);
        assert.deepEqual(groups.map((each) => each.value ?? 'none of it').sort(), [...wanted.keys()].sort(), path);
        assert.ok(groups.every((each, n) => n === 0 || groups[n - 1].count >= each.count));
        for (const each of groups) {
          const its = wanted.get(each.value ?? 'none of it')!;
          const values = figuresOf(its, figure);
          assert.deepEqual(
            [each.count, each.errors, each.measured, each.max],
            [
              its.length,
              its.filter((span) => span.status === 'error').length,
              values.length,
              values.length ? Math.max(...values) / unitOf(figure) : null,
            ],
            `${path}: ${each.value}`,
          );
          for (const percent of [50, 95, 99])
            if (values.length)
              assertPercentile(each[`p${percent}`], unitOf(figure), values, percent, `${path}: ${each.value}`);
            else assert.equal(each[`p${percent}`], null);
        }
      }
      const answer = await bulk.console.api(`/groups?${asked(range)}&by=${group}&sort=p95&order=asc`);
      const keys = answer.groups.map((each: Json) => each.p95);
      assert.deepEqual(
        keys,
        [...keys].sort((a, b) => (a ?? Infinity) - (b ?? Infinity)),
      );
      // The smallest and one with none of it; all would be thousands of spans.
      const smallest = answer.groups.reduce((a: Json, b: Json) => (b.count < a.count ? b : a));
      for (const each of new Set([smallest, ...answer.groups.filter((one: Json) => one.value === null)])) {
        const its = wanted.get(each.value ?? 'none of it')!;
        const rows = await found(`&${new URLSearchParams(each.query)}`);
        assert.deepEqual(rows.map((row) => row.span_id).sort(), spanIds(its), JSON.stringify(each.query));
      }
    });
}
