import {useMemo} from 'react';
import {Card} from '../control/card';
import {Empty} from '../control/states';
import {Link} from '../route/link';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {bytes, count, duration, plural, rate} from '../text/units';
import {time} from '../time/format';
import type {RouteRow} from './routes';

type SessionsOf = (route: string, extra: Record<string, string>) => string;

/** Every number leads to the sessions it counts. */
export function RoutesTable({
  rows,
  live,
  stale,
  sessions,
}: {
  rows: readonly RouteRow[];
  live: boolean;
  /** When the console was last heard from, if that is a while ago. */
  stale: number | null;
  sessions: SessionsOf;
}) {
  const columns = useMemo(() => [...countColumns(live, sessions), ...figureColumns(live, sessions)], [live, sessions]);
  return (
    <div className="fleet-routes">
      <Card
        title="Routes"
        tools={
          <span className="faint num">
            {plural(rows.length, 'route')};{' '}
            {stale !== null ? (
              <span className="warn">open, rates and buffers as of {time(stale)}</span>
            ) : live ? (
              'open, rates and buffers as of now'
            ) : (
              'as of the end of the range'
            )}
          </span>
        }
      >
        <Table
          label="Routes"
          columns={columns}
          rows={rows}
          total={rows.length}
          rowKey={(row) => row.route}
          href={(row) => sessions(row.route, {})}
          tone={(row) => (row.abnormal ? 'bad' : '')}
          second={(row) => `${rate(row.messages[0])} from clients, ${rate(row.messages[1])} from servers`}
          empty={<Empty title="No route in this time range" />}
        />
      </Card>
    </div>
  );
}

function countColumns(live: boolean, sessions: SessionsOf): Column<RouteRow>[] {
  const number = (
    key: 'active' | 'opened' | 'ended' | 'abnormal',
    title: string,
    width: number,
    keep: number,
    extra: Record<string, string>,
    hint: string,
  ): Column<RouteRow> => ({
    key,
    title,
    width,
    end: true,
    keep,
    hint,
    cell: (row) => (
      <Link
        tabIndex={-1}
        className={`num${key === 'abnormal' && row.abnormal ? ' bad strong' : ''}`}
        href={sessions(row.route, extra)}
      >
        {count(row[key])}
      </Link>
    ),
  });
  return [
    {
      key: 'route',
      title: 'Route',
      width: 100,
      grow: 2,
      keep: 9,
      cell: (row) => (
        <Link tabIndex={-1} href={sessions(row.route, {})}>
          <bdi>{row.route}</bdi>
        </Link>
      ),
    },
    number('active', 'Open', 64, 8, {}, live ? 'open sessions now' : 'open sessions at the end of the time range'),
    number('opened', 'Opened', 72, 5, {state: 'any', when: 'opened'}, 'opened in this time range'),
    number('ended', 'Ended', 72, 6, {state: 'ended', sort: 'ended'}, 'ended in this time range'),
    number(
      'abnormal',
      'Abnormal',
      78,
      8,
      {state: 'ended', abnormal: 'true', sort: 'ended'},
      'ended abnormally in this time range',
    ),
  ];
}

function figureColumns(live: boolean, sessions: SessionsOf): Column<RouteRow>[] {
  return [
    {
      key: 'messages',
      title: 'Messages/s',
      width: 122,
      end: true,
      keep: 4,
      hint: 'from clients / from servers',
      cell: (row) => (
        <Link tabIndex={-1} href={sessions(row.route, live ? {sort: 'messages'} : {state: 'any', sort: 'messages'})}>
          <Pair values={row.messages.map((one) => rate(one).replace('/s', ''))} />
        </Link>
      ),
    },
    {
      key: 'rtt',
      title: 'Round trip',
      width: 132,
      end: true,
      keep: 3,
      hint: 'median of pings, client / server',
      // What ended is not sorted by it.
      cell: (row) => {
        const pair = <Pair values={row.rtt.map((one) => duration(one))} />;
        return live ? (
          <Link tabIndex={-1} href={sessions(row.route, {sort: 'rtt'})}>
            {pair}
          </Link>
        ) : (
          <span className="soft">{pair}</span>
        );
      },
    },
    {
      key: 'buffered',
      title: 'Buffered',
      width: 84,
      end: true,
      keep: 3,
      hint: 'bytes waiting to be read by a peer',
      cell: (row) => (
        <Link
          tabIndex={-1}
          className={`num ${row.buffered ? 'warn' : 'faint'}`}
          href={sessions(row.route, live ? {sort: 'buffered'} : {})}
        >
          {bytes(row.buffered)}
        </Link>
      ),
    },
  ];
}

function Pair({values}: {values: string[]}) {
  return (
    <span className="num">
      <span className="client">{values[0]}</span>
      <span className="faint"> / </span>
      <span className="server">{values[1]}</span>
    </span>
  );
}
