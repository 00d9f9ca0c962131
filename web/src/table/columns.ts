// Which columns fit: a table never scrolls sideways and never squeezes; the least important columns step back instead
// (the row's own page has all of it).
import type {ReactNode} from 'react';

export interface Column<T> {
  key: string;
  title: string;
  /** Least width in px. */
  width: number;
  /** Share of the room that is left; 0 = none. */
  grow?: number;
  end?: boolean;
  /** Higher stays longer; 9 always stays. */
  keep: number;
  /** Never cut: rows are as high as it takes. */
  whole?: boolean;
  sortable?: boolean;
  hint?: string;
  cell: (row: T) => ReactNode;
}

export function fitting<T>(columns: readonly Column<T>[], width: number, gap = 12): Column<T>[] {
  const order = columns
    .map((column, index) => ({column, index}))
    .sort((a, b) => b.column.keep - a.column.keep || a.index - b.index);
  const kept = new Set<number>();
  let used = 0;
  for (const {column, index} of order) {
    if (used + column.width + gap > width && column.keep < 9) continue;
    used += column.width + gap;
    kept.add(index);
  }
  return columns.filter((_, index) => kept.has(index));
}

export function template<T>(columns: readonly Column<T>[]): string {
  return columns
    .map((one) => (one.grow ? `minmax(${Math.min(one.width, 400)}px, ${one.grow}fr)` : `${one.width}px`))
    .join(' ');
}
