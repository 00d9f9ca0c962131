// The console's histograms, of buckets 2 % wide, put together to what a person can tell apart: row i of the grid holds what
// begins below 1 µs · 2^(i/4), down to the one before.

export const upper = (bucket: number): number => 1e-6 * 2 ** (bucket / 4);
export const lower = (bucket: number): number => (bucket <= 0 ? 0 : upper(bucket - 1));

export interface Grid {
  times: number[];
  low: number; // first bucket of the grid
  high: number; // last
  most: number;
  counts: Map<number, number>; // column * WIDTH + bucket
}
export const WIDTH = 1024;

export function heatGrid(
  rows: readonly {time_ms: number; histogram?: [number, number, number][]}[],
  step_ms: number,
  from: number,
  to: number,
): Grid {
  const first = Math.floor(from / step_ms) * step_ms,
    columns = Math.max(1, Math.min(2000, Math.ceil((to - first) / step_ms)));
  const grid: Grid = {
    times: Array.from({length: columns}, (_, i) => first + i * step_ms),
    low: Infinity,
    high: -Infinity,
    most: 0,
    counts: new Map(),
  };
  for (const row of rows) {
    const column = Math.floor((row.time_ms - first) / step_ms);
    if (column < 0 || column >= columns) continue;
    for (const [low, , many] of row.histogram ?? []) {
      const bucket = low < 1e-6 ? 0 : Math.floor(4 * Math.log2(low / 1e-6)) + 1;
      if (many <= 0 || bucket < 0 || bucket >= WIDTH) continue;
      const key = column * WIDTH + bucket,
        sum = (grid.counts.get(key) ?? 0) + many;
      grid.counts.set(key, sum);
      grid.low = Math.min(grid.low, bucket);
      grid.high = Math.max(grid.high, bucket);
      grid.most = Math.max(grid.most, sum);
    }
  }
  if (grid.most === 0) grid.low = grid.high = 0; // an empty grid has finite edges, too
  return grid;
}
