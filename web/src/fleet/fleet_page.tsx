// The fleet at a glance: what needs a person first, then how it was.
import {useCallback, useMemo} from 'react';
import './fleet.css';
import {parameters, useAsk} from '../api/fetch';
import type {Closes, Fleet, Status, Unheard} from '../api/types';
import {Failed, NothingReceived, Renewing} from '../control/states';
import {useLive} from '../live/socket';
import {useQueryState} from '../route/location';
import {useStatus} from '../api/status';
import {bytes, count, duration, plural, rate} from '../text/units';
import {time} from '../time/format';
import {bounds, stepFor, useBounds, useRange, wholeSteps} from '../time/range';
import {closeLines, fleetLines, fleetNow, missingNotes, type FleetNow} from './aggregate';
import {Attention} from './attention';
import {sumOf, useExact} from './exact';
import {FleetCard} from './fleet_card';
import {Proxies} from './proxies';
import {routeRows} from './routes';
import {namesOf} from './names';
import {RouteAndProxy} from './route_and_proxy';
import {RoutesTable} from './routes_table';
import {latest, total} from '../chart/series';
import {unheardText} from '../live/certainty';
import {useSeen} from '../live/use_stale';
import {kindColor} from './reasons';
import {reasonLabel} from '../sessions/words';
import {address, sharedQuery} from '../route/location';

const REFRESH = 10_000;
const WHOLE: ReadonlySet<number> = new Set();
const seconds = (value: number) => duration(value);

