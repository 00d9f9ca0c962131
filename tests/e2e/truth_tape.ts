// What happened, what changed, and what is found: each number leads to as many sessions as it says.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Json} from './console.js';
import type {Session} from './fleet.js';
import {endedSessions, fate, pathsOf, type Run, sum, tally} from './fleet_run.js';
import {targetsOf} from './truth_sessions.js';

export function happeningsTell(run: Run): void {
  const found = (query: Json): Promise<Json[]> =>
    run.fleet.console.pages(`/sessions?limit=500&${new URLSearchParams(query)}`, 'sessions');

  describe('the tape', () => {
    // Entries of sessions; those of proxies and the console have none.
    const ofSessions = (entries: Json[]): Json[] => {
      for (const each of entries) assert.equal(each.query === null, each.count === 0, each.title);
      return entries.filter((each) => each.query);
    };
    const tape = (query: string, range = run.asked): Promise<Json[]> =>
      run.fleet.console.pages(`/tape?${range}&order=asc&limit=7${query}`, 'entries');
    const folded = (entries: Json[], kinds: string[]): Record<string, number> => {
      const out: Record<string, number> = {};
      for (const each of entries.filter(({kind, query}) => kinds.includes(kind) && query)) {
        const {end_reason, close_code} = each.query;
        const key = [each.route, ...(end_reason ? [end_reason, close_code] : [])].join(' ');
        out[key] = (out[key] ?? 0) + each.count;
      }
      return out;
    };
    const endKey = (one: Session): string => `${one.route} ${fate(one)!.why} ${fate(one)!.code}`;
    const is = (kind: string) => (one: Session) =>
      fate(one)!.why === 'drain' ? kind === 'drain' : kind === (fate(one)!.abnormal ? 'death' : 'ends');

    it('tells every opening and every end once, whatever the step', async () => {
      for (const step of [10, 60, 3600]) {
        const entries = await tape(`&step_seconds=${step}`);
        assert.ok(entries.every((each, i) => i === 0 || entries[i - 1].time_ms <= each.time_ms + step * 1000));
        assert.deepEqual(
          folded(entries, ['opens']),
          tally(run.fleet.sessions, (one) => one.route),
        );
        for (const kind of ['ends', 'death', 'drain']) {
          const wanted = endedSessions(run).filter(is(kind));
          assert.deepEqual(folded(entries, [kind]), tally(wanted, endKey), `${kind} ${step}`);
          assert.deepEqual(
            await tape(`&step_seconds=${step}&kind=${kind}`),
            entries.filter((each) => each.kind === kind),
          );
        }
        for (const storm of entries.filter((each) => each.kind === 'storm')) {
          assert.ok(storm.count >= 20);
          const opens = entries.find(
            (each) => each.kind === 'opens' && each.route === storm.route && each.time_ms === storm.time_ms,
          );
          assert.equal(opens.count, storm.count);
        }
        const backwards = await run.fleet.console.pages(
          `/tape?${run.asked}&order=desc&limit=5&step_seconds=${step}`,
          'entries',
        );
        assert.deepEqual(backwards.reverse(), entries);
      }
    });

    it('leads to exactly the sessions that it counts', async () => {
      for (const each of ofSessions(await tape('&step_seconds=10'))) {
        const rows = await found(each.query);
        assert.equal(rows.length, each.count, each.title);
        const times = rows.map((row) =>
          each.kind === 'opens' || each.kind === 'storm' ? row.opened_ms : row.ended_ms,
        );
        assert.deepEqual(
          [Math.min(...times), Math.max(...times)],
          [each.time_ms, each.to_ms ?? each.time_ms],
          each.title,
        );
        const ids = new Set(rows.map((row) => row.id));
        assert.equal(each.sessions.length, Math.min(5, each.count));
        for (const id of each.sessions) assert.ok(ids.has(id));
        if (each.kind !== 'opens' && each.kind !== 'storm')
          for (const row of rows) assert.equal(row.abnormal, each.kind === 'death', each.title);
      }
    });

    it('ends with its range in the middle', async () => {
      const {began, half, ended, over} = run.at;
      assert.deepEqual(
        folded(await tape('', `from_ms=${began}&to_ms=${half}`), ['opens']),
        tally(
          run.fleet.sessions.filter((one) => one.opened_ms[1] < half),
          (one) => one.route,
        ),
      );
      const entries = await tape('', `from_ms=${ended}&to_ms=${over}`);
      assert.deepEqual(
        folded(entries, ['opens', 'ends', 'death', 'drain']),
        tally(endedSessions(run).filter(is('drain')), endKey),
      );
      assert.ok(ofSessions(entries).every((each) => each.instance === run.instances.gamma));
      for (const each of ofSessions(entries)) assert.equal((await found(each.query)).length, each.count, each.title);
    });

    it('tells how proxies and the console came and went', async () => {
      const {at, instances} = run;
      const entries = (await tape('&kind=proxy_up&kind=proxy_lost&kind=drain&kind=deploy')).concat(
        await tape('&kind=console_start&kind=console_stop&kind=console_gap'),
      );
      const told = entries.filter((each) => !each.query);
      const wanted: [kind: string, instance: string, after: number, before: number][] = [
        ['proxy_up', instances.alpha, at.began, at.half],
        ['proxy_up', instances.beta, at.began, at.half],
        ['proxy_up', instances.gamma, at.began, at.half],
        ['console_gap', '', at.stored, at.killed],
        ['console_start', '', at.absent, at.back],
        ['proxy_lost', instances.beta, at.heard, at.lost],
        ['drain', instances.gamma, at.gone, at.over],
      ];
      for (const [kind, instance, after, before] of wanted) {
        const those = told.filter((each) => each.kind === kind && each.instance === instance);
        assert.equal(those.length, 1, `${kind} ${instance}: ${JSON.stringify(told)}`);
        assert.ok(those[0].time_ms >= after - 1 && those[0].time_ms <= before + 1, `${kind} at ${those[0].time_ms}`);
      }
      assert.deepEqual(told.map((each) => each.kind).sort(), wanted.map(([kind]) => kind).sort(), 'and nothing else');
    });

    it('is of one route, or of one proxy', async () => {
      const entries = await tape('&route=chat');
      assert.deepEqual(folded(entries, ['opens']), {
        chat: run.fleet.sessions.filter((one) => one.route === 'chat').length,
      });
      const alpha = await tape(`&instance=${run.instances.alpha}`);
      assert.deepEqual(
        folded(alpha, ['ends', 'death', 'drain']),
        tally(
          endedSessions(run).filter((one) => one.member === 'alpha'),
          endKey,
        ),
      );
      for (const each of ofSessions(alpha)) assert.equal((await found(each.query)).length, each.count, each.title);
    });
  });

  describe('what changed', () => {
    const valueOf: Record<string, (one: Session) => string> = {
      route: (one) => one.route,
      proxy: (one) => run.instances[one.member],
      client_network: (one) => one.client.replace(/1$/, '0/24'),
      end_reason: (one) => fate(one)?.why ?? '',
      close_code: (one) => String(fate(one)?.code ?? ''),
      target: (one) => one.path,
    };
    it('is what those that died share, and each cohort leads to its sessions', async () => {
      const {began, ended, over} = run.at;
      const changes = await run.fleet.console.api(
        `/changes?from_ms=${began}&to_ms=${ended}&against_from_ms=${ended}&against_to_ms=${over}`,
      );
      const died = endedSessions(run).filter((one) => fate(one)!.abnormal);
      assert.deepEqual(
        [changes.deaths, changes.against_deaths, changes.few, changes.complete],
        [died.length, 0, false, true],
      );
      assert.ok(changes.cohorts.length > 1);
      for (const cohort of changes.cohorts) {
        const what = JSON.stringify(cohort.share);
        const rows = await found(cohort.query);
        assert.equal(rows.length, cohort.count, what);
        assert.deepEqual([cohort.of, cohort.against_count, cohort.against_of], [died.length, 0, 0], what);
        const known = cohort.share.filter((each: Json) => valueOf[each.dimension]);
        const sharing = died.filter((one) => known.every((each: Json) => valueOf[each.dimension]!(one) === each.value));
        if (!cohort.share.some((each: Json) => each.dimension === 'minute'))
          assert.deepEqual(targetsOf(rows), pathsOf(sharing), what);
        else
          for (const row of rows)
            assert.ok(
              sharing.some((one) => one.path === row.target),
              what,
            );
        assert.deepEqual(
          [Math.min(...rows.map((row) => row.ended_ms)), Math.max(...rows.map((row) => row.ended_ms))],
          [cohort.first_ms, cohort.last_ms],
        );
        for (const each of known)
          if (!['end_reason', 'close_code'].includes(each.dimension))
            assert.equal(
              each.usual,
              run.fleet.sessions.filter((one) => valueOf[each.dimension]!(one) === each.value).length / 300,
              `${each.dimension} ${each.value}`,
            );
      }
      const against = await run.fleet.console.api(
        `/changes?from_ms=${ended}&to_ms=${over}&against_from_ms=${began}&against_to_ms=${ended}`,
      );
      assert.deepEqual([against.deaths, against.against_deaths, against.cohorts], [0, died.length, []]);
    });

    it('has the rates that the fleet has', async () => {
      const {began, over} = run.at;
      const [from, to] = [Math.floor(began / 10_000) * 10_000, Math.ceil(over / 10_000) * 10_000];
      const {figures} = await run.fleet.console.api(
        `/changes?from_ms=${from}&to_ms=${to}&against_from_ms=1&against_to_ms=2`,
      );
      const {points} = await run.fleet.console.api(`/fleet?from_ms=${from}&to_ms=${to}`);
      const seconds = 10 * new Set(points.map((each: Json) => each.time_ms)).size;
      const of = (name: string): Json => figures.find((each: Json) => each.name === name);
      for (const [name, count] of [
        ['opened_per_second', (each) => each.opened],
        ['ended_per_second', (each) => each.ended],
        ['messages_per_second', (each) => each.messages[0] + each.messages[1]],
        ['bytes_per_second', (each) => each.bytes[0] + each.bytes[1]],
        ['misses_per_second', (each) => each.misses],
      ] as [string, (point: Json) => number][]) {
        const rate = sum(points.map(count)) / seconds;
        assert.ok(rate > 0 && Math.abs(of(name).after - rate) < rate * 1e-6, `${name}: ${of(name).after}, not ${rate}`);
        assert.equal(of(name).before, null, 'nothing is known of 1970');
      }
    });
  });

  describe('the search box', () => {
    const search = async (q: string, kind: string): Promise<Json> =>
      (await run.fleet.console.api(`/search?q=${encodeURIComponent(q)}&limit=50`)).groups.find(
        (group: Json) => group.kind === kind,
      ) ?? {items: [], total: 0};

    it('finds sessions by their id, whole or short, in any case', async () => {
      const [row] = await found({target: run.fleet.sessions[42]!.path});
      for (const q of [row.id, row.id.toUpperCase(), row.id.replaceAll('-', ''), row.id.slice(-8)]) {
        const {items, total} = await search(q, 'session');
        assert.deepEqual([items.map((item: Json) => item.session), total], [[row.id], 1], q);
      }
      const first = await search(row.id.slice(0, 8), 'session');
      const wanted = (await found({})).filter((each) => each.id.startsWith(row.id.slice(0, 8)));
      assert.equal(first.total ?? first.items.length, first.total === null ? 50 : wanted.length);
    });

    it('counts what it finds, and each leads to as many sessions', async () => {
      const {sessions} = run.fleet;
      const cases: [q: string, kind: string, id: string, fits: (one: Session) => unknown][] = [
        ['127.0.0.1', 'client', '127.0.0.1', (one) => one.client === '127.0.0.1'],
        ['127.0.7', 'client', '127.0.7.1', (one) => one.client === '127.0.7.1'],
        ['127.0.0.0/23', 'network', '127.0.0.0/23', (one) => one.client !== '127.0.7.1'],
        ['NO SUCH', 'close_reason', 'no such tenant', (one) => one.kind === 'refusal'],
        ['out of memory', 'close_reason', 'out of memory', (one) => one.kind === 'crash'],
        ['4001', 'close_reason', '4001', (one) => one.kind === 'refusal'],
        ['reset', 'close_reason', 'reset', (one) => one.kind === 'reset'],
        ['heartbeat_time', 'close_reason', 'heartbeat_timeout', (one) => one.kind === 'silence'],
        ['drain', 'close_reason', 'drain', (one) => fate(one)?.why === 'drain'],
        ...['chat', 'feed', 'pulse', 'narrow', 'lull', 'graph'].map(
          (route) => [route, 'route', route, (one: Session) => one.route === route] as (typeof cases)[number],
        ),
        [sessions[7]!.path, 'target', sessions[7]!.path, (one) => one.path === sessions[7]!.path],
      ];
      for (const [q, kind, id, fits] of cases) {
        const {items} = await search(q, kind);
        const item = items.find((each: Json) => each.id === id);
        assert.ok(item, `${kind} ${q}`);
        const wanted = pathsOf(sessions.filter(fits));
        assert.deepEqual([item.count, targetsOf(await found(item.query))], [wanted.length, wanted], `${kind} ${q}`);
      }
      const targets = await search('/crash/', 'target');
      const crashes = sessions.filter((one) => one.kind === 'crash');
      assert.deepEqual(
        [targets.total, targets.items.map((item: Json) => item.id).sort()],
        [crashes.length, pathsOf(crashes)],
      );
    });

    it('finds proxies by their names, and what they carry', async () => {
      for (const member of ['alpha', 'beta', 'gamma'] as const) {
        const {items, total} = await search(member, 'proxy');
        assert.deepEqual([total, items[0]?.id], [1, run.instances[member]], member);
        assert.equal(
          (await found(items[0].query)).length,
          run.fleet.sessions.filter((one) => one.member === member).length,
        );
      }
      const {items} = await search('steady', 'operation');
      assert.deepEqual(items.map((item: Json) => [item.service, item.id]).sort(), [
        ['alpha', 'Steady'],
        ['beta', 'Steady'],
      ]);
      for (const item of items) {
        const {traces} = await run.fleet.console.api(`/traces?limit=200&${new URLSearchParams(item.query)}`);
        assert.equal(
          sum(traces.map((each: Json) => each.matched)),
          run.calls.filter((call) => call.operation === 'Steady' && call.service === item.service).length,
        );
      }
    });
  });
}
