import type {ReactNode} from 'react';
import type {Session, Span} from '../api/types';
import {Link} from '../route/link';
import {bytes, count, duration, plural, rate, shortId, shortTrace} from '../text/units';
import {Stamp} from '../time/stamp';
import {codeName, reconnectText, silence} from './words';

export function SessionFacts({
  session,
  connection,
  spans,
  now,
}: {
  session: Session;
  connection: Span | null;
  /** Any of its spans: each says what made it a reconnect. */
  spans: readonly Span[];
  now: number;
}) {
  const rows: (Fact | null)[] = [
    ...times(session, now),
    ...parties(session),
    ...figures(session, now),
    ...relations(session, connection, spans),
  ];
  return (
    <dl className="facts session-facts num-all">
      {rows
        .filter((one): one is Fact => one !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

type Fact = [string, ReactNode];

function times(session: Session, now: number): (Fact | null)[] {
  const end = session.ended_ms;
  return [
    ['Opened', <Stamp ms={session.opened_ms} />],
    end !== null
      ? [
          'Ended',
          <>
            <Stamp ms={end} precise /> <span className="faint">after {duration((end - session.opened_ms) / 1000)}</span>
          </>,
        ]
      : ['Open for', duration(Math.max(0, (now - session.opened_ms) / 1000))],
    end !== null
      ? [
          'Close',
          <>
            {session.close_code ?? '–'} <span className="faint">{codeName(session.close_code)}</span>
            {session.close_reason && <> “{session.close_reason}”</>}
            {session.initiator && session.initiator !== 'network' && (
              <span className="faint"> by {session.initiator}</span>
            )}
          </>,
        ]
      : null,
  ];
}

function parties(session: Session): (Fact | null)[] {
  return [
    ['Client', <span className="mono">{session.client || '–'}</span>],
    ['Target', <span className="mono">{session.target || '–'}</span>],
    ['Route', <bdi>{session.route}</bdi>],
    [
      'Dialect',
      <>
        {session.dialect === 'none' ? 'none recognised' : <bdi>{session.dialect}</bdi>}
        {session.subprotocol && <span className="faint"> · {session.subprotocol}</span>}
      </>,
    ],
    ['Proxy', <bdi title={session.instance}>{session.service}</bdi>],
    ['Host', <bdi>{session.host}</bdi>],
  ];
}

function figures(session: Session, now: number): (Fact | null)[] {
  const missed = session.misses;
  return [
    ['Messages', <Two left={count(session.messages[0])} right={count(session.messages[1])} />],
    ['Bytes', <Two left={bytes(session.bytes[0])} right={bytes(session.bytes[1])} />],
    session.messages_per_second
      ? ['Rate now', <Two left={rate(session.messages_per_second[0])} right={rate(session.messages_per_second[1])} />]
      : null,
    session.rtt_seconds
      ? ['Round trip', <Two left={duration(session.rtt_seconds[0])} right={duration(session.rtt_seconds[1])} />]
      : null,
    session.last_message_ms
      ? ['Silent for', <Two left={silent(session, 0, now)} right={silent(session, 1, now)} />]
      : null,
    [
      'Missed',
      <span className={missed ? 'bad strong' : ''}>{missed === 0 ? 'no heartbeat' : plural(missed, 'heartbeat')}</span>,
    ],
    session.anomalies ? ['Anomalies', <span className="warn">{count(session.anomalies)}</span>] : null,
  ];
}

/** `spans`: any of its spans, each says what made it a reconnect. */
function relations(session: Session, connection: Span | null, spans: readonly Span[]): (Fact | null)[] {
  const extra = (key: string) => {
    const found = connection?.attributes.find((one) => one.key === key)?.value;
    return typeof found === 'string' || typeof found === 'number' ? found : null;
  };
  const extensions = extra('websocket.extensions');
  const reconnect = reconnectText(connection ? [connection] : spans);
  return [
    extensions !== null ? ['Extensions', String(extensions)] : null,
    session.reconnect_of
      ? [
          reconnect.name,
          <>
            <Link className="mono" href={`/sessions/${encodeURIComponent(session.reconnect_of)}`}>
              {shortId(session.reconnect_of)}
            </Link>
            {reconnect.by && <span className="faint"> {reconnect.by}</span>}
          </>,
        ]
      : null,
    session.trace_id
      ? [
          'Its trace',
          <Link className="mono" href={`/traces/${encodeURIComponent(session.trace_id)}`}>
            {shortTrace(session.trace_id)}
          </Link>,
        ]
      : null,
  ];
}

function silent(session: Session, leg: 0 | 1, now: number): string {
  const seconds = silence(session, leg, now);
  return seconds === null ? '–' : seconds < 1 ? '< 1 s' : duration(Math.round(seconds));
}

/** Client's and server's, always in this order and these colours. */
export function Two({left, right}: {left: ReactNode; right: ReactNode}) {
  return (
    <span className="num">
      <span className="client" title="client">
        {left}
      </span>{' '}
      <span className="faint">·</span>{' '}
      <span className="server" title="server">
        {right}
      </span>
    </span>
  );
}
