import type {Session} from '../api/types';
import {Link} from '../route/link';
import type {Column} from '../table/columns';
import {bytes, count, duration, rate, shortId} from '../text/units';
import {Stamp} from '../time/stamp';
import {codeText, endKind, knownUntil, quiet, reasonLabel, troubles} from './words';

export const sessionHref = (session: {id: string}) => `/sessions/${encodeURIComponent(session.id)}`;

export function sessionTone(session: Session, now: number): 'bad' | 'warn' | '' {
  if (session.state === 'ended') return session.abnormal ? 'bad' : '';
  return troubles(session, now)[0]?.level ?? '';
}

const id: Column<Session> = {
  key: 'id',
  title: 'Session',
  width: 80,
  keep: 9,
  cell: (row) => (
    <span className="row">
      <span
        className={`dot ${row.state === 'ended' ? (row.abnormal ? 'bad' : '') : row.last_heard ? 'warn' : 'good'}`}
        title={row.state === 'ended' ? 'ended' : row.last_heard ? 'open when last heard from' : 'open'}
      />
      <Link className="mono" tabIndex={-1} href={sessionHref(row)} title={row.id}>
        {shortId(row.id)}
      </Link>
    </span>
  ),
};
const route: Column<Session> = {
  key: 'route',
  title: 'Route',
  width: 90,
  grow: 1,
  keep: 6,
  cell: (row) => <span title={row.route}>{row.route}</span>,
};
const client: Column<Session> = {
  key: 'client',
  title: 'Client',
  width: 132,
  grow: 1.2,
  keep: 5,
  cell: (row) => <span title={row.client}>{row.client || <span className="faint">–</span>}</span>,
};
const target: Column<Session> = {
  key: 'target',
  title: 'Target',
  width: 130,
  grow: 1.3,
  keep: 3,
  cell: (row) => <bdi title={row.target}>{row.target || <span className="faint">–</span>}</bdi>,
};

/** Where a session is, in a line: for where columns have no room. */
export const whereText = (row: Session) => (
  <>
    <bdi>{row.route}</bdi> · <bdi>{row.client || 'unknown client'}</bdi> → <bdi>{row.target || '–'}</bdi>
  </>
);
const dialect: Column<Session> = {
  key: 'dialect',
  title: 'Dialect',
  width: 100,
  grow: 0.9,
  keep: 2,
  cell: (row) => (row.dialect === 'none' ? <span className="faint">–</span> : row.dialect),
};
const opened: Column<Session> = {
  key: 'opened',
  title: 'Opened',
  width: 118,
  end: true,
  keep: 4,
  sortable: true,
  cell: (row) => <Stamp ms={row.opened_ms} />,
};
const host: Column<Session> = {
  key: 'host',
  title: 'Host',
  width: 110,
  grow: 0.8,
  keep: 0,
  cell: (row) => <span title={row.instance}>{row.host}</span>,
};

function Two({values}: {values: [React.ReactNode, React.ReactNode]}) {
  return (
    <span className="num">
      <span className="client">{values[0]}</span>
      <span className="faint"> / </span>
      <span className="server">{values[1]}</span>
    </span>
  );
}

const HINT = 'client / server';

export function liveColumns(now: number): Column<Session>[] {
  return [
    id,
    {
      key: 'state',
      title: 'Trouble',
      width: 122,
      grow: 2.2,
      keep: 8,
      cell: (row) => {
        const worst = troubles(row, now)[0];
        return worst ? (
          <span className={worst.level} title={worst.text}>
            {worst.short}
          </span>
        ) : row.state === 'closing' ? (
          <span className="warn">closing</span>
        ) : (
          <span className="faint">–</span>
        );
      },
    },
    route,
    client,
    target,
    dialect,
    opened,
    {
      key: 'age',
      title: 'Open for',
      width: 84,
      end: true,
      keep: 5,
      cell: (row) => (
        <span className="num">{duration(Math.max(0, (knownUntil(row, now) - row.opened_ms) / 1000))}</span>
      ),
    },
    {
      key: 'silence',
      title: 'Silent',
      width: 78,
      end: true,
      keep: 6,
      sortable: true,
      hint: 'since anybody said anything',
      cell: (row) => {
        const silent = quiet(row, now);
        return (
          <span className="num">
            {silent === null ? '–' : silent < 1 ? <span className="faint">now</span> : duration(Math.round(silent))}
          </span>
        );
      },
    },
    ...liveTraffic,
    ...liveTrouble,
    host,
  ];
}

