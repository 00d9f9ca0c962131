// The filters of the sessions page, as they stand in the address, and which source can answer them.
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
  sort: string;
  order: 'asc' | 'desc';
}

export const LIVE_SORTS = ['opened', 'messages', 'bytes', 'rtt', 'misses', 'buffered', 'silence'] as const;
export type LiveSort = (typeof LIVE_SORTS)[number];

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
    sort: query.get('sort') ?? '',
    order: query.get('order') === 'asc' ? 'asc' : 'desc',
  };
}

/** The live stream knows open sessions only, and not their spans or durations. */
export function isLive(filter: SessionFilter): boolean {
  return filter.state === 'open' && !filter.min && !filter.max && filter.attributes.length === 0;
}

export function sessionParameters(
  filter: SessionFilter,
  range: {from: number; to: number},
): Record<string, string | number | boolean | string[] | null> {
  const past = filter.state !== 'open';
  return {
    state: filter.state,
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
    sort: filter.sort === 'ended' ? 'ended' : 'opened',
    from_ms: past ? Math.round(range.from) : null,
    to_ms: past ? Math.round(range.to) : null,
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
    ].filter(Boolean).length + filter.attributes.length
  );
}
