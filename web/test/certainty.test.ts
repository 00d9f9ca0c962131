import assert from 'node:assert/strict';
import {it} from 'node:test';
import {missingNotes, fleetLines} from '../src/fleet/aggregate';
import {routeRows} from '../src/fleet/routes';
import {certainty, staleSince, unheardText, type Evidence} from '../src/live/certainty';
import {explainEnd, knownUntil, silence, troubles} from '../src/sessions/words';
import {time} from '../src/time/format';
import {closes, fleet, liveRoutes, unheard, world} from './fleet_data';

const noon = new Date(2026, 2, 1, 12, 0, 0).getTime();
const w = world(false, noon);
const well: Evidence = {
  stream: {state: 'open', age_ms: 800},
  proxies: w.proxies.filter((one) => one.state === 'connected' || one.state === 'drained'),
  unheard: null,
  questions: [{what: 'the sessions that ended', error: null, age_ms: 4000, every_ms: 10_000}],
  storeTrouble: '',
};
const doubts = (more: Partial<Evidence>) => certainty({...well, ...more}, noon).doubts;

it('says "all clear" only when all was asked, has answered, and is fresh', () => {
  assert.deepEqual(certainty(well, noon), {waiting: false, doubts: []}); // a drained proxy is no loss
  const [question] = well.questions;
  assert.match(doubts({stream: {state: 'lost', age_ms: 7000}})[0]!, /not been heard from since .*11:59:53/);
  assert.match(doubts({stream: {state: 'open', age_ms: 5001}})[0]!, /how open sessions are now is not/); // it hangs
  assert.match(doubts({stream: {state: 'lost', age_ms: null}})[0]!, /not been heard from yet/);
  assert.match(doubts({questions: [{...question!, error: new Error('busy')}]})[0]!, /sessions that ended failed: busy/);
  assert.match(doubts({questions: [{...question!, age_ms: 21_000}]})[0]!, /sessions that ended is 21 s old/);
  assert.match(doubts({storeTrouble: 'disk full'})[0]!, /disk full/);
  assert.match(doubts({proxies: []})[0]!, /No proxy reports/);
  assert.match(doubts({proxies: well.proxies!.filter((one) => one.state === 'drained')})[0]!, /No proxy reports/);
  const lost = {...w.proxies[0]!, state: 'lost' as const, heard_ms: noon - 60_000};
  assert.match(doubts({proxies: [lost]})[0]!, /voice-bridge on bridge-a was lost at .*11:59:00/);
  assert.match(doubts({proxies: [{...lost, state: 'unheard'}]})[0]!, /has not been heard from since .*11:59:00/);
  assert.match(doubts({unheard: {sessions: 150, of: 300, since_ms: noon}})[0]!, /^150 of 300 open sessions have not/);
  // Before the first answers it says neither.
  assert.deepEqual(certainty({...well, stream: {state: 'connecting', age_ms: null}}, noon), {
    waiting: true,
    doubts: [],
  });
  assert.deepEqual(certainty({...well, questions: [{...question!, age_ms: null}]}, noon), {waiting: true, doubts: []});
  assert.equal(
    unheardText({sessions: 1, of: 1, since_ms: noon}),
    `The only open session has not been heard from since ${time(noon)}`,
  );
});

it('calls present only what the stream said lately', () => {
  assert.equal(staleSince('open', noon - 4900, noon), null);
  assert.equal(staleSince('open', noon - 5100, noon), noon - 5100); // it hangs
  assert.equal(staleSince('lost', noon - 1900, noon), null); // may be back in a moment
  assert.equal(staleSince('lost', noon - 2100, noon), noon - 2100);
  assert.equal(staleSince('connecting', null, noon), null); // nothing was said that could be old
});

it('stops the clock of a session whose proxy is away', () => {
  const one = w.open.find((each) => each.last_heard)!,
    later = noon + 3_600_000;
  assert.equal(knownUntil(one, later), one.heard_ms);
  assert.deepEqual(
    troubles(one, later).map((each) => each.short),
    [`not heard from since ${time(one.heard_ms)}`],
  );
  assert.equal(silence(one, 0, later), silence(one, 0, noon));
  assert.equal(explainEnd(one, [], later).level, 'warn');
  assert.equal(knownUntil(w.frozen, later), later);
  assert.equal(knownUntil(w.vanished, later), w.vanished.ended_ms);
});

