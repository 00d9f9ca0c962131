// One tape of the fleet, in order of time: sessions that opened and ended (folded), deaths, storms, drains. Two moments
// of it make a question: what changed?
import {useCallback, useMemo} from 'react';
import {Button, ToggleButton, ToggleButtonGroup} from 'react-aria-components';
import './tape.css';
import {parameters, useAsk} from '../api/fetch';
import {useLoadNear, usePages, type Pages} from '../api/pages';
import type {Closes, Fleet, Tape} from '../api/types';
import {TimeChart} from '../chart/time_chart';
import {Choice} from '../control/choice';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {address, navigate, sharedQuery, useQueryState} from '../route/location';
import {Table} from '../table/table';
import {count} from '../text/units';
import {bounds, stepFor, useBounds, useRange, wholeSteps, type Range} from '../time/range';
import {activity} from './activity';
import {tapeColumns} from './tape_columns';
import {WhatChanged} from './what_changed';
import {CHOICES, entryKey, kindsOf, namesOf, sessionsHref} from './words';

const PAGE = 200;

export function HappenedPage() {
  const [query] = useQueryState();
  const {range, key, live} = useRange();
  const text = query.toString();
  const chosen = useMemo(() => new URLSearchParams(text).getAll('kind'), [text]);
  const route = query.get('route') ?? '',
    instance = query.get('instance') ?? '',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
  const [marks, mark] = useMarks();
  const found = usePages<Tape>(
    ['tape', key, chosen.join(), route, instance, order],
    (cursor) =>
      `/tape${parameters({...between(range), kind: kindsOf(chosen), route, instance, order, limit: PAGE, cursor})}`,
    live,
  );
  const {fleet, chart, from, to} = useActivity(range, key, live, route, instance, found.at);
  const names = useMemo(() => namesOf(fleet.data?.instances ?? []), [fleet.data]);
  const narrowed = chosen.length > 0 || route !== '' || instance !== '';
  return (
    <div className="stack happened">
      <div className="page-head">
        <h1>What happened</h1>
        <span className="about">
          Sessions that opened, ended normally and died (ended abnormally), storms, drains and deploys, in one order.
        </span>
      </div>
      <section className="card" aria-label="Activity over time">
        <TimeChart
          title="Opened, ended normally and died"
          kind="bars"
          height={96}
          times={chart.times}
          series={chart.series}
          from={from}
          to={to}
          format={count}
          marks={marks.map((time_ms) => ({time_ms, color: '--accent'}))}
          onSelect={(low, high) => mark([Math.round(low), Math.round(high)])}
          onReset={() => mark([])}
        />
      </section>
      <WhatChanged
        marks={marks}
        onMark={mark}
        incidents={address('/incidents', {...sharedQuery(query), route, instance})}
        names={names}
      />
      <div>
        <Filters fleet={fleet.data} chosen={chosen} route={route} instance={instance} narrowed={narrowed} />
        <Entries found={found} marks={marks} mark={mark} names={names} narrowed={narrowed} order={order} />
      </div>
    </div>
  );
}

function Entries({
  found,
  marks,
  mark,
  names,
  narrowed,
  order,
}: {
  found: Pages<Tape>;
  marks: readonly number[];
  mark: (next: readonly number[]) => void;
  names: ReadonlyMap<string, string>;
  narrowed: boolean;
  order: 'asc' | 'desc';
}) {
  const [, change] = useQueryState();
  const rows = useMemo(() => found.pages.flatMap((page) => page.entries), [found.pages]);
  const onRange = useLoadNear(found, rows.length, PAGE);
  const columns = useMemo(() => tapeColumns(marks, mark, names), [marks, mark, names]);
  return (
    <div className="card">
      <Renewing on={found.renewing} />
      {found.error && found.pages.length === 0 ? (
        <Failed error={found.error} retry={found.retry} />
      ) : (
        <Table
          label="What happened"
          columns={columns}
          rows={rows}
          total={rows.length}
          rowKey={entryKey}
          onRange={onRange}
          tone={(row) => (row.level === 'info' ? '' : row.level)}
          second={(row) => [row.route, names.get(row.instance) ?? row.instance].filter(Boolean).join(' · ')}
          onOpen={(row) => {
            const href = sessionsHref(row.query);
            if (href) navigate(href);
          }}
          sort={{key: 'time', order}}
          onSort={(next) => change({order: next.order === 'asc' ? 'asc' : null})}
          empty={
            found.pending ? (
              <Loading />
            ) : (
              <Empty title={narrowed ? 'Nothing of this kind happened' : 'Nothing happened in this time range'}>
                <p>{narrowed ? 'Take a filter off.' : 'Choose a longer time range above.'}</p>
              </Empty>
            )
          }
        />
      )}
      <Cut
        shown={rows.length}
        total={null}
        one="entry"
        many="entries"
        more={found.more}
        loading={found.loading}
        load={found.load}
        complete={found.complete}
      />
    </div>
  );
}

