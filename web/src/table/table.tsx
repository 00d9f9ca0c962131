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
  type CSSProperties,
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

interface Props<T> {
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
}: Props<T>) {
  const [box, width] = useWidth<HTMLDivElement>();
  const shown = useMemo(() => (width ? fitting(columns, width - 16) : []), [columns, width]);
  const grid = useMemo(() => ({gridTemplateColumns: template(shown)}), [shown]);
  const at = (index: number) => (typeof rows === 'function' ? rows(index) : rows[index]);
  const [unfolded, unfold] = useState(false);
  const many = unfolded ? total : Math.min(total, fold);
  const tall = second !== undefined && width > 0 && width < NARROW,
    height = tall ? TALL : ROW;
  const wrap = shown.some((one) => one.whole);
  const {body, margin, virtual, items, active, setActive, move, taken} = useRows(many, height, onRange);
  function open(row: T): void {
    if (onOpen) onOpen(row);
    else if (href) navigate(href(row));
  }
  const key = (event: KeyboardEvent) =>
    steer(event, {
      active,
      last: many - 1,
      height,
      move,
      open: () => {
        const row = at(active);
        if (row !== undefined) open(row);
        return row !== undefined;
      },
    });
  const click = (event: MouseEvent, row: T, index: number) => {
    if (!meant(event)) return;
    setActive(index);
    if ((event.ctrlKey || event.metaKey) && href) window.open(href(row), '_blank', 'noopener');
    else open(row);
  };
  const opens = onOpen !== undefined || href !== undefined;

  return (
    <div className="table" ref={box} role="grid" aria-label={label} aria-rowcount={total + 1} onKeyDown={key}>
      <Head columns={shown} style={grid} sort={sort} onSort={onSort} />
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
              <Row
                key={item.index}
                index={item.index}
                row={row}
                columns={shown}
                style={{
                  ...grid,
                  transform: `translateY(${item.start - margin}px)`,
                  [wrap ? 'minHeight' : 'height']: height,
                }}
                className={
                  `table-row${opens ? ' opens' : ''}${wrap ? ' wrap' : ''}${color ? ` tone-${color}` : ''}` +
                  (id !== undefined && id === selected ? ' selected' : '')
                }
                {...(selected !== undefined ? {selected: id === selected} : {})}
                tabbable={item.index === active}
                second={tall ? second : undefined}
                onElement={(element) => {
                  if (wrap) virtual.measureElement(element);
                  taken(element, item.index);
                }}
                onActive={setActive}
                onClick={click}
              />
            );
          })}
        </div>
      )}
      {many < total && <More total={total} onPress={() => unfold(true)} />}
    </div>
  );
}

/** Whether a click is one on the row, and not on a link in it, nor the end of marking text. */
function meant(event: MouseEvent): boolean {
  if (event.defaultPrevented || (event.target as HTMLElement).closest('a, button') || event.button !== 0) return false;
  return !window.getSelection()?.toString();
}

/** The rows in sight, and the one that has the focus. */
function useRows(many: number, height: number, onRange: ((first: number, last: number) => void) | undefined) {
  const [active, setActive] = useState(0);
  const wantFocus = useRef(false);
  const body = useRef<HTMLDivElement>(null);
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
  function move(to: number): void {
    const index = Math.max(0, Math.min(many - 1, to));
    wantFocus.current = true;
    setActive(index);
    virtual.scrollToIndex(index);
  }
  // Whoever was moved to has the focus once it is there.
  function taken(element: HTMLElement | null, index: number): void {
    if (!element || !wantFocus.current || index !== active) return;
    wantFocus.current = false;
    element.focus({preventScroll: true});
  }
  return {body, margin, virtual, items, active, setActive, move, taken};
}

function More({total, onPress}: {total: number; onPress: () => void}) {
  return (
    <div role="row" className="table-more">
      <div role="gridcell">
        <Button className="button small" onPress={onPress}>
          Show all {count(total)}
        </Button>
      </div>
    </div>
  );
}

/** What a key does: moves the focus, or opens the row that has it. */
function steer(
  event: KeyboardEvent,
  its: {active: number; last: number; height: number; move: (to: number) => void; open: () => boolean},
): void {
  if ((event.target as HTMLElement).closest('[role="columnheader"], .table-more')) return;
  const {active, last} = its;
  const page = Math.max(1, Math.floor((window.innerHeight - STUCK) / its.height) - 2);
  const steps: Record<string, number> = {
    ArrowDown: active + 1,
    ArrowUp: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: last,
  };
  if (event.key in steps) {
    event.preventDefault();
    its.move(steps[event.key]!);
  } else if (event.key === 'Enter' && (event.target as HTMLElement).getAttribute('role') === 'row') {
    if (its.open()) event.preventDefault();
  }
}

function Row<T>({
  index,
  row,
  columns,
  style,
  className,
  selected,
  tabbable,
  second,
  onElement,
  onActive,
  onClick,
}: {
  index: number;
  row: T | undefined;
  columns: readonly Column<T>[];
  style: CSSProperties;
  className: string;
  selected?: boolean;
  tabbable: boolean;
  second: ((row: T) => ReactNode) | undefined;
  onElement: (element: HTMLDivElement | null) => void;
  onActive: (index: number) => void;
  onClick: (event: MouseEvent, row: T, index: number) => void;
}) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it hears the keys.
    <div
      data-index={index}
      role="row"
      aria-rowindex={index + 2}
      tabIndex={tabbable ? 0 : -1}
      className={className}
      {...(selected !== undefined ? {'aria-selected': selected} : {})}
      ref={onElement}
      style={style}
      onFocus={() => onActive(index)}
      onClick={row !== undefined ? (event) => onClick(event, row, index) : undefined}
    >
      {columns.map((column) => (
        <div
          key={column.key}
          role="gridcell"
          className={`cell${column.end ? ' end' : ''}${column.whole ? ' whole' : ''}`}
        >
          {row !== undefined ? column.cell(row) : <span className="skeleton">……</span>}
        </div>
      ))}
      {second && row !== undefined && (
        <div role="gridcell" className="cell second">
          {second(row)}
        </div>
      )}
    </div>
  );
}

function Head<T>({
  columns,
  style,
  sort,
  onSort,
}: {
  columns: readonly Column<T>[];
  style: CSSProperties;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
}) {
  return (
    <div className="table-head" role="rowgroup">
      <div className="table-row" role="row" aria-rowindex={1} style={style}>
        {columns.map((column) => (
          <HeadCell key={column.key} column={column as Column<unknown>} sort={sort} onSort={onSort} />
        ))}
      </div>
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
