// The fleet at a glance: what needs a person first, then how it was.
import {useCallback, useMemo} from 'react';
import './fleet.css';
import {parameters, useAsk} from '../api/fetch';
import type {Closes, Fleet, Status, Unheard} from '../api/types';
import {Failed, NothingReceived, Renewing} from '../control/states';
import {useLive} from '../live/socket';
import {useQueryState} from '../route/location';
import {useStatus} from '../api/status';
import {plural} from '../text/units';
import {time} from '../time/format';
import {bounds, stepFor, useBounds, useRange, wholeSteps, type Range} from '../time/range';
import {closeLines, fleetLines, fleetNow, missingNotes, type FleetNow} from './aggregate';
import {Attention} from './attention';
import {sumOf, useExact} from './exact';
import {FleetCards} from './fleet_cards';
import {Proxies} from './proxies';
import {routeRows} from './routes';
import {namesOf} from './names';
import {RouteAndProxy} from './route_and_proxy';
import {RoutesTable} from './routes_table';
import {unheardText} from '../live/certainty';
import {useSeen} from '../live/use_stale';
import {address, sharedQuery} from '../route/location';

const REFRESH = 10_000;

export function FleetPage() {
  const [query, change] = useQueryState();
  const {range, key, live, setFixed, setLast} = useRange();
  const route = query.get('route') ?? '',
    instance = query.get('instance') ?? '';
  const status = useStatus();
  const {fleet, exact, closes, current, stale, from, to, lines, ended, now, rows} = useFleet(
    range,
    key,
    live,
    route,
    instance,
  );
  const sessionsOf = useCallback(
    (extra: Record<string, string>) => address('/sessions', {...sharedQuery(query), route, instance, ...extra}),
    [query, route, instance],
  );
  const ofRoute = useCallback(
    (name: string, extra: Record<string, string>) => sessionsOf({...extra, route: name}),
    [sessionsOf],
  );

  const unheard = current?.unheard ?? null;
  const proxies = current?.proxies ?? status.data?.proxies ?? [];
  if (fleet.error && !fleet.data) return <Failed error={fleet.error} retry={() => void fleet.refetch()} />;
  if (fleet.data && fleet.data.points.length === 0 && proxies.length === 0 && nothing(status.data))
    return (
      <>
        <div className="page-head">
          <h1>Fleet</h1>
        </div>
        <NothingReceived />
      </>
    );

  const shared = {
    times: lines.times,
    partial: lines.partial,
    gaps: lines.gaps,
    from,
    to,
    onSelect: setFixed,
    onReset: () => setLast('1h'),
    loading: !fleet.data,
    stale: stale === null ? '' : `at ${time(stale)}`,
  };
  return (
    <>
      <div className="page-head">
        <h1>Fleet</h1>
        <span className="about">
          {openText(now, unheard, live, stale)}
          {unheard && <span className="warn"> {unheardText(unheard)}.</span>}
        </span>
        <RouteAndProxy names={namesOf(fleet.data)} route={route} instance={instance} onChange={change} />
      </div>
      <Attention route={route} instance={instance} current={current} />
      <Missing fleet={fleet.data} instance={instance} />
      <Renewing on={fleet.isFetching && fleet.isPlaceholderData} />
      <FleetCards
        {...{now, lines, ended, shared, live, unheard}}
        closed={closes.data !== undefined}
        open={sumOf(exact.open)}
        sessions={sessionsOf}
      />
      <RoutesTable rows={rows} live={live} stale={stale} sessions={ofRoute} />
      <Proxies proxies={proxies} stale={stale} chosen={instance} onChoose={(next) => change({instance: next})} />
    </>
  );
}

/** What the proxies say now, what the console has of the range, and lines of both. */
function useFleet(range: Range, key: string, live: boolean, route: string, instance: string) {
  const refreshMs = live ? REFRESH : false;
  const ends = () => {
    const {from, to} = bounds(range);
    return {from_ms: Math.round(from), to_ms: Math.round(to), step_seconds: stepFor(from, to)};
  };
  const fleet = useAsk<Fleet>(
    ['fleet', key],
    () => `/fleet${parameters({...ends(), from_ms: wholeSteps(ends().from_ms)})}`,
    {refreshMs},
  );
  const exact = useExact(range, route, instance);
  const closes = useAsk<Closes>(
    ['closes', key, route, instance],
    () => `/closes${parameters({...ends(), route, instance})}`,
    {refreshMs},
  );
  const current = useLive('fleet', live || null);
  const {stale} = useSeen(live);

  const {from, to} = useBounds(range, fleet.dataUpdatedAt);
  const step = fleet.data?.step_seconds ?? stepFor(from, to);
  const lines = useMemo(
    () => fleetLines(fleet.data ?? {step_seconds: step, points: [], coverage: []}, from, to, route, instance),
    [fleet.data, step, from, to, route, instance],
  );
  const ended = useMemo(
    () => closeLines(closes.data ?? {step_seconds: step, closes: []}, from, to, route),
    [closes.data, step, from, to, route],
  );
  const now = useMemo(() => (current ? fleetNow(current.routes, route, instance) : null), [current, route, instance]);

  const rows = useMemo(
    () =>
      routeRows(fleet.data, closes.data, current?.routes ?? null, from, to, instance, exact).filter(
        (row) => !route || row.route === route,
      ),
    [fleet.data, closes.data, current, from, to, route, instance, exact],
  );
  return {fleet, exact, closes, current, stale, from, to, lines, ended, now, rows};
}

function Missing({fleet: known, instance}: {fleet: Fleet | undefined; instance: string}) {
  const missing = missingNotes(
    known?.coverage ?? [],
    instance,
    new Map((known?.instances ?? []).map((one) => [one.instance, `${one.service} on ${one.host}`])),
    time,
  );
  if (missing.length === 0) return null;
  return (
    <ul className="coverage" aria-label="Figures that are missing">
      {missing.map((one) => (
        <li key={one}>
          <span className="dot warn" /> {one}
        </li>
      ))}
    </ul>
  );
}

function openText(now: FleetNow | null, unheard: Unheard | null, live: boolean, stale: number | null): string {
  if (!live) return 'A fixed time range: nothing here is live.';
  if (now && stale !== null)
    return (
      `${plural(now.active, 'session')} ${now.active === 1 ? 'was' : 'were'} open at ${time(stale)}, when the ` +
      'console was last heard from; how many are now is not known.'
    );
  // Where nothing is heard, none is known to be open: that is no number to begin with.
  return now && (now.active > 0 || !unheard) ? `${plural(now.active, 'session')} open now.` : '';
}

function nothing(status: Status | undefined): boolean {
  return status !== undefined && status.store.sessions === 0 && status.store.spans === 0;
}
