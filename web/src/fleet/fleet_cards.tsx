// The cards of the fleet page: each figure as it is now, and as it was over the range.
import type {ComponentProps} from 'react';
import type {Unheard} from '../api/types';
import {latest, total} from '../chart/series';
import {reasonLabel} from '../sessions/words';
import {bytes, count, duration, rate} from '../text/units';
import type {closeLines, FleetNow, fleetLines} from './aggregate';
import {FleetCard} from './fleet_card';
import {kindColor} from './reasons';

const WHOLE: ReadonlySet<number> = new Set();
const seconds = (value: number) => duration(value);

type Shared = Pick<
  ComponentProps<typeof FleetCard>,
  'times' | 'partial' | 'gaps' | 'from' | 'to' | 'onSelect' | 'onReset' | 'loading' | 'stale'
>;

interface Figures {
  now: FleetNow | null;
  lines: ReturnType<typeof fleetLines>;
  ended: ReturnType<typeof closeLines>;
  closed: boolean; // what ended is known
  open: number | null; // at the end of the range, exactly
  shared: Shared;
  live: boolean;
  unheard: Unheard | null;
  sessions: (extra: Record<string, string>) => string; // the way to them
}

export function FleetCards(its: Figures) {
  return (
    <div className="fleet-grid">
      <OpenSessions {...its} />
      <Messages {...its} />
      <Bytes {...its} />
      <RoundTrip {...its} />
      <Misses {...its} />
      <Ends {...its} />
      <Reconnects {...its} />
      <Trouble {...its} />
      <Buffered {...its} />
    </div>
  );
}

function OpenSessions(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Open sessions"
      value={count(its.now?.active ?? its.open ?? latest(its.lines.active))}
      format={count}
      href={its.sessions({})}
      series={[
        {
          label: 'open',
          color: '--series-1',
          values: its.lines.active,
          band: {low: its.lines.active_min, high: its.lines.active_max},
          whole: its.now?.active ?? its.open ?? latest(its.lines.active),
        },
      ]}
      note={
        its.unheard
          ? `and ${count(its.unheard.sessions)} not heard from`
          : its.now
            ? `${rate(its.now.opened)} opened, ${rate(its.now.ended)} ended`
            : peakNote(its.lines.active_max, count)
      }
    />
  );
}

function Messages(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Messages"
      value={both(its.now?.messages ?? pair(its.lines.messages), rate)}
      format={rate}
      series={[
        {label: 'from clients', color: '--client', values: its.lines.messages[0], ...whole(its.now?.messages[0])},
        {label: 'from servers', color: '--server', values: its.lines.messages[1], ...whole(its.now?.messages[1])},
      ]}
    />
  );
}

function Bytes(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Bytes"
      value={both(its.now?.bytes ?? pair(its.lines.bytes), (value) => rate(value, 'B'))}
      format={(value) => rate(value, 'B')}
      series={[
        {label: 'from clients', color: '--client', values: its.lines.bytes[0], ...whole(its.now?.bytes[0])},
        {label: 'from servers', color: '--server', values: its.lines.bytes[1], ...whole(its.now?.bytes[1])},
      ]}
    />
  );
}

function RoundTrip(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Ping round trip"
      value={both(its.now?.rtt_p50 ?? pair(its.lines.rtt_p50), duration)}
      note={['median', its.live ? '' : peakNote([...its.lines.rtt_max[0], ...its.lines.rtt_max[1]], seconds)]
        .filter(Boolean)
        .join(', ')}
      format={seconds}
      series={[
        {label: 'client p50', color: '--client', values: its.lines.rtt_p50[0], ...whole(its.now?.rtt_p50[0])},
        {
          label: 'client p99',
          color: '--client',
          values: its.lines.rtt_p99[0],
          dash: true,
          ...whole(its.now?.rtt_p99[0]),
        },
        {label: 'server p50', color: '--server', values: its.lines.rtt_p50[1], ...whole(its.now?.rtt_p50[1])},
        {
          label: 'server p99',
          color: '--server',
          values: its.lines.rtt_p99[1],
          dash: true,
          ...whole(its.now?.rtt_p99[1]),
        },
      ]}
    />
  );
}

