// Whole traces that have a span that fits, each with its root.
import {useCallback} from 'react';
import type {TracePage, TraceSummary} from '../api/types';
import {Link} from '../route/link';
import type {Column} from '../table/columns';
import {count, duration, plural} from '../text/units';
import {Stamp} from '../time/stamp';
import {beganColumn, FoundList, sessionColumn, timeColumn} from './found_list';
import type {Dot} from './scatter';
import {type Measure, MEASURE_NAMES, MEASURES, type TraceFilter} from './search_filter';

const SORTS = ['start', ...MEASURES];
const href = (row: TraceSummary) => `/traces/${encodeURIComponent(row.trace_id)}`;
const rowsOf = (page: TracePage) => page.traces;
const seconds = (row: TraceSummary) => row.duration_seconds;
const bad = (row: TraceSummary) => row.errors > 0;
const dot = (row: TraceSummary): Dot => ({
  key: row.trace_id,
  time_ms: row.start_ms,
  seconds: row.duration_seconds,
  bad: bad(row),
  name: `${row.root_operation || '(no name)'} · ${row.root_service}`,
  href: href(row),
});

export function TracesList({filter}: {filter: TraceFilter}) {
  const {measure} = filter;
  const columns = useCallback((longest: number, sort: string) => columnsOf(measure, longest, sort), [measure]);
  return (
    <FoundList<TraceSummary, TracePage>
      path="traces"
      filter={filter}
      noun="trace"
      label="Traces"
      sorts={SORTS}
      rowsOf={rowsOf}
      keyOf={(row) => row.trace_id}
      href={href}
      bad={bad}
      seconds={seconds}
      measured="Duration"
      dot={dot}
      columns={columns}
      second={(row) => (
        <>
          <Stamp ms={row.start_ms} /> · <bdi>{row.root_service}</bdi> · {plural(row.spans, 'span')}
          {row.errors > 0 && <>, {plural(row.errors, 'error')}</>}
        </>
      )}
    />
  );
}

const operation: Column<TraceSummary> = {
  key: 'operation',
  title: 'Trace',
  width: 130,
  grow: 1.6,
  keep: 9,
  cell: (row) => (
    <>
      <Link tabIndex={-1} href={href(row)} title={row.trace_id}>
        {row.root_operation || '(no name)'}
      </Link>
      {row.root_missing && (
        <span className="faint" title="its root span is not stored">
          {' '}
          (root missing)
        </span>
      )}
    </>
  ),
};

function columnsOf(measure: Measure, longest: number, sort: string): Column<TraceSummary>[] {
  return [
    operation,
    {
      key: 'service',
      title: 'Service',
      width: 100,
      grow: 0.8,
      keep: 5,
      cell: (row) => (
        <span title={row.services.map((one) => `${one.service}: ${plural(one.spans, 'span')}`).join('\n')}>
          {row.root_service}
          {row.services.length > 1 && <span className="faint"> +{row.services.length - 1}</span>}
        </span>
      ),
    },
    {
      key: 'bar',
      title: 'Time',
      width: 120,
      grow: 2,
      keep: 4,
      cell: (row) => (
        <span className={`duration-bar${row.errors ? ' failed' : ''}`}>
          <i className="plain" style={{width: `max(2px, ${(100 * row.duration_seconds) / longest}%)`}} />
        </span>
      ),
    },
    {
      key: 'whole',
      title: 'Duration',
      width: 84,
      end: true,
      keep: 8,
      cell: (row) => <span className="num strong">{duration(row.duration_seconds)}</span>,
    },
    timeColumn(
      measure,
      `${MEASURE_NAMES[measure]} of its span`,
      150,
      3,
      (row) => row.sorted_seconds,
      'of the span that fits, the foremost of several; sorts over the whole time range',
      sort,
    ),
    beganColumn(),
    {
      key: 'spans',
      title: 'Spans',
      width: 68,
      end: true,
      keep: 4,
      cell: (row) => <span className="num">{count(row.spans)}</span>,
    },
    {
      key: 'errors',
      title: 'Errors',
      width: 68,
      end: true,
      keep: 6,
      cell: (row) => <span className={`num ${row.errors ? 'bad strong' : 'faint'}`}>{count(row.errors)}</span>,
    },
    sessionColumn(),
  ];
}
