// From spans in any state to rows of a waterfall: one pass after sorting, no recursion (5,000 levels are real), and
// every span shown exactly once whatever its parents claim:
//   - a parent that never came: its children stand under a note that says so;
//   - a cycle of parents: cut at its earliest span, which becomes a root and says so;
//   - the same span twice: shown once, counted;
//   - a clock far off (days from where most of the trace is): shown, marked, and left out of the time axis.
import type {Span} from '../api/types';
import {nanoseconds} from './nanoseconds';

export interface Row {
  /** null: the note over the children of a parent that is not there. */
  span: Span | null;
  missing: string; // id of the parent that is not there, on notes
  depth: number;
  parent: number; // row of the parent, -1 for roots
  after: number; // first row that is no descendant
  start: number; // ms
  end: number; // never before start
  children: number;
  copies: number; // how many times it came, beyond the first
  note: '' | 'cycle' | 'off clock' | 'backwards';
  open: boolean; // a part of something that had not ended when the trace was read
}

export interface Layout {
  rows: Row[];
  byId: Map<string, number>;
  from: number;
  to: number;
  depth: number;
  missing: number;
  cycles: number;
  copies: number;
  offClock: number;
}

const FAR = 86_400_000;

export function layoutTrace(spans: readonly Span[]): Layout {
  const once = onceEach(spans);
  const family = familyOf(once);
  const {from, to, off} = axis(once.unique, once.order);
  const placing = new Placing(once, family, off);
  placing.rootsAndGroups(from);
  placing.cycles();
  let offClock = 0;
  for (const flag of off) offClock += flag;
  return {
    rows: placing.rows,
    byId: placing.byId,
    from,
    to: Math.max(to, from + 1e-3),
    depth: placing.deepest,
    missing: family.groups.size,
    cycles: placing.cut,
    copies: once.copied,
    offClock,
  };
}

interface Once {
  unique: Span[];
  first: Map<string, number>; // place in `unique`, by id
  copies: number[];
  copied: number;
  order: number[]; // places, by start
}

function onceEach(spans: readonly Span[]): Once {
  const first = new Map<string, number>(),
    unique: Span[] = [],
    copies: number[] = [];
  let copied = 0;
  for (const span of spans) {
    const known = first.get(span.span_id);
    if (known !== undefined) {
      copies[known]!++;
      copied++;
      continue;
    }
    first.set(span.span_id, unique.length);
    unique.push(span);
    copies.push(0);
  }
  const order = unique
    .map((_, i) => i)
    .sort(
      (a, b) =>
        unique[a]!.start_ms - unique[b]!.start_ms ||
        nanoseconds(unique[b]!.duration_ns) - nanoseconds(unique[a]!.duration_ns) ||
        a - b,
    );
  return {unique, first, copies, copied, order};
}

/** Children as linked lists in order of start; a group for each missing parent. */
interface Family {
  head: Int32Array;
  next: Int32Array;
  parentOf: Int32Array;
  roots: number[];
  groups: Map<string, number[]>;
}

function familyOf({unique, first, order}: Once): Family {
  const list = () => new Int32Array(unique.length).fill(-1);
  const head = list(),
    tail = list(),
    next = list(),
    parentOf = list();
  const roots: number[] = [],
    groups = new Map<string, number[]>();
  for (const i of order) {
    const id = unique[i]!.parent_id,
      parent = id === '' ? undefined : first.get(id);
    if (id === '') roots.push(i);
    else if (parent === undefined) {
      const group = groups.get(id);
      if (group) group.push(i);
      else groups.set(id, [i]);
    } else if (parent !== i) {
      parentOf[i] = parent;
      if (head[parent] === -1) head[parent] = i;
      else next[tail[parent]!] = i;
      tail[parent] = i;
    }
  }
  return {head, next, parentOf, roots, groups};
}

/** The last segment, by session, of connections that had not ended. */
function lastSegments({unique, order}: Once): Map<string, Span> {
  const closed = new Set(
    unique.filter((one) => one.name === 'websocket.connection' && one.session !== null).map((one) => one.session),
  );
  const last = new Map<string, Span>();
  for (const i of order) {
    const span = unique[i]!;
    if (span.name === 'websocket.connection.segment' && span.session !== null && !closed.has(span.session))
      last.set(span.session, span);
  }
  return last;
}

class Placing {
  readonly rows: Row[] = [];
  readonly byId = new Map<string, number>();
  deepest = 0;
  cut = 0; // cycles
  private readonly placed: Uint8Array;
  private readonly onCycle: Uint8Array;
  private readonly lastSegment: Map<string, Span>;

  constructor(
    private readonly once: Once,
    private readonly family: Family,
    private readonly off: Uint8Array,
  ) {
    this.placed = new Uint8Array(once.unique.length);
    this.onCycle = new Uint8Array(once.unique.length);
    this.lastSegment = lastSegments(once);
  }

