// The filters of the sessions page, as they stand in the address, and which source can answer them.
import type {Subscribe} from '../api/types';
import {parseDuration} from '../text/units';

export interface SessionFilter {
  state: 'open' | 'ended' | 'any';
  route: string;
  instance: string;
  dialect: string;
  client: string;
  text: string;
  trouble: boolean;
  abnormal: boolean;
  end_reason: string;
  close_code: string;
  min: string;
  max: string;
  attributes: string[];
  /** The time range is of their opening, not of all that was open in it. */
  when: 'opened' | '';
  /** Conditions without a field of their own: a link sets them, a chip shows them and takes them off. */
  exact: [key: string, value: string][];
  sort: string;
  order: 'asc' | 'desc';
}

/** As /api/v1/sessions takes them. */
export const EXACT = ['reconnect', 'target', 'host', 'close_reason'] as const;

export const LIVE_SORTS = ['opened', 'messages', 'bytes', 'rtt', 'misses', 'buffered', 'silence'] as const;

export function readFilter(query: URLSearchParams): SessionFilter {
  const state = query.get('state');
  return {
    state: state === 'ended' || state === 'any' ? state : 'open',
    route: query.get('route') ?? '',
    instance: query.get('instance') ?? '',
    dialect: query.get('dialect') ?? '',
    client: query.get('client') ?? '',
    text: query.get('text') ?? '',
    trouble: query.get('trouble') === 'true',
    abnormal: query.get('abnormal') === 'true',
    end_reason: query.get('end_reason') ?? '',
    close_code: query.get('close_code') ?? '',
    min: query.get('min') ?? '',
    max: query.get('max') ?? '',
    attributes: query.getAll('attribute').filter((one) => attributeTrouble(one) === '' && one !== ''),
    when: query.get('when') === 'opened' ? 'opened' : '',
    exact: EXACT.flatMap((key) => query.getAll(key).map((value): [string, string] => [key, value])),
    sort: query.get('sort') ?? '',
    order: query.get('order') === 'asc' ? 'asc' : 'desc',
  };
}

export const PAST_SORTS = ['opened', 'ended', 'duration', 'messages', 'bytes', 'misses'] as const;

/** The live stream knows what is open now; all else is asked of the store. */
export function isLive(filter: SessionFilter, range: {live: boolean}): boolean {
  return filter.state === 'open' && range.live && filter.exact.length === 0;
}

/** What the stream is asked for, with the filters that the store knows too. */
export function liveWish(filter: SessionFilter): NonNullable<Subscribe['sessions']> {
  const sort = LIVE_SORTS.find((one) => one === filter.sort) ?? (filter.trouble ? 'misses' : 'opened');
  const min = parseDuration(filter.min),
    max = parseDuration(filter.max);
  return {
    ...(filter.route ? {route: filter.route} : {}),
    ...(filter.instance ? {instance: filter.instance} : {}),
    ...(filter.dialect ? {dialect: filter.dialect} : {}),
    ...(filter.client ? {client: filter.client} : {}),
    ...(filter.text ? {text: filter.text} : {}),
    ...(filter.trouble ? {trouble: true} : {}),
    ...(min !== null ? {min_duration_seconds: min} : {}),
    ...(max !== null ? {max_duration_seconds: max} : {}),
    ...(filter.attributes.length ? {attribute: filter.attributes} : {}),
    sort,
    order: filter.order,
  };
}

export function sessionParameters(
  filter: SessionFilter,
  range: {from: number; to: number; fixed: boolean},
): Record<string, string | number | boolean | string[] | null> {
  const past = filter.state !== 'open',
    from = Math.round(range.from),
    to = Math.round(range.to);
  // Open in a fixed range means open at its end, whatever became of them since.
  const then = !past && range.fixed;
  return {
    state: then ? 'any' : filter.state,
    route: filter.route,
    instance: filter.instance,
    dialect: filter.dialect,
    client: filter.client,
    text: filter.text,
    abnormal: past && filter.abnormal,
    end_reason: past ? filter.end_reason : '',
    close_code: past ? filter.close_code : '',
    min_duration_seconds: filter.min ? parseDuration(filter.min) : null,
    max_duration_seconds: filter.max ? parseDuration(filter.max) : null,
    attribute: filter.attributes,
    ...Object.fromEntries(EXACT.map((key) => [key, filter.exact.filter((one) => one[0] === key).map((one) => one[1])])),
    sort: PAST_SORTS.find((one) => one === filter.sort) ?? 'opened',
    order: filter.order === 'asc' ? 'asc' : '',
    from_ms: then ? to - 1 : past ? from : null,
    to_ms: then || past ? to : null,
    ...(filter.state === 'ended' ? {ended_from_ms: from, ended_to_ms: to} : {}),
    ...(past && filter.when === 'opened' ? {opened_from_ms: from, opened_to_ms: to} : {}),
  };
}

export function durationTrouble(text: string): string {
  return text === '' || parseDuration(text) !== null ? '' : 'A duration such as 300ms, 1.5s, 2m or 1h';
}

export function attributeTrouble(text: string): string {
  return text === '' || /^[^:]+:.*$/s.test(text) ? '' : 'key:value, for example http.request.method:GET';
}

/** How many filters beyond the search field are on. */
export function filtersOn(filter: SessionFilter): number {
  const past = filter.state !== 'open';
  return (
    [
      filter.route,
      filter.instance,
      filter.dialect,
      filter.client,
      filter.min,
      filter.max,
      past && filter.abnormal,
      past && filter.end_reason,
      past && filter.close_code,
      !past && filter.trouble,
      past && filter.when,
    ].filter(Boolean).length +
    filter.attributes.length +
    filter.exact.length
  );
}

/** A condition in words, for its chip. */
export function exactText(key: string, value: string): string {
  if (key === 'reconnect') return 'reconnects';
  if (key === 'close_reason') return `close reason ${value}`;
  return `${key === 'host' ? 'upstream' : key} ${value}`;
}
