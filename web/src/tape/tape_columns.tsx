// The columns of the tape.
import {ToggleButton} from 'react-aria-components';
import type {TapeEntry} from '../api/types';
import {Link} from '../route/link';
import type {Column} from '../table/columns';
import {count, shortId} from '../text/units';
import {time} from '../time/format';
import {Stamp} from '../time/stamp';
import {KINDS, markMoment, sessionsHref, titleOf} from './words';

export function tapeColumns(
  marks: readonly number[],
  mark: (next: readonly number[]) => void,
  names: ReadonlyMap<string, string>,
): Column<TapeEntry>[] {
  return [
    when,
    kind,
    what,
    {
      key: 'count',
      title: 'Count',
      width: 60,
      end: true,
      keep: 4,
      cell: (row) => (row.count > 0 ? <span className="num">{count(row.count)}</span> : null),
    },
    {key: 'route', title: 'Route', width: 90, grow: 0.6, keep: 6, cell: (row) => row.route},
    {
      key: 'instance',
      title: 'Proxy',
      width: 90,
      grow: 0.6,
      keep: 3,
      cell: (row) => <span title={row.instance}>{names.get(row.instance) ?? shortId(row.instance)}</span>,
    },
    sessions,
    {
      key: 'mark',
      title: 'Compare',
      width: 70,
      end: true,
      keep: 8,
      hint: 'mark two moments to see what changed between them',
      cell: (row) => (
        <ToggleButton
          className="button small"
          isSelected={marks.includes(Math.round(row.time_ms))}
          aria-label={`Mark ${time(row.time_ms)}`}
          onChange={() => mark(markMoment(marks, Math.round(row.time_ms)))}
        >
          {marks.includes(Math.round(row.time_ms)) ? 'marked' : 'mark'}
        </ToggleButton>
      ),
    },
  ];
}

const when: Column<TapeEntry> = {
  key: 'time',
  title: 'When',
  width: 84,
  grow: 0.9,
  keep: 9,
  whole: true,
  sortable: true,
  cell: (row) => (
    <>
      <Stamp ms={row.time_ms} />
      {row.to_ms !== null && time(row.to_ms) !== time(row.time_ms) && (
        <span className="faint num" title={time(row.to_ms)}>
          {' '}
          – {time(row.to_ms).slice(-8)}
        </span>
      )}
    </>
  ),
};

const kind: Column<TapeEntry> = {
  key: 'kind',
  title: 'Kind',
  width: 96,
  keep: 5,
  cell: (row) => (
    <span className={`badge${row.level === 'info' ? '' : ` ${row.level}`}`}>{KINDS[row.kind] ?? row.kind}</span>
  ),
};

const what: Column<TapeEntry> = {
  key: 'what',
  title: 'What',
  width: 120,
  grow: 3,
  keep: 9,
  whole: true,
  cell: (row) => {
    const href = sessionsHref(row.query);
    const title = titleOf(row);
    return href ? (
      <Link tabIndex={-1} href={href}>
        {title}
      </Link>
    ) : (
      title
    );
  },
};

const sessions: Column<TapeEntry> = {
  key: 'sessions',
  title: 'Sessions',
  width: 210,
  grow: 0,
  keep: 2,
  cell: (row) => (
    <span className="tape-sessions">
      {row.sessions.slice(0, 3).map((one) => (
        <Link key={one} className="mono" tabIndex={-1} href={`/sessions/${encodeURIComponent(one)}`}>
          {shortId(one)}
        </Link>
      ))}
    </span>
  ),
};
