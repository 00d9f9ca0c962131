// The waterfall. It scrolls with the page, and only rows in sight are in it (of a 10,000-span trace some 40); positions
// are per cent of the time in view, so zooming touches styles, not layout of the page. All state that a colleague
// should see (chosen span, time in view, folded rows, search) is in the address.
import {useWindowVirtualizer} from '@tanstack/react-virtual';
import {useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent} from 'react';
import {Button, ToggleButton} from 'react-aria-components';
import type {Trace} from '../api/types';
import {Icon} from '../control/icon';
import {TextInput} from '../control/text_input';
import {useOffset} from '../control/use_offset';
import {useWidth} from '../control/use_width';
import {useQueryState} from '../route/location';
import {count, duration} from '../text/units';
import {criticalPath} from './critical_path';
import {visibleRows, type Layout} from './layout';
import {matches} from './match';
import {Minimap} from './minimap';
import {usePlace} from './place';
import {serviceColors} from './service_color';
import {SpanDetails} from './span_details';
import {streaming} from './streaming';
import {WaterfallRow} from './waterfall_row';
import {Scale} from './scale';

export const ROW_HEIGHT = 26;
const ALONE_HEIGHT = 64;
const BAR = 46; // the page's own
const MOST_FOLDED = 80; // in the address

export interface Window {
  from: number;
  to: number;
}