function Misses(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Missed heartbeats"
      value={count(total(its.lines.misses))}
      note="in this range"
      tone={worst(its.lines.misses)}
      format={count}
      kind="bars"
      series={[{label: 'missed', color: '--bad-mark', values: its.lines.misses}]}
    />
  );
}

function Ends(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      times={its.ended.times}
      partial={WHOLE}
      title="Ended, by reason"
      value={count(its.closed ? its.ended.total : null)}
      note={`in this range; ${its.closed ? count(its.ended.abnormal) : '–'} abnormal`}
      tone={its.ended.abnormal > 0 ? 'warn' : ''}
      format={count}
      kind="bars"
      href={its.sessions({state: 'ended', sort: 'ended'})}
      series={
        its.ended.kinds.length
          ? its.ended.kinds.map((one) => ({
              label: reasonLabel(one.kind),
              color: kindColor(one.kind),
              values: one.values,
            }))
          : [{label: 'none', color: '--series-7', values: []}]
      }
    />
  );
}

function Reconnects(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Reconnects"
      value={count(total(its.lines.reconnects))}
      note="in this range"
      format={count}
      kind="bars"
      series={[
        {label: 'reconnects', color: '--series-3', values: its.lines.reconnects},
        {label: 'refused', color: '--series-4', values: its.lines.refused},
      ]}
    />
  );
}

function Trouble(its: Figures) {
  const missing = its.now?.missing_pongs ?? latest(its.lines.missing_pongs);
  return (
    <FleetCard
      {...its.shared}
      title="Missing pongs or held up"
      value={
        <>
          {count(missing)} <span className="unit">missing pongs</span>{' '}
          {count(its.now?.buffered_sessions ?? latest(its.lines.buffered_sessions))}{' '}
          <span className="unit">held up</span>
        </>
      }
      tone={(its.now?.missing_pongs ?? 0) > 0 ? 'bad' : ''}
      format={count}
      href={its.sessions({trouble: 'true', sort: 'buffered'})}
      series={[
        {
          label: 'missing pongs',
          color: '--bad-mark',
          values: its.lines.missing_pongs,
          band: {low: its.lines.missing_pongs, high: its.lines.missing_pongs_max},
          ...whole(its.now?.missing_pongs),
        },
        {
          label: 'held up: bytes wait',
          color: '--warn-mark',
          values: its.lines.buffered_sessions,
          ...whole(its.now?.buffered_sessions),
        },
      ]}
    />
  );
}

function Buffered(its: Figures) {
  return (
    <FleetCard
      {...its.shared}
      title="Buffered"
      value={bytes(its.now?.buffered_bytes ?? latest(its.lines.buffered_bytes))}
      note={its.live ? '' : peakNote(its.lines.buffered_bytes_max, bytes)}
      format={bytes}
      href={its.sessions({trouble: 'true', sort: 'buffered'})}
      series={[
        {
          label: 'waiting to be read by a peer',
          color: '--warn-mark',
          values: its.lines.buffered_bytes,
          band: {low: its.lines.buffered_bytes, high: its.lines.buffered_bytes_max},
          ...whole(its.now?.buffered_bytes),
        },
      ]}
    />
  );
}

const pair = (values: [(number | null)[], (number | null)[]]): [number | null, number | null] => [
  latest(values[0]),
  latest(values[1]),
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

const worst = (values: (number | null)[]) => (values.some((one) => (one ?? 0) > 0) ? 'warn' : '');

/** The headline's figure of now, so that the legend says the same; none when a fixed range is shown. */
function whole(value: number | null | undefined): {whole?: number | null} {
  return value === undefined ? {} : {whole: value};
}

function peakNote(highest: readonly (number | null)[], format: (value: number) => string): string {
  const most = highest.reduce<number | null>((all, one) => (one === null ? all : Math.max(all ?? one, one)), null);
  return most === null ? '' : `at most ${format(most)}`;
}
