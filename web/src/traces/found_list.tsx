// What the filters leave, one after the other: a picture of it over time, a table that the console sorts over the whole
// range, and where it was cut. Calls, spans and traces are listed alike.
import {useMemo, type ReactNode} from 'react';
import {parameters} from '../api/fetch';
import {useLoadNear, usePages} from '../api/pages';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {Link} from '../route/link';
import {useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, shortId} from '../text/units';
import {bounds, useBounds, useRange} from '../time/range';
import {Stamp} from '../time/stamp';
import {drawn, Scatter, type Dot} from './scatter';
import {filtersOn, spanParameters, type TraceFilter} from './search_filter';

const PAGE = 50;

interface Page {
  total?: number | null;
  cursor: string;
  complete: boolean;
}
export interface Listing<T, P extends Page> {
  path: 'spans' | 'traces';
  filter: TraceFilter;
  noun: string;
  label: string;
  sorts: readonly string[];
  rowsOf: (page: P) => readonly T[];
  keyOf: (row: T) => string;
  href: (row: T) => string;
  bad: (row: T) => boolean;
  seconds: (row: T) => number; // how long its bar is
  measured: string; // what the picture shows of each
  dot: (row: T) => Dot | null;
  columns: (longest: number, sort: string) => Column<T>[];
  second: (row: T) => ReactNode;
  nothing?: ReactNode; // what else to say where nothing fits
  cut?: (sort: string) => ReactNode;
}

export function FoundList<T, P extends Page>(its: Listing<T, P>) {
  const {filter, rowsOf, dot, columns: columnsOf, seconds} = its;
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const asked = query.get('sort') ?? '',
    sort = its.sorts.includes(asked) ? asked : 'start',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const found = usePages<P>(
    [its.path, filter, key, sort, order],
    (cursor) =>
      `/${its.path}${parameters({...spanParameters(filter, bounds(range)), sort, order, limit: PAGE, cursor})}`,
    live,
  );
  const ends = useBounds(range, found.at);
  const rows = useMemo(() => found.pages.flatMap(rowsOf), [found.pages, rowsOf]);
  const longest = useMemo(() => rows.reduce((most, row) => Math.max(most, seconds(row)), 1e-6), [rows, seconds]);
  const dots = useMemo(() => rows.map(dot).filter((one): one is Dot => one !== null), [rows, dot]);
  const {load, more} = found;
  const {from, to} = useMemo(() => drawn(ends, dots, more && sort === 'start'), [ends, dots, more, sort]);
  const onRange = useLoadNear(found, rows.length, PAGE);
  const columns = useMemo(() => columnsOf(longest, sort), [columnsOf, longest, sort]);
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
        what={its.measured}
        noun={its.noun}
        {...(more ? {note: `The ${count(rows.length)} listed below`} : {})}
      />
      <Table
        label={its.label}
        columns={columns}
        rows={rows}
        total={rows.length}
        rowKey={its.keyOf}
        href={its.href}
        onRange={onRange}
        tone={(row) => (its.bad(row) ? 'bad' : '')}
        second={its.second}
        sort={{key: sort, order}}
        onSort={(next) =>
          change({sort: next.key === 'start' ? null : next.key, order: next.order === 'asc' ? 'asc' : null})
        }
        empty={
          found.pending ? (
            <Loading label="Searching" />
          ) : (
            <NothingFits noun={its.noun} filter={filter}>
              {its.nothing}
            </NothingFits>
          )
        }
      />
      <Cut
        shown={rows.length}
        total={found.first?.total ?? null}
        one={its.noun}
        more={more}
        loading={found.loading}
        load={load}
        complete={found.complete}
      >
        {its.cut?.(sort)}
      </Cut>
    </div>
  );
}

export function NothingFits({noun, filter, children}: {noun: string; filter: TraceFilter; children?: ReactNode}) {
  return (
    <Empty title={`No ${noun} fits`}>
      <p>
        {filtersOn(filter) ? 'Take a filter off, or choose a longer time range.' : 'Choose a longer time range above.'}
      </p>
      {children}
    </Empty>
  );
}

/** A column of times that the console sorts by. */
export function timeColumn<T>(
  key: string,
  title: string,
  width: number,
  keep: number,
  of: (row: T) => number | null,
  hint: string,
  sort: string,
): Column<T> {
  return {
    key,
    title,
    width,
    end: true,
    keep,
    sortable: true,
    hint,
    cell: (row) => {
      const value = of(row);
      return (
        <span className={`num${value === null ? ' faint' : sort === key ? ' strong' : ''}`}>{duration(value)}</span>
      );
    },
  };
}

export const beganColumn = <T extends {start_ms: number}>(): Column<T> => ({
  key: 'start',
  title: 'Began',
  width: 118,
  end: true,
  keep: 7,
  sortable: true,
  cell: (row) => <Stamp ms={row.start_ms} />,
});

export const sessionColumn = <T extends {session: string | null}>(): Column<T> => ({
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
});