it('leaves a gap where nothing was seen, says how much is missing, and marks what is not whole', () => {
  const from = noon - 3_600_000,
    answer = fleet(w, from, noon, 60),
    lines = fleetLines(answer, from, noon, '', ''),
    at = (ms: number) => Math.floor(ms / 60_000) - Math.floor(from / 60_000);
  const inside = at(w.outage.from) + 1;
  assert.equal(lines.active[inside], null);
  assert.ok(lines.partial.has(at(w.outage.from)) && !lines.partial.has(at(w.outage.from) - 1));
  // What was counted is made good: no rate falls, and none is inflated.
  for (const step of [at(w.outage.from), inside]) {
    const ratio = lines.messages[0][step]! / lines.messages[0][at(w.outage.from) - 1]!;
    assert.ok(ratio > 0.7 && ratio < 1.4, `${ratio}`);
  }
  assert.deepEqual(lines.gaps[0], {from: w.outage.from, to: w.outage.to});
  assert.equal(lines.gaps[1]!.part, true); // of one proxy
  const names = new Map([['0197-edge-1', 'chat-edge on edge-1']]);
  assert.deepEqual(missingNotes(answer.coverage.slice(0, 1), '', names, time), [
    `missing 2 m 20 s: the console was away ${time(w.outage.from)} – ${time(w.outage.to)}`,
  ]);
  assert.match(
    missingNotes(answer.coverage, '', names, time)[0]!,
    /^missing 3 m 10 s: chat-edge on edge-1 was not heard/,
  );
  assert.equal(missingNotes(answer.coverage, '0197-bridge-a', names, time).length, 1);
  // Both ends and the time between them agree, whatever the fractions are.
  const [gap] = answer.coverage,
    whole = Math.ceil(noon / 1000) * 1000,
    note = (from_ms: number, to_ms: number) =>
      missingNotes([{...gap!, from_ms, to_ms, missing_seconds: (to_ms - from_ms) / 1000}], '', names, time)[0];
  assert.equal(
    note(whole + 100, whole + 10_900),
    `missing 11 s: the console was away ${time(whole)} – ${time(whole + 11_000)}`,
  );
  assert.equal(
    note(whole + 600, whole + 11_400),
    `missing 10 s: the console was away ${time(whole + 1000)} – ${time(whole + 11_000)}`,
  );
  // A step that has just begun is none of which nothing is known.
  const begun = fleetLines({step_seconds: 60, points: [], coverage: []}, from, noon + 1, '', '');
  assert.deepEqual([...begun.partial], [begun.times.length - 1]);
  // Counts that were made good after a gap tell nothing of how many there were during it.
  const good = {...answer.points[0]!, active: null, covered_seconds: 0};
  const later = fleetLines({step_seconds: 60, points: [good], coverage: []}, from, noon, '', '');
  assert.equal(later.active[at(good.time_ms)], null);
  assert.equal(later.opened[at(good.time_ms)], good.opened);
});

it('says what lies before all that is known, and leaves a gap there, too', () => {
  const from = noon - 7 * 86_400_000,
    known = noon - 5 * 86_400_000,
    answer = fleet(w, from, noon, 3600),
    note =
      `nothing is recorded before ${time(known)}: ` +
      'the console was first started then, or keeps nothing from longer ago';
  for (const instance of ['', '0197-edge-1', '0197-bridge-a']) {
    assert.equal(missingNotes(answer.coverage, instance, new Map(), time)[0], note);
    assert.deepEqual(fleetLines(answer, from, noon, '', instance).gaps[0], {from, to: known});
  }
  assert.ok(missingNotes(answer.coverage, '', new Map(), time).some((one) => /the console was away/.test(one)));
});

it('counts the ends of one proxy as the list of its sessions does, those that it was lost with among them', () => {
  const from = noon - 86_400_000;
  const [lost] = w.ended.filter((one) => one.end_reason === 'lost' && one.ended_ms! >= from);
  const {route, instance} = lost!;
  const rows = routeRows(
    fleet(w, from, noon, 600),
    closes(w, from, noon, 600, '', instance),
    liveRoutes(w),
    from,
    noon,
    instance,
  );
  const ended = w.ended.filter((one) => one.route === route && one.instance === instance && one.ended_ms! >= from);
  const row = rows.find((one) => one.route === route)!;
  assert.deepEqual([row.ended, row.abnormal], [ended.length, ended.filter((one) => one.abnormal).length]);
});

it('has a row a route whose numbers are those of the lists they lead to', () => {
  const from = noon - 3_600_000;
  const rows = routeRows(fleet(w, from, noon, 60), closes(w, from, noon, 60), liveRoutes(w), from, noon, '');
  const calls = rows.find((one) => one.route === 'calls')!;
  const ended = w.ended.filter((one) => one.route === 'calls' && one.ended_ms! >= from);
  assert.equal(calls.ended, ended.length);
  assert.equal(calls.abnormal, ended.filter((one) => one.abnormal).length);
  assert.equal(calls.active, w.open.filter((one) => one.route === 'calls').length);
  const chat = rows.find((one) => one.route === 'chat')!;
  assert.equal(chat.active, null); // its only proxy is not heard from
  assert.equal(unheard(w)!.sessions, w.open.filter((one) => one.last_heard).length);
});
