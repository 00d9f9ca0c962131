// Series over time: uPlot on a canvas, with a legend of our own that shows the value under the cursor (all charts of a
// page share the cursor) or else the figure that stands for the whole. Dragging chooses a time range; arrows move the
// cursor and say what stands there. To assistive technology it is a slider over time, with a sentence of numbers for a
// name.
import {useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type RefObject} from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import {useColors} from '../shell/theme';
import {preciseTime, time, utc} from '../time/format';
import {useWidth} from '../control/use_width';
import {distinct, tick} from './axis';
import {paintBand, paintGap, paintPartial} from './paint';
import {bars, figure, lonely, reading, stack, summary, type Series, type Stretch} from './series';

const NONE: never[] = [];
const WHOLE: ReadonlySet<number> = new Set();

interface Props {
  title: string;
  times: number[]; // Unix ms
  series: Series[];
  from: number;
  to: number;
  format: (value: number) => string;
  height?: number;
  kind?: 'line' | 'bars' | 'area';
  onSelect?: (from: number, to: number) => void;
  onReset?: () => void;
  legend?: boolean;
  /** Vertical lines: moments worth knowing. */
  marks?: readonly {time_ms: number; color: string}[];
  /** Places in `times` whose step is not whole: still under way, or partly unseen. */
  partial?: ReadonlySet<number>;
  /** Stretches of which figures are missing. */
  gaps?: readonly Stretch[];
}

export function TimeChart({
  title,
  times,
  series,
  from,
  to,
  format,
  height = 120,
  kind = 'line',
  onSelect,
  onReset,
  legend = true,
  marks = NONE,
  partial = WHOLE,
  gaps = NONE,
}: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const color = useColors();
  const [at, setAt] = useState<number | null>(null);
  const current = {format, onSelect, onReset, from, to, marks, partial, gaps, series};
  const plot = usePlot(box, {width, height, kind, times, color, current, onCursor: setAt});
  const index = at !== null && at < times.length ? at : null;
  const last = times.length - 1;
  const shown = index ?? lastKnown(series, last);
  const {move, key} = useKeys(plot, times, index, shown, setAt);
  const moment = (at: number) => (to - from < 120_000 ? preciseTime : time)(times[at]!);
  const name = useMemo(() => summary(title, series, format), [title, series, format]);
  return (
    <figure className="time-chart">
      {legend && (
        <Legend
          {...{series, index, format}}
          bars={kind === 'bars'}
          at={index === null ? null : times[index]!}
          text={index === null ? '' : `${moment(index)}${partial.has(index) ? ', not whole' : ''}`}
        />
      )}
      <div
        ref={box}
        className="plot"
        style={{height}}
        tabIndex={0}
        role="slider"
        aria-label={name}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={Math.max(0, shown)}
        aria-valuetext={
          last < 0 ? 'no data' : `${moment(shown)}: ${reading(series, shown, format, partial.has(shown))}`
        }
        onKeyDown={key}
        onBlur={() => index !== null && move(null)}
      />
    </figure>
  );
}

/** What a chart shows now: the plot asks for it when it draws. */
type Current = Required<Pick<Props, 'format' | 'from' | 'to' | 'marks' | 'partial' | 'gaps' | 'series'>> &
  Pick<Props, 'onSelect' | 'onReset'>;
type Color = (name: string) => string;

