import assert from 'node:assert/strict';
import {it} from 'node:test';
import type {RecordedMessage, Session, Span} from '../src/api/types';
import {address} from '../src/route/address';
import {closeLines, fleetLines} from '../src/fleet/aggregate';
import {endGroups} from '../src/incidents/groups';
import {isLive, liveWish, readFilter, sessionParameters} from '../src/sessions/filter';
import {axisStep, clampView, firstView, timelineModel, zoomView} from '../src/sessions/timeline_model';
import {
  codeText,
  endText,
  explainEnd,
  kindFilter,
  legOf,
  reconnectText,
  troubles,
  unanswered,
} from '../src/sessions/words';
import {distinct} from '../src/chart/axis';
import {bars, figure, joined, lonely, reading, stack, summary} from '../src/chart/series';
import {fitting, type Column} from '../src/table/columns';
import {bytes, count, duration, parseDuration, rate, shortId} from '../src/text/units';
import {fleet, recorder, world} from './fleet_data';

it('says numbers with three figures and a unit', () => {
  assert.deepEqual([0, 2.5e-8, 1.2e-5, 0.34, 0.99999, 1.236, 41, 59.99, 192, 7440, 273_600, -0.25].map(duration), [
    '0 s',
    '25 ns',
    '12 µs',
    '340 ms',
    '1 s',
    '1.24 s',
    '41 s',
    '1 m 00 s',
    '3 m 12 s',
    '2 h 04 m',
    '3 d 4 h',
    '−250 ms',
  ]);
  assert.deepEqual([0, 0.5, 999, 1000, 1_240_000].map(bytes), ['0 B', '0.5 B', '999 B', '1 kB', '1.24 MB']);
  assert.deepEqual([0, 1234, 123_456, 2_000_000].map(count), ['0', '1,234', '123 k', '2 M']);
  assert.deepEqual([rate(0), rate(0.0001), rate(0.0001, 'B')], ['0/s', '< 0.001/s', '< 0.001 B/s']);
  assert.deepEqual(
    [rate(0.25), rate(12_345), rate(4.2e6, 'B'), rate(null), duration(NaN), bytes(undefined)],
    ['0.25/s', '12.3 k/s', '4.2 MB/s', '–', '–', '–'],
  );
  assert.equal(shortId('01920000-0000-7000-8000-0000deadbeef'), 'deadbeef');
});

it('reads durations as people type them', () => {
  assert.deepEqual(['300ms', '1.5s', '2m', '0.3', ' 1 h ', '10us', '', 'x', '-1s', '1s2'].map(parseDuration), [
    0.3,
    1.5,
    120,
    0.3,
    3600,
    10 * 1e-6,
    null,
    null,
    null,
    null,
  ]);
});

it('keeps the state of a view in its address', () => {
  assert.equal(
    address(
      '/sessions',
      {state: 'ended', text: 'a b&c', trouble: false, attribute: ['k:1', 'k:2']},
      new URLSearchParams('state=open&range=1h'),
    ),
    '/sessions?range=1h&state=ended&text=a+b%26c&attribute=k%3A1&attribute=k%3A2',
  );
  assert.equal(address('/', {range: null}, new URLSearchParams('range=1h')), '/');
  const filter = readFilter(
    new URLSearchParams('state=ended&min=2m&close_code=1011&attribute=a:b&attribute=nonsense&order=asc'),
  );
  assert.deepEqual(filter.attributes, ['a:b']);
  const moving = {from: 1, to: 2000, fixed: false},
    fixed = {...moving, fixed: true};
  const read = (query: string) => readFilter(new URLSearchParams(query));
  const asked = sessionParameters(filter, moving);
  assert.deepEqual([asked['min_duration_seconds'], asked['close_code'], asked['from_ms']], [120, '1011', 1]);
  assert.deepEqual([asked['ended_from_ms'], asked['ended_to_ms'], asked['order']], [1, 2000, 'asc']);
  // The stream and the store know the same filters, and what is live does not show in a range that is fixed.
  const open = read('min=1s&max=1h&attribute=a:b&sort=bytes&order=asc&state=open');
  assert.deepEqual(
    [isLive(open, {live: true}), isLive(open, {live: false}), isLive(filter, {live: true})],
    [true, false, false],
  );
  assert.deepEqual(liveWish(open), {
    min_duration_seconds: 1,
    max_duration_seconds: 3600,
    attribute: ['a:b'],
    sort: 'bytes',
    order: 'asc',
  });
  const stored = sessionParameters(open, moving);
  assert.deepEqual(
    [stored['state'], stored['sort'], stored['order'], stored['attribute']],
    ['open', 'bytes', 'asc', ['a:b']],
  );
  // Open in a fixed range: at its end.
  const then = sessionParameters(open, fixed);
  assert.deepEqual([then['state'], then['from_ms'], then['to_ms']], ['any', 1999, 2000]);
  const opened = sessionParameters(read('state=any&when=opened'), fixed);
  assert.deepEqual([opened['opened_from_ms'], opened['opened_to_ms'], opened['ended_to_ms']], [1, 2000, undefined]);
});