/** What moves on it now. */
const liveTraffic: Column<Session>[] = [
  {
    key: 'messages',
    title: 'Messages/s',
    width: 108,
    end: true,
    keep: 4,
    sortable: true,
    hint: HINT,
    cell: (row) =>
      row.messages_per_second ? (
        <Two values={[rateOf(row.messages_per_second[0]), rateOf(row.messages_per_second[1])]} />
      ) : (
        '–'
      ),
  },
  {
    key: 'bytes',
    title: 'Bytes/s',
    width: 142,
    end: true,
    keep: 2,
    sortable: true,
    hint: HINT,
    cell: (row) =>
      row.bytes_per_second ? <Two values={[bytes(row.bytes_per_second[0]), bytes(row.bytes_per_second[1])]} /> : '–',
  },
  {
    key: 'rtt',
    title: 'Round trip',
    width: 140,
    end: true,
    keep: 3,
    sortable: true,
    hint: `last ping, ${HINT}`,
    cell: (row) => <Two values={[duration(row.rtt_seconds?.[0]), duration(row.rtt_seconds?.[1])]} />,
  },
];

const liveTrouble: Column<Session>[] = [
  {
    key: 'misses',
    title: 'Missed',
    width: 62,
    end: true,
    keep: 5,
    sortable: true,
    hint: 'heartbeats missed, in all',
    cell: (row) => <span className={`num ${row.misses ? 'bad' : 'faint'}`}>{count(row.misses)}</span>,
  },
  {
    key: 'buffered',
    title: 'Buffered',
    width: 80,
    end: true,
    keep: 5,
    sortable: true,
    hint: 'bytes waiting to be read by a peer',
    cell: (row) => {
      const waiting = (row.buffered_bytes?.[0] ?? 0) + (row.buffered_bytes?.[1] ?? 0);
      return <span className={`num ${waiting ? 'warn' : 'faint'}`}>{bytes(waiting)}</span>;
    },
  },
];
const rateOf = (value: number) => rate(value).replace('/s', '');

export function pastColumns(now: number): Column<Session>[] {
  return [
    id,
    {
      key: 'end',
      title: 'End',
      width: 140,
      grow: 3,
      keep: 8,
      cell: (row) => {
        if (row.state !== 'ended') {
          const worst = troubles(row, now)[0];
          return <span className={worst?.level ?? 'good'}>{worst?.short ?? row.state}</span>;
        }
        const bad = row.abnormal,
          kind = endKind(row);
        return (
          <span title={row.close_reason || undefined}>
            <span className={bad ? 'bad strong' : ''}>{reasonLabel(kind)}</span>
            <span className="faint num">
              {row.close_code !== null && kind === row.end_reason ? ` ${codeText(row.close_code, kind)}` : ''}
              {row.initiator ? ` · ${row.initiator}` : ''}
            </span>
          </span>
        );
      },
    },
    route,
    client,
    target,
    dialect,
    opened,
    {
      key: 'ended',
      title: 'Ended',
      width: 118,
      end: true,
      keep: 5,
      sortable: true,
      cell: (row) => <Stamp ms={row.ended_ms} />,
    },
    {
      key: 'duration',
      title: 'Duration',
      width: 88,
      end: true,
      keep: 6,
      cell: (row) => (
        <span className="num">{duration(Math.max(0, (knownUntil(row, now) - row.opened_ms) / 1000))}</span>
      ),
    },
    {
      key: 'messages',
      title: 'Messages',
      width: 120,
      end: true,
      keep: 3,
      hint: HINT,
      cell: (row) => <Two values={[count(row.messages[0]), count(row.messages[1])]} />,
    },
    {
      key: 'bytes',
      title: 'Bytes',
      width: 142,
      end: true,
      keep: 2,
      hint: HINT,
      cell: (row) => <Two values={[bytes(row.bytes[0]), bytes(row.bytes[1])]} />,
    },
    {
      key: 'misses',
      title: 'Missed',
      width: 62,
      end: true,
      keep: 4,
      hint: 'heartbeats missed, in all',
      cell: (row) => <span className={`num ${row.misses ? 'bad' : 'faint'}`}>{count(row.misses)}</span>,
    },
    host,
  ];
}
