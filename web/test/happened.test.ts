import assert from 'node:assert/strict';
import {it} from 'node:test';
import {
  againstText,
  changeText,
  cohortText,
  kindsOf,
  markMoment,
  namesOf,
  sessionsHref,
  titleOf,
  unseenText,
  windows,
} from '../src/tape/words';
import {exactText, filtersOn, isLive, readFilter, sessionParameters} from '../src/sessions/filter';
import {activity} from '../src/tape/activity';
import {closes, world} from './fleet_data';
import {tape} from './happened_data';

it('says what deaths have in common', () => {
  const cohort = {
    share: [
      {dimension: 'route' as const, value: 'chat', usual: 0.4},
      {dimension: 'proxy' as const, value: '0197', usual: 0.5},
      {dimension: 'client_network' as const, value: '10.2.3.0/24', usual: 0.12},
      {dimension: 'end_reason' as const, value: 'heartbeat_timeout', usual: null},
    ],
    first_ms: null,
    last_ms: null,
    sessions: [],
    count: 38,
    of: 40,
    against_count: 0,
    against_of: 2,
    query: {state: 'ended', route: 'chat', ended_from_ms: 5, abnormal: 'true'},
  };
  assert.equal(
    cohortText(cohort, namesOf([{instance: '0197', service: 'edge', host: 'web-1'}])),
    '38 of 40 deaths share route chat, proxy edge on web-1, network 10.2.3.0/24, reason heartbeat timeout',
  );
  assert.equal(againstText(cohort), 'before: 0 of 2; of all sessions 12 %');
  assert.equal(againstText({...cohort, against_of: 0}), 'none died before; of all sessions 12 %');
  assert.equal(sessionsHref(cohort.query), '/sessions?state=ended&route=chat&abnormal=true&from=5&to=3600005');
  assert.equal(sessionsHref({}), '');
  assert.equal(sessionsHref(null), '');
  assert.equal(
    sessionsHref({min_duration_seconds: 3, target: ['a', 'b']}),
    '/sessions?state=any&min=3s&target=a&target=b',
  );
  assert.deepEqual(
    [changeText(10, 32), changeText(10, 14), changeText(10, 5), changeText(0, 3), changeText(3, 0), changeText(2, 2)],
    ['×3.2', '+40 %', '−50 %', 'new', 'gone', ''],
  );
});

it('tells an end in the words of all pages', () => {
  const one = {time_ms: 0, to_ms: null, route: 'chat', instance: '', sessions: [], title: 'as the console has it'};
  const died = {...one, kind: 'death' as const, level: 'bad' as const, count: 3};
  const query = {end_reason: 'heartbeat_timeout', close_code: '1001'};
  assert.equal(titleOf({...died, query}), '3 sessions died: Heartbeat timeout 1001 going away');
  assert.equal(
    titleOf({...died, kind: 'ends', query: {end_reason: 'normal', close_code: '1000'}}),
    '3 sessions ended normally: 1000',
  );
  assert.equal(
    titleOf({...died, query: {end_reason: 'normal', close_code: '4001'}}),
    '3 sessions died: 4001 application error',
  );
  assert.equal(
    titleOf({...died, kind: 'ends', query: {end_reason: 'drain', close_code: '1001'}}),
    '3 sessions ended normally: Drained 1001 going away',
  );
  assert.equal(titleOf({...died, kind: 'ends', query: {end_reason: 'normal'}}), '3 sessions ended normally');
  assert.equal(titleOf({...died, kind: 'storm', query}), 'as the console has it');
});

it('calls none ended that it does not count as ended: the strip splits all ends in two', () => {
  const w = world(false),
    to = w.started,
    from = to - 3_600_000,
    {series} = activity(undefined, closes(w, from, to, 60), from, to, 60, '');
  const sums = Object.fromEntries(
    series.map((one) => [one.label, one.values.reduce((sum: number, x) => sum + (x ?? 0), 0)]),
  );
  const ended = w.ended.filter((one) => one.ended_ms! >= from && one.ended_ms! <= to),
    died = ended.filter((one) => one.abnormal).length;
  assert.deepEqual(sums, {opened: 0, 'ended normally': ended.length - died, died});
});

it('says how much of a window nobody saw', () => {
  assert.deepEqual(
    [unseenText(0, 300), unseenText(120, 300), unseenText(0.4, 300), unseenText(300, 300)],
    ['', ' (2 m 00 s of it unseen)', ' (400 ms of it unseen)', ' (all of it unseen)'],
  );
});

it('takes two moments and compares the time between them', () => {
  assert.deepEqual(markMoment([], 5), [5]);
  assert.deepEqual(markMoment([5], 3), [3, 5]);
  assert.deepEqual(markMoment([3, 5], 5), [3]);
  assert.deepEqual(markMoment([10, 50], 45), [10, 45]);
  assert.deepEqual(windows(50, 10, 'before'), {from: 10, to: 50, againstFrom: -30, againstTo: 10});
  assert.deepEqual(windows(0, 10, 'hour'), {from: 0, to: 10, againstFrom: -3_600_000, againstTo: -3_599_990});
  assert.deepEqual(kindsOf(['deaths', 'drains']), ['death', 'drain']);
});

it('plays a tape whose pages follow one another', () => {
  const w = world(false),
    all = tape(w, new URLSearchParams('limit=10000')).entries;
  const first = tape(w, new URLSearchParams('limit=7')),
    second = tape(w, new URLSearchParams(`limit=7&cursor=${first.cursor}`));
  assert.deepEqual([...first.entries, ...second.entries], all.slice(0, 14));
});

it('lists the very sessions of an entry, and shows the conditions that have no field', () => {
  const w = world(false),
    entry = tape(w, new URLSearchParams('kind=death')).entries[0]!;
  const address = new URLSearchParams(sessionsHref(entry.query).split('?')[1]),
    filter = readFilter(address);
  const asked = sessionParameters(filter, rangeOf(address));
  assert.deepEqual(
    [asked['state'], asked['ended_from_ms'], asked['ended_to_ms'], asked['end_reason']],
    ['ended', entry.time_ms, entry.to_ms, entry.query?.['end_reason']],
  );
  const opens = new URLSearchParams(sessionsHref({route: 'chat', opened_from_ms: 5, opened_to_ms: 9}).split('?')[1]),
    opened = sessionParameters(readFilter(opens), rangeOf(opens));
  assert.deepEqual([opened['state'], opened['opened_from_ms'], opened['opened_to_ms']], ['any', 5, 9]);
  const exact = readFilter(new URLSearchParams('state=any&reconnect=true&target=/v1&target=/v2&close_reason=a'));
  assert.equal(filtersOn(exact), 4);
  const then = sessionParameters(exact, {from: 0, to: 1, fixed: true});
  assert.deepEqual([then['reconnect'], then['target'], then['close_reason']], [['true'], ['/v1', '/v2'], ['a']]);
  assert.equal(exactText('target', '/v1'), 'target /v1');
  assert.equal(isLive(readFilter(new URLSearchParams('target=a')), {live: true}), false);
});

const rangeOf = (query: URLSearchParams) => ({
  from: Number(query.get('from')),
  to: Number(query.get('to')),
  fixed: true,
});
