// Calls (or spans of any kind), sorted by the console over the whole time range: what is slowest, failed or paused
// longest is on top whatever else was going on, and however long the connections live that carry them.
import {useCallback} from 'react';
import type {CallPage, CallSpan} from '../api/types';
import {Link} from '../route/link';
import {address, useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {count} from '../text/units';
import {Stamp} from '../time/stamp';
import {beganColumn, FoundList, sessionColumn, timeColumn} from './found_list';
import {nanoseconds} from './nanoseconds';
import {failed, outcomeTone} from './outcome';
import type {Dot} from './scatter';
import {type Measure, MEASURE_NAMES, type TraceFilter} from './search_filter';

const SORTS = ['start', 'duration', 'first_chunk', 'last_chunk', 'longest_pause', 'perceived', 'chunks'];

const href = (row: CallSpan) => `/traces/${encodeURIComponent(row.trace_id)}?span=${encodeURIComponent(row.span_id)}`;
const seconds = (row: CallSpan) => Math.max(0, nanoseconds(row.duration_ns) / 1e9);
const rowsOf = (page: CallPage) => page.spans;

function figure(row: CallSpan, measure: Measure): number | null {
  return measure === 'duration' ? seconds(row) : row.figures[`${measure}_seconds`];
}
const bad = (row: CallSpan) => row.status === 'error' || failed(row.figures.call_status);

export function CallsList({filter}: {filter: TraceFilter}) {
  const [query] = useQueryState();
  const {measure, anySpan} = filter;
  const dot = useCallback(
    (row: CallSpan): Dot | null => {
      const value = figure(row, measure);
      return value === null
        ? null
        : {
            key: row.span_id,
            time_ms: row.start_ms,
            seconds: value,
            bad: bad(row),
            name: `${row.name || '(no name)'} · ${row.service}`,
            href: href(row),
          };
    },
    [measure],
  );
  const columns = useCallback((longest: number, sort: string) => columnsOf(anySpan, longest, sort), [anySpan]);
  return (
    <FoundList<CallSpan, CallPage>
      path="spans"
      filter={filter}
      noun={anySpan ? 'span' : 'call'}
      label={anySpan ? 'Spans' : 'Calls'}
      sorts={SORTS}
      rowsOf={rowsOf}
      keyOf={(row) => row.trace_id + row.span_id}
      href={href}
      bad={bad}
      seconds={seconds}
      measured={MEASURE_NAMES[measure]}
      dot={dot}
      columns={columns}
      second={(row) => (
        <>
          <Stamp ms={row.start_ms} /> · <bdi>{row.service}</bdi>
          {row.route && (
            <>
              {' '}
              · <bdi>{row.route}</bdi>
            </>
          )}
          {row.target && (
            <>
              {' '}
              → <bdi>{row.target}</bdi>
            </>
          )}
        </>
      )}
      nothing={
        !anySpan && (
          <p>
            Calls are requests with their replies inside a WebSocket.{' '}
            <Link href={address('/traces', {view: 'spans'}, query)}>Look among all spans</Link>
          </p>
        )
      }
      cut={(sort) =>
        sort !== 'start' && sort !== 'duration' && <span>Sorted by a figure: those without it are left out.</span>
      }
    />
  );
}

function columnsOf(anySpan: boolean, longest: number, sort: string): Column<CallSpan>[] {
  return [
    {
      key: 'operation',
      title: anySpan ? 'Span' : 'Call',
      width: 130,
      grow: 1.6,
      keep: 9,
      cell: (row) => (
        <>
          <Link tabIndex={-1} href={href(row)} title={row.trace_id}>
            {row.name || '(no name)'}
          </Link>{' '}
          <span className="faint">{row.service}</span>
        </>
      ),
    },
    {
      key: 'status',
      title: anySpan ? 'Status' : 'Outcome',
      hint: anySpan ? 'the span’s, as it was sent: unset, ok or error' : 'how the call went',
      width: 76,
      keep: 5,
      cell: (row) => {
        const outcome = row.figures.call_status ?? '';
        return (
          <span
            className={anySpan ? (row.status === 'error' ? 'bad' : 'soft') : outcomeTone(outcome)}
            title={row.status_message || undefined}
          >
            {anySpan ? row.status : outcome}
          </span>
        );
      },
    },
    {
      key: 'bar',
      title: 'Waiting, then streaming',
      width: 150,
      grow: 1.6,
      keep: 2,
      cell: (row) => <CallBar row={row} longest={longest} />,
    },
    ...timeColumns(sort),
    {
      key: 'chunks',
      title: 'Chunks',
      width: 72,
      end: true,
      keep: 1,
      sortable: true,
      cell: (row) => (
        <span className={`num${row.figures.chunks === null ? ' faint' : ''}`}>{count(row.figures.chunks)}</span>
      ),
    },
    beganColumn(),
    ...whereColumns,
    sessionColumn(),
  ];
}

function timeColumns(sort: string): Column<CallSpan>[] {
  const time = (
    key: string,
    title: string,
    width: number,
    keep: number,
    of: (row: CallSpan) => number | null,
    hint: string,
  ) => timeColumn(key, title, width, keep, of, hint, sort);
  return [
    time('duration', 'Duration', 76, 8, seconds, 'from the request to the end of the span'),
    time(
      'first_chunk',
      'First chunk',
      88,
      8,
      (row) => row.figures.first_chunk_seconds,
      'from the request to the first chunk of the reply',
    ),
    time(
      'last_chunk',
      'Last chunk',
      92,
      3,
      (row) => row.figures.last_chunk_seconds,
      'from the request to the last chunk of the reply',
    ),
    time(
      'longest_pause',
      'Longest pause',
      106,
      5,
      (row) => row.figures.longest_pause_seconds,
      'the longest wait between two chunks',
    ),
    time(
      'perceived',
      'Perceived',
      84,
      4,
      (row) => row.figures.perceived_seconds,
      'what a person waited, from the end of speech; where the dialect knows that moment',
    ),
  ];
}

const whereColumns: Column<CallSpan>[] = [
  {
    key: 'route',
    title: 'Route',
    width: 90,
    grow: 0.5,
    keep: 3,
    cell: (row) => (row.route ? <span title={row.route}>{row.route}</span> : <span className="faint">–</span>),
  },
  {
    key: 'target',
    title: 'Target',
    width: 110,
    grow: 0.7,
    keep: 1,
    cell: (row) => (row.target ? <span title={row.target}>{row.target}</span> : <span className="faint">–</span>),
  },
];

/** The call on the scale of the longest one listed: hatched while it waits, solid while its reply streams. */
function CallBar({row, longest}: {row: CallSpan; longest: number}) {
  const whole = seconds(row),
    first = row.figures.first_chunk_seconds,
    waits = first === null ? 0 : Math.min(first, whole);
  const per = (value: number) => `${(100 * value) / longest}%`;
  return (
    <span className={`duration-bar${bad(row) ? ' failed' : ''}`}>
      {first !== null && <i className="waiting" style={{width: per(waits)}} />}
      <i className={first === null ? 'plain' : 'streaming'} style={{width: `max(2px, ${per(whole - waits)})`}} />
    </span>
  );
}
