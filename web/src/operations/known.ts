import type {Gap} from '../api/types';

/**
 * Seconds of a range that rates are of: up to now, and from when anything is known. What happened while the console was
 * away is not left out: spans are sent again until it takes them.
 */
export function knownSeconds(from: number, to: number, now_ms: number, coverage: readonly Gap[]): number {
  const before = coverage.find((one) => one.what === 'before');
  return Math.max(0, Math.min(to, now_ms) - Math.max(from, before?.to_ms ?? from)) / 1000;
}