export function Waterfall({trace, layout}: {trace: Trace; layout: Layout}) {
  const [query, change] = useQueryState();
  const {rows} = layout;
  const [box, width] = useWidth<HTMLDivElement>();
  const colors = useMemo(() => serviceColors(trace.spans.map((one) => one.service)), [trace]);
  const path = useMemo(() => criticalPath(rows), [rows]);
  const logs = useMemo(() => {
    const found = new Map<string, number[]>();
    for (const log of trace.logs) found.set(log.span_id, [...(found.get(log.span_id) ?? []), log.time_ms]);
    return found;
  }, [trace]);

  const foldText = query.get('fold') ?? '';
  const folded = useMemo(
    () =>
      new Set(
        foldText
          .split(',')
          .map(Number)
          .filter((one) => foldText !== '' && Number.isInteger(one) && one >= 0 && one < rows.length),
      ),
    [foldText, rows.length],
  );
  const [extra, setExtra] = useState<ReadonlySet<number> | null>(null); // more than an address can hold
  const hidden = extra ?? folded;
  const seen = useMemo(() => visibleRows(rows, hidden), [rows, hidden]);
  const fold = useCallback(
    (next: Set<number>) => {
      if (next.size > MOST_FOLDED) setExtra(next);
      else {
        setExtra(null);
        change({fold: next.size ? [...next].sort((a, b) => a - b).join(',') : null}, {replace: true});
      }
    },
    [change],
  );

  const total = layout.to - layout.from,
    least = Math.max(total * 1e-7, 1e-5);
  const a = Number(query.get('a') ?? NaN),
    b = Number(query.get('b') ?? NaN); // ms since the trace's start
  const window_: Window =
    Number.isFinite(a) && Number.isFinite(b) && b > a
      ? {from: layout.from + a, to: layout.from + b}
      : {from: layout.from, to: layout.to};
  const setWindow = useCallback(
    (next: Window | null) => {
      if (!next || next.to - next.from >= total) return change({a: null, b: null}, {replace: true});
      const size = Math.max(next.to - next.from, least),
        from = Math.min(Math.max(next.from, layout.from), layout.to - size);
      change({a: round(from - layout.from), b: round(from - layout.from + size)}, {replace: true});
    },
    [change, layout, total, least],
  );

  const search = query.get('q') ?? '';
  const found = useMemo(() => (search ? matches(rows, search) : null), [rows, search]);
  const critical = query.get('critical') !== '0';
  const spanId = query.get('span');
  // A span that is alone has the page to itself: its details are open.
  const alone = rows.length === 1 && rows[0]!.span !== null;
  const chosen = alone ? 0 : spanId !== null ? (layout.byId.get(spanId) ?? null) : null;
  const schematic = useMemo(() => rows.some((row) => row.span && streaming(row.span)?.even), [rows]);
  const [active, setActive] = useState(chosen ?? 0); // row with the keyboard focus
  const wantFocus = useRef(false);

  const body = useRef<HTMLDivElement>(null),
    head = useRef<HTMLDivElement>(null);
  const margin = useOffset(body);
  const stuck = () => BAR + (head.current?.offsetHeight ?? 0); // what sticks to the top of the window
  const virtual = useWindowVirtualizer({
    count: seen.length,
    estimateSize: () => (alone ? ALONE_HEIGHT : ROW_HEIGHT),
    overscan: 10,
    scrollMargin: margin,
    scrollPaddingStart: stuck(),
    scrollPaddingEnd: ROW_HEIGHT,
  });
  const [panel, place, follow] = usePlace(chosen);
  const position = useMemo(() => {
    const map = new Map<number, number>();
    for (const [at, row] of seen.entries()) map.set(row, at);
    return map;
  }, [seen]);
  const go = useCallback(
    (row: number, focus = true) => {
      // Whoever is asked for must be in sight: unfold what hides it.
      if (!position.has(row)) {
        const next = new Set(hidden);
        for (let up = rows[row]!.parent; up >= 0; up = rows[up]!.parent) next.delete(up);
        fold(next);
        pending.current = row;
      } else virtual.scrollToIndex(position.get(row)!, {align: 'auto'});
      wantFocus.current = focus;
      setActive(row);
    },
    [position, hidden, rows, fold, virtual],
  );
  const pending = useRef<number | null>(chosen);
  useEffect(() => {
    if (pending.current === null || !position.has(pending.current) || margin === 0) return;
    virtual.scrollToIndex(position.get(pending.current)!, {align: 'center'});
    pending.current = null;
    follow();
  }, [position, virtual, margin, follow]);

  const choose = useCallback(
    (row: number | null) => change({span: row === null ? null : (rows[row]!.span?.span_id ?? null)}, {replace: true}),
    [change, rows],
  );
  const toggle = useCallback(
    (row: number) => {
      const next = new Set(hidden);
      if (!next.delete(row)) next.add(row);
      fold(next);
    },
    [hidden, fold],
  );
  function jump(to: readonly number[], by: 1 | -1): void {
    if (to.length === 0) return;
    const at =
      by > 0
        ? (to.find((one) => one > active) ?? to[0]!)
        : ([...to].reverse().find((one) => one < active) ?? to[to.length - 1]!);
    go(at);
    choose(at);
  }
  const errors = useMemo(() => rows.flatMap((row, i) => (row.span?.status === 'error' ? [i] : [])), [rows]);
  const size = window_.to - window_.from;
  function zoom(factor: number): void {
    const row = rows[active],
      middle =
        row && row.start <= window_.to && row.end >= window_.from
          ? (Math.max(row.start, window_.from) + Math.min(row.end, window_.to)) / 2
          : window_.from + size / 2;
    setWindow({from: middle - (middle - window_.from) * factor, to: middle + (window_.to - middle) * factor});
  }
  const pan = (share: number) => setWindow({from: window_.from + size * share, to: window_.to + size * share});

  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = position.get(active) ?? 0,
      row = rows[active],
      page = Math.max(1, Math.floor((window.innerHeight - stuck()) / ROW_HEIGHT) - 3);
    const to = (index: number) => go(seen[Math.max(0, Math.min(seen.length - 1, index))]!);
    const act: Record<string, () => void> = {
      ArrowDown: () => to(at + 1),
      ArrowUp: () => to(at - 1),
      PageDown: () => to(at + page),
      PageUp: () => to(at - page),
      Home: () => to(0),
      End: () => to(seen.length - 1),
      ArrowLeft: () =>
        row && row.children > 0 && !hidden.has(active)
          ? toggle(active)
          : row && row.parent >= 0
            ? go(row.parent)
            : undefined,
      ArrowRight: () =>
        row && row.children > 0 && hidden.has(active)
          ? toggle(active)
          : row && row.children > 0
            ? to(at + 1)
            : undefined,
      Enter: () => choose(active),
      ' ': () => choose(active),
      Escape: () => choose(null),
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      '0': () => setWindow(null),
      a: () => pan(-0.25),
      d: () => pan(0.25),
      f: () =>
        row &&
        setWindow({
          from: row.start - (row.end - row.start) * 0.1 - least,
          to: row.end + (row.end - row.start) * 0.1 + least,
        }),
      c: () => change({critical: critical ? '0' : null}, {replace: true}),
      e: () => jump(errors, 1),
      n: () => found && jump(found.list, 1),
      p: () => found && jump(found.list, -1),
    };
    const run = act[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  return (
    <div className={`waterfall ${alone ? 'alone' : chosen !== null ? 'with-details' : ''}`}>
      <div className="card waterfall-main" ref={box}>
        <div className="waterfall-head" ref={head}>
          {!alone && (
            <>
              <div className="waterfall-tools">
                <TextInput
                  search
                  hideLabel
                  className="grow"
                  label="Search in this trace"
                  placeholder="Name, service, attribute …"
                  value={search}
                  onChange={(q) => change({q}, {replace: true})}
                />
                {found && (
                  <span className="num faint" role="status">
                    {count(found.list.length)} {found.list.length === 1 ? 'match' : 'matches'}
                  </span>
                )}
                {found && found.list.length > 0 && (
                  <Button className="button small" onPress={() => jump(found.list, 1)}>
                    Next
                  </Button>
                )}
                {errors.length > 0 && (
                  <Button className="button small" onPress={() => jump(errors, 1)}>
                    <span className="dot bad" />
                    Next error
                  </Button>
                )}
                <ToggleButton
                  className="button small"
                  isSelected={critical}
                  onChange={(on) => change({critical: on ? null : '0'}, {replace: true})}
                >
                  Critical path
                </ToggleButton>
                <Button
                  className="button small"
                  onPress={() =>
                    fold(
                      hidden.size
                        ? new Set()
                        : new Set(rows.flatMap((row, i) => (row.children > 0 && row.depth >= 1 ? [i] : []))),
                    )
                  }
                >
                  {hidden.size ? 'Unfold all' : 'Fold'}
                </Button>
                <span className="row waterfall-zoom">
                  <Button className="button small icon" aria-label="Zoom in" onPress={() => zoom(0.5)}>
                    <Icon name="plus" size={12} />
                  </Button>
                  <Button className="button small icon" aria-label="Zoom out" onPress={() => zoom(2)}>
                    <Icon name="minus" size={12} />
                  </Button>
                  <Button
                    className="button small icon"
                    aria-label="Show the whole trace"
                    isDisabled={size >= total}
                    onPress={() => setWindow(null)}
                  >
                    <Icon name="fit" size={12} />
                  </Button>
                </span>
              </div>
              <Minimap layout={layout} colors={colors} view={window_} onView={setWindow} />
            </>
          )}
          <Scale from={window_.from - layout.from} to={window_.to - layout.from} />
        </div>
        <div
          className="waterfall-grid"
          role="treegrid"
          aria-label={`Waterfall of ${count(rows.length)} rows over ${duration(total / 1000)}`}
          aria-rowcount={seen.length}
          onKeyDown={key}
        >
          <div className="waterfall-rows" role="rowgroup" ref={body} style={{height: virtual.getTotalSize()}}>
            {virtual.getVirtualItems().map((item) => {
              const index = seen[item.index]!;
              return (
                <WaterfallRow
                  key={index}
                  row={rows[index]!}
                  index={index}
                  position={item.index}
                  top={item.start - margin}
                  from={window_.from}
                  to={window_.to}
                  color={colors.get(rows[index]!.span?.service ?? '') ?? '--series-7'}
                  room={Math.round((width * (alone ? 0.72 : 0.6)) / 40) * 40}
                  alone={alone}
                  stretches={critical && !alone ? path.get(index) : undefined}
                  logs={rows[index]!.span ? logs.get(rows[index]!.span!.span_id) : undefined}
                  folded={hidden.has(index)}
                  chosen={index === chosen}
                  dim={found !== null && !found.set.has(index)}
                  tabbable={index === active || (!position.has(active) && item.index === 0)}
                  focus={index === active ? wantFocus : null}
                  onToggle={toggle}
                  onChoose={choose}
                  onActive={setActive}
                />
              );
            })}
          </div>
        </div>
        {!alone && schematic && (
          <p className="waterfall-foot faint">
            Faint marks are schematic: those spans do not say when each chunk came.
          </p>
        )}
      </div>
      {chosen !== null && rows[chosen]!.span && (
        <div className="details-place" ref={panel} style={place}>
          <SpanDetails
            key={spanId}
            row={rows[chosen]!}
            trace={trace}
            layout={layout}
            color={colors.get(rows[chosen]!.span!.service) ?? '--series-7'}
            stretches={alone ? undefined : path.get(chosen)}
            onClose={alone ? null : () => choose(null)}
            onGo={(row) => {
              go(row);
              choose(row);
            }}
          />
        </div>
      )}
    </div>
  );
}

const round = (ms: number) => Number(ms.toPrecision(12)).toString();
