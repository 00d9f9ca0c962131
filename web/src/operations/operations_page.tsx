// Every operation with its pace: first chunk (how long people wait), last chunk (how long the answer takes), duration.
// The console sorts, searches and sums, over however many there are.
import {useMemo, useState} from 'react';
import './operations.css';
import {parameters, useAsk} from '../api/fetch';
import {useLoadNear, usePages} from '../api/pages';
import type {Fleet, Latency, LatencyRow} from '../api/types';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, NothingReceived, Renewing} from '../control/states';
import {TextInput} from '../control/text_input';
import {useQueryState} from '../route/location';
import {useStatus} from '../api/status';
import {Table} from '../table/table';
import {count, duration, plural} from '../text/units';
import {now} from '../time/clock';
import {useRange} from '../time/range';
import {knownSeconds} from './known';
import {useMoment} from './moment';
import {operationColumns} from './operation_columns';
import {OperationDetail} from './operation_detail';

const PAGE = 200;
const keyOf = (row: {service: string; operation: string}) => `${row.service}\n${row.operation}`;

export function OperationsPage() {
  const [query, change] = useQueryState();
  const operations = useOperations();
  const {found, rows, search, moment} = operations;
  const status = useStatus().data;
  const service = query.get('service') ?? '',
    operation = query.get('operation') ?? '',
    chosen = operation ? keyOf({service, operation}) : null;
  if (found.first && found.first.rows.length === 0 && status?.store.spans === 0)
    return (
      <>
        <Head search={search} />
        <NothingReceived />
      </>
    );
  const totals = found.first?.totals;
  return (
    <div className="stack">
      <div>
        <Head search={search} />
        <div className="card">
          <Renewing on={found.renewing} />
          {found.error && found.pages.length === 0 ? (
            <Failed error={found.error} retry={found.retry} />
          ) : (
            <OperationsTable
              operations={operations}
              chosen={chosen}
              onChoose={(row) => change({service: row?.service ?? null, operation: row?.operation ?? null})}
            />
          )}
          <Cut
            shown={rows.length}
            total={found.first?.total}
            one="operation"
            more={found.more}
            loading={found.loading}
            load={found.load}
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

function Head({search}: {search: string}) {
  const [, change] = useQueryState();
  return (
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
}

/** The list that the address asks for. */
function useOperations() {
  const [query] = useQueryState();
  const rangeState = useRange();
  const [several, setSeveral] = useState(false); // pages loaded: nothing moves under the reader
  const moment = useMoment(rangeState, several);
  const {from, to} = moment;
  const search = query.get('text') ?? '',
    sort = query.get('sort') ?? 'count',
    order: 'asc' | 'desc' = query.get('order') === 'asc' ? 'asc' : 'desc';
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
  const fleet = useAsk<Fleet>(['known', from, to], () => {
    const step_seconds = Math.max(10, Math.ceil((to - from) / 1000));
    return `/fleet${parameters({from_ms: Math.round(from), to_ms: Math.round(to), step_seconds})}`;
  });
  const coverage = fleet.isPlaceholderData ? undefined : fleet.data?.coverage,
    seconds = useMemo(() => coverage && knownSeconds(from, to, now(), coverage), [from, to, coverage]);
  const onRange = useLoadNear(found, rows.length, PAGE);
  return {found, rows, search, sort, order, moment, seconds, onRange};
}

function OperationsTable({
  operations: {found, rows, search, sort, order, seconds, onRange},
  chosen,
  onChoose,
}: {
  operations: ReturnType<typeof useOperations>;
  chosen: string | null;
  onChoose: (row: LatencyRow | null) => void;
}) {
  const [query, change] = useQueryState();
  const columns = useMemo(() => operationColumns(query, seconds), [query, seconds]);
  return (
    <Table
      label="Operations"
      columns={columns}
      rows={rows}
      total={rows.length}
      rowKey={keyOf}
      selected={chosen}
      onRange={onRange}
      second={inWords}
      {...(chosen ? {fold: 10} : {})}
      onOpen={(row) => onChoose(keyOf(row) === chosen ? null : row)}
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
  );
}

const inWords = (row: LatencyRow) => (
  <>
    <bdi>{row.service}</bdi> · {plural(row.count, 'span')}
    {row.errors > 0 && <span className="bad">, {plural(row.errors, 'error')}</span>}
    {row.first_chunk.p50_seconds !== null && <> · first chunk p50 {duration(row.first_chunk.p50_seconds)}</>} · total
    p95 {duration(row.duration.p95_seconds)}
  </>
);
