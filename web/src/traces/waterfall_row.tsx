// A row: the name at its depth, the bar at its time. Inside the bar of a streamed call: hatched until the first chunk,
// solid while streaming, a mark a chunk, and the pause in words. Under it, dark, what of it is on the critical path.
import {memo, type MutableRefObject} from 'react';
import {duration, plural} from '../text/units';
import type {Stretch} from './critical_path';
import type {Row} from './layout';
import {nanoseconds} from './nanoseconds';
import {streaming, type Streaming} from './streaming';

interface Properties {
  row: Row;
  index: number;
  position: number;
  top: number;
  from: number;
  to: number;
  color: string;
  room: number; // px the bars have, roughly
  alone: boolean; // the only row
  stretches: Stretch[] | undefined;
  logs: number[] | undefined;
  folded: boolean;
  chosen: boolean;
  dim: boolean;
  tabbable: boolean;
  focus: MutableRefObject<boolean> | null;
  onToggle: (row: number) => void;
  onChoose: (row: number | null) => void;
  onActive: (row: number) => void;
}

const MOST_INDENT = 14; // deeper levels stand at the same place and say their depth

export const WaterfallRow = memo(function WaterfallRow({
  row,
  index,
  position,
  top,
  from,
  to,
  color,
  room,
  alone,
  stretches,
  logs,
  folded,
  chosen,
  dim,
  tabbable,
  focus,
  onToggle,
  onChoose,
  onActive,
}: Properties) {
  const span = row.span;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it hears the keys.
    <div
      role="row"
      aria-level={row.depth + 1}
      aria-rowindex={position + 1}
      aria-selected={chosen}
      {...(row.children > 0 ? {'aria-expanded': !folded} : {})}
      tabIndex={tabbable ? 0 : -1}
      className={
        `wf-row${chosen ? ' chosen' : ''}${dim ? ' dim' : ''}${span ? '' : ' missing'}` +
        (span?.status === 'error' ? ' failed' : '')
      }
      style={{transform: `translateY(${top}px)`}}
      ref={(element) => {
        if (element && focus?.current) {
          focus.current = false;
          element.focus({preventScroll: true});
        }
      }}
      onFocus={() => onActive(index)}
      onClick={() => {
        onActive(index);
        if (span) onChoose(chosen ? null : index);
      }}
    >
      <div
        role="gridcell"
        className="wf-name"
        style={{paddingLeft: `calc(6px + ${Math.min(row.depth, MOST_INDENT)} * var(--indent))`}}
      >
        <Fold row={row} index={index} folded={folded} onToggle={onToggle} />
        {row.depth > MOST_INDENT && <span className="wf-depth num">{row.depth}</span>}
        <Name row={row} color={color} />
      </div>
      <div role="gridcell" className="wf-bars">
        {row.note === 'off clock' ? (
          <span className="wf-off faint">
            {row.start < from ? '◂' : '▸'} clock {duration(Math.abs(row.start - from) / 1000)}{' '}
            {row.start < from ? 'behind' : 'ahead'}
          </span>
        ) : (
          <Bar
            row={row}
            from={from}
            to={to}
            color={color}
            room={room}
            alone={alone}
            stretches={stretches}
            logs={logs}
          />
        )}
      </div>
    </div>
  );
});

const NOTES: Record<string, string> = {
  cycle: 'cycle of parents',
  'off clock': 'clock off',
  backwards: 'ends before it starts',
};

function Fold({
  row,
  index,
  folded,
  onToggle,
}: {
  row: Row;
  index: number;
  folded: boolean;
  onToggle: (row: number) => void;
}) {
  if (row.children === 0) return <span className="wf-leaf" />;
  return (
    <button
      type="button"
      tabIndex={-1}
      className={`wf-fold${folded ? ' folded' : ''}`}
      aria-label={folded ? 'Unfold' : 'Fold'}
      onClick={(event) => {
        event.stopPropagation();
        onToggle(index);
      }}
    >
      {folded ? `+${row.after - index - 1}` : '▾'}
    </button>
  );
}

