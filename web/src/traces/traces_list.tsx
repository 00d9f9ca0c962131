// Whole traces that have a span that fits, each with its root.
import {useCallback, useMemo} from 'react';
import {parameters} from '../api/fetch';
import {usePages} from '../api/pages';
import type {TracePage, TraceSummary} from '../api/types';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {Link} from '../route/link';
import {useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, plural, shortId} from '../text/units';
import {bounds, useBounds, useRange} from '../time/range';
import {Stamp} from '../time/stamp';
import {drawn, Scatter, type Dot} from './scatter';
import {filtersOn, MEASURE_NAMES, MEASURES, spanParameters, type TraceFilter} from './search_filter';

const PAGE = 50;
const SORTS = ['start', ...MEASURES];
const href = (row: TraceSummary) => `/traces/${encodeURIComponent(row.trace_id)}`;

export function TracesList({filter}: {filter: TraceFilter}) {
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const asked = query.get('sort') ?? '',
    sort = SORTS.includes(asked) ? asked : 'start',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const found = usePages<TracePage>(
    ['traces', filter, key, sort, order],
    (cursor) => `/traces${parameters({...spanParameters(filter, bounds(range)), sort, order, limit: PAGE, cursor})}`,
    live,
  );
  const ends = useBounds(range, found.at);
  const rows = useMemo(() => found.pages.flatMap((page) => page.traces), [found.pages]);
  const longest = useMemo(() => rows.reduce((most, one) => Math.max(most, one.duration_seconds), 1e-6), [rows]);
  const dots = useMemo(
    () =>
      rows.map(
        (one): Dot => ({
          key: one.trace_id,
          time_ms: one.start_ms,
          seconds: one.duration_seconds,
          bad: one.errors > 0,
          name: `${one.root_operation || '(no name)'} · ${one.root_service}`,
          href: href(one),
        }),
      ),
    [rows],
  );
  const {load, more} = found;
  const {from, to} = useMemo(() => drawn(ends, dots, more && sort === 'start'), [ends, dots, more, sort]);
  const onRange = useCallback(
    (_: number, last: number) => {
      if (more && rows.length >= PAGE && last >= rows.length - 10) load();
    },
    [more, load, rows.length],
  );
  const columns = useMemo<Column<TraceSummary>[]>(
    () => [
      {
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
      },
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
      {
        key: filter.measure,
        title: `${MEASURE_NAMES[filter.measure]} of its span`,
        hint: 'of the span that fits, the foremost of several; sorts over the whole time range',
        width: 150,
        end: true,
        keep: 3,
        sortable: true,
        cell: (row) => (
          <span className={row.sorted_seconds === null ? 'num faint' : 'num'}>{duration(row.sorted_seconds)}</span>
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
    ],
    [longest, filter.measure],
  );
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
        what="Duration"
        noun="trace"
        {...(more ? {note: `The ${count(rows.length)} listed below`} : {})}
      />
      <Table
        label="Traces"
        columns={columns}
        rows={rows}
        total={rows.length}
        rowKey={(row) => row.trace_id}
        href={href}
        onRange={onRange}
        tone={(row) => (row.errors ? 'bad' : '')}
        sort={{key: sort, order}}
        onSort={(next) =>
          change({sort: next.key === 'start' ? null : next.key, order: next.order === 'asc' ? 'asc' : null})
        }
        empty={
          found.pending ? (
            <Loading label="Searching" />
          ) : (
            <Empty title="No trace fits">
              <p>{on ? 'Take a filter off, or choose a longer time range.' : 'Choose a longer time range above.'}</p>
            </Empty>
          )
        }
      />
      <Cut
        shown={rows.length}
        total={null}
        one="trace"
        more={more}
        loading={found.loading}
        load={load}
        complete={found.complete}
      />
    </div>
  );
}
