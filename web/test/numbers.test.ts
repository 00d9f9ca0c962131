import assert from 'node:assert/strict';
import {it} from 'node:test';
import {counted} from '../src/api/numbers';
import {fleetLines} from '../src/fleet/aggregate';

it('adds counts that came as text, and leaves all other text alone', () => {
  const big = '9007199254740993';
  const answer = {
    points: [{opened: 3, bytes: [big, 7], route: big}],
    spans: [{attributes: [{key: 'count', value: big}], duration_ns: big}],
    query: {count: big},
    id: big,
    text: 'a',
    none: null,
  };
  assert.deepEqual(counted(answer), {
    ...answer,
    points: [{opened: 3, bytes: [9007199254740992, 7], route: big}],
  });
  assert.equal(counted({spans: big, sessions: '12'}).spans as unknown, 9007199254740992);
});

it('has no rate that a gap inflates', () => {
  const point = {
    ...{instance: 'a', route: 'r', opened: 0, ended: 0, reconnects: 0, refused: 0, misses: 0},
    ...{active: 5, active_min: 5, active_max: 5, missing_pongs: 0, missing_pongs_max: 0, buffered_sessions: 0},
    ...{buffered_bytes: 0, buffered_bytes_max: 0, invocations_open: 0},
    rtt_p50_seconds: [null, null] as [null, null],
    rtt_p99_seconds: [null, null] as [null, null],
    rtt_max_seconds: [null, null] as [null, null],
  };
  const gauges = {
    ...{active: null, active_min: null, active_max: null, missing_pongs: null, missing_pongs_max: null},
    ...{buffered_sessions: null, buffered_bytes: null, buffered_bytes_max: null, invocations_open: null},
  };
  const gap = {from_ms: 5000, to_ms: 25_000, what: 'console' as const, instance: null, missing_seconds: 20};
  const late = {...gap, from_ms: 31_000, to_ms: 33_000, missing_seconds: 2};
  const lines = fleetLines(
    {
      step_seconds: 10,
      // Always ten messages a second: half of the first step went unseen, all of the second, and the last has begun.
      points: [
        {...point, time_ms: 0, messages: [100, 0], bytes: [1000, 0], covered_seconds: 5},
        {...point, ...gauges, time_ms: 10_000, messages: [100, 0], bytes: [1000, 0], covered_seconds: 0},
        {...point, time_ms: 20_000, messages: [100, 0], bytes: [1000, 0], covered_seconds: 5},
        {...point, time_ms: 30_000, messages: [40, 0], bytes: [400, 0], covered_seconds: 2},
      ],
      coverage: [gap, late],
    },
    0,
    34_500,
    '',
    '',
  );
  assert.deepEqual(lines.messages[0], [10, 10, 10, 10]);
  assert.deepEqual(lines.bytes[0], [100, 100, 100, 100]);
  assert.deepEqual(lines.active, [5, null, 5, 5], 'how many there were in a gap nobody knows');
});
