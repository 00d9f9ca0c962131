// One tape of the fleet, in order of time: sessions that opened and ended (folded), deaths, storms, drains. Two moments
// of it make a question: what changed?
import {useCallback, useMemo} from 'react';
import {Button, ToggleButton, ToggleButtonGroup} from 'react-aria-components';
import './tape.css';
import {parameters, useAsk} from '../api/fetch';
import {usePages} from '../api/pages';
import type {Closes, Fleet, Tape, TapeEntry} from '../api/types';
import {TimeChart} from '../chart/time_chart';
import {Choice} from '../control/choice';
import {Cut} from '../control/cut';
import {Empty, Failed, Loading, Renewing} from '../control/states';
import {Link} from '../route/link';
import {address, navigate, sharedQuery, useQueryState} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, shortId} from '../text/units';
import {time} from '../time/format';
import {bounds, stepFor, useBounds, useRange, wholeSteps} from '../time/range';
import {Stamp} from '../time/stamp';
import {activity} from './activity';
import {WhatChanged} from './what_changed';
import {CHOICES, entryKey, KINDS, kindsOf, markMoment, namesOf, sessionsHref, titleOf} from './words';

const PAGE = 200;

export function HappenedPage() {
  const [query, change] = useQueryState();
  const {range, key, live} = useRange();
  const text = query.toString();
  const chosen = useMemo(() => new URLSearchParams(text).getAll('kind'), [text]);
  const route = query.get('route') ?? '',
    instance = query.get('instance') ?? '',
    order = query.get('order') === 'asc' ? 'asc' : 'desc';
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
  const between = () => {
    const {from, to} = bounds(range);
    return {from_ms: Math.round(from), to_ms: Math.round(to)};
  };
  const found = usePages<Tape>(
    ['tape', key, chosen.join(), route, instance, order],
    (cursor) =>
      `/tape${parameters({...between(), kind: kindsOf(chosen), route, instance, order, limit: PAGE, cursor})}`,
    live,
  );
  const refresh = {refreshMs: live ? 10_000 : (false as const)};
  const fleet = useAsk<Fleet>(
    ['fleet of tape', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      const from_ms = wholeSteps(from);
      return `/fleet${parameters({...between(), from_ms, step_seconds: stepFor(from, to), route, instance})}`;
    },
    refresh,
  );
  const closes = useAsk<Closes>(
    ['closes of tape', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      return `/closes${parameters({...between(), step_seconds: stepFor(from, to), route, instance})}`;
    },
    refresh,
  );
  const fixed = range.last === null;
  const opens = useAsk<Tape>(fixed ? ['opens', key, route, instance] : null, () => {
    const step_seconds = stepFor(range.from, range.to);
    return `/tape${parameters({...between(), kind: 'opens', step_seconds, route, instance, limit: 1000})}`;
  });
  const every = fixed && opens.data?.complete && opens.data.cursor === '' ? opens.data.entries : null;
  const {from, to} = useBounds(range, found.at);
  const chart = useMemo(
    () => activity(fleet.data, closes.data, from, to, stepFor(from, to), route, every),
    [fleet.data, closes.data, from, to, route, every],
  );
  const rows = useMemo(() => found.pages.flatMap((page) => page.entries), [found.pages]);
  const {load, more} = found;
  const onRange = useCallback(
    (_: number, last: number) => {
      if (more && rows.length >= PAGE && last >= rows.length - 10) load();
    },
    [more, load, rows.length],
  );
  const names = useMemo(() => namesOf(fleet.data?.instances ?? []), [fleet.data]);
  const columns = useMemo<Column<TapeEntry>[]>(
    () => [
      {
        key: 'time',
        title: 'When',
        width: 84,
        grow: 0.9,
        keep: 9,
        whole: true,
        sortable: true,
        cell: (row) => (
          <>
            <Stamp ms={row.time_ms} />
            {row.to_ms !== null && time(row.to_ms) !== time(row.time_ms) && (
              <span className="faint num" title={time(row.to_ms)}>
                {' '}
                – {time(row.to_ms).slice(-8)}
              </span>
            )}
          </>
        ),
      },
      {
        key: 'kind',
        title: 'Kind',
        width: 96,
        keep: 5,
        cell: (row) => (
          <span className={`badge${row.level === 'info' ? '' : ` ${row.level}`}`}>{KINDS[row.kind] ?? row.kind}</span>
        ),
      },
      {
        key: 'what',
        title: 'What',
        width: 120,
        grow: 3,
        keep: 9,
        whole: true,
        cell: (row) => {
          const href = sessionsHref(row.query);
          const title = titleOf(row);
          return href ? (
            <Link tabIndex={-1} href={href}>
              {title}
            </Link>
          ) : (
            title
          );
        },
      },
      {
        key: 'count',
        title: 'Count',
        width: 60,
        end: true,
        keep: 4,
        cell: (row) => (row.count > 0 ? <span className="num">{count(row.count)}</span> : null),
      },
      {key: 'route', title: 'Route', width: 90, grow: 0.6, keep: 6, cell: (row) => row.route},
      {
        key: 'instance',
        title: 'Proxy',
        width: 90,
        grow: 0.6,
        keep: 3,
        cell: (row) => <span title={row.instance}>{names.get(row.instance) ?? shortId(row.instance)}</span>,
      },
      {
        key: 'sessions',
        title: 'Sessions',
        width: 210,
        grow: 0,
        keep: 2,
        cell: (row) => (
          <span className="tape-sessions">
            {row.sessions.slice(0, 3).map((one) => (
              <Link key={one} className="mono" tabIndex={-1} href={`/sessions/${encodeURIComponent(one)}`}>
                {shortId(one)}
              </Link>
            ))}
          </span>
        ),
      },
      {
        key: 'mark',
        title: 'Compare',
        width: 70,
        end: true,
        keep: 8,
        hint: 'mark two moments to see what changed between them',
        cell: (row) => (
          <ToggleButton
            className="button small"
            isSelected={marks.includes(Math.round(row.time_ms))}
            aria-label={`Mark ${time(row.time_ms)}`}
            onChange={() => mark(markMoment(marks, Math.round(row.time_ms)))}
          >
            {marks.includes(Math.round(row.time_ms)) ? 'marked' : 'mark'}
          </ToggleButton>
        ),
      },
    ],
    [marks, mark, names],
  );
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
            options={(fleet.data?.routes ?? []).map((one) => ({key: one, label: one}))}
            onChange={(next) => change({route: next})}
          />
          <Choice
            label="Proxy"
            value={instance}
            options={(fleet.data?.instances ?? []).map((one) => ({
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
            more={more}
            loading={found.loading}
            load={load}
            complete={found.complete}
          />
        </div>
      </div>
    </div>
  );
}