const noon = Date.UTC(2026, 0, 15, 12); // the made-up fleet has days and nights: a test must not depend on when it runs
const base: Session = {
  ...world(false, noon).vanished,
  opened_ms: 0,
  ended_ms: 100_000,
  seen_ms: 100_000,
  misses: 2,
  messages: [5, 5],
  close_code: 1011,
  close_reason: '',
  end_reason: 'heartbeat_timeout',
  initiator: 'proxy',
  last_message_ms: null,
};
const message = (
  time_ms: number,
  side: 0 | 1,
  type: RecordedMessage['type'],
  injected = false,
  answered = false,
): RecordedMessage => ({time_ms, side, type, length: 1, compressed: false, injected, answered});

it('finds pings that nobody answered, each leg by itself', () => {
  const list = [
    message(0, 1, 'ping', true, true),
    message(30_000, 1, 'ping', true),
    message(30_001, 0, 'ping', true, true),
    message(60_000, 1, 'ping', true),
  ];
  const lost = (more: Partial<Session>, of = list, attributes: Span['attributes'] = []) => [
    ...unanswered(of, {...base, messages: [0, 0], ...more}, {attributes}),
  ];
  // It ended of them, or of one where one is enough; the other leg may still answer its own.
  assert.deepEqual(lost({}), [1, 3]);
  assert.deepEqual(lost({}, list.slice(2)), [1]);
  assert.deepEqual(lost({}, [...list, message(60_001, 0, 'ping', true)]), [1, 3]);
  // While it is open the proxy's count tells whether the last one still has time, however long that is.
  const open = {state: 'open', end_reason: null} as const;
  assert.deepEqual(lost({...open, misses_now: [1, 0]}), [1]);
  assert.deepEqual(lost({...open, misses_now: [2, 0]}), [1, 3]);
  assert.deepEqual(lost({...open, misses_now: [0, 1]}, [message(0, 0, 'ping', true)]), [0]);
  // Where it ended otherwise, the connection's span counts them; not where the recorder has forgotten some.
  const missed = (many: number, late = 0) => [
    {key: 'websocket.ping.client.missed', value: many},
    {key: 'websocket.ping.client.late', value: late},
  ];
  const normal = {end_reason: 'normal'} as const;
  assert.deepEqual(lost(normal), [1]);
  assert.deepEqual(lost(normal, list, missed(1)), [1]);
  assert.deepEqual(lost(normal, list, missed(2, 1)), [1]);
  assert.deepEqual(lost(normal, list, missed(2)), [1, 3]);
  assert.deepEqual(lost({...normal, messages: [9, 0]}, list, missed(2)), [1]);
});

it('puts what the proxy says itself on the lane of whom it says it to', () => {
  // As it is recorded: our pings to the client go out in the server's place.
  assert.deepEqual([message(0, 1, 'ping', true), message(0, 0, 'ping', true)].map(legOf), [0, 1]);
  assert.deepEqual([message(0, 1, 'ping'), message(0, 0, 'text')].map(legOf), [1, 0]);
});

