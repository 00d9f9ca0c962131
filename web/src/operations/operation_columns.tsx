// The columns of the list of operations; every number leads to the spans it counts.
import type {LatencyRow} from '../api/types';
import {Link} from '../route/link';
import {address, sharedQuery} from '../route/location';
import type {Column} from '../table/columns';
import {count, duration, percent, rate} from '../text/units';

const TITLES = {first_chunk: 'First', last_chunk: 'Last', duration: 'Total'};
const HINTS = {
  first_chunk: 'Time to the first chunk',
  last_chunk: 'Time to the last chunk',
  duration: 'Duration of the span',
};
const WHICH = {
  p50: 'half took at most this long',
  p95: '95 of 100 took at most this long',
  p99: '99 of 100 took at most this long',
  max: 'the longest',
};

/** `seconds`: how much of the time range is past and known. */
export function operationColumns(query: URLSearchParams, seconds: number | undefined): Column<LatencyRow>[] {
  const quantile = (measure: Measure, which: Which, keep: number) => quantileColumn(query, measure, which, keep);
  return [
    {
      key: 'operation',
      title: 'Operation',
      width: 130,
      grow: 1.6,
      keep: 9,
      sortable: true,
      cell: (row) => (
        <>
          <span className="strong">{row.operation || '(no name)'}</span> <span className="faint">{row.service}</span>
        </>
      ),
    },
    {
      key: 'count',
      title: 'Spans',
      width: 72,
      end: true,
      keep: 7,
      sortable: true,
      cell: (row) => (
        <Link tabIndex={-1} className="num quantile" href={spansOf(query, row, {})}>
          {count(row.count)}
        </Link>
      ),
    },
    {
      key: 'rate',
      title: 'Rate',
      width: 72,
      end: true,
      keep: 2,
      hint: 'spans a second, over the part of the time range that is past and of which anything is known',
      cell: (row) => <span className="num soft">{rate(seconds ? row.count / seconds : null)}</span>,
    },
    ...outcomeColumns(query),
    quantile('first_chunk', 'p50', 5),
    quantile('first_chunk', 'p95', 8),
    quantile('first_chunk', 'p99', 3),
    quantile('first_chunk', 'max', 4),
    quantile('last_chunk', 'p50', 1),
    quantile('last_chunk', 'p95', 5),
    quantile('last_chunk', 'p99', 1),
    quantile('last_chunk', 'max', 2),
    quantile('duration', 'p50', 3),
    quantile('duration', 'p95', 4),
    quantile('duration', 'p99', 1),
    quantile('duration', 'max', 4),
  ];
}

function outcomeColumns(query: URLSearchParams): Column<LatencyRow>[] {
  return [
    {
      key: 'errors',
      title: 'Errors',
      width: 68,
      end: true,
      keep: 6,
      sortable: true,
      cell: (row) =>
        row.errors ? (
          <Link
            tabIndex={-1}
            className="num bad strong"
            title={percent(row.errors, row.count)}
            href={spansOf(query, row, {status: 'error'})}
          >
            {count(row.errors)}
          </Link>
        ) : (
          <span className="faint num">0</span>
        ),
    },
    {
      key: 'error_rate',
      title: 'Failed',
      hint: 'errors as a share of all',
      width: 72,
      end: true,
      keep: 3,
      sortable: true,
      cell: (row) => <span className={`num ${row.errors ? '' : 'faint'}`}>{percent(row.errors, row.count)}</span>,
    },
    {
      key: 'cancelled',
      title: 'Cancelled',
      width: 84,
      end: true,
      keep: 2,
      sortable: true,
      cell: (row) => <span className={`num ${row.cancelled ? '' : 'faint'}`}>{count(row.cancelled)}</span>,
    },
  ];
}

type Measure = keyof typeof TITLES;
type Which = keyof typeof WHICH;

function quantileColumn(query: URLSearchParams, measure: Measure, which: Which, keep: number): Column<LatencyRow> {
  return {
    key: `${measure}_${which}`,
    title: `${TITLES[measure]} ${which}`,
    hint: `${HINTS[measure]}: ${WHICH[which]}`,
    width: 82,
    end: true,
    keep,
    sortable: true,
    cell: (row) => {
      const value = row[measure][`${which}_seconds`];
      if (value === null) return <span className="faint">–</span>;
      const extra = {
        ...(measure === 'duration' ? {} : {measure}),
        ...(which === 'max' ? {} : {low: String(value)}),
        sort: measure,
      };
      return (
        <Link
          tabIndex={-1}
          className="num quantile"
          href={spansOf(query, row, extra)}
          title={which === 'max' ? 'the slowest first' : 'those that took at least as long'}
        >
          {duration(value)}
        </Link>
      );
    },
  };
}

const spansOf = (query: URLSearchParams, row: LatencyRow, extra: Record<string, string>) =>
  address('/traces', {...sharedQuery(query), view: 'spans', service: row.service, operation: row.operation, ...extra});
