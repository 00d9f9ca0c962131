// Where each thing that a search finds leads. A list is opened over a time range in which the thing was seen.
import type {FoundGroup, FoundItem} from '../api/types';
import {address, sharedQuery, type QueryChanges} from '../route/address';

export type FoundKind = FoundGroup['kind'];
export const KIND_NAMES: Record<FoundKind, string> = {
  session: 'Sessions',
  trace: 'Traces',
  client: 'Clients',
  network: 'Networks',
  target: 'Targets',
  operation: 'Operations',
  close_reason: 'Close reasons',
  route: 'Routes',
  proxy: 'Proxies',
};

export interface Lead {
  key: string; // unique on the page, and an id there
  kind: FoundKind;
  item: FoundItem;
  href: string;
}

const AROUND = 12 * 3_600_000;

/** The page's time range, or one around `time_ms` when that lies outside of it. */
export function rangeFor(
  query: URLSearchParams,
  range: {from: number; to: number},
  time_ms: number | null,
): QueryChanges {
  if (time_ms === null || (time_ms >= range.from && time_ms <= range.to)) return sharedQuery(query);
  return {from: Math.round(time_ms - AROUND), to: Math.round(time_ms + AROUND)};
}

export function hrefOf(kind: FoundKind, item: FoundItem, range: QueryChanges): string {
  if (kind === 'session') return `/sessions/${encodeURIComponent(item.session ?? item.id)}`;
  if (kind === 'trace')
    return address(`/traces/${encodeURIComponent(item.trace_id ?? item.id)}`, {span: item.span_id ?? null});
  if (kind === 'operation') return address('/operations', {...range, ...item.query});
  const ended = kind === 'close_reason';
  return address('/sessions', {...range, state: ended ? 'ended' : 'any', ...item.query});
}

/** All that can be opened, in the order it is shown. */
export function leadsOf(
  groups: readonly FoundGroup[],
  query: URLSearchParams,
  range: {from: number; to: number},
): Lead[] {
  return groups.flatMap((group) =>
    group.items.map((item, i) => ({
      key: `${group.kind}-${i}`,
      kind: group.kind,
      item,
      href: hrefOf(group.kind, item, rangeFor(query, range, item.time_ms)),
    })),
  );
}

/** What Enter opens: the chosen one, or else the first. */
export function chosenLead(leads: readonly Lead[], chosen: number): Lead | undefined {
  return leads[Math.max(0, Math.min(leads.length - 1, chosen))];
}

/** "12 sessions", "at least 50 sessions" or nothing when all there is stands in the list. */
export function restOf(group: FoundGroup): string {
  if (!group.more && (group.total === null || group.total <= group.items.length)) return '';
  return group.total !== null
    ? `${group.items.length} of ${group.total.toLocaleString('en-US')}`
    : `the first ${group.items.length}; type more to narrow it down`;
}
