// How long calls took, over time: a column a step, a row a bucket, darker = more. A cell leads to its traces, by click
// or with arrows and Enter.
import {useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent} from 'react';
import {tick} from '../chart/axis';
import {useWidth} from '../control/use_width';
import {axisStep} from '../sessions/timeline_model';
import {useColors} from '../shell/theme';
import {duration, plural} from '../text/units';
import {time} from '../time/format';
import {lower, upper, WIDTH, type Grid} from './buckets';

const HEIGHT = 210,
  LEFT = 58,
  BOTTOM = 22,
  TOP = 4;

export interface Cell {
  from: number;
  to: number;
  low: number; // seconds
  high: number;
}

export function HeatMap({
  grid,
  step_ms,
  title,
  onOpen,
}: {
  grid: Grid;
  step_ms: number;
  title: string;
  onOpen: (cell: Cell) => void;
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const color = useColors();
  const [at, setAt] = useState<[number, number] | null>(null); // column, bucket
  const columns = grid.times.length,
    {low, high} = grid,
    rows = grid.most ? high - low + 1 : 0;
  const cellWidth = (width - LEFT - 6) / columns,
    cellHeight = rows ? (HEIGHT - TOP - BOTTOM) / rows : 0;

  useLayoutEffect(() => {
    const element = canvas.current,
      context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const scale = devicePixelRatio || 1;
    element.width = Math.round(width * scale);
    element.height = Math.round(HEIGHT * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = color('--sunken');
    context.fillRect(LEFT, TOP, width - LEFT - 6, HEIGHT - TOP - BOTTOM);
    context.fillStyle = color('--accent');
    for (const [key, many] of grid.counts) {
      const column = Math.floor(key / WIDTH),
        bucket = key % WIDTH;
      context.globalAlpha = 0.12 + 0.88 * Math.sqrt(many / grid.most);
      context.fillRect(
        LEFT + column * cellWidth,
        TOP + (high - bucket) * cellHeight,
        Math.max(1, cellWidth - (cellWidth > 4 ? 1 : 0)),
        Math.max(1, cellHeight - (cellHeight > 4 ? 1 : 0)),
      );
    }
    context.globalAlpha = 1;
    context.fillStyle = color('--text-3');
    context.textAlign = 'right';
    for (let bucket = Math.ceil(low / 4) * 4, last = Infinity; bucket <= high; bucket += 4) {
      const y = TOP + (high - bucket) * cellHeight;
      if (last - y < 22) continue;
      last = y;
      context.fillText(duration(upper(bucket)), LEFT - 6, y + 4);
    }
    context.textAlign = 'center';
    const from = grid.times[0]!,
      size = columns * step_ms,
      step = axisStep(size, Math.max(2, width / 110));
    for (let ms = Math.ceil(from / step) * step; ms <= from + size; ms += step) {
      const x = LEFT + ((ms - from) / size) * (width - LEFT - 6);
      if (x > LEFT + 14 && x < width - 22) context.fillText(tick(ms / 1000, step / 1000), x, HEIGHT - 6);
    }
    if (at) {
      context.strokeStyle = color('--text');
      context.lineWidth = 1.5;
      context.strokeRect(
        LEFT + at[0] * cellWidth - 0.5,
        TOP + (high - at[1]) * cellHeight - 0.5,
        Math.max(3, cellWidth),
        Math.max(3, cellHeight),
      );
    }
  }, [width, grid, at, color, cellWidth, cellHeight, columns, high, low, step_ms]);

  function cellAt(event: PointerEvent): [number, number] | null {
    const frame = canvas.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - frame.left - LEFT) / cellWidth),
      bucket = high - Math.floor((event.clientY - frame.top - TOP) / cellHeight);
    return column >= 0 && column < columns && bucket >= low && bucket <= high ? [column, bucket] : null;
  }
  function open(cell: [number, number] | null): void {
    if (cell && grid.counts.has(cell[0] * WIDTH + cell[1]))
      onOpen({
        from: grid.times[cell[0]]!,
        to: grid.times[cell[0]]! + step_ms,
        low: lower(cell[1]),
        high: upper(cell[1]),
      });
  }
  function key(event: KeyboardEvent): void {
    const [column, bucket] = at ?? [columns - 1, Math.round((low + high) / 2)];
    const to: Record<string, [number, number]> = {
      ArrowLeft: [column - 1, bucket],
      ArrowRight: [column + 1, bucket],
      ArrowUp: [column, bucket + 1],
      ArrowDown: [column, bucket - 1],
    };
    if (event.key === 'Enter') open(at);
    else if (event.key === 'Escape') setAt(null);
    else if (to[event.key])
      setAt([Math.max(0, Math.min(columns - 1, to[event.key]![0])), Math.max(low, Math.min(high, to[event.key]![1]))]);
    else return;
    event.preventDefault();
  }
  const many = at ? (grid.counts.get(at[0] * WIDTH + at[1]) ?? 0) : 0;
  return (
    <div>
      <div className="heat-readout num" aria-live="polite">
        {at ? (
          <>
            <span className="strong">{plural(many, 'call')}</span> of {duration(lower(at[1]))} to{' '}
            {duration(upper(at[1]))} in {duration(step_ms / 1000)} from {time(grid.times[at[0]]!)}
            {many > 0 && <span className="faint"> · click or Enter: their traces</span>}
          </>
        ) : (
          <span className="faint">{grid.most ? 'Click a cell for its traces.' : 'No calls in this time range.'}</span>
        )}
      </div>
      <div ref={box} style={{height: HEIGHT}}>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrows move through what it draws. */}
        <canvas
          ref={canvas}
          className="heat"
          tabIndex={0}
          role="application"
          aria-roledescription="heat map"
          aria-label={
            `${title}: ` +
            (grid.most
              ? `from ${duration(lower(low))} to ${duration(upper(high))}, ` +
                `at most ${plural(grid.most, 'call')} in a cell`
              : 'no calls') +
            '. Arrows choose a cell, Enter opens its traces.'
          }
          style={{width: '100%', height: HEIGHT}}
          onPointerMove={(event) => setAt(cellAt(event))}
          onPointerLeave={() => setAt(null)}
          onClick={(event) => open(cellAt(event as unknown as PointerEvent))}
          onKeyDown={key}
        />
      </div>
    </div>
  );
}
