// A fixed range begins and ends between two steps of the figures, which are of ten seconds each. How many sessions
// opened in it, and how many were open at its end, the stored sessions tell exactly, as the lists do that the numbers
// lead to.
import {parameters, useAsk} from '../api/fetch';
import type {SessionPage, Tape} from '../api/types';
import type {Range} from '../time/range';

export interface Exact {
  /** By route, at the end of the range; null: too many to be told one by one. */
  open: ReadonlyMap<string, number> | null;
  /** By route, in the range. */
  opened: ReadonlyMap<string, number> | null;
}

const MANY = 500,
  LONGEST_STEP = 31 * 86_400;

export function useExact(range: Range, route: string, instance: string): Exact {
  const fixed = range.last === null,
    from_ms = Math.round(range.from),
    to_ms = Math.round(range.to),
    key = [from_ms, to_ms, route, instance];
  const open = useAsk<SessionPage>(
    fixed ? ['open at', ...key] : null,
    () => `/sessions${parameters({state: 'any', from_ms: to_ms - 1, to_ms, route, instance, limit: MANY})}`,
  );
  const step_seconds = Math.min(LONGEST_STEP, Math.ceil((to_ms - from_ms) / 1000));
  const opened = useAsk<Tape>(
    fixed ? ['opened in', ...key] : null,
    () => `/tape${parameters({from_ms, to_ms, kind: 'opens', step_seconds, route, instance, limit: 1000})}`,
  );
  return {
    open: fixed && open.data && whole(open.data) ? sums(open.data.sessions.map((one) => [one.route, 1])) : null,
    opened:
      fixed && opened.data && whole(opened.data)
        ? sums(opened.data.entries.map((one) => [one.route, one.count]))
        : null,
  };
}

const whole = (answer: {cursor: string; complete: boolean}): boolean => answer.cursor === '' && answer.complete;

function sums(parts: readonly [string, number][]): Map<string, number> {
  const out = new Map<string, number>();
  for (const [route, many] of parts) out.set(route, (out.get(route) ?? 0) + many);
  return out;
}

export const sumOf = (by: ReadonlyMap<string, number> | null): number | null =>
  by && [...by.values()].reduce((sum, one) => sum + one, 0);
