// Calls by the ten thousand, of thousands of operations, over ranges that end in the middle: every number is what was
// sent.
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {calls, deliver, type Made} from './bulk.js';
import {type Console, console_, type Json} from './console.js';

let one: Console;
describe('many traces of thousands of operations', () => {
  const full = Boolean(process.env.SOCKEYE_E2E_FULL);
  const count = full ? 200_000 : 20_000,
    names = 5000;
  const span_ms = 100 * 60_000;
  const from_ms = Math.floor(Date.now() / 60_000) * 60_000 - 150 * 60_000 + 17_345;
  let bulk: Made[];
  before(async () => {
    one = await console_();
    bulk = calls(count, names, from_ms, span_ms);
    await deliver(one, bulk);
  });
  // From 12 minutes and a half after the first, to a third of a minute after half of it.
  const middle = {from: from_ms + 12.5 * 60_000 + 1234, to: from_ms + 50 * 60_000 + 20_500};
  const within = (call: Made, range: {from: number; to: number}): boolean =>
    call.start_ns >= BigInt(range.from) * 1_000_000n && call.start_ns < BigInt(range.to) * 1_000_000n;

  const asked = (range: {from: number; to: number}): string => `from_ms=${range.from}&to_ms=${range.to}`;
  const ids = (those: Made[]): string[] => those.map((call) => call.trace).sort();

  // Each page as long as may be, so that the cursor is followed over the whole range.
  const filters: Record<string, [query: string, fits: (call: Made) => boolean]> = {
    'all of them': ['', () => true],
    errors: ['&status=error', (call) => call.status === 'error'],
    'those that were cancelled': [
      '&attribute=websocket.invocation.status:cancelled',
      (call) => call.status === 'cancelled',
    ],
    'those of one tenant': ['&attribute=tenant.id:tenant-3', (call) => call.tenant === 'tenant-3'],
    'those of one service': ['&service=shop-2', (call) => call.service === 'shop-2'],
    'those of one operation': [
      `&operation=${encodeURIComponent(`call 0001 of ${names}`)}`,
      (call) => call.operation === `call 0001 of ${names}`,
    ],
    'those of a duration': [
      '&min_duration_seconds=1&max_duration_seconds=2',
      (call) => call.duration_ns >= 1e9 && call.duration_ns <= 2e9,
    ],
    'those with a child': ['&operation=lookup', (call) => call.child],
  };
  for (const [what, [query, fits]] of Object.entries(filters))
    it(`finds ${what}, none twice and none left out, in a range that ends in the middle`, async () => {
      const found = await one.pages(`/traces?${asked(middle)}&limit=200${query}`, 'traces');
      const wanted = bulk.filter((call) => within(call, middle) && fits(call));
      assert.ok(wanted.length > 1);
      assert.deepEqual(found.map((each) => each.trace_id).sort(), ids(wanted));
      for (const [i, each] of found.entries()) {
        assert.ok(i === 0 || found[i - 1].start_ms >= each.start_ms, 'latest first');
        assert.equal(each.spans, bulk[Number(`0x${each.trace_id.slice(4)}`)]!.child ? 2 : 1);
      }
    });

  it('keeps every span of it, and every trace as it was sent', async () => {
    const spans = count + bulk.filter((call) => call.child).length;
    const {store} = await one.api('/status');
    assert.deepEqual([store.spans, store.duplicate_spans, store.refused_batches], [spans, 0, 0]);
    for (const call of [bulk[0]!, bulk[4321]!, bulk.at(-1)!]) {
      const trace = await one.api(`/traces/${call.trace}`);
      assert.deepEqual(
        trace.spans.map((span: Json) => [span.name, span.service, span.start_unix_ns, span.duration_ns, span.status]),
        [
          [
            call.operation,
            call.service,
            String(call.start_ns),
            call.duration_ns,
            call.status === 'error' ? 'error' : 'unset',
          ],
          ...(call.child ? [['lookup', call.service, String(call.start_ns), call.duration_ns, 'unset']] : []),
        ],
      );
    }
  });

  it('tells Jaeger the same', async () => {
    assert.deepEqual(
      await one.jaeger('/services'),
      [0, 1, 2, 3, 4].map((i) => `shop-${i}`),
    );
    const wanted = bulk.filter(
      (call) =>
        within(call, middle) && call.service === 'shop-2' && call.tenant === 'tenant-3' && call.status === 'error',
    );
    const found = await one.jaeger(
      `/traces?service=shop-2&start=${Math.round(middle.from * 1000)}&end=${Math.round(middle.to * 1000)}&limit=200` +
        `&tags=${encodeURIComponent(JSON.stringify({'tenant.id': 'tenant-3', error: 'true'}))}`,
    );
    assert.deepEqual(found.map((each: Json) => each.traceID).sort(), ids(wanted));
  });
});