function usePlot(
  box: RefObject<HTMLDivElement>,
  {
    width,
    height,
    kind,
    times,
    color,
    current,
    onCursor,
  }: {
    width: number;
    height: number;
    kind: NonNullable<Props['kind']>;
    times: number[];
    color: Color;
    current: Current;
    onCursor: (at: number | null) => void;
  },
): RefObject<uPlot> {
  const {from, to, marks, partial, gaps, series} = current;
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(current);
  latest.current = current;
  const stacked = kind === 'bars' || kind === 'area';
  const data = useMemo<uPlot.AlignedData>(() => {
    const columns =
      kind === 'bars' ? bars(series).reverse() : stacked ? stack(series).reverse() : series.map((one) => one.values);
    return [times.map((ms) => ms / 1000), ...columns] as uPlot.AlignedData;
  }, [times, series, stacked, kind]);
  const lines = series.map((one) => `${one.label}${one.color}${one.dash ?? ''}${one.fill ?? ''}`).join('|');
  const shape = `${kind}|${lines}`;
  const visible = width > 0;

  // The plot is made again only when its kind, its lines (both in `shape`) or the colours change.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rest comes through the effects below.
  useLayoutEffect(() => {
    if (!box.current || !visible) return;
    const ordered = stacked ? [...series].reverse() : series;
    const chart = new uPlot(
      {
        width,
        height,
        ...frame(latest, stacked),
        axes: axes(latest, color),
        series: [{}, ...ordered.map((one) => line(one, kind, color))],
        hooks: hooks(latest, color, onCursor),
      },
      data,
      box.current,
    );
    plot.current = chart;
    return () => {
      chart.destroy();
      plot.current = null;
    };
  }, [shape, visible, color]);
  useEffect(() => plot.current?.setData(data), [data]);
  useEffect(() => plot.current?.setScale('x', {min: from / 1000, max: to / 1000}), [from, to]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `draw` reads them where the last render left them.
  useEffect(() => plot.current?.redraw(false), [marks, partial, gaps]);
  useEffect(() => {
    if (width) plot.current?.setSize({width, height});
  }, [width, height]);
  return plot;
}

function frame(its: RefObject<Current>, stacked: boolean): Omit<uPlot.Options, 'width' | 'height' | 'series'> {
  return {
    padding: [8, 6, 0, 0],
    legend: {show: false},
    cursor: {
      sync: {key: 'time'},
      drag: {x: true, y: false, setScale: false, dist: 4},
      points: {size: 5, show: !stacked},
      bind: {
        dblclick: () => () => {
          its.current!.onReset?.();
          return null;
        },
      },
    },
    scales: {
      x: {time: true, range: () => [its.current!.from / 1000, its.current!.to / 1000]},
      y: {range: (_, __, high) => [0, top(high, its.current!.series)]},
    },
  };
}

function axes(its: RefObject<Current>, color: Color): uPlot.Axis[] {
  const grid = {stroke: color('--grid'), width: 1};
  const axis = {stroke: color('--text-3'), font: '11px system-ui, sans-serif', grid, ticks: {show: false}};
  return [
    {
      ...axis,
      size: 24,
      gap: 4,
      space: 64,
      values: (_, splits, __, ___, distance) => splits.map((one) => tick(one, distance)),
    },
    {
      ...axis,
      size: 58,
      gap: 4,
      space: 28,
      values: (_, splits) => distinct(splits.map((one) => its.current!.format(one))),
    },
  ];
}

function line(one: Series, kind: NonNullable<Props['kind']>, color: Color): uPlot.Series {
  const stacked = kind !== 'line';
  const stroke = color(one.color);
  return {
    label: one.label,
    stroke,
    width: stacked ? 1 : 1.5,
    spanGaps: false,
    points: {show: false, size: 4, fill: stroke, filter: (u, at) => (stacked ? null : lonely(u.data[at]!))},
    ...(one.dash ? {dash: [4, 3]} : {}),
    ...(kind === 'bars' ? {fill: stroke, paths: uPlot.paths.bars!({size: [0.8, 14], gap: 0})} : {}),
    ...(kind === 'area' ? {fill: stroke} : {}),
    ...(one.fill ? {fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.13)')} : {}),
  };
}

function hooks(its: RefObject<Current>, color: Color, onCursor: (at: number | null) => void): uPlot.Hooks.Arrays {
  return {
    setSelect: [
      (u) => {
        if (u.select.width > 3)
          its.current!.onSelect?.(
            u.posToVal(u.select.left, 'x') * 1000,
            u.posToVal(u.select.left + u.select.width, 'x') * 1000,
          );
        u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
      },
    ],
    setCursor: [(u) => onCursor(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
    drawAxes: [
      (u) => {
        for (const gap of its.current!.gaps) paintGap(u, gap, color);
        for (const one of its.current!.series) paintBand(u, one, color);
      },
    ],
    draw: [
      (u) => {
        for (const index of its.current!.partial) paintPartial(u, index, color);
        for (const mark of its.current!.marks) {
          const x = Math.round(u.valToPos(mark.time_ms / 1000, 'x', true));
          if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
          u.ctx.fillStyle = color(mark.color);
          u.ctx.fillRect(x, u.bbox.top, Math.max(1, devicePixelRatio), u.bbox.height);
        }
      },
    ],
  };
}

function useKeys(
  plot: RefObject<uPlot>,
  times: readonly number[],
  index: number | null,
  shown: number,
  setAt: (at: number) => void,
) {
  const last = times.length - 1;
  function move(next: number | null): void {
    const chart = plot.current;
    if (!chart) return;
    if (next === null) return chart.setCursor({left: -10, top: -10});
    const place = Math.max(0, Math.min(last, next));
    chart.setCursor({left: chart.valToPos(times[place]! / 1000, 'x'), top: 0});
    setAt(place);
  }
  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || last < 0) return;
    const far = Math.max(2, Math.round(last / 10));
    const steps: Record<string, number> = {
      ArrowLeft: shown - (event.shiftKey ? far : 1),
      ArrowDown: shown - 1,
      ArrowRight: shown + (event.shiftKey ? far : 1),
      ArrowUp: shown + 1,
      PageDown: shown - far,
      PageUp: shown + far,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape' && index !== null) move(null);
    else if (event.key in steps) move(steps[event.key]!);
    else return;
    event.preventDefault();
  }
  return {move, key};
}

/** The value under the cursor, or what stands for the whole. */
function Legend({
  series,
  index,
  format,
  bars,
  at,
  text,
}: {
  series: readonly Series[];
  index: number | null;
  format: (value: number) => string;
  bars: boolean;
  at: number | null;
  text: string;
}) {
  return (
    <figcaption className="legend">
      {(series.length > 1 || index !== null) &&
        series.map((one) => {
          const value = figure(one, index, bars),
            low = index === null ? null : (one.band?.low[index] ?? null),
            high = index === null ? null : (one.band?.high[index] ?? null);
          return (
            <span key={one.label} className="legend-item">
              <i className={`swatch${one.dash ? ' dashed' : ''}`} style={{color: `var(${one.color})`}} />
              <span className="soft">{one.label}</span>
              <span className="num legend-value">
                {value === null ? '–' : format(value)}
                {low !== null && high !== null && low < high && (
                  <span className="faint">
                    {' '}
                    {format(low)}–{format(high)}
                  </span>
                )}
              </span>
            </span>
          );
        })}
      <span className="legend-time num faint" title={at === null ? undefined : utc(at)}>
        {text}
      </span>
    </figcaption>
  );
}

function lastKnown(series: readonly Series[], last: number): number {
  for (let i = last; i > 0; i--) if (series.some((one) => (one.values[i] ?? null) !== null)) return i;
  return Math.max(0, last);
}

/** Upper end of the axis: room for the highest line and the highest band. */
function top(high: number | null, series: readonly Series[]): number {
  let most = high ?? 0;
  for (const one of series) for (const value of one.band?.high ?? []) most = Math.max(most, value ?? 0);
  return most > 0 ? most * 1.08 : 1;
}
