// Search for traces.
import {keepPreviousData, useInfiniteQuery} from '@tanstack/react-query';
import {useCallback, useMemo} from 'react';
import {Button} from 'react-aria-components';
import './traces.css';
import {ask, parameters, useAsk} from '../api/fetch';
import type {TracePage, TraceSummary} from '../api/types';
import {AttributeFilter} from '../control/attribute_filter';
import {Choice} from '../control/choice';
import {Empty, Failed, Loading, NothingReceived, Renewing} from '../control/states';
import {TextInput} from '../control/text_input';
import {Link} from '../route/link';
import {navigate, useQueryState} from '../route/location';
import {durationTrouble} from '../sessions/filter';
import {useStatus} from '../api/status';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, plural, shortId} from '../text/units';
import {Stamp} from '../time/stamp';
import {bounds, useBounds, useRange} from '../time/range';
import {Scatter} from './scatter';
import {readTraceFilter, traceParameters} from './search_filter';

const PAGE = 100;
const href = (row: TraceSummary) => `/traces/${encodeURIComponent(row.trace_id)}`;

export function TracesPage() {
  const [query, change] = useQueryState();
  const text = query.toString();
  const filter = useMemo(() => readTraceFilter(new URLSearchParams(text)), [text]);
  const {range, key, live} = useRange();
  const found = useInfiniteQuery<TracePage>({
    queryKey: ['traces', filter, key],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({pageParam, signal}) =>
      ask<TracePage>(
        `/traces${parameters({...traceParameters(filter, bounds(range)), limit: PAGE, cursor: String(pageParam)})}`,
        signal,
      ),
    getNextPageParam: (page) => page.cursor || undefined,
    refetchInterval: (state) => (live && (state.state.data?.pages.length ?? 0) <= 1 ? 10_000 : false),
  });
  const services = useAsk<{services: string[]}>(['services'], () => '/services', {refreshMs: 60_000});
  const operations = useAsk<{operations: string[]}>(
    ['operations', filter.service],
    () => `/operations${parameters({service: filter.service})}`,
  );
  const status = useStatus().data;
  const {from, to} = useBounds(range, found.dataUpdatedAt);
  const all = useMemo(() => found.data?.pages.flatMap((page) => page.traces) ?? [], [found.data]);
  const sort = query.get('sort') ?? 'start',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const rows = useMemo(() => {
    if (sort === 'start' && order === 'desc') return all;
    const value = (one: TraceSummary) =>
      sort === 'duration'
        ? one.duration_seconds
        : sort === 'spans'
          ? one.spans
          : sort === 'errors'
            ? one.errors
            : one.start_ms;
    return [...all].sort((a, b) => (order === 'asc' ? value(a) - value(b) : value(b) - value(a)));
  }, [all, sort, order]);
  const longest = useMemo(() => rows.reduce((most, one) => Math.max(most, one.duration_seconds), 1e-6), [rows]);
  const {hasNextPage, isFetchingNextPage, fetchNextPage} = found;
  const onRange = useCallback(
    (_: number, last: number) => {
      if (hasNextPage && !isFetchingNextPage && last >= rows.length - 20) void fetchNextPage();
    },
    [hasNextPage, isFetchingNextPage, fetchNextPage, rows.length],
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
          <span className="duration-bar">
            <i
              className={row.errors ? 'failed' : ''}
              style={{width: `max(2px, ${(100 * row.duration_seconds) / longest}%)`}}
            />
          </span>
        ),
      },
      {
        key: 'duration',
        title: 'Duration',
        width: 84,
        end: true,
        keep: 8,
        sortable: true,
        cell: (row) => <span className="num strong">{duration(row.duration_seconds)}</span>,
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
        width: 64,
        end: true,
        keep: 4,
        sortable: true,
        cell: (row) => <span className="num">{count(row.spans)}</span>,
      },
      {
        key: 'errors',
        title: 'Errors',
        width: 62,
        end: true,
        keep: 6,
        sortable: true,
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
    [longest],
  );

  const on = Boolean(
    filter.service ||
      filter.operation ||
      filter.status ||
      filter.min ||
      filter.max ||
      filter.session ||
      filter.attributes.length,
  );
  const nothingAtAll = status?.store.spans === 0 && rows.length === 0 && !on && !found.isPending;
  const complete = found.data?.pages[found.data.pages.length - 1]?.complete ?? true;
  return (
    <>
      <div className="page-head">
        <h1>Traces</h1>
        <TextInput
          className="grow session-search"
          search
          hideLabel
          label="Open a trace by its id, or search an attribute"
          placeholder="Trace id, or attribute key:value …"
          value=""
          onChange={(typed) => {
            const value = typed.trim();
            if (/^[0-9a-f]{32}$/i.test(value)) navigate(`/traces/${value.toLowerCase()}`);
            else if (/^[^:]+:.+$/s.test(value) && !filter.attributes.includes(value))
              change({attribute: [...filter.attributes, value]});
          }}
        />
      </div>
      <div className="filters" role="search" aria-label="Filters">
        <Choice
          label="Service"
          value={filter.service}
          options={(services.data?.services ?? []).map((one) => ({key: one, label: one}))}
          onChange={(service) => change({service, operation: null})}
        />
        <TextInput
          label="Operation"
          value={filter.operation}
          list={operations.data?.operations ?? []}
          placeholder="any"
          onChange={(operation) => change({operation})}
        />
        <Choice
          label="Status"
          value={filter.status}
          options={[
            {key: 'error', label: 'error'},
            {key: 'ok', label: 'ok'},
            {key: 'unset', label: 'unset'},
          ]}
          onChange={(next) => change({status: next})}
        />
        <TextInput
          className="narrow"
          label="Longer than"
          value={filter.min}
          placeholder="300ms"
          check={durationTrouble}
          onChange={(min) => change({min})}
        />
        <TextInput
          className="narrow"
          label="Shorter than"
          value={filter.max}
          placeholder="5s"
          check={durationTrouble}
          onChange={(max) => change({max})}
        />
        <TextInput
          label="Session id"
          value={filter.session}
          placeholder="any"
          onChange={(session) => change({session: session.trim()})}
        />
        <AttributeFilter label="Attribute" values={filter.attributes} onChange={(attribute) => change({attribute})} />
        {on && (
          <Button
            className="button quiet"
            onPress={() =>
              change({
                service: null,
                operation: null,
                status: null,
                min: null,
                max: null,
                session: null,
                attribute: null,
              })
            }
          >
            Clear
          </Button>
        )}
      </div>
      {nothingAtAll ? (
        <NothingReceived />
      ) : (
        <div className="card">
          <Renewing on={found.isFetching && found.isPlaceholderData} />
          <Scatter traces={rows} from={from} to={to} />
          {found.error && !found.data ? (
            <Failed error={found.error} retry={() => void found.refetch()} />
          ) : (
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
                found.isPending ? (
                  <Loading label="Searching" />
                ) : (
                  <Empty title="No trace fits">
                    <p>
                      {on ? 'Take a filter off, or choose a longer time range.' : 'Choose a longer time range above.'}
                    </p>
                  </Empty>
                )
              }
            />
          )}
          <div className="table-foot num" role="status">
            <span>
              {count(rows.length)}
              {found.hasNextPage ? '+' : ''} {rows.length === 1 ? 'trace' : 'traces'}
              {sort !== 'start' && found.hasNextPage ? ', ordered among those loaded' : ''}
            </span>
            {!complete && (
              <span className="warn">The search was cut short by its time limit; scrolling goes on with it.</span>
            )}
          </div>
        </div>
      )}
    </>
  );
}