function Name({row, color}: {row: Row; color: string}) {
  const span = row.span;
  if (!span)
    return (
      <span className="clip faint">
        missing parent <span className="mono">{row.missing.slice(0, 16)}</span>
      </span>
    );
  return (
    <>
      <i className="wf-service" style={{color: `var(${color})`}} />
      {span.status === 'error' && <span className="dot bad" title={span.status_message || 'error'} />}
      <span className="clip">
        <span className="wf-operation">{span.name || '(no name)'}</span> <span className="faint">{span.service}</span>
      </span>
      {row.copies > 0 && (
        <span className="badge" title="the same span arrived more than once">
          ×{row.copies + 1}
        </span>
      )}
      {row.note && <span className="badge warn">{NOTES[row.note]}</span>}
    </>
  );
}

function Bar({
  row,
  from,
  to,
  color,
  room,
  alone,
  stretches,
  logs,
}: {
  row: Row;
  from: number;
  to: number;
  color: string;
  room: number; // px the bars have, roughly
  alone: boolean; // the only row
  stretches: Stretch[] | undefined;
  logs: number[] | undefined;
}) {
  const size = to - from;
  const at = placer(from, size);
  const left = at(row.start),
    right = at(row.end),
    width = right - left;
  const span = row.span;
  if (!span) return <span className="wf-bracket" style={{left: `${left}%`, width: `max(2px, ${width}%)`}} />;
  const inSight = row.end >= from && row.start <= to;
  const text = duration(nanoseconds(span.duration_ns) / 1e9);
  const its = streaming(span);
  const second = (seconds: number) => row.start + seconds * 1000;
  const paused = its?.gap ? `paused ${duration(its.gap[1] - its.gap[0])}` : '';
  const written = its?.gap ? ((at(second(its.gap[1])) - at(second(its.gap[0]))) / 100) * room > 92 : false;
  const after = `${text}${paused && !written ? ` · ${paused}` : ''}${row.open ? ' · still open' : ''}`;
  return (
    <>
      {inSight && its && (
        <Streamed row={row} its={its} from={from} size={size} color={color} paused={written ? paused : ''} />
      )}
      {inSight && !its && (
        <span
          className={[
            'wf-bar',
            row.open ? 'open' : '',
            span.name === 'websocket.connection.segment' ? 'segment' : '',
          ].join(' ')}
          style={{left: `${left}%`, width: `max(2px, ${width}%)`, color: `var(${color})`}}
        />
      )}
      <Marks row={row} from={from} to={to} stretches={stretches} logs={logs} />
      {inSight &&
        (right < 86 ? (
          <span className="wf-text num" style={{left: `calc(${right}% + 6px)`}}>
            {after}
          </span>
        ) : left > 14 ? (
          <span className="wf-text num" style={{right: `calc(${100 - left}% + 6px)`}}>
            {after}
          </span>
        ) : (
          <span className="wf-text inside num" style={alone ? {right: 8} : {left: `calc(${Math.max(0, left)}% + 6px)`}}>
            {after}
          </span>
        ))}
      {!inSight && <span className="wf-off faint">{row.end < from ? '◂' : '▸'}</span>}
    </>
  );
}

/** Per cent of the time in view. Kept near the edges: browsers do not like a bar of a million per cent. */
const placer = (from: number, size: number) => (ms: number) => Math.min(101, Math.max(-1, (100 * (ms - from)) / size));

