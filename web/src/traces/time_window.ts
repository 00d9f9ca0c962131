// The time of a trace that is in view: in the address, as ms since its start.
import {useCallback} from 'react';
import {useQueryState} from '../route/location';
import type {Layout, Row} from './layout';

export interface Window {
  from: number;
  to: number;
}

export interface TimeWindow extends Window {
  size: number;
  whole: boolean;
  /** The shortest that can be shown, ms. */
  least: number;
  /** null: all of the trace. */
  set: (next: Window | null) => void;
  /** Around the middle of this row, where it is in view. */
  zoom: (factor: number, row: Row | undefined) => void;
  /** By a share of what is in view. */
  pan: (share: number) => void;
}

export function useTimeWindow(layout: Layout): TimeWindow {
  const [query, change] = useQueryState();
  const total = layout.to - layout.from,
    least = Math.max(total * 1e-7, 1e-5);
  const a = Number(query.get('a') ?? NaN),
    b = Number(query.get('b') ?? NaN);
  const {from, to}: Window =
    Number.isFinite(a) && Number.isFinite(b) && b > a
      ? {from: layout.from + a, to: layout.from + b}
      : {from: layout.from, to: layout.to};
  const set = useCallback(
    (next: Window | null) => {
      if (!next || next.to - next.from >= total) return change({a: null, b: null}, {replace: true});
      const size = Math.max(next.to - next.from, least),
        from = Math.min(Math.max(next.from, layout.from), layout.to - size);
      change({a: round(from - layout.from), b: round(from - layout.from + size)}, {replace: true});
    },
    [change, layout, total, least],
  );
  const size = to - from;
  function zoom(factor: number, row: Row | undefined): void {
    const middle =
      row && row.start <= to && row.end >= from
        ? (Math.max(row.start, from) + Math.min(row.end, to)) / 2
        : from + size / 2;
    set({from: middle - (middle - from) * factor, to: middle + (to - middle) * factor});
  }
  const pan = (share: number) => set({from: from + size * share, to: to + size * share});
  return {from, to, size, whole: size >= total, least, set, zoom, pan};
}

const round = (ms: number) => Number(ms.toPrecision(12)).toString();
