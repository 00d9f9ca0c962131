// Series over time: uPlot on a canvas, with a legend of our own that shows the value under the cursor (all charts of a
// page share the cursor) or else the latest one. Dragging chooses a time range. The canvas is an image to assistive
// technology, with a sentence of numbers for a name.
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import {useColors} from '../shell/theme';
import {preciseTime, time, utc} from '../time/format';
import {useWidth} from '../control/use_width';
import {distinct, tick} from './axis';
import {latest, lonely, stack, summary, type Series} from './series';

const NONE: {time_ms: number; color: string}[] = [];

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
}: {
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
  marks?: {time_ms: number; color: string}[];
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const plot = useRef<uPlot | null>(null);
  const color = useColors();
  const [at, setAt] = useState<number | null>(null);
  const told = useRef({format, onSelect, onReset, from, to, marks});
  told.current = {format, onSelect, onReset, from, to, marks};
  const stacked = kind === 'bars' || kind === 'area';
  const data = useMemo<uPlot.AlignedData>(() => {
    const columns = stacked ? stack(series).reverse() : series.map((one) => one.values);
    return [times.map((ms) => ms / 1000), ...columns] as uPlot.AlignedData;
  }, [times, series, stacked]);
  const lines = series.map((one) => `${one.label}${one.color}${one.dash ?? ''}${one.fill ?? ''}`).join('|');
  const shape = `${kind}|${lines}`;
  const visible = width > 0;

  // The chart is made anew only when its kind, its lines (both in `shape`) or the colours change.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rest comes through the effects below.
  useLayoutEffect(() => {
    if (!box.current || !visible) return;
    const ordered = stacked ? [...series].reverse() : series;
    const grid = {stroke: color('--grid'), width: 1};
    const axis = {stroke: color('--text-3'), font: '11px system-ui, sans-serif', grid, ticks: {show: false}};
    const chart = new uPlot(
      {
        width,
        height,
        padding: [8, 6, 0, 0],
        legend: {show: false},
        cursor: {
          sync: {key: 'time'},
          drag: {x: true, y: false, setScale: false, dist: 4},
          points: {size: 5, show: !stacked},
          bind: {
            dblclick: () => () => {
              told.current.onReset?.();
              return null;
            },
          },
        },
        scales: {
          x: {time: true, range: () => [told.current.from / 1000, told.current.to / 1000]},
          y: {range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1]},
        },
        axes: [
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
            values: (_, splits) => distinct(splits.map((one) => told.current.format(one))),
          },
        ],
        series: [
          {},
          ...ordered.map((one): uPlot.Series => {
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
          }),
        ],
        hooks: {
          setSelect: [
            (u) => {
              if (u.select.width > 3)
                told.current.onSelect?.(
                  u.posToVal(u.select.left, 'x') * 1000,
                  u.posToVal(u.select.left + u.select.width, 'x') * 1000,
                );
              u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
            },
          ],
          setCursor: [(u) => setAt(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
          draw: [
            (u) => {
              for (const mark of told.current.marks) {
                const x = Math.round(u.valToPos(mark.time_ms / 1000, 'x', true));
                if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
                u.ctx.fillStyle = color(mark.color);
                u.ctx.fillRect(x, u.bbox.top, Math.max(1, devicePixelRatio), u.bbox.height);
              }
            },
          ],
        },
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: `draw` reads the marks where the last render left them.
  useEffect(() => plot.current?.redraw(false), [marks]);
  useEffect(() => {
    if (width) plot.current?.setSize({width, height});
  }, [width, height]);

  const index = at !== null && at < times.length ? at : null;
  const name = useMemo(() => summary(title, series, format), [title, series, format]);
  return (
    <figure className="time-chart">
      {legend && (
        <figcaption className="legend">
          {(series.length > 1 || index !== null) &&
            series.map((one) => {
              // Bars count what happened: their total says more than the last bar.
              const value =
                index !== null
                  ? (one.values[index] ?? null)
                  : kind === 'bars'
                    ? one.values.reduce<number>((sum, each) => sum + (each ?? 0), 0)
                    : latest(one.values);
              return (
                <span key={one.label} className="legend-item">
                  <i className={`swatch${one.dash ? ' dashed' : ''}`} style={{color: `var(${one.color})`}} />
                  <span className="soft">{one.label}</span>
                  <span className="num legend-value">{value === null ? '–' : format(value)}</span>
                </span>
              );
            })}
          <span className="legend-time num faint" title={index === null ? undefined : utc(times[index]!)}>
            {index === null ? '' : (to - from < 120_000 ? preciseTime : time)(times[index]!)}
          </span>
        </figcaption>
      )}
      <div ref={box} className="plot" role="img" aria-label={name} style={{height}} />
    </figure>
  );
}
