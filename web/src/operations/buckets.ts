// A heat map of histograms whose buckets say their own bounds. Buckets are finer than a picture can show (a hundredth
// of their value), so neighbours share a row; a row's bounds are bounds of buckets, so that a cell asks an exact
// question: from its low up to, not including, its high.

import type {LatencyRow} from '../api/types';

export interface GridRow {
  low: number; // seconds
  high: number;
}
export interface Grid {
  times: number[]; // the start of each column
  spans: [from: number, to: number][]; // the part of its step that each column counts
  rows: GridRow[]; // from the lowest
  most: number;
  counts: Map<number, number>; // place()
  partial: ReadonlySet<number>; // columns that are not whole
}
const WIDTH = 1024;
export const place = (column: number, row: number): number => column * WIDTH + row;
export const columnOf = (key: number): number => Math.floor(key / WIDTH);
export const rowOf = (key: number): number => key % WIDTH;

const FINEST = Math.log(2) / 4; // a quarter of a doubling a row
const MOST_ROWS = 40;

export function heatGrid(
  rows: readonly Pick<LatencyRow, 'time_ms' | 'from_ms' | 'to_ms' | 'partial' | 'histogram'>[],
  step_ms: number,
  from: number,
  to: number,
): Grid {
  const first = Math.floor(from / step_ms) * step_ms,
    columns = Math.max(1, Math.min(2000, Math.ceil((to - first) / step_ms)));
  const known = new Map<number, number>(); // low → high
  const columnAt = (time_ms: number) => Math.floor((time_ms - first) / step_ms);
  const inside = rows.filter((row) => columnAt(row.time_ms) >= 0 && columnAt(row.time_ms) < columns);
  for (const row of inside)
    for (const [low, high, many] of row.histogram ?? []) if (many > 0 && high > low) known.set(low, high);
  const {bounds, rowOfLow} = merge([...known].sort((a, b) => a[0] - b[0]));
  const times = Array.from({length: columns}, (_, i) => first + i * step_ms),
    spans = times.map((time): [number, number] => [time, time + step_ms]);
  for (const row of inside) spans[columnAt(row.time_ms)] = [row.from_ms, row.to_ms];
  const grid: Grid = {
    times,
    spans,
    rows: bounds,
    most: 0,
    counts: new Map(),
    partial: new Set(inside.filter((row) => row.partial).map((row) => columnAt(row.time_ms))),
  };
  for (const row of inside)
    for (const [low, , many] of row.histogram ?? []) {
      const at = rowOfLow.get(low);
      if (at === undefined || many <= 0) continue;
      const key = place(columnAt(row.time_ms), at),
        sum = (grid.counts.get(key) ?? 0) + many;
      grid.counts.set(key, sum);
      grid.most = Math.max(grid.most, sum);
    }
  return grid;
}

/** Rows of equal height on a logarithmic scale. Rows no bucket falls into stand between their neighbours' bounds. */
function merge(buckets: readonly [number, number][]): {bounds: GridRow[]; rowOfLow: Map<number, number>} {
  const rowOfLow = new Map<number, number>();
  if (buckets.length === 0) return {bounds: [], rowOfLow};
  const log = ([low, high]: readonly [number, number]) => Math.log(low > 0 ? low : high / 2);
  const lowest = log(buckets[0]!),
    highest = Math.log(buckets[buckets.length - 1]![1]);
  const width = Math.max(FINEST, (highest - lowest) / MOST_ROWS);
  const base = Math.floor(lowest / width + 1e-9);
  const bounds: GridRow[] = [];
  for (const bucket of buckets) {
    const at = Math.min(MOST_ROWS, Math.max(0, Math.floor(log(bucket) / width + 1e-9) - base));
    while (bounds.length < at) {
      const below: number | undefined = bounds[bounds.length - 1]?.high;
      bounds.push({low: below ?? 0, high: Math.max(below ?? 0, Math.exp((base + bounds.length + 1) * width))});
    }
    const row = bounds[at];
    if (row) row.high = bucket[1];
    else bounds.push({low: bucket[0], high: bucket[1]});
    rowOfLow.set(bucket[0], at);
  }
  return {bounds, rowOfLow};
}

/** The cell with the most in it, the latest of them: where the keyboard starts. */
export function densest(grid: Grid): [number, number] | null {
  let best: [number, number] | null = null,
    most = 0;
  for (const [key, many] of grid.counts)
    if (many > most || (many === most && best !== null && columnOf(key) > best[0])) {
      most = many;
      best = [columnOf(key), rowOf(key)];
    }
  return best;
}
