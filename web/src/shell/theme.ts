// Light, dark or as the system says; remembered. All colours are light-dark() pairs, so the whole change is one
// property on the root. Canvas charts listen for `theme` and draw again.
import {useSyncExternalStore} from 'react';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'sockeye.theme';
const listeners = new Set<() => void>();

function read(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto'; // storage is switched off
  }
}
let theme = read();
let version = 0;

function apply(): void {
  document.documentElement.style.colorScheme = theme === 'auto' ? 'light dark' : theme;
  version++;
  for (const listener of [...listeners]) listener();
}
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
apply();

export function setTheme(next: Theme): void {
  theme = next;
  try {
    if (next === 'auto') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Not remembered, then.
  }
  apply();
}
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};
export const useTheme = () => useSyncExternalStore(subscribe, () => theme);
/** Changes whenever colours do. */
export const useThemeVersion = () => useSyncExternalStore(subscribe, () => version);

let probe: HTMLElement | undefined;
let resolvedFor = -1;
const resolved = new Map<string, string>();

/** What `--name` is now, as a colour a canvas understands. */
export function color(name: string): string {
  if (resolvedFor !== version) {
    resolved.clear();
    resolvedFor = version;
  }
  const known = resolved.get(name);
  if (known) return known;
  if (!probe) {
    probe = document.createElement('i');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  const value = getComputedStyle(probe).color;
  resolved.set(name, value);
  return value;
}
