// The time range of a view, as it stands in the address: `range=1h` moves with the clock, `from`/`to` (Unix ms) do not.
import {useMemo} from 'react';
import {useQueryState} from '../route/location';
import {consoleTime, now} from './clock';

export interface Range {
  /** Seconds back from now; null when the range is fixed. */
  last: number | null;
  from: number;
  to: number;
}

export const CHOICES: {key: string; label: string; seconds: number}[] = [
  {key: '5m', label: 'Last 5 minutes', seconds: 300},
  {key: '15m', label: 'Last 15 minutes', seconds: 900},
  {key: '1h', label: 'Last hour', seconds: 3600},
  {key: '3h', label: 'Last 3 hours', seconds: 3 * 3600},
  {key: '6h', label: 'Last 6 hours', seconds: 6 * 3600},
  {key: '24h', label: 'Last 24 hours', seconds: 86_400},
  {key: '3d', label: 'Last 3 days', seconds: 3 * 86_400},
  {key: '7d', label: 'Last 7 days', seconds: 7 * 86_400},
];
export const DEFAULT = '1h';

/** From the address: `range`, `from` and `to` as they stand there. */
export function parseRange(key: string | null, from_ms: string | null, to_ms: string | null): Range {
  const from = Number(from_ms ?? NaN),
    to = Number(to_ms ?? NaN);
  if (Number.isFinite(from) && Number.isFinite(to) && to > from && from >= 0) return {last: null, from, to};
  const seconds = (CHOICES.find((one) => one.key === key) ?? CHOICES.find((one) => one.key === DEFAULT)!).seconds;
  return {last: seconds, from: 0, to: 0};
}

/** Ends of the range at a moment: now, unless another is given. */
export function bounds(range: Range, to = now()): {from: number; to: number} {
  if (range.last === null) return {from: range.from, to: range.to};
  return {from: to - range.last * 1000, to};
}

/** Ends of the range when an answer came (`dataUpdatedAt` of its query; 0 = not yet): axis and data move together. */
export function useBounds(range: Range, answered: number): {from: number; to: number} {
  return useMemo(() => bounds(range, answered ? consoleTime(answered) : now()), [range, answered]);
}

export interface RangeState {
  range: Range;
  /** Identity of the range for caches: stays the same while a moving range moves. */
  key: string;
  /** Moving and not paused. */
  live: boolean;
  setLast: (key: string) => void;
  setFixed: (from: number, to: number) => void;
  setLive: (live: boolean) => void;
}

export function useRange(): RangeState {
  const [query, change] = useQueryState();
  const last = query.get('range'),
    from = query.get('from'),
    to = query.get('to'),
    held = query.get('live');
  return useMemo(() => {
    const range = parseRange(last, from, to);
    return {
      range,
      key: range.last === null ? `${range.from}-${range.to}` : `${range.last}`,
      live: range.last !== null && held !== '0',
      setLast: (key) => change({range: key === DEFAULT ? null : key, from: null, to: null}),
      setFixed: (from, to) => change({range: null, from: Math.round(from), to: Math.round(to), live: null}),
      setLive: (live) =>
        change({live: live ? null : '0', ...(range.last === null && live ? {from: null, to: null, range: null} : {})}),
    };
  }, [last, from, to, held, change]);
}

/** The figures of the fleet are of ten seconds each: those of the step in which a range begins are part of it. */
export const wholeSteps = (from_ms: number): number => Math.floor(from_ms / 10_000) * 10_000;

/** A step that gives a chart of some 150 points, in seconds: never below `least`, always a round number. */
export function stepFor(from: number, to: number, least = 10): number {
  const wanted = (to - from) / 1000 / 150;
  for (const step of [10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200])
    if (step >= wanted && step >= least && (least < 60 || step % 60 === 0)) return step;
  return 14_400;
}