it('explains an end in plain words', () => {
  const list = [
    message(58_000, 1, 'text'),
    message(59_000, 0, 'text'),
    message(60_000, 1, 'ping', true),
    message(88_000, 1, 'ping', true),
    message(99_999, 1, 'close', true),
  ];
  assert.deepEqual(explainEnd(base, list, 200_000), {
    level: 'bad',
    headline: 'The proxy closed it with 1011 (server error): 2 heartbeats in a row were left unanswered by the client.',
    before: ['Last message from the client 41 s before the end.', 'Last message from the server 42 s before the end.'],
  });
  // One that was only late is missed, and is none of those in a row.
  const late = [message(20_000, 1, 'ping', true), message(21_000, 0, 'text'), ...list.slice(2)];
  assert.match(
    explainEnd({...base, misses: 3}, late, 200_000).headline,
    /: 2 heartbeats in a row were left unanswered/,
  );
  assert.match(explainEnd({...base, misses: 3}, [], 200_000).headline, /: 3 heartbeats were left unanswered\.$/);
  const say = (change: Partial<Session>) => explainEnd({...base, misses: 0, ...change}, [], 200_000);
  assert.match(
    say({end_reason: 'reset', initiator: 'client', close_code: 1006}).headline,
    /^The client broke the TCP connection off without a Close/,
  );
  assert.match(
    say({end_reason: 'normal', initiator: 'client', close_code: 1000}).headline,
    /^The client closed it with 1000 \(normal\)\.$/,
  );
  assert.equal(say({end_reason: 'normal', initiator: 'client', close_code: 1000, abnormal: false}).level, 'good');
  assert.match(say({end_reason: 'lost', initiator: null, close_code: null}).headline, /proxy that reported/);
  // What is abnormal the console says, and nobody else.
  assert.equal(say({end_reason: 'normal', close_code: 4001, abnormal: true}).level, 'bad');
  assert.equal(say({end_reason: 'normal', close_code: 4001, abnormal: false}).level, 'good');
  const text = (more: Partial<Session>) => endText({...base, initiator: 'server', ...more});
  assert.equal(text({abnormal_why: '1011 server error', close_code: 1011}), '1011 server error, by the server');
  assert.equal(text({end_reason: 'normal', abnormal_why: '', close_code: 1001}), 'Normal 1001, by the server');
  assert.equal(text({end_reason: 'drain', initiator: 'proxy', abnormal_why: '', close_code: 1001}), 'Drained 1001');
  assert.deepEqual(
    [codeText(1000, 'normal'), codeText(1001, 'normal'), codeText(1002, 'protocol_error')],
    ['1000', '1001 going away', '1002'],
  );
});

it('orders incidents by how many they are, then by how grave, and leaves none out', () => {
  const one = (end_reason: Session['end_reason'], abnormal_why: string): Session => ({
    ...base,
    end_reason,
    abnormal: true,
    abnormal_why,
  });
  const loaded = [
    one('normal', '4001 application error'),
    one('normal', '1011 server error'),
    one('normal', '1011 server error'),
    one('reset', 'reset'),
    one('heartbeat_timeout', 'heartbeat timeout'),
  ];
  const groups = endGroups(
    loaded,
    new Map([
      ['lost', 7],
      ['1011 server error', 3],
      ['idle', 0],
    ]),
  );
  assert.deepEqual(
    groups.map(({kind, total, sessions}) => [kind, total, sessions.length]),
    [
      ['lost', 7, 0],
      ['1011 server error', 3, 2],
      ['heartbeat_timeout', 1, 1],
      ['reset', 1, 1],
      ['4001 application error', 1, 1],
    ],
  );
});

it('says of a reconnect how sure it is', () => {
  const by = (value: string) => reconnectText([{attributes: [{key: 'websocket.reconnect_of.basis', value}]}]);
  assert.deepEqual(by('guess'), {
    name: 'Reconnect, probably, of',
    by: 'a guess: the same address, path and user agent',
  });
  assert.deepEqual(by('cookie'), {name: 'Reconnect of', by: 'its client was recognised by a cookie'});
  assert.deepEqual(reconnectText([]), {name: 'Reconnect of', by: ''});
});

it('tells what is wrong with a session that is open', () => {
  const w = world(false, noon),
    wrong = troubles(w.frozen, w.frozen.last_message_ms![0]! + 71_000);
  assert.deepEqual(
    wrong.map((one) => one.level),
    ['bad', 'bad'],
  );
  assert.equal(
    wrong[0]!.text,
    'The client left 2 heartbeats in a row unanswered and last sent something 1 m 11 s ago.',
  );
  assert.deepEqual(
    troubles(
      w.open.find((one) => one.live && one.misses === 0 && one.anomalies === 0 && !one.buffered_bytes?.[0])!,
      w.started,
    ),
    [],
  );
  assert.deepEqual(troubles(w.vanished, w.started), []);
});

it('keeps the timeline inside the session, from hours to milliseconds', () => {
  const w = world(false, noon),
    model = timelineModel(w.vanished, recorder(w, w.vanished), [], w.started);
  assert.ok(model.silences[0] && model.silences[0][1] - model.silences[0][0] > 40_000);
  assert.ok(model.forgotten !== null);
  let view = firstView(model);
  for (let i = 0; i < 100; i++) view = zoomView(view, 0.5, model.to, model);
  assert.ok(view.to - view.from >= 1.9 && view.to - view.from < 3);
  for (let i = 0; i < 100; i++) view = zoomView(view, 2, model.to, model);
  assert.ok(view.from <= model.from && view.to >= model.to);
  assert.equal(
    clampView({from: model.from - 1e12, to: model.from - 1e12 + 5000}, model).to - model.from < 60_000,
    true,
  ); // far away comes back
  assert.deepEqual([axisStep(10, 5), axisStep(3_600_000, 6), axisStep(7 * 86_400_000, 7)], [2, 600_000, 86_400_000]);
});

