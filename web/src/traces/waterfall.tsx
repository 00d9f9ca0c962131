// The waterfall. It scrolls with the page, and only rows in sight are in it (of a 10,000-span trace some 40); positions
// are per cent of the time in view, so zooming touches styles, not layout of the page. All state that a colleague
// should see (chosen span, time in view, folded rows, search) is in the address.
import {useCallback, useMemo, type KeyboardEvent} from 'react';
import type {Trace} from '../api/types';
import {useWidth} from '../control/use_width';
import {useQueryState} from '../route/location';
import {count, duration} from '../text/units';
import {criticalPath} from './critical_path';
import type {Layout, Row} from './layout';
import {matches} from './match';
import {Minimap} from './minimap';
import {usePlace} from './place';
import {useFolding, useRowList, type Folding, type RowList} from './row_list';
import {Scale} from './scale';
import {serviceColors} from './service_color';
import {SpanDetails} from './span_details';
import {streaming} from './streaming';
import {useTimeWindow, type TimeWindow} from './time_window';
import {WaterfallRow} from './waterfall_row';
import {WaterfallTools} from './waterfall_tools';

export function Waterfall({trace, layout}: {trace: Trace; layout: Layout}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const asked = useAsked(trace, layout);
  const {rows, alone, chosen} = asked;
  const view = useTimeWindow(layout);
  const folding = useFolding(rows);
  const [panel, place, follow] = usePlace(chosen);
  const list = useRowList(rows, folding, chosen, alone, follow);
  const {choose, visit, jump, key} = useCommands(asked, view, folding, list);
  const details = chosen === null ? null : rows[chosen]!;
  return (
    <div className={`waterfall ${alone ? 'alone' : chosen !== null ? 'with-details' : ''}`}>
      <div className="card waterfall-main" ref={box}>
        <div className="waterfall-head" ref={list.head}>
          {!alone && (
            <>
              <WaterfallTools {...asked} folding={folding} view={view} active={rows[list.active]} jump={jump} />
              <Minimap layout={layout} colors={asked.colors} view={view} onView={view.set} />
            </>
          )}
          <Scale from={view.from - layout.from} to={view.to - layout.from} />
        </div>
        <div
          className="waterfall-grid"
          role="treegrid"
          aria-label={`Waterfall of ${count(rows.length)} rows over ${duration((layout.to - layout.from) / 1000)}`}
          aria-rowcount={list.seen.length}
          onKeyDown={key}
        >
          <Rows asked={asked} view={view} folding={folding} list={list} width={width} onChoose={choose} />
        </div>
        {!alone && asked.schematic && (
          <p className="waterfall-foot faint">
            Faint marks are schematic: those spans do not say when each chunk came.
          </p>
        )}
      </div>
      {details?.span && (
        <div className="details-place" ref={panel} style={place}>
          <SpanDetails
            key={asked.spanId}
            row={details}
            trace={trace}
            layout={layout}
            color={asked.colorOf(details)}
            stretches={alone ? undefined : asked.path.get(chosen!)}
            onClose={alone ? null : () => choose(null)}
            onGo={visit}
          />
        </div>
      )}
    </div>
  );
}

type Asked = ReturnType<typeof useAsked>;

/** What the address asks of the trace, and what of it is the same however it is looked at. */
function useAsked(trace: Trace, {rows, byId}: Layout) {
  const [query] = useQueryState();
  const colors = useMemo(() => serviceColors(trace.spans.map((one) => one.service)), [trace]);
  const colorOf = (row: Row) => colors.get(row.span?.service ?? '') ?? '--series-7';
  const path = useMemo(() => criticalPath(rows), [rows]);
  const logs = useMemo(() => {
    const found = new Map<string, number[]>();
    for (const log of trace.logs) found.set(log.span_id, [...(found.get(log.span_id) ?? []), log.time_ms]);
    return found;
  }, [trace]);
  const errors = useMemo(() => rows.flatMap((row, i) => (row.span?.status === 'error' ? [i] : [])), [rows]);
  const schematic = useMemo(() => rows.some((row) => row.span && streaming(row.span)?.even), [rows]);
  const search = query.get('q') ?? '';
  const found = useMemo(() => (search ? matches(rows, search) : null), [rows, search]);
  const critical = query.get('critical') !== '0';
  const spanId = query.get('span');
  // A span that is alone has the page to itself: its details are open.
  const alone = rows.length === 1 && rows[0]!.span !== null;
  const chosen = alone ? 0 : spanId !== null ? (byId.get(spanId) ?? null) : null;
  return {rows, colors, colorOf, path, logs, errors, schematic, search, found, critical, spanId, alone, chosen};
}

