// Abnormal ends by what they are counted by. No React here: tested by itself.
import type {EndReason, Session} from '../api/types';
import {endKind, REASON_ORDER} from '../sessions/words';

export interface EndGroup {
  kind: string; // endKind()
  total: number;
  /** Those that are loaded, in the order they came in. */
  sessions: Session[];
}

/** The most frequent first; of as many the graver reason. Kinds that only the counts know of are there, too. */
export function endGroups(loaded: readonly Session[], totals: ReadonlyMap<string, number>): EndGroup[] {
  const by = new Map<string, Session[]>();
  for (const [kind, many] of totals) if (many > 0) by.set(kind, []);
  for (const one of loaded) {
    const kind = endKind(one),
      list = by.get(kind);
    if (list) list.push(one);
    else by.set(kind, [one]);
  }
  const rank = (kind: string) => {
    const at = REASON_ORDER.indexOf(kind as EndReason);
    return at < 0 ? 99 : at;
  };
  return [...by]
    .map(([kind, sessions]) => ({kind, sessions, total: Math.max(sessions.length, totals.get(kind) ?? 0)}))
    .sort((a, b) => b.total - a.total || rank(a.kind) - rank(b.kind) || a.kind.localeCompare(b.kind));
}
