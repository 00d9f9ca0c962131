// Figures of the fleet over time: counts that are made good whatever the console missed, and what it says it misses.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {WebSocket} from 'ws';
import {withDeadline} from '../lib/wait.js';
import type {Json} from './console.js';
import {type Member, plan, type Session} from './fleet.js';
import {endedSessions, fate, patience, type Run, sum, tally} from './fleet_run.js';
import {cleanup, shut} from './support.js';
import {targetsOf} from './truth_sessions.js';

const tens = (ms: number): number => Math.floor(ms / 10_000) * 10_000;
interface Counts {
  opened: number;
  ended: number;
  messages: [number, number];
  bytes: [number, number];
  misses: number;
}
// By instance and route.
function added(points: Json[]): Record<string, Counts> {
  const out: Record<string, Counts> = {};
  for (const point of points) {
    const to = (out[`${point.instance} ${point.route}`] ??= {
      opened: 0,
      ended: 0,
      messages: [0, 0],
      bytes: [0, 0],
      misses: 0,
    });
    for (const key of ['opened', 'ended', 'misses'] as const) to[key] += point[key];
    for (const key of ['messages', 'bytes'] as const) for (const side of [0, 1]) to[key][side]! += point[key][side];
  }
  return out;
}

export function figuresTell(run: Run): void {
  const fleetOf = (query: string): Promise<Json> => run.fleet.console.api(`/fleet?${query}`);
  const truth = (): Record<string, Counts> => {
    const out: Record<string, Counts> = {};
    for (const one of run.fleet.sessions) {
      const to = (out[`${run.instances[one.member]} ${one.route}`] ??= {
        opened: 0,
        ended: 0,
        messages: [0, 0],
        bytes: [0, 0],
        misses: 0,
      });
      ++to.opened;
      to.ended += fate(one) ? 1 : 0;
      to.misses += one.unanswered;
      for (const side of [0, 1]) {
        to.messages[side]! += one.messages[side]!;
        to.bytes[side]! += one.bytes[side]!;
      }
    }
    return out;
  };
  const known = (counts: Record<string, Counts>): Record<string, Counts> =>
    Object.fromEntries(Object.entries(counts).filter(([, {opened}]) => opened));

  describe('the fleet', () => {
    it('counts what happened, by proxy and route, though the console was away in the middle', async () => {
      const {points, instances, routes} = await fleetOf(run.figures);
      assert.deepEqual(known(added(points)), truth());
      assert.deepEqual(
        routes.filter((route: string) => route !== 'unmatched'), // of requests that no route takes
        [...new Set(run.fleet.sessions.map((one) => one.route))].sort(),
      );
      assert.deepEqual(
        Object.fromEntries(instances.map((each: Json) => [each.instance, each.service])),
        Object.fromEntries(Object.entries(run.instances).map(([member, instance]) => [instance, member])),
      );
      for (const [route, count] of Object.entries(tally(run.fleet.sessions, (one) => one.route)))
        assert.equal(
          sum((await fleetOf(`${run.figures}&route=${route}`)).points.map((each: Json) => each.opened)),
          count,
        );
      const beta = (await fleetOf(`${run.figures}&instance=${run.instances.beta}`)).points;
      assert.equal(
        sum(beta.map((each: Json) => each.opened)),
        run.fleet.sessions.filter((one) => one.member === 'beta').length,
      );
      assert.deepEqual(
        [sum(points.map((each: Json) => each.reconnects)), sum(points.map((each: Json) => each.refused))],
        [0, 0],
      );
      for (const point of points) {
        assert.ok(point.covered_seconds >= 0 && point.covered_seconds <= 10);
        if (point.covered_seconds === 0) assert.equal(point.active, null);
        else assert.ok(point.active_min <= point.active && point.active <= point.active_max);
      }
      const now = points.filter((each: Json) => each.time_ms === tens(run.at.over));
      const alive = now.filter((each: Json) => each.instance === run.instances.alpha && each.covered_seconds > 0);
      assert.equal(sum(alive.map((each: Json) => each.active)), plan.alpha.open);
    });

    it('counts each thing once, however a range is cut and whatever the step', async () => {
      const whole = known(added((await fleetOf(run.figures)).points));
      const to = run.at.over + 60_000;
      for (const cut of [run.at.half, run.at.ended]) {
        const parts = await Promise.all(
          [`from_ms=${tens(run.at.began)}&to_ms=${cut}`, `from_ms=${cut}&to_ms=${to}`].map((range) => fleetOf(range)),
        );
        assert.deepEqual(known(added(parts.flatMap((part) => part.points))), whole);
      }
      for (const step of [30, 3600])
        assert.deepEqual(
          known(added((await fleetOf(`${run.figures}&step_seconds=${step}`)).points)),
          whole,
          `${step} s`,
        );
    });

    it('says for how long the console was away, and that beta has not been heard since', async () => {
      const {at, instances} = run;
      const before = Date.now();
      const {coverage} = await fleetOf(run.asked);
      const after = Date.now();
      const away = coverage.filter((each: Json) => each.what === 'console');
      assert.equal(away.length, 1);
      const [gap] = away;
      assert.ok(gap.from_ms >= at.stored - 1 && gap.from_ms <= at.killed + 1, `away from ${gap.from_ms}`);
      assert.ok(gap.to_ms >= at.absent - 1 && gap.to_ms <= at.back + 1, `away until ${gap.to_ms}`);
      const lost = coverage.filter((each: Json) => each.instance === instances.beta).at(-1);
      assert.ok(lost.from_ms >= at.heard - 1 && lost.from_ms <= at.lost + 1, `beta was heard at ${lost.from_ms}`);
      assert.ok(lost.to_ms >= before - 1 && lost.to_ms <= after + 1, `beta is not heard at ${lost.to_ms}`);
      for (const each of coverage) {
        assert.ok(Math.abs(each.missing_seconds * 1e3 - (each.to_ms - each.from_ms)) < 0.01);
        // One that drained is missed no more.
        if (each.instance === instances.gamma) assert.ok(each.to_ms <= at.gone);
      }
      // A range that ends in the middle of it misses a part of it.
      const middle = Math.round((gap.from_ms + gap.to_ms) / 2);
      const [half] = (await fleetOf(`from_ms=${at.began}&to_ms=${middle}`)).coverage.filter(
        (each: Json) => each.what === 'console',
      );
      assert.equal(half?.to_ms, gap.to_ms - middle >= 0 && middle - gap.from_ms >= 1000 ? middle : undefined);
      assert.deepEqual(
        (await fleetOf(`from_ms=${at.began}&to_ms=${at.half}`)).coverage.filter(({what}: Json) => what === 'console'),
        [],
      );
    });

    it('counts ends as they were, in steps, in a part of the time, and abnormal ones the same everywhere', async () => {
      const key = (one: Session): string => {
        const {why, initiator, code, abnormal} = fate(one)!;
        return `${one.route} ${why} ${initiator} ${code} ${abnormal}`;
      };
      const closes = async (range: string): Promise<Record<string, number>> => {
        const counted: Record<string, number> = {};
        for (const each of (await run.fleet.console.api(`/closes?${range}`)).closes) {
          const {route, end_reason, initiator, code, count, abnormal, abnormal_why} = each;
          assert.equal(abnormal, abnormal_why !== '');
          const its = `${route} ${end_reason} ${initiator} ${code} ${abnormal}`;
          counted[its] = (counted[its] ?? 0) + count;
        }
        return counted;
      };
      const {began, ended, over} = run.at;
      const drained = (one: Session): boolean => fate(one)!.why === 'drain';
      assert.deepEqual(await closes(run.asked), tally(endedSessions(run), key));
      assert.deepEqual(await closes(`${run.asked}&step_seconds=3600`), tally(endedSessions(run), key));
      assert.deepEqual(await closes(`from_ms=${ended}&to_ms=${over}`), tally(endedSessions(run).filter(drained), key));
      assert.deepEqual(
        await closes(`from_ms=${began}&to_ms=${ended}`),
        tally(
          endedSessions(run).filter((one) => !drained(one)),
          key,
        ),
      );
      // Of the same sessions it is said wherever it is said.
      const abnormal = endedSessions(run).filter((one) => fate(one)!.abnormal).length;
      const {sessions} = await run.fleet.console.api(`/sessions?${run.asked}&abnormal=true&limit=500`);
      const {spans} = await run.fleet.console.api(
        `/spans?${run.asked}&operation=websocket.connection&status=error&limit=200`,
      );
      const {groups} = await run.fleet.console.api(`/groups?${run.asked}&operation=websocket.connection&by=status`);
      const {deaths} = await run.fleet.console.api(`/changes?${run.asked}`);
      assert.deepEqual(
        [sessions.length, spans.length, groups.find((each: Json) => each.value === 'error').count, deaths],
        [abnormal, abnormal, abnormal, abnormal],
      );
    });

    it('is one proxy with 30 sessions, one not heard and one that drained, and nothing in trouble', async () => {
      const status = await run.fleet.console.api('/status');
      assert.equal(status.store.sessions, 300);
      // A handshake of each session, a connection of each that ended, and the calls.
      assert.equal(status.store.spans, 300 + endedSessions(run).length + run.calls.length);
      assert.equal(status.store.trouble, '');
      assert.equal(status.store.refused_batches, 0);
      const states = Object.fromEntries(
        status.proxies.map((each: Json) => [each.service, [each.state, each.connected, each.sessions]]),
      );
      assert.deepEqual(states, {
        alpha: ['connected', true, plan.alpha.open],
        beta: ['unheard', false, plan.beta.open],
        gamma: ['drained', false, 0],
      });
      const of = (member: Member): Json => status.proxies.find((each: Json) => each.instance === run.instances[member]);
      const {at} = run;
      assert.ok(of('beta').heard_ms >= at.heard && of('beta').heard_ms <= at.lost + 1);
      assert.equal(of('beta').since_ms, of('beta').heard_ms);
      assert.ok(of('gamma').since_ms >= at.gone - 1 && of('gamma').since_ms <= at.over + 1);
    });

    it('tells whoever looks at it live the same', async () => {
      const {console: one} = run.fleet;
      // A socket for each question: messages do not say which one they answer.
      const say = async (type: string, subscription: Json): Promise<Json> => {
        const socket = new WebSocket(`${one.url.replace('http', 'ws')}/api/v1/live`, 'sockeye-page.v1', {
          origin: one.url,
          perMessageDeflate: false,
        });
        cleanup(() => socket.terminate());
        socket.once('open', () => socket.send(JSON.stringify(subscription)));
        const message = await withDeadline(
          patience,
          `a ${type}`,
          () =>
            new Promise<Json>((resolve, reject) => {
              socket.once('error', reject);
              socket.on('message', (data) => {
                const told = JSON.parse(String(data));
                if (told.type === type) resolve(told);
              });
            }),
        );
        await shut(socket);
        return message;
      };
      const fleet = await say('fleet', {fleet: true});
      const {open} = plan.beta;
      assert.deepEqual([fleet.unheard.sessions, fleet.unheard.of], [open, open! + plan.alpha.open!]);
      assert.ok(fleet.unheard.since_ms >= run.at.heard && fleet.unheard.since_ms <= run.at.lost + 1);
      const active: Record<string, number> = {};
      for (const each of fleet.routes) {
        assert.equal(each.instance, run.instances.alpha);
        if (each.active) active[each.route] = each.active;
      }
      const living = run.fleet.sessions.filter((session) => !fate(session) && session.member === 'alpha');
      assert.deepEqual(
        active,
        tally(living, (session) => session.route),
      );
      assert.equal(fleet.ended.length, 20);
      for (const row of fleet.ended) {
        const session = run.fleet.sessions.find((each) => each.path === row.target)!;
        const {code, why, initiator, abnormal} = fate(session)!;
        assert.deepEqual(
          [row.close_code, row.end_reason, row.initiator, row.abnormal, row.messages, row.bytes],
          [code, why, initiator, abnormal, session.messages, session.bytes],
        );
      }
      for (const [filter, fits] of [
        [{}, () => true],
        [{route: 'chat'}, (session) => session.route === 'chat'],
        [{instance: run.instances.beta}, (session) => session.member === 'beta'],
        [
          {client: '127.0.0.0/24', text: '/FEED/'},
          (session) => session.route === 'feed' && session.client === '127.0.0.1',
        ],
        [{abnormal: true}, () => false],
        [{attribute: ['websocket.end_reason:reset']}, () => false],
      ] as [Json, (session: Session) => boolean][]) {
        const {total, matched, complete, sessions} = await say('sessions', {sessions: {...filter, limit: 500}});
        const open = run.fleet.sessions.filter((session) => !fate(session));
        assert.deepEqual(
          targetsOf(sessions),
          open
            .filter(fits)
            .map((session) => session.path)
            .sort(),
          JSON.stringify(filter),
        );
        assert.deepEqual([total, matched, complete], [open.length, sessions.length, true], JSON.stringify(filter));
      }
    });
  });
}