function useMarks(): [readonly number[], (next: readonly number[]) => void] {
  const [query, change] = useQueryState();
  const text = query.toString();
  const marks = useMemo(
    () =>
      ['a', 'b']
        .map((name) => Number(new URLSearchParams(text).get(name) ?? NaN))
        .filter((one) => Number.isFinite(one) && one > 0)
        .sort((x, y) => x - y),
    [text],
  );
  const mark = useCallback(
    (next: readonly number[]) => change({a: next[0] ?? null, b: next[1] ?? null}, {replace: true}),
    [change],
  );
  return [marks, mark];
}

function between(range: Range) {
  const {from, to} = bounds(range);
  return {from_ms: Math.round(from), to_ms: Math.round(to)};
}

/** What opened and ended over time. */
function useActivity(range: Range, key: string, live: boolean, route: string, instance: string, at: number) {
  const refresh = {refreshMs: live ? 10_000 : (false as const)};
  const fleet = useAsk<Fleet>(
    ['fleet of tape', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      const from_ms = wholeSteps(from);
      return `/fleet${parameters({...between(range), from_ms, step_seconds: stepFor(from, to), route, instance})}`;
    },
    refresh,
  );
  const closes = useAsk<Closes>(
    ['closes of tape', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      return `/closes${parameters({...between(range), step_seconds: stepFor(from, to), route, instance})}`;
    },
    refresh,
  );
  const fixed = range.last === null;
  const opens = useAsk<Tape>(fixed ? ['opens', key, route, instance] : null, () => {
    const step_seconds = stepFor(range.from, range.to);
    return `/tape${parameters({...between(range), kind: 'opens', step_seconds, route, instance, limit: 1000})}`;
  });
  const every = fixed && opens.data?.complete && opens.data.cursor === '' ? opens.data.entries : null;
  const {from, to} = useBounds(range, at);
  const chart = useMemo(
    () => activity(fleet.data, closes.data, from, to, stepFor(from, to), route, every),
    [fleet.data, closes.data, from, to, route, every],
  );
  return {fleet, chart, from, to};
}

function Filters({
  fleet,
  chosen,
  route,
  instance,
  narrowed,
}: {
  fleet: Fleet | undefined;
  chosen: readonly string[];
  route: string;
  instance: string;
  narrowed: boolean;
}) {
  const [, change] = useQueryState();
  return (
    <div className="filters" role="search" aria-label="Filters">
      <div className="field tape-kinds">
        <span className="label" id="tape-kinds">
          Kinds
        </span>
        <ToggleButtonGroup
          className="chips"
          aria-labelledby="tape-kinds"
          selectionMode="multiple"
          selectedKeys={chosen}
          onSelectionChange={(keys) => change({kind: [...keys].map(String)}, {replace: true})}
        >
          {CHOICES.map((one) => (
            <ToggleButton key={one.key} id={one.key} className="button small">
              {one.label}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      </div>
      <Choice
        label="Route"
        value={route}
        options={(fleet?.routes ?? []).map((one) => ({key: one, label: one}))}
        onChange={(next) => change({route: next})}
      />
      <Choice
        label="Proxy"
        value={instance}
        options={(fleet?.instances ?? []).map((one) => ({
          key: one.instance,
          label: `${one.service} · ${one.host}`,
        }))}
        onChange={(next) => change({instance: next})}
      />
      {narrowed && (
        <Button className="button quiet" onPress={() => change({kind: null, route: null, instance: null})}>
          Clear
        </Button>
      )}
    </div>
  );
}
