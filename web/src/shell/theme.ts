// Light, dark or as the system says; remembered. All colours are light-dark() pairs, so the whole change is one
// property on the root. Canvas charts take their colours from useColors() and draw again when they change.
import {useSyncExternalStore} from 'react';

export type Theme = 'auto' | 'light' | 'dark';
export type Colors = (name: string) => string;
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
let colors: Colors;
let probe: HTMLElement | undefined;

function apply(): void {
  document.documentElement.style.colorScheme = theme === 'auto' ? 'light dark' : theme;
  colors = resolver();
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
/** What `--name` is, as a colour a canvas understands. Another function whenever colours change. */
export const useColors = (): Colors => useSyncExternalStore(subscribe, () => colors);

function resolver(): Colors {
  const resolved = new Map<string, string>();
  return (name) => {
    let value = resolved.get(name);
    if (value === undefined) {
      probe ??= hidden();
      probe.style.color = `var(${name})`;
      value = getComputedStyle(probe).color;
      resolved.set(name, value);
    }
    return value;
  };
}

function hidden(): HTMLElement {
  const element = document.createElement('i');
  element.hidden = true;
  document.body.append(element);
  return element;
}
