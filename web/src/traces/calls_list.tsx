// Calls (or spans of any kind), sorted by the console over the whole time range: what is slowest, failed or paused
// longest is on top whatever else was going on, and however long the connections live that carry them.
import {useCallback, useMemo} from 'react';
import {parameters} from '../api/fetch';
import {usePages} from '../api/pages';
import type {CallPage, CallSpan} from '../api/types';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {Link} from '../route/link';
import {address, useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, shortId} from '../text/units';
import {bounds, useBounds, useRange} from '../time/range';
import {Stamp} from '../time/stamp';
import {nanoseconds} from './nanoseconds';
import {drawn, Scatter, type Dot} from './scatter';
import {filtersOn, type Measure, MEASURE_NAMES, spanParameters, type TraceFilter} from './search_filter';

const PAGE = 50;
const SORTS = ['start', 'duration', 'first_chunk', 'last_chunk', 'longest_pause', 'perceived', 'chunks'];

const href = (row: CallSpan) => `/traces/${encodeURIComponent(row.trace_id)}?span=${encodeURIComponent(row.span_id)}`;
const seconds = (row: CallSpan) => Math.max(0, nanoseconds(row.duration_ns) / 1e9);

function figure(row: CallSpan, measure: Measure): number | null {
  return measure === 'duration' ? seconds(row) : row.figures[`${measure}_seconds`];
}
const bad = (row: CallSpan) =>
  row.status === 'error' || row.figures.call_status === 'error' || row.figures.call_status === 'incomplete';

export function CallsList({filter}: {filter: TraceFilter}) {
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const asked = query.get('sort') ?? '',
    sort = SORTS.includes(asked) ? asked : 'start',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const found = usePages<CallPage>(
    ['spans', filter, key, sort, order],
    (cursor) => `/spans${parameters({...spanParameters(filter, bounds(range)), sort, order, limit: PAGE, cursor})}`,
    live,
  );
  const ends = useBounds(range, found.at);
  const rows = useMemo(() => found.pages.flatMap((page) => page.spans), [found.pages]);
  const longest = useMemo(() => rows.reduce((most, row) => Math.max(most, seconds(row)), 1e-6), [rows]);
  const dots = useMemo(
    () =>
      rows.flatMap((row): Dot[] => {
        const value = figure(row, filter.measure);
        if (value === null) return [];
        return [
          {
            key: row.span_id,
            time_ms: row.start_ms,
            seconds: value,
            bad: bad(row),
            name: `${row.name || '(no name)'} · ${row.service}`,
            href: href(row),
          },
        ];
      }),
    [rows, filter.measure],
  );
  const {load, more} = found;
  const {from, to} = useMemo(() => drawn(ends, dots, more && sort === 'start'), [ends, dots, more, sort]);
  const onRange = useCallback(
    (_: number, last: number) => {
      if (more && last >= rows.length - 10 && rows.length >= PAGE && last > 0) load();
    },
    [more, load, rows.length],
  );
  const noun = filter.anySpan ? 'span' : 'call';
  const columns = useMemo<Column<CallSpan>[]>(() => {
    const time = (
      name: string,
      title: string,
      width: number,
      keep: number,
      of: (row: CallSpan) => number | null,
      hint: string,
    ): Column<CallSpan> => ({
      key: name,
      title,
      width,
      end: true,
      keep,
      sortable: true,
      hint,
      cell: (row) => {
        const value = of(row);
        return (
          <span className={`num${value === null ? ' faint' : sort === name ? ' strong' : ''}`}>{duration(value)}</span>
        );
      },
    });
    return [
      {
        key: 'operation',
        title: filter.anySpan ? 'Span' : 'Call',
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
        title: 'Status',
        width: 76,
        keep: 5,
        cell: (row) => {
          const text = row.figures.call_status ?? row.status;
          return (
            <span
              className={bad(row) ? 'bad' : text === 'cancelled' ? 'warn' : 'soft'}
              title={row.status_message || undefined}
            >
              {text}
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
      {
        key: 'start',
        title: 'Began',
        width: 118,
        end: true,
        keep: 7,
        sortable: true,
        cell: (row) => <Stamp ms={row.start_ms} />,
      },
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
      {
        key: 'session',
        title: 'Session',
        width: 80,
        keep: 2,
        cell: (row) =>
          row.session ? (
            <Link className="mono" tabIndex={-1} href={`/sessions/${encodeURIComponent(row.session)}`}>
              {shortId(row.session)}
            </Link>
          ) : (
            <span className="faint">–</span>
          ),
      },
    ];
  }, [longest, filter.anySpan, sort]);
  const on = filtersOn(filter);
  if (found.error && found.pages.length === 0)
    return (
      <div className="card">
        <Failed error={found.error} retry={found.retry} />
      </div>
    );
  return (
    <div className="card">
      <Renewing on={found.renewing} />
      <Scatter
        dots={dots}
        from={from}
        to={to}
        what={MEASURE_NAMES[filter.measure]}
        noun={noun}
        {...(more ? {note: `The ${count(rows.length)} listed below`} : {})}
      />
      <Table
        label={filter.anySpan ? 'Spans' : 'Calls'}
        columns={columns}
        rows={rows}
        total={rows.length}
        rowKey={(row) => row.trace_id + row.span_id}
        href={href}
        onRange={onRange}
        tone={(row) => (bad(row) ? 'bad' : '')}
        sort={{key: sort, order}}
        onSort={(next) =>
          change({sort: next.key === 'start' ? null : next.key, order: next.order === 'asc' ? 'asc' : null})
        }
        empty={
          found.pending ? (
            <Loading label="Searching" />
          ) : (
            <Empty title={`No ${noun} fits`}>
              <p>{on ? 'Take a filter off, or choose a longer time range.' : 'Choose a longer time range above.'}</p>
              {!filter.anySpan && (
                <p>
                  Calls are requests with their replies inside a WebSocket.{' '}
                  <Link href={address('/traces', {view: 'spans'}, query)}>Look among all spans</Link>
                </p>
              )}
            </Empty>
          )
        }
      />
      <Cut
        shown={rows.length}
        total={found.first?.total}
        one={noun}
        more={more}
        loading={found.loading}
        load={load}
        complete={found.complete}
      >
        {sort !== 'start' && sort !== 'duration' && <span>Sorted by a figure: those without it are left out.</span>}
      </Cut>
    </div>
  );
}

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
