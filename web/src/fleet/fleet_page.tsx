// The fleet at a glance: what needs a person first, then how it was.
import {useMemo} from 'react';
import './fleet.css';
import {parameters, useAsk} from '../api/fetch';
import type {Closes, Fleet, Status} from '../api/types';
import {Choice} from '../control/choice';
import {Failed, NothingReceived, Renewing} from '../control/states';
import {useLive} from '../live/socket';
import {useQueryState} from '../route/location';
import {useStatus} from '../shell/shell';
import {bytes, count, duration, rate} from '../text/units';
import {bounds, stepFor, useBounds, useRange} from '../time/range';
import {closeLines, fleetLines, fleetNow} from './aggregate';
import {Attention} from './attention';
import {FleetCard, sumOf} from './fleet_card';
import {Proxies} from './proxies';
import {latest} from '../chart/series';
import {REASON_COLORS} from './reasons';
import {reasonLabel} from '../sessions/words';
import {address, sharedQuery} from '../route/location';

const REFRESH = 10_000;
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
  const fleet = useAsk<Fleet>(['fleet', key], () => `/fleet${parameters(ends())}`, {refreshMs});
  const closes = useAsk<Closes>(['closes', key], () => `/closes${parameters(ends())}`, {refreshMs});
  const current = useLive('fleet', live);

  const {from, to} = useBounds(range, fleet.dataUpdatedAt);
  const step = fleet.data?.step_seconds ?? stepFor(from, to);
  const lines = useMemo(
    () => fleetLines(fleet.data?.points ?? [], step, from, to, route, instance),
    [fleet.data, step, from, to, route, instance],
  );
  const ended = useMemo(
    () => closeLines(closes.data ?? {step_seconds: step, closes: []}, from, to, route),
    [closes.data, step, from, to, route],
  );
  const now = useMemo(() => (current ? fleetNow(current.routes, route, instance) : null), [current, route, instance]);

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
  const sessionsOf = (extra: Record<string, string>) =>
    address('/sessions', {...sharedQuery(query), route, instance, ...extra});
  const shared = {times: lines.times, from, to, onSelect: setFixed, onReset: () => setLast('1h'), loading: !fleet.data};
  const known = fleet.data;
  const worst = (values: (number | null)[]) => (values.some((one) => (one ?? 0) > 0) ? 'warn' : '');

  return (
    <>
      <div className="page-head">
        <h1>Fleet</h1>
        <span className="about num">{now ? `${count(now.active)} sessions open now` : ''}</span>
        <div className="tools">
          <Choice
            label="Route"
            hideLabel
            any="All routes"
            value={route}
            options={(known?.routes ?? []).map((one) => ({key: one, label: one}))}
            onChange={(next) => change({route: next})}
          />
          <Choice
            label="Proxy"
            hideLabel
            any="All proxies"
            value={instance}
            options={(known?.instances ?? []).map((one) => ({
              key: one.instance,
              label: `${one.service} · ${one.host}`,
            }))}
            onChange={(next) => change({instance: next})}
          />
        </div>
      </div>
      <Attention route={route} instance={instance} current={current} />
      <Renewing on={fleet.isFetching && fleet.isPlaceholderData} />
      <div className="fleet-grid">
        <FleetCard
          {...shared}
          title="Active sessions"
          value={count(now?.active ?? last(lines.active))}
          format={count}
          href={sessionsOf({})}
          series={[{label: 'active', color: '--series-1', values: lines.active, fill: true}]}
          note={now ? `${rate(now.opened)} opened, ${rate(now.ended)} ended` : ''}
        />
        <FleetCard
          {...shared}
          title="Messages"
          value={both(now?.messages ?? pair(lines.messages), rate)}
          format={rate}
          series={[
            {label: 'from clients', color: '--client', values: lines.messages[0]},
            {label: 'from servers', color: '--server', values: lines.messages[1]},
          ]}
        />
        <FleetCard
          {...shared}
          title="Bytes"
          value={both(now?.bytes ?? pair(lines.bytes), (value) => rate(value, 'B'))}
          format={(value) => rate(value, 'B')}
          series={[
            {label: 'from clients', color: '--client', values: lines.bytes[0]},
            {label: 'from servers', color: '--server', values: lines.bytes[1]},
          ]}
        />
        <FleetCard
          {...shared}
          title="Ping round trip"
          value={both(now?.rtt_p50 ?? pair(lines.rtt_p50), duration)}
          note="p50"
          format={seconds}
          series={[
            {label: 'client p50', color: '--client', values: lines.rtt_p50[0]},
            {label: 'p99', color: '--client', values: lines.rtt_p99[0], dash: true},
            {label: 'server p50', color: '--server', values: lines.rtt_p50[1]},
            {label: 'p99 ', color: '--server', values: lines.rtt_p99[1], dash: true},
          ]}
        />
        <FleetCard
          {...shared}
          title="Missed heartbeats"
          value={count(sumOf(lines.misses))}
          note="in this range"
          tone={worst(lines.misses)}
          format={count}
          kind="bars"
          href={sessionsOf({trouble: 'true'})}
          series={[{label: 'missed', color: '--bad-mark', values: lines.misses}]}
        />
        <FleetCard
          {...shared}
          times={ended.times}
          title="Closes by reason"
          value={count(ended.reasons.reduce((sum, one) => sum + one.total, 0))}
          note="in this range"
          format={count}
          kind="bars"
          href={sessionsOf({state: 'ended'})}
          series={
            ended.reasons.length
              ? ended.reasons.map((one) => ({
                  label: reasonLabel(one.reason),
                  color: REASON_COLORS[one.reason] ?? '--series-7',
                  values: one.values,
                }))
              : [{label: 'none', color: '--series-7', values: []}]
          }
        />
        <FleetCard
          {...shared}
          title="Reconnects"
          value={count(sumOf(lines.reconnects))}
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
          title="Stuck and held up"
          value={
            <>
              {count(now?.stuck ?? last(lines.stuck))} <span className="unit">stuck</span>{' '}
              {count(now?.buffered_sessions ?? last(lines.buffered_sessions))} <span className="unit">buffered</span>
            </>
          }
          tone={(now?.stuck ?? 0) > 0 ? 'bad' : ''}
          format={count}
          href={sessionsOf({trouble: 'true', sort: 'buffered'})}
          series={[
            {label: 'stuck', color: '--bad-mark', values: lines.stuck},
            {label: 'sessions with buffered bytes', color: '--warn-mark', values: lines.buffered_sessions},
          ]}
        />
        <FleetCard
          {...shared}
          title="Buffered"
          value={bytes(now?.buffered_bytes ?? last(lines.buffered_bytes))}
          format={bytes}
          href={sessionsOf({trouble: 'true', sort: 'buffered'})}
          series={[
            {label: 'waiting to be read by a peer', color: '--warn-mark', values: lines.buffered_bytes, fill: true},
          ]}
        />
      </div>
      <Proxies proxies={proxies} chosen={instance} onChoose={(next) => change({instance: next})} />
    </>
  );
}

function nothing(status: Status | undefined): boolean {
  return status !== undefined && status.store.sessions === 0 && status.store.spans === 0;
}
