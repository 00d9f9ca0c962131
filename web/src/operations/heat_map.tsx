// How long spans took, over time: a column a step, a row a range of durations, darker = more. A cell leads to exactly
// the spans it counts, by click or with arrows and Enter.
import {useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent} from 'react';
import {tick} from '../chart/axis';
import {useWidth} from '../control/use_width';
import {axisStep} from '../sessions/timeline_model';
import {useColors} from '../shell/theme';
import {duration, plural} from '../text/units';
import {time} from '../time/format';
import {columnOf, densest, place, rowOf, type Grid} from './buckets';

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
  const [at, setAt] = useState<[number, number] | null>(null); // column, row
  const columns = grid.times.length,
    rows = grid.rows.length;
  const cell = useMemo(() => cellSize(grid, width), [grid, width]);

  useLayoutEffect(() => {
    const element = canvas.current,
      context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const scale = devicePixelRatio || 1;
    element.width = Math.round(width * scale);
    element.height = Math.round(HEIGHT * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    draw({context, color, width, grid, step_ms, cell, at});
  }, [width, grid, at, color, cell, step_ms]);

  function cellAt(event: PointerEvent): [number, number] | null {
    const frame = canvas.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - frame.left - LEFT) / cell.width),
      row = rows - 1 - Math.floor((event.clientY - frame.top - TOP) / cell.height);
    return column >= 0 && column < columns && row >= 0 && row < rows ? [column, row] : null;
  }
  function open(cell: [number, number] | null): void {
    if (cell && countAt(grid, cell) > 0)
      onOpen({from: grid.spans[cell[0]]![0], to: grid.spans[cell[0]]![1], ...grid.rows[cell[1]]!});
  }
  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
      PageUp: [0, 5],
      PageDown: [0, -5],
      Home: [-columns, 0],
      End: [columns, 0],
    };
    const step = steps[event.key];
    if (event.key === 'Enter') open(at);
    else if (event.key === 'Escape') setAt(null);
    else if (step)
      setAt(
        at
          ? [Math.max(0, Math.min(columns - 1, at[0] + step[0])), Math.max(0, Math.min(rows - 1, at[1] + step[1]))]
          : densest(grid),
      );
    else return;
    event.preventDefault();
  }
  return (
    <div>
      <Readout grid={grid} step_ms={step_ms} at={at} />
      <div ref={box} style={{height: HEIGHT}}>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrows move through what it draws. */}
        <canvas
          ref={canvas}
          className="heat"
          tabIndex={0}
          role="application"
          aria-roledescription="heat map"
          aria-label={`${title}: ${summary(grid)}. Arrows choose a cell, Enter lists its spans.`}
          style={{width: '100%', height: HEIGHT}}
          onPointerMove={(event) => setAt(cellAt(event))}
          onPointerLeave={() => setAt(null)}
          onBlur={() => setAt(null)}
          onClick={(event) => open(cellAt(event as unknown as PointerEvent))}
          onKeyDown={key}
        />
      </div>
    </div>
  );
}

interface Picture {
  context: CanvasRenderingContext2D;
  color: (name: string) => string;
  width: number;
  grid: Grid;
  step_ms: number;
  cell: {width: number; height: number};
  at: [number, number] | null;
}

function cellSize(grid: Grid, width: number): {width: number; height: number} {
  const rows = grid.rows.length;
  return {width: (width - LEFT - 6) / grid.times.length, height: rows ? (HEIGHT - TOP - BOTTOM) / rows : 0};
}

function draw(picture: Picture): void {
  drawCells(picture);
  drawDurations(picture);
  drawPartial(picture);
  drawTimes(picture);
  drawChosen(picture);
}

function drawCells({context, color, width, grid, cell}: Picture): void {
  context.clearRect(0, 0, width, HEIGHT);
  context.font = '11px system-ui, sans-serif';
  context.fillStyle = color('--sunken');
  context.fillRect(LEFT, TOP, width - LEFT - 6, HEIGHT - TOP - BOTTOM);
  context.fillStyle = color('--accent');
  for (const [key, many] of grid.counts) {
    const column = columnOf(key),
      row = rowOf(key);
    context.globalAlpha = 0.12 + 0.88 * Math.sqrt(many / grid.most);
    context.fillRect(
      LEFT + column * cell.width,
      TOP + (grid.rows.length - 1 - row) * cell.height,
      Math.max(1, cell.width - (cell.width > 4 ? 1 : 0)),
      Math.max(1, cell.height - (cell.height > 4 ? 1 : 0)),
    );
  }
  context.globalAlpha = 1;
}

