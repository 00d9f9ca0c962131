// The critical path: the chain of work that decided when the trace ended. From the end of the root backwards, always
// through the child that ended last before the moment looked at; what no child covers is the span's own time. Children
// are cut to their parents (a reply streamed on after its request returned does not count for the request). Iterative,
// O(n log n).
import type {Row} from './layout';

export interface Stretch {
  from: number;
  to: number;
}

/** Stretches on the path, by row. */
export function criticalPath(rows: readonly Row[]): Map<number, Stretch[]> {
  const path = new Map<number, Stretch[]>();
  const children = new Map<number, number[]>();
  let root = -1;
  rows.forEach((row, i) => {
    if (row.note === 'off clock') return;
    if (row.parent >= 0) {
      const list = children.get(row.parent);
      if (list) list.push(i);
      else children.set(row.parent, [i]);
    } else if (root < 0 || row.end - row.start > rows[root]!.end - rows[root]!.start) root = i;
  });
  if (root < 0) return path;
  for (const list of children.values()) list.sort((a, b) => rows[b]!.end - rows[a]!.end);

  const add = (row: number, from: number, to: number) => {
    if (to <= from) return;
    const list = path.get(row);
    if (list) list.push({from, to});
    else path.set(row, [{from, to}]);
  };
  // Each frame: walk `row` backwards from `at` to `low`; `next` is the child to look at.
  const stack = [{row: root, at: rows[root]!.end, high: rows[root]!.end, low: rows[root]!.start, next: 0}];
  while (stack.length) {
    const frame = stack[stack.length - 1]!,
      list = children.get(frame.row) ?? [];
    let went = false;
    while (frame.next < list.length) {
      const child = list[frame.next++]!,
        end = Math.min(rows[child]!.end, frame.at),
        start = Math.max(rows[child]!.start, frame.low);
      if (end <= start || rows[child]!.start >= frame.at) continue;
      // A child that ends after the moment (it runs beside one taken already) would not have delayed it.
      if (rows[child]!.end > frame.at && frame.at < frame.high) continue;
      add(frame.row, end, frame.at);
      frame.at = start;
      stack.push({row: child, at: end, high: end, low: start, next: 0});
      went = true;
      break;
    }
    if (went) continue;
    add(frame.row, frame.low, frame.at);
    stack.pop();
  }
  for (const list of path.values()) list.reverse();
  return path;
}
