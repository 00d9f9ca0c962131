// Every number the console gives of a fleet is what happened, or it says what it misses: 300 sessions that end in every
// way there is, calls whose chunks have known times, a console that is killed and comes back in the middle, a proxy
// that is killed and one that drains.
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {eventually} from '../lib/wait.js';
import type {Json} from './console.js';
import {
  call,
  type Call,
  endThose,
  type Fleet,
  fleet,
  type Kind,
  type Member,
  openAll,
  operations,
  plan,
} from './fleet.js';

const patience = 30_000;
let all: Fleet, made: Call[];
let whole = ''; // the range from before the first session until after the last
const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
const tally = <T>(of: T[], key: (one: T) => string): Record<string, number> => {
  const table: Record<string, number> = {};
  for (const one of of) table[key(one)] = (table[key(one)] ?? 0) + 1;
  return table;
};
// How the console is to tell each end: code, reason, who began.
const ends: Record<Exclude<Kind, 'open'> | 'drained', [code: number, why: string, initiator: string]> = {
  goodbye: [1000, 'normal', 'client'],
  away: [1001, 'normal', 'client'],
  crash: [1011, 'normal', 'server'],
  refusal: [4001, 'normal', 'server'],
  violation: [1002, 'protocol_error', 'proxy'],
  reset: [1006, 'reset', 'client'],
  silence: [1001, 'heartbeat_timeout', 'proxy'],
  flood: [1009, 'limit', 'proxy'],
  idle: [1001, 'idle', 'proxy'],
  drained: [1001, 'drain', 'proxy'],
};
const fateOf = (kind: Kind, member: Member): keyof typeof ends | 'live' | 'lost' =>
  kind !== 'open' ? kind : member === 'gamma' ? 'drained' : member === 'beta' ? 'lost' : 'live';

const sessionsOf = (query: string): Promise<Json[]> =>
  all.console.pages(`/sessions?${whole}&limit=77${query}`, 'sessions');

before(async () => {
  all = await fleet();
  const {console: one, proxies} = all;
  const open = await openAll(all);
  made = (await Promise.all([call(all, 'alpha', 4, 8), call(all, 'beta', 2, 4)])).flat();
  const leaving = open.filter(({session}) => session.kind !== 'open');
  await endThose(leaving.filter((_, i) => i % 2));
  // What happens while the console is away is told when it is back.
  await one.kill();
  await endThose(leaving.filter((_, i) => !(i % 2)));
  await one.start();
  const connected = (wanted: number) =>
    eventually(
      `${wanted} proxies are connected`,
      async () => (await one.api('/status')).proxies.filter((each: Json) => each.connected).length === wanted,
      patience,
      100,
    );
  await connected(3);
  // What a killed proxy has not exported is lost, and no part of this.
  await eventually(
    'the spans of beta are stored',
    async () => {
      const {rows} = await one.api(`/latency?from_ms=${all.began_ms}&service=beta`);
      return sum(rows.filter((row: Json) => row.operation in operations).map((row: Json) => row.count)) === 20;
    },
    patience,
    200,
  );
  proxies.beta.process.signal('SIGKILL');
  proxies.gamma.process.signal('SIGTERM');
  await proxies.gamma.process.exit(patience);
  await connected(1);
  whole = `from_ms=${all.began_ms}&to_ms=${Date.now() + 60_000}`;
  await eventually(
    'everything that ended is stored',
    async () => (await one.api(`/sessions?${whole}&state=ended&limit=500`)).sessions.length >= 220,
    patience,
    100,
  );
});

describe('sessions', () => {
  it('are each there once, with their counts, and ended as they did', async () => {
    const rows = await sessionsOf('');
    assert.equal(all.sessions.length, 300);
    assert.deepEqual(rows.map((row) => row.target).sort(), all.sessions.map((one) => one.path).sort());
    for (const one of all.sessions) {
      const row = rows.find((each) => each.target === one.path);
      const fate = fateOf(one.kind, one.member);
      const expected = fate === 'live' || fate === 'lost' ? [null, null, null] : ends[fate];
      assert.deepEqual(
        {
          end: [row.close_code, row.end_reason, row.initiator],
          ended: row.state === 'ended',
          live: row.live,
          messages: row.messages,
          bytes: row.bytes,
          route: row.route,
          service: row.service,
          misses: row.misses,
        },
        {
          end: expected,
          ended: fate !== 'live' && fate !== 'lost',
          live: fate === 'live',
          messages: one.messages,
          bytes: one.bytes,
          route: one.route,
          service: one.member,
          misses: one.kind === 'silence' ? 2 : 0,
        },
        one.path,
      );
      const [after, before] = one.opened_ms;
      assert.ok(
        row.opened_ms >= after - 1 && row.opened_ms <= before + 1,
        `${one.path} was opened at ${row.opened_ms}`,
      );
    }
  });

  it('are found by how they ended, by route and by name, whole whatever the page size', async () => {
    const reasons = tally(
      all.sessions.map((one) => fateOf(one.kind, one.member)).filter((fate) => fate !== 'live' && fate !== 'lost'),
      (fate) => ends[fate as keyof typeof ends][1],
    );
    for (const [reason, count] of Object.entries(reasons))
      assert.equal((await sessionsOf(`&end_reason=${reason}`)).length, count, reason);
    for (const [code, count] of Object.entries({1011: 15, 4001: 15, 1002: 8, 1009: 8}))
      assert.equal((await sessionsOf(`&close_code=${code}`)).length, count, code);
    for (const [route, count] of Object.entries(tally(all.sessions, (one) => one.route)))
      assert.equal((await sessionsOf(`&route=${route}`)).length, count, route);
    assert.equal((await sessionsOf('&state=open')).length, 30 + 50);
    assert.equal((await sessionsOf('&state=ended')).length, 220);
    assert.equal((await sessionsOf('&text=%2Fcrash%2F')).length, 15);
    assert.equal((await sessionsOf('&text=no%20such%20tenant')).length, 15, 'by close reason');
  });
});

