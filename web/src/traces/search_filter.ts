// The search for calls, traces and groups as it stands in the address, and as the console is asked. An address says the
// same in all views; what only one of them has is left to that one.
import {attributeTrouble} from '../sessions/filter';
import {duration, parseDuration} from '../text/units';

export const VIEWS = ['calls', 'spans', 'traces', 'groups'] as const;
export type View = (typeof VIEWS)[number];
export const MEASURES = ['duration', 'first_chunk', 'last_chunk', 'longest_pause', 'perceived'] as const;
export type Measure = (typeof MEASURES)[number];
export const MEASURE_NAMES: Record<Measure, string> = {
  duration: 'Duration',
  first_chunk: 'First chunk',
  last_chunk: 'Last chunk',
  longest_pause: 'Longest pause',
  perceived: 'Perceived latency',
};

/** Filters that have no field of their own: a link sets them, a chip shows them and takes them off. */
export const SILENT = [
  'operation',
  'route',
  'target',
  'client',
  'dialect',
  'instance',
  'kind',
  'session',
  'without',
] as const;
export type Silent = (typeof SILENT)[number];

export interface TraceFilter extends Record<Silent, string> {
  view: View;
  service: string;
  name: string; // part of the operation's name
  status: '' | 'error' | 'ok' | 'unset';
  measure: Measure;
  min: string; // as typed: 300ms
  max: string;
  low: number | null; // seconds, exact: the bounds of a cell of a heat map
  high: number | null;
  attributes: string[];
  anySpan: boolean; // not only calls
}

function one<T extends string>(value: string | null, of: readonly T[], otherwise: T): T {
  return of.find((each) => each === value) ?? otherwise;
}
function seconds(value: string | null): number | null {
  const read = value === null || value === '' ? NaN : Number(value);
  return Number.isFinite(read) && read >= 0 ? read : null;
}

export function readTraceFilter(query: URLSearchParams): TraceFilter {
  const silent = Object.fromEntries(SILENT.map((key) => [key, query.get(key) ?? ''])) as Record<Silent, string>;
  const status = query.get('status') ?? '';
  const view = one(query.get('view'), VIEWS, 'calls');
  return {
    ...silent,
    view,
    service: query.get('service') ?? '',
    name: query.get('name') ?? '',
    status: status === 'error' || status === 'ok' || status === 'unset' ? status : '',
    measure: one(query.get('measure'), MEASURES, 'duration'),
    min: query.get('min') ?? '',
    max: query.get('max') ?? '',
    low: seconds(query.get('low')),
    high: seconds(query.get('high')),
    attributes: query.getAll('attribute').filter((each) => each !== '' && attributeTrouble(each) === ''),
    anySpan: view === 'spans' || view === 'traces' || (view === 'groups' && query.get('spans') === 'all'),
  };
}

/** What takes every filter off, for `change`. */
export const CLEARED: Record<string, null> = Object.fromEntries(
  [...SILENT, 'service', 'name', 'status', 'measure', 'min', 'max', 'low', 'high', 'attribute', 'spans'].map((key) => [
    key,
    null,
  ]),
);

export function filtersOn(filter: TraceFilter): boolean {
  return (
    SILENT.some((key) => filter[key] !== '') ||
    [filter.service, filter.name, filter.status, filter.min, filter.max].some((each) => each !== '') ||
    filter.low !== null ||
    filter.high !== null ||
    filter.attributes.length > 0
  );
}

type Asked = Record<string, string | number | boolean | string[] | null>;

const least = (filter: TraceFilter) => filter.low ?? (filter.min ? parseDuration(filter.min) : null);
const most = (filter: TraceFilter) => filter.high ?? (filter.max ? parseDuration(filter.max) : null);

/** Of /spans, /groups and /traces (traces with such a span). */
export function spanParameters(filter: TraceFilter, range: {from: number; to: number}): Asked {
  const from = least(filter),
    to = most(filter);
  return {
    service: filter.service,
    operation: filter.operation,
    operation_contains: filter.name,
    status: filter.status,
    kind: filter.kind,
    session: filter.session,
    attribute: filter.attributes,
    from_ms: Math.round(range.from),
    to_ms: Math.round(range.to),
    calls: !filter.anySpan,
    route: filter.route,
    target: filter.target,
    client: filter.client,
    dialect: filter.dialect,
    instance: filter.instance,
    without: filter.without,
    measure: from !== null || to !== null ? filter.measure : '',
    min_seconds: from,
    max_seconds: to,
  };
}

/** "First chunk from 134 ms to below 141 ms", for the chip of a heat map's cell. */
export function boundsText(filter: TraceFilter): string {
  const {low, high} = filter;
  if (low === null && high === null) return '';
  const name = MEASURE_NAMES[filter.measure];
  if (high === null) return `${name} at least ${duration(low)}`;
  return low === null ? `${name} below ${duration(high)}` : `${name} from ${duration(low)} to below ${duration(high)}`;
}
