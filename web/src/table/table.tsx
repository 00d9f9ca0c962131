// A table of any length: only the rows in sight are in the document, and it scrolls with the page, never inside it; a
// short one shows its first rows until all are asked for. One row has the focus (roving tabindex); arrows,
// Page, Home and End move it, Enter opens. A click anywhere in a row opens it too; its first cell holds a real link.
import {useWindowVirtualizer} from '@tanstack/react-virtual';
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
} from 'react';
import {Button} from 'react-aria-components';
import {useOffset} from '../control/use_offset';
import {useWidth} from '../control/use_width';
import {navigate} from '../route/location';
import {count} from '../text/units';
import {fitting, template, type Column} from './columns';

export const ROW = 30;
/** With a second line. */
const TALL = 48,
  NARROW = 620;
/** What sticks to the top of the window: the bar, and the table's own head. */
const STUCK = 120;

export interface Sort {
  key: string;
  order: 'asc' | 'desc';
}

export function Table<T>({
  label,
  columns,
  rows,
  total,
  rowKey,
  href,
  onOpen,
  sort,
  onSort,
  selected,
  tone,
  onRange,
  empty,
  second,
  fold = Infinity,
}: {
  label: string;
  columns: readonly Column<T>[];
  /** Row i, or undefined while it is on its way. */
  rows: readonly (T | undefined)[] | ((index: number) => T | undefined);
  total: number;
  rowKey: (row: T) => string;
  href?: (row: T) => string;
  onOpen?: (row: T) => void;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  selected?: string | null;
  tone?: (row: T) => 'bad' | 'warn' | '';
  /** Told which rows are in sight. */
  onRange?: (first: number, last: number) => void;
  empty?: ReactNode;
  /** A second line of each row where the table is narrow: what its columns have no room for. */
  second?: (row: T) => ReactNode;
  /** Rows to show until all are asked for. */
  fold?: number;
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [active, setActive] = useState(0);
  const wantFocus = useRef(false);
  const shown = useMemo(() => (width ? fitting(columns, width - 16) : []), [columns, width]);
  const grid = useMemo(() => ({gridTemplateColumns: template(shown)}), [shown]);
  const at = (index: number) => (typeof rows === 'function' ? rows(index) : rows[index]);
  const body = useRef<HTMLDivElement>(null);
  const [unfolded, unfold] = useState(false);
  const many = unfolded ? total : Math.min(total, fold);
  const tall = second !== undefined && width > 0 && width < NARROW,
    height = tall ? TALL : ROW;
  const wrap = shown.some((one) => one.whole);
  const margin = useOffset(body);
  const virtual = useWindowVirtualizer({
    count: many,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: margin,
    scrollPaddingStart: STUCK,
    scrollPaddingEnd: 40,
  });
  // Sizes are remembered by the virtualizer until it is told that they changed.
  useLayoutEffect(() => {
    if (height > 0) virtual.measure();
  }, [virtual, height]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0,
    last = items[items.length - 1]?.index ?? 0;
  useEffect(() => onRange?.(first, last), [onRange, first, last]);
  useEffect(() => {
    if (active >= many && many > 0) setActive(many - 1);
  }, [active, many]);

  function open(row: T): void {
    if (onOpen) onOpen(row);
    else if (href) navigate(href(row));
  }
  function move(to: number): void {
    const index = Math.max(0, Math.min(many - 1, to));
    wantFocus.current = true;
    setActive(index);
    virtual.scrollToIndex(index);
  }
  function key(event: KeyboardEvent): void {
    if ((event.target as HTMLElement).closest('[role="columnheader"], .table-more')) return;
    const page = Math.max(1, Math.floor((window.innerHeight - STUCK) / height) - 2);
    const steps: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: many - 1,
    };
    if (event.key in steps) {
      event.preventDefault();
      move(steps[event.key]!);
    } else if (event.key === 'Enter' && (event.target as HTMLElement).getAttribute('role') === 'row') {
      const row = at(active);
      if (row !== undefined) {
        event.preventDefault();
        open(row);
      }
    }
  }
  function click(event: MouseEvent, row: T, index: number): void {
    if (event.defaultPrevented || (event.target as HTMLElement).closest('a, button') || event.button !== 0) return;
    if (window.getSelection()?.toString()) return; // somebody marks text
    setActive(index);
    if ((event.ctrlKey || event.metaKey) && href) window.open(href(row), '_blank', 'noopener');
    else open(row);
  }
  const opens = onOpen !== undefined || href !== undefined;

  return (
    <div className="table" ref={box} role="grid" aria-label={label} aria-rowcount={total + 1} onKeyDown={key}>
      <div className="table-head" role="rowgroup">
        <div className="table-row" role="row" aria-rowindex={1} style={grid}>
          {shown.map((column) => (
            <HeadCell key={column.key} column={column as Column<unknown>} sort={sort} onSort={onSort} />
          ))}
        </div>
      </div>
      {total === 0 ? (
        <div role="row">
          <div role="gridcell">{empty}</div>
        </div>
      ) : (
        <div ref={body} className="table-body" role="rowgroup" style={{height: virtual.getTotalSize()}}>
          {items.map((item) => {
            // A row may be any value, 0 and '' too: only undefined says that it is on its way.
            const row = at(item.index);
            const id = row !== undefined ? rowKey(row) : undefined;
            const color = row !== undefined ? tone?.(row) : undefined;
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it hears the keys.
              <div
                key={item.index}
                data-index={item.index}
                role="row"
                aria-rowindex={item.index + 2}
                tabIndex={item.index === active ? 0 : -1}
                className={
                  `table-row${opens ? ' opens' : ''}${wrap ? ' wrap' : ''}${color ? ` tone-${color}` : ''}` +
                  (id !== undefined && id === selected ? ' selected' : '')
                }
                {...(selected !== undefined ? {'aria-selected': id === selected} : {})}
                ref={(element) => {
                  if (wrap) virtual.measureElement(element);
                  if (element && wantFocus.current && item.index === active) {
                    wantFocus.current = false;
                    element.focus({preventScroll: true});
                  }
                }}
                style={{
                  ...grid,
                  transform: `translateY(${item.start - margin}px)`,
                  [wrap ? 'minHeight' : 'height']: height,
                }}
                onFocus={() => setActive(item.index)}
                onClick={row !== undefined ? (event) => click(event, row, item.index) : undefined}
              >
                {shown.map((column) => (
                  <div
                    key={column.key}
                    role="gridcell"
                    className={`cell${column.end ? ' end' : ''}${column.whole ? ' whole' : ''}`}
                  >
                    {row !== undefined ? column.cell(row) : <span className="skeleton">……</span>}
                  </div>
                ))}
                {tall && row !== undefined && (
                  <div role="gridcell" className="cell second">
                    {second(row)}
                  </div>
                )}
              </div>
            );
          })}
        </div>
      )}
      {many < total && (
        <div role="row" className="table-more">
          <div role="gridcell">
            <Button className="button small" onPress={() => unfold(true)}>
              Show all {count(total)}
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

function HeadCell({
  column,
  sort,
  onSort,
}: {
  column: Column<unknown>;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
}) {
  const mine = sort?.key === column.key ? sort.order : null;
  const className = `cell${column.end ? ' end' : ''}`;
  if (!column.sortable || !onSort)
    return (
      <div role="columnheader" className={className} title={column.hint}>
        {column.title}
      </div>
    );
  return (
    <div
      role="columnheader"
      className={className}
      aria-sort={mine === 'asc' ? 'ascending' : mine === 'desc' ? 'descending' : 'none'}
    >
      <button
        type="button"
        title={column.hint}
        onClick={() => onSort({key: column.key, order: mine === 'desc' ? 'asc' : 'desc'})}
      >
        {column.title}
        <span className="arrow" aria-hidden="true">
          {mine === 'asc' ? '↑' : mine === 'desc' ? '↓' : ''}
        </span>
      </button>
    </div>
  );
}
