import {consoleTime, useNow} from '../time/clock';
import {staleSince} from './certainty';
import {live, useLive, useLiveState} from './socket';

/** Since when nothing is heard of the fleet, where anybody listens; null: what is shown of it is of `now`. */
export function useStale(now: number): number | null {
  const state = useLiveState();
  const heard = live.heardAt('fleet');
  return staleSince(state, heard > 0 ? consoleTime(heard) : null, now);
}

export interface Seen {
  /** The time, as far as anything is heard: it stands still while the console is silent. */
  now: number;
  stale: number | null;
}

/** Of a view that shows what is now, while it does. */
export function useSeen(running = true): Seen {
  useLive('fleet', running || null);
  const now = useNow(running);
  const since = useStale(now);
  const stale = running ? since : null;
  return {now: stale ?? now, stale};
}
