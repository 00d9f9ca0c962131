// The router: the address bar is the only state of which view is shown. Path = which page, query = its full state, so
// that every view can be sent to a colleague. History API, no hash, no dependencies.
import {useCallback, useMemo, useSyncExternalStore} from 'react';
import {address, type QueryChanges} from './address';

export {address, sharedQuery} from './address';

const listeners = new Set<() => void>();
function tell(): void {
  for (const listener of [...listeners]) listener();
}
window.addEventListener('popstate', tell);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
const current = () => window.location.pathname + window.location.search;

/** Goes to `to` (path and query). `replace` for what Back should not undo step by step: typing, panning, zooming. */
export function navigate(to: string, options: {replace?: boolean} = {}): void {
  if (to === current()) return;
  if (options.replace) window.history.replaceState(null, '', to);
  else {
    window.history.pushState(null, '', to);
    if (to.split('?')[0] !== lastPath) window.scrollTo(0, 0);
  }
  lastPath = window.location.pathname;
  tell();
  const [, anchor] = to.split('#');
  // Once the page is drawn.
  if (anchor) setTimeout(() => document.getElementById(anchor)?.scrollIntoView({block: 'start'}), 60);
}
let lastPath = window.location.pathname;

export function useLocation(): {path: string; query: URLSearchParams} {
  const href = useSyncExternalStore(subscribe, current);
  return useMemo(() => {
    const [path = '/', query = ''] = href.split('?', 2);
    return {path, query: new URLSearchParams(query)};
  }, [href]);
}

/** The query of the address bar, and a way to change some keys of it (null or '' takes a key out). */
export function useQueryState(): [URLSearchParams, (changes: QueryChanges, options?: {replace?: boolean}) => void] {
  const {query} = useLocation();
  const change = useCallback((changes: QueryChanges, options: {replace?: boolean} = {}) => {
    navigate(address(window.location.pathname, changes, new URLSearchParams(window.location.search)), options);
  }, []);
  return [query, change];
}
