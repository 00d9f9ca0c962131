// The search for traces as it stands in the address, and as the console is asked.
import {attributeTrouble} from '../sessions/filter';
import {parseDuration} from '../text/units';

export interface TraceFilter {
  service: string;
  operation: string;
  status: '' | 'error' | 'ok' | 'unset';
  min: string;
  max: string;
  session: string;
  attributes: string[];
}

export function readTraceFilter(query: URLSearchParams): TraceFilter {
  const status = query.get('status') ?? '';
  return {
    service: query.get('service') ?? '',
    operation: query.get('operation') ?? '',
    status: status === 'error' || status === 'ok' || status === 'unset' ? status : '',
    min: query.get('min') ?? '',
    max: query.get('max') ?? '',
    session: query.get('session') ?? '',
    attributes: query.getAll('attribute').filter((one) => one !== '' && attributeTrouble(one) === ''),
  };
}

export function traceParameters(
  filter: TraceFilter,
  range: {from: number; to: number},
): Record<string, string | number | string[] | null> {
  return {
    service: filter.service,
    operation: filter.operation,
    status: filter.status,
    session: filter.session,
    attribute: filter.attributes,
    min_duration_seconds: filter.min ? parseDuration(filter.min) : null,
    max_duration_seconds: filter.max ? parseDuration(filter.max) : null,
    from_ms: Math.round(range.from),
    to_ms: Math.round(range.to),
  };
}
