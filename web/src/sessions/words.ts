// What is wrong with a session, and why it ended, in words of somebody on call. No React here: tested by itself.
import type {Closes, EndReason, RecordedMessage, Session, Span} from '../api/types';
import {bytes, count, duration, plural} from '../text/units';
import {time} from '../time/format';

export interface Trouble {
  level: 'bad' | 'warn';
  /** Few words, for a cell. */
  short: string;
  /** A sentence. */
  text: string;
}

const LEG = ['client', 'server'] as const;
const QUIET_SECONDS = 10;

const BUFFERED_MS = 5000;

/** Until when something is known of a session: its end, the last word of a proxy that is away, or now. */
export function knownUntil(session: Session, now_ms: number): number {
  return session.ended_ms ?? (session.last_heard ? (session.heard_ms ?? session.seen_ms) : now_ms);
}

/** What is wrong with a session that has not ended, worst first. */
export function troubles(session: Session, clock_ms: number): Trouble[] {
  const now_ms = knownUntil(session, clock_ms);
  const found: Trouble[] = [];
  if (session.state === 'ended') return found;
  for (const leg of [0, 1] as const) {
    const missed = session.misses_now?.[leg] ?? 0;
    if (missed > 0) {
      const silent = silence(session, leg, now_ms);
      found.push({
        level: 'bad',
        short: `${LEG[leg]} missed ${plural(missed, 'heartbeat')}`,
        text:
          `The ${LEG[leg]} left ${plural(missed, 'heartbeat')} in a row unanswered` +
          (silent !== null && silent >= QUIET_SECONDS ? ` and last sent something ${duration(silent)} ago.` : '.'),
      });
    }
  }
  for (const leg of [0, 1] as const) {
    const waiting = session.buffered_bytes?.[leg] ?? 0;
    // Bytes wait for a moment in every healthy session.
    if (waiting > 0 && session.buffered_since_ms !== null && now_ms - session.buffered_since_ms >= BUFFERED_MS)
      found.push({
        level: waiting >= 256 * 1024 ? 'bad' : 'warn',
        short: `${bytes(waiting)} waiting for the ${LEG[leg]}`,
        text: `${bytes(waiting)} wait to be taken by the ${LEG[leg]}: it reads slower than it is sent to.`,
      });
  }
  if (session.last_heard)
    found.push({
      level: 'warn',
      short: `not heard from since ${time(session.heard_ms)}`,
      text: `Its proxy has not been heard from since ${time(session.heard_ms)}: what is shown is of then.`,
    });
  if (session.anomalies > 0)
    found.push({
      level: 'warn',
      short: plural(session.anomalies, 'anomaly', 'anomalies'),
      text: `${plural(session.anomalies, 'breach', 'breaches')} of the WebSocket protocol or its limits were seen.`,
    });
  return found;
}

/** Seconds since the leg last sent a message, as far as the session is known; null when that is not. */
export function silence(session: Session, leg: 0 | 1, clock_ms: number): number | null {
  const now_ms = knownUntil(session, clock_ms);
  const last = session.last_message_ms?.[leg];
  if (last === null || last === undefined)
    return session.last_message_ms && session.messages[leg] === 0
      ? Math.max(0, (now_ms - session.opened_ms) / 1000)
      : null;
  return Math.max(0, (now_ms - last) / 1000);
}

/** The longer of both silences, as the `silence` order of the live list means it. */
export function quiet(session: Session, now_ms: number): number | null {
  const both = [silence(session, 0, now_ms), silence(session, 1, now_ms)].filter((one): one is number => one !== null);
  return both.length ? Math.min(...both) : null;
}

export const REASONS: Record<EndReason, {label: string; means: string}> = {
  heartbeat_timeout: {
    label: 'Heartbeat timeout',
    means: 'Pings stayed unanswered; the proxy gave the connection up.',
  },
  stuck: {
    label: 'Stuck',
    means: 'A call or the data stopped moving though the connection looked alive.',
  },
  reset: {
    label: 'Reset',
    means: 'TCP broke off without a Close: a crash, a kill, a network that went away.',
  },
  lost: {
    label: 'Proxy lost',
    means: 'The proxy that reported the session went away; how it ended is not known.',
  },
  protocol_error: {label: 'Protocol error', means: 'One side broke RFC 6455 and was closed for it.'},
  limit: {
    label: 'Limit',
    means: 'A configured limit was reached: message size, buffer, number of sessions.',
  },
  drain: {label: 'Drained', means: 'The proxy was shutting down or reloading.'},
  idle: {label: 'Idle', means: 'Nothing was sent for the configured idle time.'},
  normal: {label: 'Normal', means: 'Closed with a Close handshake.'},
};
export const REASON_ORDER = Object.keys(REASONS) as EndReason[];

export function reasonLabel(reason: string | null): string {
  if (reason === null) return '';
  return (REASONS as Record<string, {label: string} | undefined>)[reason]?.label ?? reason;
}