it('adds fleets up, and leaves holes where nothing was reported', () => {
  const w = world(false, noon),
    to = w.started,
    from = to - 600_000,
    lines = fleetLines(fleet(w, from, to, 10), from, to, '', '');
  assert.equal(lines.times.length, 61);
  assert.ok(lines.active.every((one) => one !== null && one > 200));
  const one = fleetLines(fleet(w, from, to, 10), from, to, 'chat', '');
  assert.equal(one.active[60], null); // its proxy is lost
  assert.ok(lines.rtt_p99[0].every((p99, i) => p99! >= lines.rtt_p50[0][i]!));
  const reset = {end_reason: 'reset', initiator: '', code: 1006, abnormal: true, abnormal_why: 'reset'};
  assert.deepEqual(
    closeLines(
      {
        step_seconds: 10,
        closes: [
          {...reset, time_ms: 20_000, route: 'a', count: 2},
          {...reset, time_ms: 25_000, route: 'b', count: 3},
        ],
      },
      0,
      40_000,
      '',
    ).kinds,
    [{kind: 'reset', values: [0, 0, 5, 0, 0], total: 5, abnormal: [0, 0, 5, 0, 0]}],
  );
  // A Close that was in order and had a code that was not is counted under that, and not as normal.
  const coded = {...reset, end_reason: 'normal', code: 1011, abnormal_why: '1011 server error', time_ms: 0, route: 'a'};
  const fine = {...coded, code: 1000, abnormal: false, abnormal_why: '', count: 1};
  assert.deepEqual(
    closeLines({step_seconds: 10, closes: [{...coded, count: 2}, fine]}, 0, 5000, '').kinds.map((one) => [
      one.kind,
      one.total,
    ]),
    [
      ['1011 server error', 2],
      ['normal', 1],
    ],
  );
  assert.deepEqual(kindFilter('1011 server error'), {end_reason: 'normal', close_code: '1011'});
  assert.deepEqual(kindFilter('reset'), {end_reason: 'reset'});
  assert.deepEqual(lonely([1, null, 2, 3, null, null, 4]), [0, 6]);
  assert.deepEqual(lonely([1, 2]), []);
  assert.deepEqual(distinct(['0 B', '1 B', '1 B', '2 B']), ['0 B', '1 B', '', '2 B']);
  assert.deepEqual(
    stack([
      {label: 'a', color: '', values: [1, null, 2]},
      {label: 'b', color: '', values: [1, null, null]},
    ]),
    [
      [1, null, 2],
      [2, null, 2],
    ],
  );
  assert.deepEqual(
    bars([
      {label: 'a', color: '', values: [1, 0, 0]},
      {label: 'b', color: '', values: [0, 2, 0]},
    ]),
    [
      [1, null, null],
      [null, 2, null],
    ],
    'nothing is no bar',
  );
  const banded = {label: 'a', color: '', values: [1, null, 3], band: {low: [0, null, 2], high: [5, null, 9]}};
  assert.equal(summary('T', [banded], count), 'T. a: latest 3, lowest 0, highest 9.');
  assert.equal(reading([banded], 2, count, true), 'a: 3, between 2 and 9; not a whole step');
  assert.equal(reading([banded], 1, count, false), 'a: no data');
  assert.deepEqual(
    [figure(banded, null, true), figure(banded, null, false), figure({...banded, whole: null}, null, true)],
    [4, 3, null],
  );
  assert.equal(figure({label: '', color: '', values: [null]}, null, true), null); // nothing is known: not none
  assert.deepEqual(
    joined([
      {from: 5, to: 9},
      {from: 1, to: 3},
      {from: 2, to: 4},
    ]),
    [
      {from: 1, to: 4},
      {from: 5, to: 9},
    ],
  );
});

it('lets the least important columns step back first', () => {
  const column = (key: string, width: number, keep: number): Column<unknown> => ({
    key,
    title: key,
    width,
    keep,
    cell: () => null,
  });
  const all = [column('a', 100, 9), column('b', 100, 1), column('c', 100, 5)];
  assert.deepEqual(
    fitting(all, 400).map((one) => one.key),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(
    fitting(all, 240).map((one) => one.key),
    ['a', 'c'],
  );
  assert.deepEqual(
    fitting(all, 50).map((one) => one.key),
    ['a'],
  );
});
