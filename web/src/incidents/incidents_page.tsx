// What went wrong, by reason: open sessions that do not answer, and ends that were not asked for.
import {useMemo} from 'react';
import './incidents.css';
import {keepPreviousData, useInfiniteQuery} from '@tanstack/react-query';
import {Button} from 'react-aria-components';
import {ask, parameters, useAsk} from '../api/fetch';
import type {Closes, Session, SessionPage} from '../api/types';
import {TimeChart} from '../chart/time_chart';
import {Empty, Failed, Loading} from '../control/states';
import {closeLines} from '../fleet/aggregate';
import {useNames} from '../fleet/names';
import {kindColor} from '../fleet/reasons';
import {RouteAndProxy} from '../fleet/route_and_proxy';
import {Doubts} from '../live/doubts';
import {useLive} from '../live/socket';
import {useCertainty} from '../live/use_certainty';
import {useSeen} from '../live/use_stale';
import {Link} from '../route/link';
import {address, sharedQuery, useQueryState} from '../route/location';
import {sessionHref} from '../sessions/columns';
import {endText, kindFilter, kindMeans, reasonLabel} from '../sessions/words';
import {silence, troubles} from '../sessions/words';
import {count, duration, plural, shortId} from '../text/units';
import {useNow} from '../time/clock';
import {time} from '../time/format';
import {bounds, stepFor, useBounds, useRange, type Range} from '../time/range';
import {Stamp} from '../time/stamp';
import {endGroups} from './groups';

const EACH = 8;

export function IncidentsPage() {
  const [query, change] = useQueryState();
  const route = query.get('route') ?? '',
    instance = query.get('instance') ?? '';
  const {range, key, live, setFixed, setLast} = useRange();
  const names = useNames(range, key);
  const clock = useNow(live),
    {now, stale} = useSeen(live);
  const chosen = {...(route ? {route} : {}), ...(instance ? {instance} : {})};
  const trouble = useLive(
    'sessions',
    live ? {trouble: true, sort: 'misses', order: 'desc', limit: 50, ...chosen} : null,
  );
  const {ended, lines, groups, from, to} = useEnds(range, key, live, chosen);
  const certain = useCertainty(clock, [{what: 'the sessions that ended', answer: ended, every_ms: 10_000}]);
  // What does not move needs no fresh answer.
  const sure = live ? certain : {waiting: ended.isPending, doubts: ended.error ? [ended.error.message] : []};
  const current = trouble?.sessions ?? [];
  const total = groups.reduce((sum, group) => sum + group.total, 0);

  return (
    <div className="stack incidents">
      <div className="page-head">
        <h1>Incidents</h1>
        <span className="about">
          {live ? 'Open sessions that miss heartbeats or are held up, and sessions' : 'Sessions'} that ended abnormally
          in this time range, by reason, the most frequent first.
        </span>
        <RouteAndProxy names={names} route={route} instance={instance} onChange={change} />
      </div>
      {lines.series.length > 0 && (
        <Chart lines={lines} from={from} to={to} onSelect={setFixed} onReset={() => setLast('1h')} />
      )}
      <InTrouble sessions={current} chosen={chosen} now={now} stale={stale} />
      {ended.error && !ended.data && <Failed error={ended.error} retry={() => void ended.refetch()} />}
      {groups.map(({kind, total, sessions}) => (
        <Group
          key={kind}
          title={reasonLabel(kind)}
          level="bad"
          means={kindMeans(kind)}
          total={total}
          sessions={sessions}
          now={now}
          all={address('/sessions', {
            ...sharedQuery(query),
            route,
            instance,
            state: 'ended',
            abnormal: 'true',
            ...kindFilter(kind),
            sort: 'ended',
          })}
        />
      ))}
      {ended.isPending && <Loading />}
      {ended.data && total === 0 && current.length === 0 && <Nothing live={live} certain={sure.doubts.length === 0} />}
      {sure.doubts.length > 0 && (
        <div className="card">
          <Doubts certainty={sure} />
        </div>
      )}
      {ended.hasNextPage && (
        <div>
          <Button className="button" isDisabled={ended.isFetchingNextPage} onPress={() => void ended.fetchNextPage()}>
            Load older ones
          </Button>
        </div>
      )}
    </div>
  );
}

type Chosen = {route?: string; instance?: string};

/** The sessions that ended abnormally, and how many did over time. */
function useEnds(range: Range, key: string, live: boolean, chosen: Chosen) {
  const {route = '', instance = ''} = chosen;
  const ended = useInfiniteQuery<SessionPage>({
    queryKey: ['abnormal', key, route, instance],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({pageParam, signal}) => {
      const {from, to} = bounds(range);
      const ends = {ended_from_ms: Math.round(from), ended_to_ms: Math.round(to)},
        span = {from_ms: ends.ended_from_ms, to_ms: ends.ended_to_ms, ...ends},
        page = {limit: 500, cursor: String(pageParam)};
      return ask<SessionPage>(
        `/sessions${parameters({state: 'ended', abnormal: true, sort: 'ended', ...chosen, ...span, ...page})}`,
        signal,
      );
    },
    getNextPageParam: (page) => page.cursor || undefined,
    refetchInterval: (state) => (live && (state.state.data?.pages.length ?? 0) <= 1 ? 10_000 : false),
  });
  const closes = useAsk<Closes>(
    ['closes', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      const step_seconds = stepFor(from, to);
      return `/closes${parameters({from_ms: Math.round(from), to_ms: Math.round(to), step_seconds, ...chosen})}`;
    },
    {refreshMs: live ? 10_000 : false},
  );
  const {from, to} = useBounds(range, closes.dataUpdatedAt);
  const lines = useMemo(() => {
    const all = closeLines(closes.data ?? {step_seconds: stepFor(from, to), closes: []}, from, to, '');
    return {
      times: all.times,
      series: all.kinds
        .map((one) => ({
          label: reasonLabel(one.kind),
          color: kindColor(one.kind),
          values: one.abnormal,
        }))
        .filter((one) => one.values.some((many) => many > 0)),
      totals: new Map(all.kinds.map((one) => [one.kind, one.abnormal.reduce((sum, many) => sum + many, 0)])),
    };
  }, [closes.data, from, to]);
  const groups = useMemo(
    () => endGroups(ended.data?.pages.flatMap((page) => page.sessions) ?? [], lines.totals),
    [ended.data, lines.totals],
  );
  return {ended, lines, groups, from, to};
}