/** What ends are counted by: their reason; the code where the Close was in order and its code was not. */
export function endKind(
  one: Pick<Session, 'end_reason' | 'abnormal' | 'abnormal_why'> | Closes['closes'][number],
): string {
  return one.end_reason === 'normal' && one.abnormal ? one.abnormal_why : (one.end_reason ?? 'unknown');
}

/** The filters that leave ends of a kind. */
export function kindFilter(kind: string): Record<string, string> {
  const [, code] = /^(\d{4}) /.exec(kind) ?? [];
  return code ? {end_reason: 'normal', close_code: code} : kind === 'unknown' ? {} : {end_reason: kind};
}

export function kindMeans(kind: string): string {
  return (
    (REASONS as Record<string, {means: string} | undefined>)[kind]?.means ??
    (/^\d{4} /.test(kind) ? 'Closed with a Close handshake, and with a code that tells of trouble.' : '')
  );
}

/** Its end in few words: "Reset 1006, by the client". What a reason of the proxy's own ends needs no mention of it. */
export function endText(session: Session): string {
  const why = session.abnormal_why || reasonLabel(session.end_reason).toLowerCase() || 'ended';
  const code = session.close_code !== null && !/\d{4}/.test(why) ? ` ${session.close_code}` : '';
  const by = session.initiator === 'client' || session.initiator === 'server' ? `, by the ${session.initiator}` : '';
  return `${why.charAt(0).toUpperCase()}${why.slice(1)}${code}${by}`;
}

const WHO: Record<string, string> = {
  client: 'The client',
  server: 'The server',
  proxy: 'The proxy',
  network: 'The network',
};

const CODES: Record<number, string> = {
  1000: 'normal',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no code given',
  1006: 'no Close seen',
  1007: 'invalid text',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'server error',
  1012: 'restart',
  1013: 'try again later',
  1014: 'bad gateway',
  1015: 'TLS failure',
};
export const codeName = (code: number | null): string =>
  code === null ? '' : (CODES[code] ?? (code >= 3000 && code <= 4999 ? 'application error' : 'reserved code'));
/** "1011 server error"; the name is left out where the reason has said it already. */
export function codeText(code: number, reason: string | null): string {
  const name = codeName(code);
  return name === reason?.replaceAll('_', ' ') ? String(code) : `${code} ${name}`;
}

/** How sure it is that a session continues another one: what its client was recognised by. */
export function reconnectText(spans: readonly Pick<Span, 'attributes'>[]): {name: string; by: string} {
  const basis = spans
    .flatMap((span) => span.attributes)
    .find((one) => one.key === 'websocket.reconnect_of.basis')?.value;
  if (basis === 'guess') return {name: 'Reconnect, probably, of', by: 'a guess: the same address, path and user agent'};
  const known: Record<string, string> = {
    client_id: 'its client was recognised by the route’s client id',
    cookie: 'its client was recognised by a cookie',
    query: 'its client was recognised by an identifier in the query',
  };
  return {name: 'Reconnect of', by: known[String(basis)] ?? ''};
}

/** When each side last sent a message of its own (not a ping, pong, Close or anything of the proxy's). */
export function lastWords(session: Session, recorder: readonly RecordedMessage[]): [number | null, number | null] {
  const last: [number | null, number | null] = [
    session.last_message_ms?.[0] ?? null,
    session.last_message_ms?.[1] ?? null,
  ];
  for (const one of recorder)
    if (
      !one.injected &&
      (one.type === 'text' || one.type === 'binary' || one.type === 'continuation') &&
      one.time_ms > (last[one.side] ?? -Infinity)
    )
      last[one.side] = one.time_ms;
  return last;
}

/**
 * Indices of the proxy's own pings that were left unanswered. One is given up before the next goes out; the last of a
 * leg may still be under way: whether it is, the proxy's own count of misses tells.
 */
export function unanswered(
  recorder: readonly RecordedMessage[],
  session: Pick<Session, 'state' | 'end_reason' | 'messages' | 'misses_now'>,
  connection: Pick<Span, 'attributes'> | null = null,
): Set<number> {
  const open: [number[], number[]] = [[], []], // by the leg that was to answer
    last: [number, number] = [-1, -1];
  recorder.forEach((one, i) => {
    if (one.type !== 'ping' || !one.injected) return;
    const leg = legOf(one);
    last[leg] = i;
    if (!one.answered) open[leg].push(i);
  });
  const lost = new Set([...open[0], ...open[1]]);
  for (const leg of [0, 1] as const)
    if (lost.has(last[leg]) && !overdue(leg, open, last, recorder, session, connection)) lost.delete(last[leg]);
  return lost;
}