export function FleetPage() {
  const [query, change] = useQueryState();
  const {range, key, live, setFixed, setLast} = useRange();
  const route = query.get('route') ?? '',
    instance = query.get('instance') ?? '';
  const status = useStatus();
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

  const last = latest;
  const pair = (values: [(number | null)[], (number | null)[]]): [number | null, number | null] => [
    last(values[0]),
    last(values[1]),
  ];
  const both = (values: [number | null, number | null], format: (value: number | null) => string) => (
    <>
      <span className="client" title="client">
        {format(values[0])}
      </span>{' '}
      <span className="faint">·</span>{' '}
      <span className="server" title="server">
        {format(values[1])}
      </span>
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
  const known = fleet.data;
  const missing = missingNotes(
    known?.coverage ?? [],
    instance,
    new Map((known?.instances ?? []).map((one) => [one.instance, `${one.service} on ${one.host}`])),
    time,
  );
  const worst = (values: (number | null)[]) => (values.some((one) => (one ?? 0) > 0) ? 'warn' : '');

  return (
    <>
      <div className="page-head">
        <h1>Fleet</h1>
        <span className="about">
          {openText(now, unheard, live, stale)}
          {unheard && <span className="warn"> {unheardText(unheard)}.</span>}
        </span>
        <RouteAndProxy names={namesOf(known)} route={route} instance={instance} onChange={change} />
      </div>
      <Attention route={route} instance={instance} current={current} />
      {missing.length > 0 && (
        <ul className="coverage" aria-label="Figures that are missing">
          {missing.map((one) => (
            <li key={one}>
              <span className="dot warn" /> {one}
            </li>
          ))}
        </ul>
      )}
      <Renewing on={fleet.isFetching && fleet.isPlaceholderData} />
      <div className="fleet-grid">
        <FleetCard
          {...shared}
          title="Open sessions"
          value={count(now?.active ?? sumOf(exact.open) ?? last(lines.active))}
          format={count}
          href={sessionsOf({})}
          series={[
            {
              label: 'open',
              color: '--series-1',
              values: lines.active,
              band: {low: lines.active_min, high: lines.active_max},
              whole: now?.active ?? sumOf(exact.open) ?? last(lines.active),
            },
          ]}
          note={
            unheard
              ? `and ${count(unheard.sessions)} not heard from`
              : now
                ? `${rate(now.opened)} opened, ${rate(now.ended)} ended`
                : peakNote(lines.active_max, count)
          }
        />
        <FleetCard
          {...shared}
          title="Messages"
          value={both(now?.messages ?? pair(lines.messages), rate)}
          format={rate}
          series={[
            {label: 'from clients', color: '--client', values: lines.messages[0], ...whole(now?.messages[0])},
            {label: 'from servers', color: '--server', values: lines.messages[1], ...whole(now?.messages[1])},
          ]}
        />
        <FleetCard
          {...shared}
          title="Bytes"
          value={both(now?.bytes ?? pair(lines.bytes), (value) => rate(value, 'B'))}
          format={(value) => rate(value, 'B')}
          series={[
            {label: 'from clients', color: '--client', values: lines.bytes[0], ...whole(now?.bytes[0])},
            {label: 'from servers', color: '--server', values: lines.bytes[1], ...whole(now?.bytes[1])},
          ]}
        />
        <FleetCard
          {...shared}
          title="Ping round trip"
          value={both(now?.rtt_p50 ?? pair(lines.rtt_p50), duration)}
          note={['median', live ? '' : peakNote([...lines.rtt_max[0], ...lines.rtt_max[1]], seconds)]
            .filter(Boolean)
            .join(', ')}
          format={seconds}
          series={[
            {label: 'client p50', color: '--client', values: lines.rtt_p50[0], ...whole(now?.rtt_p50[0])},
            {label: 'client p99', color: '--client', values: lines.rtt_p99[0], dash: true, ...whole(now?.rtt_p99[0])},
            {label: 'server p50', color: '--server', values: lines.rtt_p50[1], ...whole(now?.rtt_p50[1])},
            {label: 'server p99', color: '--server', values: lines.rtt_p99[1], dash: true, ...whole(now?.rtt_p99[1])},
          ]}
        />
        <FleetCard
          {...shared}
          title="Missed heartbeats"
          value={count(total(lines.misses))}
          note="in this range"
          tone={worst(lines.misses)}
          format={count}
          kind="bars"
          series={[{label: 'missed', color: '--bad-mark', values: lines.misses}]}
        />
        <FleetCard
          {...shared}
          times={ended.times}
          partial={WHOLE}
          title="Ended, by reason"
          value={count(closes.data ? ended.total : null)}
          note={`in this range; ${closes.data ? count(ended.abnormal) : '–'} abnormal`}
          tone={ended.abnormal > 0 ? 'warn' : ''}
          format={count}
          kind="bars"
          href={sessionsOf({state: 'ended', sort: 'ended'})}
          series={
            ended.kinds.length
              ? ended.kinds.map((one) => ({
                  label: reasonLabel(one.kind),
                  color: kindColor(one.kind),
                  values: one.values,
                }))
              : [{label: 'none', color: '--series-7', values: []}]
          }
        />
        <FleetCard
          {...shared}
          title="Reconnects"
          value={count(total(lines.reconnects))}
          note="in this range"
          format={count}
          kind="bars"
          series={[
            {label: 'reconnects', color: '--series-3', values: lines.reconnects},
            {label: 'refused', color: '--series-4', values: lines.refused},
          ]}
        />
        <FleetCard
          {...shared}
          title="Missing pongs or held up"
          value={
            <>
              {count(now?.missing_pongs ?? last(lines.missing_pongs))} <span className="unit">missing pongs</span>{' '}
              {count(now?.buffered_sessions ?? last(lines.buffered_sessions))} <span className="unit">held up</span>
            </>
          }
          tone={(now?.missing_pongs ?? 0) > 0 ? 'bad' : ''}
          format={count}
          href={sessionsOf({trouble: 'true', sort: 'buffered'})}
          series={[
            {
              label: 'missing pongs',
              color: '--bad-mark',
              values: lines.missing_pongs,
              band: {low: lines.missing_pongs, high: lines.missing_pongs_max},
              ...whole(now?.missing_pongs),
            },
            {
              label: 'held up: bytes wait',
              color: '--warn-mark',
              values: lines.buffered_sessions,
              ...whole(now?.buffered_sessions),
            },
          ]}
        />
        <FleetCard
          {...shared}
          title="Buffered"
          value={bytes(now?.buffered_bytes ?? last(lines.buffered_bytes))}
          note={live ? '' : peakNote(lines.buffered_bytes_max, bytes)}
          format={bytes}
          href={sessionsOf({trouble: 'true', sort: 'buffered'})}
          series={[
            {
              label: 'waiting to be read by a peer',
              color: '--warn-mark',
              values: lines.buffered_bytes,
              band: {low: lines.buffered_bytes, high: lines.buffered_bytes_max},
              ...whole(now?.buffered_bytes),
            },
          ]}
        />
      </div>
      <RoutesTable rows={rows} live={live} stale={stale} sessions={ofRoute} />
      <Proxies proxies={proxies} stale={stale} chosen={instance} onChoose={(next) => change({instance: next})} />
    </>
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

/** The headline's figure of now, so that the legend says the same; none when a fixed range is shown. */
function whole(value: number | null | undefined): {whole?: number | null} {
  return value === undefined ? {} : {whole: value};
}

function peakNote(highest: readonly (number | null)[], format: (value: number) => string): string {
  const most = highest.reduce<number | null>((all, one) => (one === null ? all : Math.max(all ?? one, one)), null);
  return most === null ? '' : `at most ${format(most)}`;
}

function nothing(status: Status | undefined): boolean {
  return status !== undefined && status.store.sessions === 0 && status.store.spans === 0;
}
