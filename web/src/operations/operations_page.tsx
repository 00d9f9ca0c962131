// Every operation with its pace: first chunk (how long people wait), last chunk (how long the answer takes), duration.
import {useMemo} from 'react';
import './operations.css';
import {parameters, useAsk} from '../api/fetch';
import type {Latency, LatencyRow} from '../api/types';
import {Empty, Failed, Loading, NothingReceived, Renewing} from '../control/states';
import {TextInput} from '../control/text_input';
import {address, sharedQuery, useQueryState} from '../route/location';
import {Link} from '../route/link';
import {useStatus} from '../api/status';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, percent, rate} from '../text/units';
import {bounds, useRange} from '../time/range';
import {OperationDetail} from './operation_detail';

const keyOf = (row: {service: string; operation: string}) => `${row.service}\n${row.operation}`;

/** Ends of the moments a click on a number means: those that were at least that slow. */
const threshold = (seconds: number) => `${Number((seconds * 1000).toPrecision(4))}ms`;

export function OperationsPage() {
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const rows = useAsk<Latency>(
    ['latency', key],
    () => {
      const {from, to} = bounds(range);
      return `/latency${parameters({from_ms: Math.round(from), to_ms: Math.round(to), limit: 1000})}`;
    },
    {refreshMs: live ? 15_000 : false},
  );
  const status = useStatus().data;
  const search = (query.get('text') ?? '').toLowerCase(),
    sort = query.get('sort') ?? 'count',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const {from, to} = bounds(range),
    seconds = (to - from) / 1000;
  const shown = useMemo(() => {
    const value: Record<string, (row: LatencyRow) => number> = {
      count: (row) => row.count,
      errors: (row) => row.errors,
      cancelled: (row) => row.cancelled,
      first50: (row) => row.first_chunk.p50_seconds ?? -1,
      first95: (row) => row.first_chunk.p95_seconds ?? -1,
      first99: (row) => row.first_chunk.p99_seconds ?? -1,
      last95: (row) => row.last_chunk.p95_seconds ?? -1,
      last50: (row) => row.last_chunk.p50_seconds ?? -1,
      last99: (row) => row.last_chunk.p99_seconds ?? -1,
      duration50: (row) => row.duration.p50_seconds ?? -1,
      duration95: (row) => row.duration.p95_seconds ?? -1,
      duration99: (row) => row.duration.p99_seconds ?? -1,
    };
    const of = value[sort] ?? value['count']!;
    return (rows.data?.rows ?? [])
      .filter((row) => !search || `${row.service} ${row.operation}`.toLowerCase().includes(search))
      .sort((a, b) => (order === 'asc' ? of(a) - of(b) : of(b) - of(a)));
  }, [rows.data, search, sort, order]);
  const service = query.get('service') ?? '',
    operation = query.get('operation') ?? '',
    chosen = operation ? keyOf({service, operation}) : null;

  const columns = useMemo<Column<LatencyRow>[]>(() => {
    const tracesOf = (row: LatencyRow, extra: Record<string, string>) =>
      address('/traces', {...sharedQuery(query), service: row.service, operation: row.operation, ...extra});
    const quantile = (
      key: string,
      title: string,
      keep: number,
      of: (row: LatencyRow) => number | null,
    ): Column<LatencyRow> => ({
      key,
      title,
      width: 70,
      end: true,
      keep,
      sortable: true,
      cell: (row) => {
        const value = of(row);
        return value === null ? (
          <span className="faint">–</span>
        ) : (
          <Link
            tabIndex={-1}
            className="num quantile"
            href={tracesOf(row, {min: threshold(value)})}
            title="traces that took at least as long"
          >
            {duration(value)}
          </Link>
        );
      },
    });
    return [
      {
        key: 'operation',
        title: 'Operation',
        width: 130,
        grow: 1.6,
        keep: 9,
        cell: (row) => (
          <>
            <span className="strong">{row.operation || '(no name)'}</span> <span className="faint">{row.service}</span>
          </>
        ),
      },
      {
        key: 'count',
        title: 'Calls',
        width: 70,
        end: true,
        keep: 7,
        sortable: true,
        cell: (row) => <span className="num">{count(row.count)}</span>,
      },
      {
        key: 'rate',
        title: 'Rate',
        width: 72,
        end: true,
        keep: 3,
        cell: (row) => <span className="num soft">{rate(row.count / seconds)}</span>,
      },
      {
        key: 'errors',
        title: 'Errors',
        width: 64,
        end: true,
        keep: 6,
        sortable: true,
        cell: (row) =>
          row.errors ? (
            <Link
              tabIndex={-1}
              className="num bad strong"
              title={percent(row.errors, row.count)}
              href={tracesOf(row, {status: 'error'})}
            >
              {count(row.errors)}
            </Link>
          ) : (
            <span className="faint num">0</span>
          ),
      },
      {
        key: 'cancelled',
        title: 'Cancelled',
        width: 78,
        end: true,
        keep: 2,
        sortable: true,
        cell: (row) => <span className={`num ${row.cancelled ? '' : 'faint'}`}>{count(row.cancelled)}</span>,
      },
      quantile('first50', 'First p50', 5, (row) => row.first_chunk.p50_seconds),
      quantile('first95', 'First p95', 8, (row) => row.first_chunk.p95_seconds),
      quantile('first99', 'First p99', 3, (row) => row.first_chunk.p99_seconds),
      quantile('last50', 'Last p50', 4, (row) => row.last_chunk.p50_seconds),
      quantile('last95', 'Last p95', 5, (row) => row.last_chunk.p95_seconds),
      quantile('last99', 'Last p99', 2, (row) => row.last_chunk.p99_seconds),
      quantile('duration50', 'All p50', 1, (row) => row.duration.p50_seconds),
      quantile('duration95', 'All p95', 4, (row) => row.duration.p95_seconds),
      quantile('duration99', 'All p99', 1, (row) => row.duration.p99_seconds),
    ];
  }, [query, seconds]);

  if (rows.data && rows.data.rows.length === 0 && status?.store.spans === 0)
    return (
      <>
        <div className="page-head">
          <h1>Operations</h1>
        </div>
        <NothingReceived />
      </>
    );
  return (
    <div className="stack">
      <div>
        <div className="page-head">
          <h1>Operations</h1>
          <span className="about operations-about">
            first = time to the first chunk · last = to the last chunk · all = duration of the span
          </span>
          <div className="tools">
            <TextInput
              search
              hideLabel
              label="Search operations"
              placeholder="Operation or service …"
              value={query.get('text') ?? ''}
              onChange={(text) => change({text}, {replace: true})}
            />
          </div>
        </div>
        <div className="card">
          <Renewing on={rows.isFetching && rows.isPlaceholderData} />
          {rows.error && !rows.data ? (
            <Failed error={rows.error} retry={() => void rows.refetch()} />
          ) : (
            <Table
              label="Operations"
              columns={columns}
              rows={shown}
              total={shown.length}
              rowKey={keyOf}
              selected={chosen}
              fold={chosen ? 10 : Infinity}
              onOpen={(row) =>
                change(
                  keyOf(row) === chosen
                    ? {service: null, operation: null}
                    : {service: row.service, operation: row.operation},
                )
              }
              sort={{key: sort, order}}
              onSort={(next) =>
                change({sort: next.key === 'count' ? null : next.key, order: next.order === 'asc' ? 'asc' : null})
              }
              empty={
                rows.isPending ? (
                  <Loading />
                ) : (
                  <Empty title={search ? 'No operation fits' : 'No operation in this time range'}>
                    <p>{search ? 'Take the search off.' : 'Choose a longer time range above.'}</p>
                  </Empty>
                )
              }
            />
          )}
          <div className="table-foot num" role="status">
            <span>
              {count(shown.length)} {shown.length === 1 ? 'operation' : 'operations'}
            </span>
            {!chosen && shown.length > 0 && <span>Choose one for its course over time and its heat map.</span>}
          </div>
        </div>
      </div>
      {chosen && <OperationDetail key={chosen} service={service} operation={operation} />}
    </div>
  );
}