function Chart({
  lines,
  from,
  to,
  onSelect,
  onReset,
}: {
  lines: ReturnType<typeof useEnds>['lines'];
  from: number;
  to: number;
  onSelect: (from: number, to: number) => void;
  onReset: () => void;
}) {
  return (
    <section className="card incidents-chart" aria-label="Abnormal ends over time">
      <TimeChart
        title="Abnormal ends by reason"
        kind="bars"
        height={104}
        times={lines.times}
        series={lines.series}
        from={from}
        to={to}
        format={count}
        onSelect={onSelect}
        onReset={onReset}
      />
    </section>
  );
}

/** Open sessions that do not answer, or are held up. */
function InTrouble({
  sessions: current,
  chosen,
  now,
  stale,
}: {
  sessions: readonly Session[];
  chosen: Chosen;
  now: number;
  stale: number | null;
}) {
  const when = stale === null ? 'now' : `at ${time(stale)}`;
  const missing = current.filter((one) => (one.misses_now?.[0] ?? 0) + (one.misses_now?.[1] ?? 0) > 0),
    other = current.filter((one) => !missing.includes(one));
  return (
    <>
      {missing.length > 0 && (
        <Group
          title={`Not answering ${when}`}
          level="bad"
          means="Open sessions with heartbeats left unanswered. The proxy closes them after as many as are configured."
          total={missing.length}
          sessions={missing}
          all={address('/sessions', {trouble: 'true', ...chosen})}
          now={now}
        />
      )}
      {other.length > 0 && (
        <Group
          title={`Held up ${when}`}
          level="warn"
          means="Open sessions with bytes that a peer does not read."
          total={other.length}
          sessions={other}
          all={address('/sessions', {trouble: 'true', sort: 'buffered', ...chosen})}
          now={now}
        />
      )}
    </>
  );
}

function Nothing({live, certain}: {live: boolean; certain: boolean}) {
  return (
    <div className="card">
      {certain ? (
        <Empty title="Nothing went wrong in this time range">
          <p>
            {live ? 'No open session is in trouble, and none' : 'No session'} ended abnormally. Choose a longer time
            range above to look further back.
          </p>
        </Empty>
      ) : (
        <Empty title="Nothing is known to have gone wrong, but not everything is known" />
      )}
    </div>
  );
}

function Group({
  title,
  level,
  means,
  total,
  sessions,
  all,
  now,
}: {
  title: string;
  level: 'bad' | 'warn';
  means: string;
  total: number;
  sessions: readonly Session[];
  all: string;
  now: number;
}) {
  const peers = useMemo(() => {
    const by = new Map<string, number>();
    for (const one of sessions) by.set(one.route, (by.get(one.route) ?? 0) + 1);
    return [...by].sort((a, b) => b[1] - a[1]).slice(0, 3);
  }, [sessions]);
  return (
    <section className="card incident" aria-label={title}>
      <header>
        <span className={`dot ${level}`} />
        <h2>{title}</h2>
        <span className={`badge ${level} num`}>{count(total)}</span>
        <span className="soft incident-means">{means}</span>
        <span className="faint num incident-routes">
          {peers.map(([route, many]) => `${route.slice(0, 40)} ${many}`).join(' · ')}
        </span>
      </header>
      <ul>
        {sessions.slice(0, EACH).map((one) => {
          const worst = troubles(one, now)[0],
            silent = silence(one, 0, now);
          return (
            <li key={one.id}>
              <Link href={sessionHref(one)}>
                <span className="mono">{shortId(one.id)}</span>
                <span className="clip">
                  <bdi>{one.route}</bdi> · <bdi>{one.client}</bdi>{' '}
                  <span className="faint">
                    <bdi>{one.target}</bdi>
                  </span>
                </span>
                <span
                  className={`clip ${one.state === 'ended' ? 'soft' : (worst?.level ?? 'warn')}`}
                  title={worst?.text}
                >
                  {one.state === 'ended'
                    ? endText(one) +
                      (one.close_reason ? ` “${one.close_reason}”` : '') +
                      (one.misses ? `, ${plural(one.misses, 'heartbeat')} missed` : '')
                    : (worst?.short ?? 'held up')}
                </span>
                <span className="num soft incident-time">
                  {one.state === 'ended' ? (
                    <>
                      <Stamp ms={one.ended_ms} />{' '}
                      <span className="faint">
                        after {duration(((one.ended_ms ?? one.seen_ms) - one.opened_ms) / 1000)}
                      </span>
                    </>
                  ) : silent !== null && silent > 2 ? (
                    `client silent ${duration(Math.round(silent))}`
                  ) : (
                    ''
                  )}
                </span>
              </Link>
            </li>
          );
        })}
      </ul>
      {total > Math.min(EACH, sessions.length) && (
        <div className="table-foot">
          <Link href={all}>All {count(total)} sessions</Link>
        </div>
      )}
    </section>
  );
}
