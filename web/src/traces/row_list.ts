// The rows of a waterfall: which are folded away (in the address), which are in sight, which has the keyboard's focus.
import {useWindowVirtualizer, type Virtualizer} from '@tanstack/react-virtual';
import {useCallback, useEffect, useMemo, useRef, useState, type MutableRefObject, type RefObject} from 'react';
import {useOffset} from '../control/use_offset';
import {useQueryState} from '../route/location';
import {visibleRows, type Row} from './layout';

const ROW_HEIGHT = 26;
const ALONE_HEIGHT = 64;
const BAR = 46; // the page's own
const MOST_FOLDED = 80; // in the address

export interface Folding {
  hidden: ReadonlySet<number>; // rows whose descendants are not shown
  fold: (next: Set<number>) => void;
  toggle: (row: number) => void;
}

export function useFolding(rows: readonly Row[]): Folding {
  const [query, change] = useQueryState();
  const text = query.get('fold') ?? '';
  const folded = useMemo(
    () =>
      new Set(
        text
          .split(',')
          .map(Number)
          .filter((one) => text !== '' && Number.isInteger(one) && one >= 0 && one < rows.length),
      ),
    [text, rows.length],
  );
  const [extra, setExtra] = useState<ReadonlySet<number> | null>(null); // more than an address can hold
  const hidden = extra ?? folded;
  const fold = useCallback(
    (next: Set<number>) => {
      if (next.size > MOST_FOLDED) setExtra(next);
      else {
        setExtra(null);
        change({fold: next.size ? [...next].sort((a, b) => a - b).join(',') : null}, {replace: true});
      }
    },
    [change],
  );
  const toggle = useCallback(
    (row: number) => {
      const next = new Set(hidden);
      if (!next.delete(row)) next.add(row);
      fold(next);
    },
    [hidden, fold],
  );
  return {hidden, fold, toggle};
}

export interface RowList {
  seen: Int32Array; // rows that are not folded away, in order
  position: ReadonlyMap<number, number>; // of each of them in `seen`
  page: () => number; // rows of a page of the window
  virtual: Virtualizer<globalThis.Window, Element>;
  margin: number;
  head: RefObject<HTMLDivElement>;
  body: RefObject<HTMLDivElement>;
  active: number; // row with the keyboard focus
  setActive: (row: number) => void;
  wantFocus: MutableRefObject<boolean>;
  /** Whoever is asked for comes into sight. */
  go: (row: number) => void;
}

export function useRowList(
  rows: readonly Row[],
  {hidden, fold}: Folding,
  chosen: number | null,
  alone: boolean,
  arrived: () => void,
): RowList {
  const seen = useMemo(() => visibleRows(rows as Row[], hidden), [rows, hidden]);
  const [active, setActive] = useState(chosen ?? 0);
  const wantFocus = useRef(false);
  const body = useRef<HTMLDivElement>(null),
    head = useRef<HTMLDivElement>(null);
  const margin = useOffset(body);
  const stuck = () => BAR + (head.current?.offsetHeight ?? 0); // what sticks to the top of the window
  const virtual = useWindowVirtualizer({
    count: seen.length,
    estimateSize: () => (alone ? ALONE_HEIGHT : ROW_HEIGHT),
    overscan: 10,
    scrollMargin: margin,
    scrollPaddingStart: stuck(),
    scrollPaddingEnd: ROW_HEIGHT,
  });
  const position = useMemo(() => {
    const map = new Map<number, number>();
    for (const [at, row] of seen.entries()) map.set(row, at);
    return map;
  }, [seen]);
  const pending = useRef<number | null>(chosen);
  const go = useCallback(
    (row: number) => {
      // Unfold what hides it.
      if (!position.has(row)) {
        const next = new Set(hidden);
        for (let up = rows[row]!.parent; up >= 0; up = rows[up]!.parent) next.delete(up);
        fold(next);
        pending.current = row;
      } else virtual.scrollToIndex(position.get(row)!, {align: 'auto'});
      wantFocus.current = true;
      setActive(row);
    },
    [position, hidden, rows, fold, virtual],
  );
  useEffect(() => {
    if (pending.current === null || !position.has(pending.current) || margin === 0) return;
    virtual.scrollToIndex(position.get(pending.current)!, {align: 'center'});
    pending.current = null;
    arrived();
  }, [position, virtual, margin, arrived]);
  const page = () => Math.max(1, Math.floor((window.innerHeight - stuck()) / ROW_HEIGHT) - 3);
  return {seen, position, page, virtual, margin, head, body, active, setActive, wantFocus, go};
}