/** The wait for the first chunk, the stream, its longest pause, and a mark a chunk. */
function Streamed({
  row,
  its,
  from,
  size,
  color,
  paused,
}: {
  row: Row;
  its: Streaming;
  from: number;
  size: number;
  color: string;
  paused: string; // to be written into the pause; '': there is no room
}) {
  const at = placer(from, size);
  const second = (seconds: number) => row.start + seconds * 1000;
  const left = at(row.start);
  return (
    <>
      <span
        className="wf-bar wf-rest"
        style={{left: `${left}%`, width: `max(2px, ${at(row.end) - left}%)`, color: `var(${color})`}}
      />
      <span
        className="wf-waiting"
        style={{left: `${left}%`, width: `${at(second(its.first)) - left}%`, color: `var(${color})`}}
        title={`${duration(its.first)} to the first chunk`}
      >
        <span className="wf-inside num">{duration(its.first)} to the first chunk</span>
      </span>
      <span
        className="wf-streaming"
        style={{
          left: `${at(second(its.first))}%`,
          width: `max(2px, ${at(second(its.last)) - at(second(its.first))}%)`,
          color: `var(${color})`,
        }}
        title={`streaming for ${duration(its.last - its.first)}, ${chunkWords(its)}`}
      />
      {its.gap && (
        <span
          className="wf-gap"
          style={{
            left: `${at(second(its.gap[0]))}%`,
            width: `${at(second(its.gap[1])) - at(second(its.gap[0]))}%`,
          }}
          title={`nothing came for ${duration(its.gap[1] - its.gap[0])}`}
        >
          {paused && <span className="wf-inside num">{paused}</span>}
        </span>
      )}
      <Chunks chunks={its.chunks} start={row.start} from={from} size={size} even={its.even} />
    </>
  );
}

/** What lies on a bar: the critical path, events, log records. */
function Marks({
  row,
  from,
  to,
  stretches,
  logs,
}: {
  row: Row;
  from: number;
  to: number;
  stretches: Stretch[] | undefined;
  logs: number[] | undefined;
}) {
  const at = placer(from, to - from);
  return (
    <>
      {stretches?.map(
        (one) =>
          one.to >= from &&
          one.from <= to && (
            <i
              key={one.from}
              className="wf-critical"
              style={{left: `${at(one.from)}%`, width: `max(1px, ${at(one.to) - at(one.from)}%)`}}
            />
          ),
      )}
      {row.span?.events.slice(0, 60).map((event, i) => {
        const time = row.start + nanoseconds(event.offset_ns) / 1e6;
        if (time < from || time > to || event.name === 'chunk' || event.name === 'chunk_gap') return null;
        return (
          <i
            key={i}
            className={`wf-event ${EVENTS[event.name] ?? ''}`}
            style={{left: `${at(time)}%`}}
            title={`${event.name} after ${duration(nanoseconds(event.offset_ns) / 1e9)}`}
          />
        );
      })}
      {logs
        ?.slice(0, 40)
        .map(
          (time, i) =>
            time >= from &&
            time <= to && <i key={`log${i}`} className="wf-log" style={{left: `${at(time)}%`}} title="log record" />,
        )}
    </>
  );
}

const EVENTS: Record<string, string> = {first_chunk: 'first-chunk', interrupted: 'interrupted', exception: 'exception'};

/** "35 chunks, each marked when it came", or that the marks are schematic. */
export function chunkWords({count, even, every, chunks}: Streaming): string {
  const many = count === null ? 'chunks' : plural(count, 'chunk');
  if (chunks.length < 2) return many;
  if (even) return `${many}; marks are schematic, the span does not say when each came`;
  return every > 1 ? `${many}, one mark for ${every}` : `${many}, each marked when it came`;
}

/** Marks as one path, however many; closer than three pixels' worth they would be a smear and are thinned out. */
function Chunks({
  chunks,
  start,
  from,
  size,
  even,
}: {
  chunks: number[];
  start: number;
  from: number;
  size: number;
  even: boolean;
}) {
  let path = '',
    last = -Infinity;
  for (const chunk of chunks) {
    const x = (10_000 * (start + chunk * 1000 - from)) / size;
    if (x < 0 || x > 10_000 || x - last < 28) continue;
    path += `M${x.toFixed(0)} 0V10`;
    last = x;
  }
  if (!path) return null;
  return (
    <svg
      className={`wf-chunks${even ? ' even' : ''}`}
      viewBox="0 0 10000 10"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
