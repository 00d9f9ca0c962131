// "Now" is the console's, not the laptop's: a session silent for 41 s must say so on a machine whose clock is minutes
// off.
import {useSyncExternalStore} from 'react';

let offset = 0;
let known = false;

/** Every answer that carries the console's clock corrects ours; small differences are the network's and stay. */
export function setClock(now_ms: number): void {
  const difference = now_ms - Date.now();
  if (!known || Math.abs(difference - offset) > 1500) {
    offset = Math.abs(difference) < 1500 ? 0 : difference;
    known = true;
  }
}
/** A moment of this machine's clock, told by the console's. */
export const consoleTime = (local_ms: number): number => local_ms + offset;
export const now = (): number => consoleTime(Date.now());

// One timer for everything on the page that counts seconds.
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let second = Math.floor(now() / 1000) * 1000;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    second = Math.floor(now() / 1000) * 1000;
    for (const one of [...listeners]) one();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}
const never = () => () => undefined;

/** The time, again each second; `running` false holds it still. */
export function useNow(running = true): number {
  return useSyncExternalStore(running ? subscribe : never, () => second);
}