function useCommands({rows, errors, found, critical}: Asked, view: TimeWindow, folding: Folding, list: RowList) {
  const [, change] = useQueryState();
  const {active, go} = list;
  const choose = useCallback(
    (row: number | null) => change({span: row === null ? null : (rows[row]!.span?.span_id ?? null)}, {replace: true}),
    [change, rows],
  );
  const visit = (row: number) => {
    go(row);
    choose(row);
  };
  function jump(to: readonly number[], by: 1 | -1): void {
    if (to.length === 0) return;
    const next = by > 0 ? to.find((one) => one > active) : [...to].reverse().find((one) => one < active);
    visit(next ?? (by > 0 ? to[0]! : to[to.length - 1]!));
  }
  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      ...moveKeys(rows, folding, list),
      ...viewKeys(view, rows[active]),
      Enter: () => choose(active),
      ' ': () => choose(active),
      Escape: () => choose(null),
      c: () => change({critical: critical ? '0' : null}, {replace: true}),
      e: () => jump(errors, 1),
      n: () => found && jump(found.list, 1),
      p: () => found && jump(found.list, -1),
    };
    const run = actions[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }
  return {choose, visit, jump, key};
}

function moveKeys(rows: readonly Row[], {hidden, toggle}: Folding, {seen, position, page, active, go}: RowList) {
  const at = position.get(active) ?? 0,
    row = rows[active],
    parent = row !== undefined && row.children > 0;
  const to = (index: number) => go(seen[Math.max(0, Math.min(seen.length - 1, index))]!);
  return {
    ArrowDown: () => to(at + 1),
    ArrowUp: () => to(at - 1),
    PageDown: () => to(at + page()),
    PageUp: () => to(at - page()),
    Home: () => to(0),
    End: () => to(seen.length - 1),
    ArrowLeft: () => {
      if (parent && !hidden.has(active)) toggle(active);
      else if (row && row.parent >= 0) go(row.parent);
    },
    ArrowRight: () => {
      if (parent && hidden.has(active)) toggle(active);
      else if (parent) to(at + 1);
    },
  };
}

function viewKeys(view: TimeWindow, row: Row | undefined) {
  const margin = row ? (row.end - row.start) * 0.1 + view.least : 0;
  return {
    '+': () => view.zoom(0.5, row),
    '=': () => view.zoom(0.5, row),
    '-': () => view.zoom(2, row),
    '0': () => view.set(null),
    a: () => view.pan(-0.25),
    d: () => view.pan(0.25),
    f: () => row && view.set({from: row.start - margin, to: row.end + margin}),
  };
}

function Rows({
  asked: {rows, colorOf, path, logs, found, critical, alone, chosen},
  view,
  folding,
  list,
  width,
  onChoose,
}: {
  asked: Asked;
  view: TimeWindow;
  folding: Folding;
  list: RowList;
  width: number;
  onChoose: (row: number | null) => void;
}) {
  const {seen, position, virtual, margin, active} = list;
  return (
    <div className="waterfall-rows" role="rowgroup" ref={list.body} style={{height: virtual.getTotalSize()}}>
      {virtual.getVirtualItems().map((item) => {
        const index = seen[item.index]!,
          row = rows[index]!;
        return (
          <WaterfallRow
            key={index}
            row={row}
            index={index}
            position={item.index}
            top={item.start - margin}
            from={view.from}
            to={view.to}
            color={colorOf(row)}
            room={Math.round((width * (alone ? 0.72 : 0.6)) / 40) * 40}
            alone={alone}
            stretches={critical && !alone ? path.get(index) : undefined}
            logs={row.span ? logs.get(row.span.span_id) : undefined}
            folded={folding.hidden.has(index)}
            chosen={index === chosen}
            dim={found !== null && !found.set.has(index)}
            tabbable={index === active || (!position.has(active) && item.index === 0)}
            focus={index === active ? list.wantFocus : null}
            onToggle={folding.toggle}
            onChoose={onChoose}
            onActive={list.setActive}
          />
        );
      })}
    </div>
  );
}
