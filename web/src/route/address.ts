// Addresses as values: no window, no history.

export type QueryChanges = Record<string, string | number | boolean | string[] | null | undefined>;

/** `path` with `base` and `changes` as its query, in a stable order of first mention. */
export function address(path: string, changes: QueryChanges = {}, base?: URLSearchParams): string {
  const query = new URLSearchParams(base);
  for (const [key, value] of Object.entries(changes)) {
    query.delete(key);
    if (value === null || value === undefined || value === '' || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(key, String(one));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** The part of the query that all pages share: the time range. A link to another page takes it along. */
export function sharedQuery(query: URLSearchParams): QueryChanges {
  return {range: query.get('range'), from: query.get('from'), to: query.get('to')};
}
