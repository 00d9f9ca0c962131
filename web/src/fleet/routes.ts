// A row a route: how it is now (or was at the end of a fixed range), and what happened to it in the range.
import type {Closes, Fleet, LiveRoute} from '../api/types';
import {latest, total} from '../chart/series';
import {closeLines, fleetLines, fleetNow} from './aggregate';
import type {Exact} from './exact';

export interface RouteRow {
  route: string;
  active: number | null;
  opened: number | null;
  ended: number | null;
  abnormal: number | null;
  messages: [number | null, number | null];
  rtt: [number | null, number | null];
  buffered: number | null;
}

const UNKNOWN = {
  active: null,
  messages: [null, null] as RouteRow['messages'],
  rtt_p50: [null, null] as RouteRow['rtt'],
  buffered_bytes: null,
};

export function routeRows(
  fleet: Pick<Fleet, 'step_seconds' | 'points' | 'coverage' | 'routes'> | undefined,
  closes: Closes | undefined,
  now: readonly LiveRoute[] | null,
  from: number,
  to: number,
  instance: string,
  exact: Exact = {open: null, opened: null},
): RouteRow[] {
  const names = new Set([...(fleet?.routes ?? []), ...(now ?? []).map((one) => one.route)]);
  return (
    [...names]
      .map((route): RouteRow => {
        const lines = fleet && fleetLines(fleet, from, to, route, instance),
          // Of a route that no proxy reports now nothing is known: neither zero nor what was.
          heard = now?.some((one) => one.route === route && (!instance || one.instance === instance)),
          current = now && (heard ? fleetNow(now, route, instance) : UNKNOWN);
        const ends = closes ? closeLines(closes, from, to, route) : null;
        const last = (values: readonly (number | null)[] | undefined) => (values ? latest(values) : null);
        return {
          route,
          active: current ? current.active : exact.open ? (exact.open.get(route) ?? 0) : last(lines?.active),
          opened: exact.opened ? (exact.opened.get(route) ?? 0) : lines ? total(lines.opened) : null,
          // As the list of sessions has it, which these numbers lead to: a proxy that was killed has counted none of
          // the ends that this was.
          ended: ends?.total ?? null,
          abnormal: ends?.abnormal ?? null,
          messages: current?.messages ?? [last(lines?.messages[0]), last(lines?.messages[1])],
          rtt: current?.rtt_p50 ?? [last(lines?.rtt_p50[0]), last(lines?.rtt_p50[1])],
          buffered: current ? current.buffered_bytes : last(lines?.buffered_bytes),
        };
      })
      // Requests that no route takes have a row where there were any.
      .filter((row) => row.route !== 'unmatched' || row.active || row.opened || row.ended)
      .sort(
        (a, b) =>
          (b.abnormal ?? 0) - (a.abnormal ?? 0) || (b.active ?? 0) - (a.active ?? 0) || a.route.localeCompare(b.route),
      )
  );
}
