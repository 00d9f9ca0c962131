// Every operation with its pace: first chunk (how long people wait), last chunk (how long the answer takes), duration.
// The console sorts, searches and sums, over however many there are.
import {useCallback, useMemo, useState} from 'react';
import './operations.css';
import {parameters, useAsk} from '../api/fetch';
import {usePages} from '../api/pages';
import type {Fleet, Latency, LatencyRow} from '../api/types';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, NothingReceived, Renewing} from '../control/states';
import {TextInput} from '../control/text_input';
import {address, sharedQuery, useQueryState} from '../route/location';
import {Link} from '../route/link';
import {useStatus} from '../api/status';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, percent, plural, rate} from '../text/units';
import {now} from '../time/clock';
import {useRange} from '../time/range';
import {knownSeconds} from './known';
import {useMoment} from './moment';
import {OperationDetail} from './operation_detail';

const PAGE = 200;
const keyOf = (row: {service: string; operation: string}) => `${row.service}\n${row.operation}`;

export function OperationsPage() {
  const [query, change] = useQueryState();
  const rangeState = useRange();
  const [several, setSeveral] = useState(false); // pages loaded: nothing moves under the reader
  const moment = useMoment(rangeState, several);
  const {from, to} = moment;
  const search = query.get('text') ?? '',
    sort = query.get('sort') ?? 'count',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const found = usePages<Latency>(
    ['operations of', from, to, search, sort, order],
    (cursor) =>
      `/latency${parameters({
        from_ms: Math.round(from),
        to_ms: Math.round(to),
        search,
        sort,
        order,
        limit: PAGE,
        cursor,
      })}`,
    false,
  );
  if (several !== found.pages.length > 1) setSeveral(found.pages.length > 1);
  const rows = useMemo(() => found.pages.flatMap((page) => page.rows), [found.pages]);
  const status = useStatus().data;
  const fleet = useAsk<Fleet>(['known', from, to], () => {
    const step_seconds = Math.max(10, Math.ceil((to - from) / 1000));
    return `/fleet${parameters({from_ms: Math.round(from), to_ms: Math.round(to), step_seconds})}`;
  });
  const coverage = fleet.isPlaceholderData ? undefined : fleet.data?.coverage,
    seconds = useMemo(() => coverage && knownSeconds(from, to, now(), coverage), [from, to, coverage]);
  const service = query.get('service') ?? '',
    operation = query.get('operation') ?? '',
    chosen = operation ? keyOf({service, operation}) : null;
  const {load, more} = found;
  const onRange = useCallback(
    (_: number, last: number) => {
      if (more && rows.length >= PAGE && last >= rows.length - 10) load();
    },
    [more, load, rows.length],
  );
  const columns = useMemo<Column<LatencyRow>[]>(() => {
    const spansOf = (row: LatencyRow, extra: Record<string, string>) =>
      address('/traces', {
        ...sharedQuery(query),
        view: 'spans',
        service: row.service,
        operation: row.operation,
        ...extra,
      });
    const quantile = (
      measure: 'first_chunk' | 'last_chunk' | 'duration',
      which: 'p50' | 'p95' | 'p99' | 'max',
      keep: number,
    ): Column<LatencyRow> => ({
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
            href={spansOf(row, extra)}
            title={which === 'max' ? 'the slowest first' : 'those that took at least as long'}
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
          <Link tabIndex={-1} className="num quantile" href={spansOf(row, {})}>
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
              href={spansOf(row, {status: 'error'})}
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
  }, [query, seconds]);
  const head = (
    <div className="page-head">
      <h1>Operations</h1>
      <span className="about operations-about">
        First and last: time to the first and to the last chunk of the reply. Total: duration of the span.
      </span>
      <div className="tools">
        <TextInput
          search
          hideLabel
          label="Part of an operation’s or a service’s name"
          placeholder="Part of a name …"
          value={search}
          onChange={(text) => change({text}, {replace: true})}
        />
      </div>
    </div>
  );
  if (found.first && found.first.rows.length === 0 && status?.store.spans === 0)
    return (
      <>
        {head}
        <NothingReceived />
      </>
    );
  const totals = found.first?.totals;
  return (
    <div className="stack">
      <div>
        {head}
        <div className="card">
          <Renewing on={found.renewing} />
          {found.error && found.pages.length === 0 ? (
            <Failed error={found.error} retry={found.retry} />
          ) : (
            <Table
              label="Operations"
              columns={columns}
              rows={rows}
              total={rows.length}
              rowKey={keyOf}
              selected={chosen}
              onRange={onRange}
              second={(row) => (
                <>
                  <bdi>{row.service}</bdi> · {plural(row.count, 'span')}
                  {row.errors > 0 && <span className="bad">, {plural(row.errors, 'error')}</span>}
                  {row.first_chunk.p50_seconds !== null && (
                    <> · first chunk p50 {duration(row.first_chunk.p50_seconds)}</>
                  )}{' '}
                  · total p95 {duration(row.duration.p95_seconds)}
                </>
              )}
              {...(chosen ? {fold: 10} : {})}
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
                found.pending ? (
                  <Loading />
                ) : (
                  <Empty title={search ? 'No operation fits' : 'No operation in this time range'}>
                    <p>{search ? 'Take the search off.' : 'Choose a longer time range above.'}</p>
                  </Empty>
                )
              }
            />
          )}
          <Cut
            shown={rows.length}
            total={found.first?.total}
            one="operation"
            more={more}
            loading={found.loading}
            load={load}
            complete={found.complete}
          >
            {totals && (
              <span>
                {plural(totals.count, 'span')}, {plural(totals.errors, 'error')}, {count(totals.cancelled)} cancelled in
                all of them
              </span>
            )}
            {!chosen && rows.length > 0 && <span>Choose one to see it over time.</span>}
          </Cut>
        </div>
      </div>
      {chosen && <OperationDetail key={chosen} service={service} operation={operation} moment={moment} />}
    </div>
  );
}

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