/** Whether the last ping to a leg was given up, too. */
function overdue(
  leg: 0 | 1,
  open: readonly [number[], number[]],
  last: readonly [number, number],
  recorder: readonly RecordedMessage[],
  session: Pick<Session, 'state' | 'end_reason' | 'messages' | 'misses_now'>,
  connection: Pick<Span, 'attributes'> | null,
): boolean {
  const row = lastRow(recorder, new Set(open[leg]), leg).length;
  if (session.state !== 'ended') return row > 0 && (session.misses_now?.[leg] ?? 0) >= row;
  if (session.end_reason === 'heartbeat_timeout') {
    // It ended of those of one leg: of the only one that owes an answer, or that owes more than this one.
    const other = leg === 0 ? 1 : 0;
    return row > 1 || (row > 0 && !open[other].includes(last[other]));
  }
  if (session.messages[0] + session.messages[1] > recorder.length) return false; // some are forgotten
  const told = (what: string): number =>
    Number(
      connection?.attributes.find((one) => one.key === `websocket.ping.${['client', 'upstream'][leg]}.${what}`)
        ?.value ?? 0,
    );
  return told('missed') - told('late') >= open[leg].length;
}

export interface End {
  level: 'bad' | 'warn' | 'good';
  headline: string;
  /** What preceded it, one sentence each. */
  before: string[];
}

/** "Its end and why": what a person reads first on a session's page. */
export function explainEnd(session: Session, recorder: readonly RecordedMessage[], now_ms: number): End {
  const ended = session.ended_ms;
  if (session.state !== 'ended') {
    const wrong = troubles(session, now_ms);
    if (session.state === 'closing')
      return {
        level: 'warn',
        headline: 'Closing: the Close has been sent and the answer is awaited.',
        before: wrong.map((one) => one.text),
      };
    if (wrong.length === 0)
      return {
        level: 'good',
        headline: `Open for ${duration((now_ms - session.opened_ms) / 1000)}; nothing is wrong with it.`,
        before: [],
      };
    return {level: wrong[0]!.level, headline: wrong[0]!.text, before: wrong.slice(1).map((one) => one.text)};
  }
  const at = ended ?? session.seen_ms;
  const before: string[] = [];
  const words = lastWords(session, recorder);
  for (const side of [0, 1] as const) {
    const last = words[side];
    if (last !== null && last !== undefined)
      before.push(
        `Last message from the ${LEG[side]} ` +
          (at - last < 1000 ? 'right before the end.' : `${duration((at - last) / 1000)} before the end.`),
      );
    else if (session.messages[side] === 0) before.push(`The ${LEG[side]} never sent a message.`);
  }
  const lost = unanswered(recorder, session);
  const rows = ([0, 1] as const).map((leg) => lastRow(recorder, lost, leg).length) as [number, number];
  return {level: session.abnormal ? 'bad' : 'good', headline: headline(session, rows), before};
}

/** Whose lane a message is of: its sender's; what the proxy says itself is of whom it says it to. */
export const legOf = (one: RecordedMessage): 0 | 1 => (one.injected ? (one.side === 0 ? 1 : 0) : one.side);

/**
 * Indices of the pings that a leg left unanswered since it last said anything, oldest first: those that it was given up
 * for.
 */
export function lastRow(recorder: readonly RecordedMessage[], lost: ReadonlySet<number>, leg: 0 | 1): number[] {
  const row: number[] = [];
  for (let i = recorder.length - 1; i >= 0; i--) {
    const one = recorder[i]!;
    if (legOf(one) !== leg) continue;
    if (!one.injected) break;
    if (one.type !== 'ping') continue;
    if (lost.has(i)) row.unshift(i);
    else if (one.answered) break;
  }
  return row;
}

function headline(session: Session, rows: [number, number]): string {
  const who = WHO[session.initiator ?? ''] ?? null;
  const code = session.close_code === null ? '' : ` with ${session.close_code} (${codeName(session.close_code)})`;
  const said = session.close_reason ? `, saying “${session.close_reason}”` : '';
  switch (session.end_reason) {
    case 'heartbeat_timeout': {
      const leg = rows[0] >= rows[1] && rows[0] > 0 ? 0 : rows[1] > 0 ? 1 : null;
      // Without the recorder it is known how many were missed, and not which.
      const many = leg === null ? session.misses : rows[leg];
      const by = leg === null ? '' : ` by the ${LEG[leg]}`;
      const row = leg === null ? '' : ' in a row';
      const missed =
        many === 1 ? 'a heartbeat was' : many > 1 ? `${count(many)} heartbeats${row} were` : 'heartbeats were';
      return `The proxy closed it${code}: ${missed} left unanswered${by}.`;
    }
    case 'stuck':
      return `${who ?? 'The proxy'} closed it${code}: a call had stopped moving${said}.`;
    case 'reset':
      return session.initiator === 'network' || who === null
        ? 'The TCP connection broke without a Close: the network, or a process that was killed.'
        : `${who} broke the TCP connection off without a Close: it crashed, was killed, or dropped off the network.`;
    case 'lost':
      return 'The proxy that reported this session went away; how the session itself ended is not known.';
    case 'protocol_error':
      return `${who ?? 'The proxy'} closed it${code}: the other side broke the WebSocket protocol${said}.`;
    case 'limit':
      return `${who ?? 'The proxy'} closed it${code}: a configured limit was reached${said}.`;
    case 'drain':
      return `The proxy closed it${code} while shutting down or reloading.`;
    case 'idle':
      return `The proxy closed it${code}: nothing had been sent for the configured idle time.`;
    default:
      return `${who ?? 'One side'} closed it${code}${said}.`;
  }
}