  /** In the order of their first span. */
  rootsAndGroups(from: number): void {
    const {unique} = this.once;
    const starts = this.family.roots.map((i) => ({at: unique[i]!.start_ms, place: () => this.tree(i, 0, -1)}));
    for (const [id, group] of this.family.groups)
      starts.push({at: unique[group[0]!]!.start_ms, place: () => this.group(id, group, from)});
    starts.sort((a, b) => a.at - b.at);
    for (const one of starts) one.place();
  }

  /** What is left hangs on a cycle. Walk up from it until a span comes twice: that one is on the cycle itself. */
  cycles(): void {
    const {unique, order} = this.once,
      {parentOf} = this.family,
      {placed} = this;
    const seen = new Int32Array(unique.length).fill(-1);
    for (const i of order) {
      if (placed[i]) continue;
      let at = i;
      while (at !== -1 && !placed[at] && seen[at] !== i) {
        seen[at] = i;
        at = parentOf[at]!;
      }
      const cut = at === -1 || placed[at] ? i : earliestOn(at, parentOf, unique);
      this.onCycle[cut] = 1;
      this.cut++;
      this.tree(cut, 0, -1);
      if (!placed[i]) this.tree(i, 0, -1);
    }
  }

  private row(i: number, depth: number, parent: number): number {
    const {rows} = this,
      span = this.once.unique[i]!,
      length = nanoseconds(span.duration_ns) / 1e6,
      at = rows.length;
    this.placed[i] = 1;
    rows.push({
      span,
      missing: '',
      depth,
      parent,
      after: at + 1,
      start: span.start_ms,
      end: span.start_ms + Math.max(0, length),
      children: 0,
      copies: this.once.copies[i]!,
      note: this.onCycle[i] ? 'cycle' : this.off[i] ? 'off clock' : length < 0 ? 'backwards' : '',
      open: span.session !== null && this.lastSegment.get(span.session) === span,
    });
    this.byId.set(span.span_id, at);
    this.deepest = Math.max(this.deepest, depth);
    if (parent >= 0) rows[parent]!.children++;
    return at;
  }

  /** Places `i` and all under it, depth first, with a stack of "who is next". */
  private tree(i: number, depth: number, parent: number): void {
    const {head, next} = this.family;
    const stack: {row: number; next: number}[] = [{row: this.row(i, depth, parent), next: head[i]!}];
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      let child = top.next;
      while (child !== -1 && this.placed[child]) child = next[child]!; // the cut end of a cycle
      if (child === -1) {
        this.rows[top.row]!.after = this.rows.length;
        stack.pop();
        continue;
      }
      top.next = next[child]!;
      stack.push({row: this.row(child, depth + stack.length, top.row), next: head[child]!});
    }
  }

  /** The children of a parent that is not there, under a note that says so. */
  private group(id: string, group: readonly number[], from: number): void {
    const {rows} = this,
      at = rows.length;
    const note: Row = {
      span: null,
      missing: id,
      depth: 0,
      parent: -1,
      after: at + 1,
      start: Infinity,
      end: -Infinity,
      children: 0,
      copies: 0,
      note: '',
      open: false,
    };
    rows.push(note);
    for (const i of group) this.tree(i, 1, at);
    note.after = rows.length;
    for (let j = at + 1; j < rows.length; j++) {
      if (rows[j]!.note === 'off clock') continue;
      note.start = Math.min(note.start, rows[j]!.start);
      note.end = Math.max(note.end, rows[j]!.end);
    }
    if (note.start > note.end) note.start = note.end = from;
  }
}

function earliestOn(start: number, parentOf: Int32Array, spans: readonly Span[]): number {
  let best = start;
  for (let at = parentOf[start]!; at !== start && at !== -1; at = parentOf[at]!)
    if (spans[at]!.start_ms < spans[best]!.start_ms) best = at;
  return best;
}

/** The stretch of time most spans are in: gaps of more than a day part the spans into groups, the largest counts. */
function axis(spans: readonly Span[], order: readonly number[]): {from: number; to: number; off: Uint8Array} {
  const off = new Uint8Array(spans.length);
  let best = {from: 0, to: 0, begin: 0, end: 0},
    current = {from: 0, to: -Infinity, begin: 0, end: 0};
  order.forEach((i, position) => {
    const span = spans[i]!,
      start = span.start_ms,
      end = start + Math.max(0, nanoseconds(span.duration_ns) / 1e6);
    if (position === 0 || start - current.to > FAR)
      current = {from: start, to: end, begin: position, end: position + 1};
    else current = {...current, to: Math.max(current.to, end), end: position + 1};
    if (current.end - current.begin > best.end - best.begin || best.begin === current.begin) best = current;
  });
  order.forEach((i, position) => {
    if (position < best.begin || position >= best.end) off[i] = 1;
  });
  return {from: best.from, to: best.to, off};
}

/** Rows in sight when the rows in `folded` hide what is under them. */
export function visibleRows(rows: readonly Row[], folded: ReadonlySet<number>): Int32Array {
  const seen = new Int32Array(rows.length);
  let many = 0;
  for (let i = 0; i < rows.length; i = folded.has(i) ? rows[i]!.after : i + 1) seen[many++] = i;
  return seen.subarray(0, many);
}
