// Which attribute calls are grouped by and which figure is measured, as the address says it; and the way from a group
// back to its calls.
import type {Group} from '../api/types';
import {address} from '../route/address';
import {OUTCOME} from './outcome';

export const BY = [
  {key: 'route', label: 'Route'},
  {key: 'service', label: 'Service'},
  {key: 'operation', label: 'Operation'},
  {key: 'target', label: 'Target'},
  {key: 'client', label: 'Client'},
  {key: 'dialect', label: 'Dialect'},
  {key: 'status', label: 'Span status'},
  {key: `attribute:${OUTCOME}`, label: 'Outcome'},
  {key: 'kind', label: 'Kind'},
  {key: 'attribute', label: 'Attribute …'},
];
export const FIGURES = [
  {key: 'duration', label: 'Duration'},
  {key: 'first_chunk', label: 'First chunk'},
  {key: 'last_chunk', label: 'Last chunk'},
  {key: 'longest_pause', label: 'Longest pause'},
  {key: 'perceived', label: 'Perceived latency'},
  {key: 'chunks', label: 'Chunks'},
  {key: 'attribute', label: 'Attribute …'},
];
export const SORTS = ['count', 'errors', 'p50', 'p95', 'p99', 'max'];

export interface Grouping {
  byKey: string;
  byAttribute: string;
  by: string; // as the API names it
  figureKey: string;
  figureAttribute: string;
  figure: string;
  sort: string;
  order: 'asc' | 'desc';
  ready: boolean; // an attribute is named where one is wanted
}

export function readGrouping(query: URLSearchParams): Grouping {
  const byKey = BY.find((one) => one.key === query.get('by'))?.key ?? 'route',
    figureKey = FIGURES.find((one) => one.key === query.get('figure'))?.key ?? 'duration';
  const byAttribute = query.get('key') ?? '',
    figureAttribute = query.get('of') ?? '';
  return {
    byKey,
    byAttribute,
    by: byKey === 'attribute' ? `attribute:${byAttribute}` : byKey,
    figureKey,
    figureAttribute,
    figure: figureKey === 'attribute' ? `attribute:${figureAttribute}` : figureKey,
    sort: SORTS.find((one) => one === query.get('gsort')) ?? 'count',
    order: query.get('gorder') === 'asc' ? 'asc' : 'desc',
    ready: (byKey !== 'attribute' || byAttribute !== '') && (figureKey !== 'attribute' || figureAttribute !== ''),
  };
}

const MEASURED = new Set(['duration', 'first_chunk', 'last_chunk', 'longest_pause', 'perceived']);

/**
 * The calls of a group: those that failed, or from a figure on upwards, the highest first. '' where the console knows
 * no question that has exactly these.
 */
export function callsOf(
  query: URLSearchParams,
  grouping: Grouping,
  group: Group,
  which: {errors?: boolean; from?: number},
): string {
  if (group.query === null) return '';
  const {figureKey} = grouping;
  const {attribute, ...rest} = group.query;
  const own = attribute === undefined ? rest : {...rest, attribute: [...query.getAll('attribute'), attribute]};
  const measured = which.from !== undefined && MEASURED.has(figureKey);
  const sortable = which.from !== undefined && figureKey !== 'attribute';
  return address(
    '/traces',
    {
      view: query.get('spans') === 'all' ? 'spans' : null,
      spans: null,
      by: null,
      key: null,
      figure: null,
      of: null,
      gsort: null,
      gorder: null,
      ...own,
      ...(which.errors ? {status: 'error'} : {}),
      ...(measured ? {measure: figureKey === 'duration' ? null : figureKey, low: String(which.from), min: null} : {}),
      sort: sortable ? figureKey : null,
      order: null,
    },
    query,
  );
}

export function figureText(
  figure: string,
  value: number,
  duration: (value: number) => string,
  count: (value: number) => string,
): string {
  return figure === 'chunks' || figure.startsWith('attribute:') ? count(value) : duration(value);
}
