// Calls (or spans) by any of their attributes, with the figures of each group; every number leads to the calls it
// counts.
import {useMemo, type ReactNode} from 'react';
import {parameters} from '../api/fetch';
import {usePages} from '../api/pages';
import type {Group, Groups} from '../api/types';
import {CheckBox} from '../control/check_box';
import {Choice} from '../control/choice';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {TextInput} from '../control/text_input';
import {Link} from '../route/link';
import {navigate, useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, percent} from '../text/units';
import {bounds, useRange} from '../time/range';
import {NothingFits} from './found_list';
import {BY, callsOf, FIGURES, figureText, readGrouping, SORTS, type Grouping} from './grouping';
import {spanParameters, type TraceFilter} from './search_filter';

const PAGE = 100;

export function GroupsView({filter}: {filter: TraceFilter}) {
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const grouping = useMemo(() => readGrouping(query), [query]);
  const {by, figure, sort, order, ready} = grouping;
  const noun = filter.anySpan ? 'span' : 'call';
  return (
    <>
      <div className="filters" role="group" aria-label="Grouping">
        <Choice
          label="Group by"
          value={grouping.byKey}
          any={null}
          options={BY}
          onChange={(next) => change({by: next === 'route' ? null : next, key: null})}
        />
        {grouping.byKey === 'attribute' && (
          <TextInput
            label="Attribute"
            value={grouping.byAttribute}
            placeholder="gen_ai.request.model"
            onChange={(next) => change({key: next.trim()})}
          />
        )}
        <Choice
          label="Figure"
          value={grouping.figureKey}
          any={null}
          options={FIGURES}
          onChange={(next) => change({figure: next === 'duration' ? null : next, of: null})}
        />
        {grouping.figureKey === 'attribute' && (
          <TextInput
            label="Numeric attribute"
            value={grouping.figureAttribute}
            placeholder="gen_ai.usage.output_tokens"
            onChange={(next) => change({of: next.trim()})}
          />
        )}
        <CheckBox
          label="Calls only"
          value={!filter.anySpan}
          onChange={(only) => change({spans: only ? null : 'all'})}
        />
      </div>
      <div className="card">
        {ready ? (
          <List
            key={`${by}|${figure}|${sort}|${order}`}
            filter={filter}
            grouping={grouping}
            range={{key, live, bounds: () => bounds(range)}}
            noun={noun}
            query={query}
            change={change}
          />
        ) : (
          <Empty title="Name the attribute">
            <p>Type the key of an attribute above, for example gen_ai.request.model.</p>
          </Empty>
        )}
      </div>
    </>
  );
}

function List({
  filter,
  grouping,
  range,
  noun,
  query,
  change,
}: {
  filter: TraceFilter;
  grouping: Grouping;
  range: {key: string; live: boolean; bounds: () => {from: number; to: number}};
  noun: string;
  query: URLSearchParams;
  change: ReturnType<typeof useQueryState>[1];
}) {
  const {by, figure, sort, order} = grouping;
  const found = usePages<Groups>(
    ['groups', filter, range.key, by, figure, sort, order],
    (cursor) =>
      `/groups${parameters({...spanParameters(filter, range.bounds()), by, figure, sort, order, limit: PAGE, cursor})}`,
    range.live,
  );
  const rows = useMemo(() => found.pages.flatMap((page) => page.groups), [found.pages]);
  const most = useMemo(() => rows.reduce((sum, row) => Math.max(sum, row.count), 1), [rows]);
  const columns = useMemo(() => columnsOf(query, grouping, noun, most), [query, grouping, noun, most]);
  if (found.error && found.pages.length === 0) return <Failed error={found.error} retry={found.retry} />;
  return (
    <>
      <Renewing on={found.renewing} />
      <Table
        label="Groups"
        columns={columns}
        rows={rows}
        total={rows.length}
        rowKey={(row) => (row.value === null ? '\n' : row.value)}
        onOpen={(row) => {
          const href = callsOf(query, grouping, row, {});
          if (href) navigate(href);
        }}
        sort={{key: sort, order}}
        onSort={(next) =>
          change({
            gsort: next.key === SORTS[0] ? null : next.key,
            gorder: next.order === 'asc' ? 'asc' : null,
          })
        }
        empty={found.pending ? <Loading label="Counting" /> : <NothingFits noun={noun} filter={filter} />}
      />
      <Cut
        shown={rows.length}
        total={found.first?.total_groups}
        one="group"
        more={found.more}
        loading={found.loading}
        load={found.load}
        complete={found.complete}
      >
        {found.first && (
          <span>
            of {count(found.first.counted)} {found.first.counted === 1 ? noun : `${noun}s`}
          </span>
        )}
      </Cut>
    </>
  );
}

function quantileColumn(
  query: URLSearchParams,
  grouping: Grouping,
  noun: string,
  name: 'p50' | 'p95' | 'p99' | 'max',
  keep: number,
): Column<Group> {
  return {
    key: name,
    title: name === 'max' ? 'Max' : name,
    width: 84,
    end: true,
    keep,
    sortable: true,
    cell: (row) => {
      const value = row[name];
      if (value === null) return <span className="faint">–</span>;
      return (
        <To
          className="num quantile"
          href={callsOf(query, grouping, row, {from: value})}
          title={`${noun}s of this group, the highest first`}
        >
          {figureText(grouping.figure, value, duration, count)}
        </To>
      );
    },
  };
}

function columnsOf(query: URLSearchParams, grouping: Grouping, noun: string, most: number): Column<Group>[] {
  return [
    {
      key: 'value',
      title: grouping.byAttribute || (BY.find((one) => one.key === grouping.byKey)?.label ?? ''),
      width: 140,
      grow: 2,
      keep: 9,
      cell: (row) => (
        <To href={callsOf(query, grouping, row, {})} title={row.value ?? undefined}>
          {row.value === null ? <span className="soft">(none)</span> : row.value === '' ? '(empty)' : row.value}
        </To>
      ),
    },
    {
      key: 'share',
      title: 'Share',
      width: 110,
      grow: 1.2,
      keep: 3,
      cell: (row) => (
        <span className="duration-bar">
          <i className="plain" style={{width: `max(2px, ${(100 * row.count) / most}%)`}} />
        </span>
      ),
    },
    {
      key: 'count',
      title: noun === 'call' ? 'Calls' : 'Spans',
      width: 80,
      end: true,
      keep: 8,
      sortable: true,
      cell: (row) => (
        <To className="num quantile" href={callsOf(query, grouping, row, {})}>
          {count(row.count)}
        </To>
      ),
    },
    {
      key: 'errors',
      title: 'Errors',
      width: 72,
      end: true,
      keep: 6,
      sortable: true,
      cell: (row) =>
        row.errors ? (
          <To
            className="num bad strong"
            title={percent(row.errors, row.count)}
            href={callsOf(query, grouping, row, {errors: true})}
          >
            {count(row.errors)}
          </To>
        ) : (
          <span className="faint num">0</span>
        ),
    },
    quantileColumn(query, grouping, noun, 'p50', 4),
    quantileColumn(query, grouping, noun, 'p95', 7),
    quantileColumn(query, grouping, noun, 'p99', 2),
    quantileColumn(query, grouping, noun, 'max', 5),
  ];
}

/** A number with a way to what it counts, where there is one. */
function To({
  href,
  children,
  ...rest
}: {
  href: string;
  className?: string;
  title?: string | undefined;
  children: ReactNode;
}) {
  if (!href) return <span {...rest}>{children}</span>;
  return (
    <Link tabIndex={-1} href={href} {...rest}>
      {children}
    </Link>
  );
}