function drawDurations({context, color, grid, cell}: Picture): void {
  context.fillStyle = color('--text-3');
  context.textAlign = 'right';
  for (let row = 0, last = Infinity; row < grid.rows.length; row++) {
    const y = TOP + (grid.rows.length - row) * cell.height;
    if (last - y < 22 || y < TOP + 8) continue;
    last = y;
    context.fillText(duration(grid.rows[row]!.low), LEFT - 6, Math.min(y + 4, HEIGHT - BOTTOM));
  }
}

/** Veils the steps that are not whole. */
function drawPartial({context, color, grid, cell}: Picture): void {
  for (const column of grid.partial) {
    context.fillStyle = color('--surface');
    context.globalAlpha = 0.5;
    context.fillRect(LEFT + column * cell.width, TOP, cell.width, HEIGHT - TOP - BOTTOM);
    context.globalAlpha = 1;
    context.strokeStyle = color('--line-strong');
    context.setLineDash([3, 3]);
    context.strokeRect(
      LEFT + column * cell.width + 0.5,
      TOP + 0.5,
      Math.max(1, cell.width - 1),
      HEIGHT - TOP - BOTTOM - 1,
    );
    context.setLineDash([]);
  }
}

function drawTimes({context, color, width, grid, step_ms}: Picture): void {
  context.fillStyle = color('--text-3');
  context.textAlign = 'center';
  const from = grid.times[0]!,
    size = grid.times.length * step_ms,
    step = axisStep(size, Math.max(2, width / 110));
  for (let ms = Math.ceil(from / step) * step; ms <= from + size; ms += step) {
    const x = LEFT + ((ms - from) / size) * (width - LEFT - 6);
    if (x > LEFT + 14 && x < width - 22) context.fillText(tick(ms / 1000, step / 1000), x, HEIGHT - 6);
  }
}

function drawChosen({context, color, grid, cell, at}: Picture): void {
  if (!at) return;
  context.strokeStyle = color('--text');
  context.lineWidth = 1.5;
  context.strokeRect(
    LEFT + at[0] * cell.width - 0.5,
    TOP + (grid.rows.length - 1 - at[1]) * cell.height - 0.5,
    Math.max(3, cell.width),
    Math.max(3, cell.height),
  );
}

const countAt = (grid: Grid, cell: [number, number]) => grid.counts.get(place(cell[0], cell[1])) ?? 0;

function Readout({grid, step_ms, at}: {grid: Grid; step_ms: number; at: [number, number] | null}) {
  const many = at ? countAt(grid, at) : 0;
  const its = at && grid.rows[at[1]];
  const lengths = its && `${duration(its.low)} to ${duration(its.high)}`;
  return (
    <div className="heat-readout num" aria-live="polite">
      {at && its ? (
        <>
          <span className="strong">{plural(many, 'span')}</span> of {lengths} in {duration(step_ms / 1000)} from{' '}
          {time(grid.times[at[0]]!)}
          {grid.partial.has(at[0]) && <span className="faint"> (not a whole step)</span>}
          {many > 0 && <span className="faint"> · click or Enter lists them</span>}
        </>
      ) : (
        <span className="faint">
          {grid.most ? 'Click a cell for the spans it counts.' : 'Nothing in this time range.'}
        </span>
      )}
    </div>
  );
}

function summary(grid: Grid): string {
  const span = grid.most
    ? `from ${duration(grid.rows[0]!.low)} to ${duration(grid.rows[grid.rows.length - 1]!.high)}`
    : '';
  const all = [...grid.counts.values()].reduce((sum, one) => sum + one, 0);
  return grid.most ? `${plural(all, 'span')} ${span}, at most ${plural(grid.most, 'span')} in a cell` : 'nothing';
}
