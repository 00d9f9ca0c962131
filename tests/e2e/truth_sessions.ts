// Sessions of the fleet: each as it was, in every order, by every condition, and one by one.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {eventually} from '../lib/wait.js';
import type {Json} from './console.js';
import {operations, type Session} from './fleet.js';
import {endedSessions, fate, pathsOf, patience, type Run, tally} from './fleet_run.js';

export const targetsOf = (rows: Json[]): string[] => rows.map((row) => row.target).sort();

export function sessionsTell(run: Run): void {
  const found = (query: string, range = run.asked): Promise<Json[]> =>
    run.fleet.console.pages(`/sessions?${range}&limit=77${query}`, 'sessions');
  const those = (fits: (one: Session) => unknown): string[] => pathsOf(run.fleet.sessions.filter(fits));

  describe('sessions', () => {
    it('are each there once, with their counts, and ended as they did', async () => {
      const rows = await found('');
      assert.equal(run.fleet.sessions.length, 300);
      assert.deepEqual(targetsOf(rows), pathsOf(run.fleet.sessions));
      for (const one of run.fleet.sessions) {
        const row = rows.find((each) => each.target === one.path);
        const end = fate(one);
        const lost = !end && one.member === 'beta';
        assert.deepEqual(
          {
            end: [row.close_code, row.end_reason, row.initiator],
            abnormal: [row.abnormal, row.abnormal_why !== ''],
            state: row.state,
            live: row.live,
            last_heard: row.last_heard,
            messages: row.messages,
            bytes: row.bytes,
            route: row.route,
            service: row.service,
            instance: row.instance,
            misses: row.misses,
            client: row.client.replace(/:\d+$/, ''),
            reconnect_of: row.reconnect_of,
          },
          {
            end: end ? [end.code, end.why, end.initiator] : [null, null, null],
            abnormal: [end?.abnormal ?? false, end?.abnormal ?? false],
            state: end ? 'ended' : 'open',
            live: !end && !lost,
            last_heard: lost,
            messages: one.messages,
            bytes: one.bytes,
            route: one.route,
            service: one.member,
            instance: run.instances[one.member],
            misses: one.unanswered,
            client: one.client,
            reconnect_of: null,
          },
          one.path,
        );
        const between = (told: number, [after, before]: [number, number], what: string): void =>
          assert.ok(told >= after - 1 && told <= before + 1, `${one.path} ${what} at ${told}: ${after} to ${before}`);
        between(row.opened_ms, one.opened_ms, 'was opened');
        if (end) between(row.ended_ms, one.ended_ms, 'ended');
        else assert.equal(row.ended_ms, null);
        if (lost) between(row.heard_ms, [run.at.heard, run.at.lost], 'was heard');
      }
    });

    it('are found by every condition, whole whatever the page size', async () => {
      const cancelled = new Set(
        run.calls.filter((call) => operations[call.operation]!.manner === 'cancelled').map((call) => call.path),
      );
      const conditions: [query: string, fits: (one: Session) => unknown][] = [
        ...Object.keys(tally(endedSessions(run), (one) => fate(one)!.why)).map(
          (why) => [`&end_reason=${why}`, (one: Session) => fate(one)?.why === why] as [string, () => boolean],
        ),
        ...[1000, 1001, 1011, 4001, 1002, 1006, 1009].map(
          (code) => [`&close_code=${code}`, (one: Session) => fate(one)?.code === code] as [string, () => boolean],
        ),
        ...Object.keys(tally(run.fleet.sessions, (one) => one.route)).map(
          (route) => [`&route=${route}`, (one: Session) => one.route === route] as [string, () => boolean],
        ),
        ['&abnormal=true', (one) => fate(one)?.abnormal],
        ['&abnormal=true&route=chat', (one) => fate(one)?.abnormal && one.route === 'chat'],
        ['&state=open', (one) => !fate(one)],
        ['&state=ended', (one) => fate(one)],
        ['&text=%2FCrash%2F', (one) => one.kind === 'crash'],
        ['&text=%2FCrash%2F&sort=bytes', (one) => one.kind === 'crash'],
        ['&text=no%20such%20tenant', (one) => one.kind === 'refusal'],
        [`&instance=${run.instances.gamma}`, (one) => one.member === 'gamma'],
        ['&client=127.0.0.0/8', () => true],
        ['&client=127.0.0.1&dialect=graphql-transport-ws', (one) => one.route === 'graph'],
        ['&client=127.0.7.0/24', (one) => one.client === '127.0.7.1'],
        ['&client=127.0.1.', (one) => one.client === '127.0.1.1'],
        ['&client=10.0.0.0/8', () => false],
        ['&attribute=websocket.end_reason:reset', (one) => one.kind === 'reset'],
        ['&attribute=websocket.invocation.status:cancelled', (one) => cancelled.has(one.path)],
        [`&opened_from_ms=${run.at.half}`, (one) => one.opened_ms[0] >= run.at.half],
        [`&opened_to_ms=${run.at.half}`, (one) => one.opened_ms[1] < run.at.half],
        [`&ended_from_ms=${run.at.ended}`, (one) => fate(one)?.why === 'drain'],
        [`&ended_to_ms=${run.at.ended}`, (one) => fate(one) && fate(one)?.why !== 'drain'],
      ];
      for (const [query, fits] of conditions) assert.deepEqual(targetsOf(await found(query)), those(fits), query);
    });

    it('are those that were open in a range that ends in the middle', async () => {
      const {began, half, ended, over} = run.at;
      const early = await found('', `from_ms=${began}&to_ms=${half}`);
      assert.deepEqual(
        targetsOf(early),
        those((one) => one.opened_ms[1] < half),
      );
      const open = those((one) => !fate(one) || fate(one)?.why === 'drain');
      assert.deepEqual(targetsOf(await found('', `from_ms=${ended}&to_ms=${ended}`)), open, 'open at a moment');
      assert.deepEqual(targetsOf(await found('', `from_ms=${ended}&to_ms=${over}`)), open);
      assert.deepEqual(
        targetsOf(await found('&state=ended', `from_ms=${ended}&to_ms=${over}`)),
        those((one) => fate(one)?.why === 'drain'),
      );
    });

    for (const sort of ['opened', 'ended', 'duration', 'messages', 'bytes', 'misses'])
      it(`are sorted by ${sort} over all of them, those that live by what they are now`, async () => {
        const rank = (row: Json): number => {
          if (sort === 'opened') return row.opened_ms;
          if (sort === 'ended') return row.ended_ms ?? Number.POSITIVE_INFINITY;
          if (sort === 'misses') return row.misses;
          if (sort === 'duration') return (row.ended_ms ?? row.heard_ms) - row.opened_ms;
          return row[sort][0] + row[sort][1];
        };
        for (const order of ['desc', 'asc']) {
          const rows = await found(`&sort=${sort}&order=${order}`);
          assert.deepEqual(targetsOf(rows), pathsOf(run.fleet.sessions), `${sort} ${order}`);
          // What lives goes on while pages are asked for.
          const ranks = rows.filter((row) => sort !== 'duration' || !row.live).map(rank);
          assert.deepEqual(
            ranks,
            [...ranks].sort((a, b) => (order === 'asc' ? a - b : b - a)),
            `${sort} ${order}`,
          );
        }
      });

    it('are as long as they are, however long ago they were stored', async () => {
      const rows = await found('&sort=duration');
      const live = rows.filter((row) => row.live);
      assert.equal(live.length, 30);
      // All of these have been open since before anything had ended, and still are.
      const firsts = new Set(rows.slice(0, 30).map((row) => row.target));
      for (const row of live) assert.ok(firsts.has(row.target), `${row.target} is among the longest`);
      const shortest = Math.min(...live.map((row) => row.heard_ms - row.opened_ms)) / 1000;
      const longer = await found(`&state=open&instance=${run.instances.alpha}&min_duration_seconds=${shortest}`);
      assert.deepEqual(
        targetsOf(longer),
        those((one) => !fate(one) && one.member === 'alpha'),
      );
      assert.deepEqual(
        await found(`&state=open&instance=${run.instances.alpha}&max_duration_seconds=${shortest / 2}`),
        [],
      );
    });

    it('that were heard last of a proxy that was killed last no longer than that', async () => {
      const query = `&state=open&instance=${run.instances.beta}`;
      const before = await found(query);
      // Reports come each second: one of alpha is a second, and no time of a clock.
      const heard = async (): Promise<number> =>
        (await run.fleet.console.api('/status')).proxies.find((each: Json) => each.service === 'alpha').heard_ms;
      const first = await heard();
      await eventually('alpha is heard again', async () => (await heard()) > first, patience, 50);
      assert.equal(before.length, 50);
      assert.deepEqual(await found(query), before);
      const longest = Math.max(...before.map((row) => row.heard_ms - row.opened_ms)) / 1000;
      assert.deepEqual(await found(`${query}&min_duration_seconds=${longest + 0.001}`), []);
      const shortest = Math.min(...before.map((row) => row.heard_ms - row.opened_ms)) / 1000;
      assert.equal((await found(`${query}&min_duration_seconds=${shortest - 0.001}`)).length, 50);
    });
  });

  describe('a session', () => {
    const one = (kind: string): Session =>
      run.fleet.sessions.find((each) => each.kind === kind && each.member === 'alpha' && each.route !== 'graph')!;
    const rowOf = async ({path}: Session): Promise<Json> =>
      (await found(`&target=${encodeURIComponent(path)}`)).find((row) => row.target === path);

    for (const kind of ['goodbye', 'crash', 'violation', 'reset', 'silence', 'flood', 'idle'])
      it(`tells its messages and its end: ${kind}`, async () => {
        const session = one(kind);
        const {id, ...row} = await rowOf(session);
        const detail = await run.fleet.console.api(`/sessions/${id.replaceAll('-', '').toUpperCase()}`);
        assert.deepEqual(detail.session, {id, ...row});
        for (const side of [0, 1])
          assert.deepEqual(
            detail.recorder
              .filter((each: Json) => each.side === side && each.type === 'text')
              .map((each: Json) => each.length),
            session.lengths[side],
          );
        for (const each of detail.recorder)
          assert.ok(each.time_ms >= row.opened_ms && each.time_ms <= row.ended_ms, `${each.type} at ${each.time_ms}`);
        const pings = detail.recorder.filter((each: Json) => each.injected && each.type === 'ping' && !each.answered);
        assert.equal(pings.length >= row.misses, true, 'each miss is a ping without an answer');
        assert.deepEqual([detail.calls, detail.invocations], [[], []]);
        const attributes = Object.fromEntries(detail.connection.attributes.map((each: Json) => [each.key, each.value]));
        assert.deepEqual(
          [
            detail.connection.name,
            detail.connection.status,
            attributes['websocket.close.code'],
            attributes['websocket.end_reason'],
            attributes['websocket.close.initiator'],
            attributes['websocket.messages.received'],
            attributes['websocket.messages.sent'],
            attributes['websocket.bytes.received'],
            attributes['websocket.bytes.sent'],
          ],
          [
            'websocket.connection',
            fate(session)!.abnormal ? 'error' : 'unset',
            row.close_code,
            row.end_reason,
            row.initiator,
            ...session.messages,
            ...session.bytes,
          ],
        );
        assert.deepEqual(
          detail.traces.map((each: Json) => each.trace_id),
          [detail.connection.trace_id],
        );
      });

    it('that lives tells its messages when its proxy is asked', async () => {
      const session = one('open');
      const {id} = await rowOf(session);
      const {recorder} = await eventually(
        'its proxy has answered',
        async () => {
          const detail = await run.fleet.console.api(`/sessions/${id}`);
          return detail.recorder.length ? detail : undefined;
        },
        patience,
        200,
      );
      for (const side of [0, 1])
        assert.deepEqual(
          recorder.filter((each: Json) => each.side === side && each.type === 'text').map((each: Json) => each.length),
          session.lengths[side],
        );
    });

    it('tells its figures over time, and those of a part of it', async () => {
      const {id, opened_ms} = await rowOf(one('open'));
      const points = async (query = ''): Promise<Json[]> =>
        (await run.fleet.console.api(`/sessions/${id}/points?${query}`)).points;
      const all = await points();
      assert.ok(all.length > 0);
      for (const [i, point] of all.entries())
        assert.ok(point.time_ms >= (i ? all[i - 1].time_ms : opened_ms) && point.time_ms <= Date.now() + 1);
      const middle = all[Math.floor(all.length / 2)].time_ms;
      assert.deepEqual(
        await points(`to_ms=${middle}`),
        all.filter((each) => each.time_ms < middle),
      );
      assert.deepEqual(
        await points(`from_ms=${middle}`),
        all.filter((each) => each.time_ms >= middle),
      );
    });
  });
}
