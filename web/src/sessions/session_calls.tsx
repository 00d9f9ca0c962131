// The calls of a session: the ones still open, and how long each took to its first and last chunk, on one scale.
import {useMemo} from 'react';
import type {OpenCall, Session, Span} from '../api/types';
import {Card} from '../control/card';
import {Empty, Loading} from '../control/states';
import {Link} from '../route/link';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration, plural} from '../text/units';
import {Stamp} from '../time/stamp';
import {failed, outcomeOf, outcomeTone} from '../traces/outcome';
import {streaming} from '../traces/streaming';

interface Call {
  key: string;
  operation: string;
  outcome: string;
  message: string;
  start_ms: number;
  first: number | null;
  total: number;
  chunks: number | null;
  href: string | null;
  open: boolean;
  chunkTimes: number[]; // seconds since its start; [] when they are not known
  schematic: boolean; // it streamed, but when is not known chunk by chunk
  quiet: number | null; // seconds since the last chunk of an open call
}

export function SessionCalls({
  session,
  calls,
  invocations,
  now,
  waiting,
}: {
  session: Session;
  calls: readonly OpenCall[];
  invocations: readonly Span[];
  now: number;
  waiting: boolean;
}) {
  const at = calls.length ? now : 0; // only open calls grow
  const rows = useMemo(
    () => [
      ...calls.map((one) => openCall(one, at)),
      ...invocations.map(endedCall).sort((a, b) => b.start_ms - a.start_ms),
    ],
    [calls, invocations, at],
  );
  const longest = useMemo(() => rows.reduce((most, one) => Math.max(most, one.total), 0.001), [rows]);
  const columns = useMemo(() => columnsOf(longest), [longest]);
  const open = calls.length;
  return (
    <Card
      title="Calls"
      tools={
        <span className="faint num">
          {open ? `${count(open)} open, ` : ''}
          {count(invocations.length)} ended{invocations.length >= 200 ? ' (the latest)' : ''}
        </span>
      }
    >
      <Table
        label="Calls of this session"
        columns={columns}
        rows={rows}
        total={rows.length}
        rowKey={(row) => row.key}
        {...(rows.some((row) => row.href)
          ? {href: (row: Call) => row.href ?? `/sessions/${encodeURIComponent(session.id)}`}
          : {})}
        fold={10}
        second={(row) => (
          <>
            <Stamp ms={row.start_ms} /> · {row.open ? `open for ${duration(row.total)}` : duration(row.total)}
            {row.chunks !== null && row.chunks > 0 && <> · {plural(row.chunks, 'chunk')}</>}
          </>
        )}
        tone={(row) => (failed(row.outcome) || (row.quiet ?? 0) > 5 ? 'bad' : '')}
        empty={
          waiting ? (
            <Loading />
          ) : (
            <Empty title="No calls">
              {
                <p>
                  {session.dialect === 'none'
                    ? 'No dialect was recognised on this connection, so its messages are not understood as calls.'
                    : 'No request with a reply was seen on this connection.'}
                </p>
              }
            </Empty>
          )
        }
      />
    </Card>
  );
}

function openCall(one: OpenCall, now: number): Call {
  return {
    key: `open-${one.number}`,
    operation: one.operation,
    outcome: 'open',
    message: '',
    start_ms: one.opened_ms,
    first: one.first_chunk_ms === null ? null : (one.first_chunk_ms - one.opened_ms) / 1000,
    total: Math.max(0, (now - one.opened_ms) / 1000),
    chunks: one.chunks,
    chunkTimes: [],
    schematic: one.chunks > 2,
    href: one.trace_id ? `/traces/${encodeURIComponent(one.trace_id)}` : null,
    open: true,
    quiet: Math.max(0, (now - (one.last_chunk_ms ?? one.opened_ms)) / 1000),
  };
}

function endedCall(span: Span): Call {
  const its = streaming(span);
  return {
    key: span.span_id + span.start_unix_ns,
    operation: span.name,
    outcome: outcomeOf(span) ?? '',
    message: span.status_message,
    start_ms: span.start_ms,
    first: its?.first ?? null,
    total: Math.max(0, span.duration_ns / 1e9),
    chunks: its?.count ?? null,
    chunkTimes: its && !its.even ? its.chunks : [],
    schematic: its?.even ?? false,
    href: `/traces/${encodeURIComponent(span.trace_id)}?span=${encodeURIComponent(span.span_id)}`,
    open: false,
    quiet: null,
  };
}

function columnsOf(longest: number): Column<Call>[] {
  return [
    {
      key: 'operation',
      title: 'Call',
      width: 120,
      grow: 1.2,
      keep: 9,
      cell: (row) =>
        row.href ? (
          <Link tabIndex={-1} href={row.href}>
            {row.operation}
          </Link>
        ) : (
          row.operation
        ),
    },
    {
      key: 'outcome',
      title: 'Outcome',
      width: 92,
      keep: 8,
      cell: (row) => (
        <span className={outcomeTone(row.outcome)} title={row.message || undefined}>
          {row.outcome}
        </span>
      ),
    },
    {key: 'start', title: 'Began', width: 112, end: true, keep: 5, cell: (row) => <Stamp ms={row.start_ms} />},
    {
      key: 'first',
      title: 'First chunk',
      width: 84,
      end: true,
      keep: 7,
      cell: (row) => <span className="num">{duration(row.first)}</span>,
    },
    {
      key: 'total',
      title: 'Duration',
      hint: 'from the request to its end',
      width: 96,
      end: true,
      keep: 7,
      cell: (row) => (
        <span className="num">
          {row.open ? <span className="faint">{duration(row.total)} so far</span> : duration(row.total)}
        </span>
      ),
    },
    {
      key: 'chunks',
      title: 'Chunks',
      width: 56,
      end: true,
      keep: 3,
      cell: (row) => <span className="num">{count(row.chunks)}</span>,
    },
    {
      key: 'bar',
      title: 'Waiting, then streaming',
      hint: 'a mark a chunk where their times were recorded; a plain bar is schematic',
      width: 150,
      grow: 2.4,
      keep: 4,
      cell: (row) => <CallBar row={row} longest={longest} />,
    },
  ];
}

/** The wait for the first chunk, then the stream, on the scale of the longest call. */
function CallBar({row, longest}: {row: Call; longest: number}) {
  return (
    <span className="call-bar" title={barTitle(row)}>
      {row.first !== null && <i className="waiting" style={{width: `${(100 * row.first) / longest}%`}} />}
      <i
        className={row.first === null ? 'plain' : row.chunkTimes.length ? 'streaming known' : 'streaming'}
        style={{width: `max(2px, ${(100 * (row.total - (row.first ?? 0))) / longest}%)`}}
      >
        {row.chunkTimes.length > 0 && <Marks row={row} />}
      </i>
      {row.quiet !== null && row.quiet > 5 && <span className="bad"> no chunk for {duration(row.quiet)}</span>}
    </span>
  );
}

/** A mark where each chunk came. */
function Marks({row}: {row: Call}) {
  const from = row.first ?? 0,
    length = Math.max(1e-9, row.total - from);
  const path = row.chunkTimes.map((at) => `M${((1000 * (at - from)) / length).toFixed(1)} 0V1`).join('');
  return (
    <svg viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

function barTitle(row: Call): string | undefined {
  if (row.quiet !== null) return `last chunk ${duration(row.quiet)} ago`;
  if (row.schematic) return 'Schematic: when each chunk came was not recorded.';
  return row.chunkTimes.length ? 'A mark where each chunk came.' : undefined;
}