it('ends are counted as they were, whatever the console missed', async () => {
  const expected: Record<string, number> = {};
  for (const one of all.sessions) {
    const fate = fateOf(one.kind, one.member);
    if (fate === 'live' || fate === 'lost') continue;
    const [code, why, initiator] = ends[fate];
    const key = `${one.route} ${why} ${initiator} ${code}`;
    expected[key] = (expected[key] ?? 0) + 1;
  }
  const counted: Record<string, number> = {};
  for (const each of (await all.console.api(`/closes?${whole}`)).closes) {
    const key = `${each.route} ${each.end_reason} ${each.initiator} ${each.code}`;
    counted[key] = (counted[key] ?? 0) + each.count;
  }
  assert.deepEqual(counted, expected);
});

describe('calls', () => {
  const perOperation = 12;
  it('are each one span, with chunks when they came', async () => {
    for (const service of ['alpha', 'beta'])
      for (const [operation, {gaps, manner}] of Object.entries(operations)) {
        const spans: Json[] = [];
        for (const trace of await all.console.pages(
          `/traces?${whole}&service=${service}&operation=${operation}&limit=7`,
          'traces',
        ))
          spans.push(
            ...(await all.console.api(`/traces/${trace.trace_id}`)).spans.filter((one: Json) => one.name === operation),
          );
        const calls = made.filter((one) => one.operation === operation && one.service === service);
        assert.equal(spans.length, calls.length, operation);
        const attribute = (span: Json, key: string): Json =>
          span.attributes.find((each: Json) => each.key === key)?.value;
        for (const span of spans) {
          assert.equal(attribute(span, 'websocket.invocation.status'), manner);
          assert.equal(attribute(span, 'websocket.chunk.count'), gaps.length);
        }
        // By when they were asked: calls of one session follow one another, and sessions overlap.
        for (const one of calls) {
          const asked = performance.timeOrigin + one.asked;
          const got = performance.timeOrigin + one.got;
          const its = spans.filter((span) => span.start_ms >= asked - 2 && span.start_ms <= got + 2);
          assert.ok(its.length >= 1, `${operation} between ${asked} and ${got}`);
          const fits = its.filter((span) => {
            const first = attribute(span, 'websocket.time_to_first_chunk') * 1e3,
              last = attribute(span, 'websocket.time_to_last_chunk') * 1e3;
            return (
              first >= one.sent[0]! - one.got - 0.1 &&
              first <= one.seen[0]! - one.asked + 0.1 &&
              last >= one.sent.at(-1)! - one.got - 0.1 &&
              last <= one.seen.at(-1)! - one.asked + 0.1
            );
          });
          assert.ok(fits.length >= 1, `${operation}: ${JSON.stringify(its)} is within ${JSON.stringify(one)}`);
        }
      }
  });

  it('are counted by operation, and their percentiles are those of the spans', async () => {
    const {rows} = await all.console.api(`/latency?${whole}&limit=1000`);
    for (const [operation, {manner}] of Object.entries(operations)) {
      const mine = rows.filter((row: Json) => row.operation === operation);
      assert.equal(sum(mine.map((row: Json) => row.count)), perOperation, operation);
      assert.equal(sum(mine.map((row: Json) => row.errors)), manner === 'error' ? perOperation : 0, operation);
      assert.equal(sum(mine.map((row: Json) => row.cancelled)), manner === 'cancelled' ? perOperation : 0, operation);
    }
    const connections = rows.filter((row: Json) => row.operation === 'websocket.connection');
    assert.equal(sum(connections.map((row: Json) => row.count)), 220);
  });
});

describe('the state of it', () => {
  it('is one proxy, 30 sessions, and nothing in trouble', async () => {
    const status = await all.console.api('/status');
    assert.equal(status.store.sessions, 300);
    assert.equal(status.store.trouble, '');
    assert.equal(status.store.refused_batches, 0);
    const alpha = status.proxies.find((each: Json) => each.service === 'alpha');
    assert.deepEqual([alpha.connected, alpha.sessions], [true, plan.alpha.open]);
    assert.deepEqual(
      status.proxies.filter((each: Json) => each.connected).map((each: Json) => each.service),
      ['alpha'],
    );
  });
});
