// When a peer fell silent: not a moment that anybody saw, but one between its last sign of life and the first ping that
// it left unanswered. No React here: tested by itself.
import type {RecordedMessage, Session, Span} from '../api/types';
import {duration} from '../text/units';
import {preciseTime, time} from '../time/format';
import {lastRow, legOf, unanswered} from './words';

export interface FellSilent {
  leg: 0 | 1;
  /** Unix ms: its last sign of life … */
  from: number;
  /** … and the first ping that it did not answer. */
  to: number;
  /** What the last sign was. */
  sign: 'message' | 'pong' | 'byte';
}

const LEG = ['client', 'server'] as const;
const SIGNS = {message: 'its last message', pong: 'the last ping it answered', byte: 'its last byte'};

export function fellSilent(
  session: Session,
  recorder: readonly RecordedMessage[],
  connection: Span | null,
): FellSilent | null {
  const lost = unanswered(recorder, session, connection);
  let found: FellSilent | null = null;
  for (const leg of [0, 1] as const) {
    const [first] = lastRow(recorder, lost, leg);
    if (first === undefined) continue;
    const sign = lastSign(recorder, first, leg, exact(connection, leg));
    if (sign && (!found || sign.from > found.from)) found = {leg, ...sign, to: recorder[first]!.time_ms};
  }
  return found;
}

const pings = (one: RecordedMessage, leg: 0 | 1): boolean => one.type === 'ping' && one.injected && legOf(one) === leg;

function lastSign(
  recorder: readonly RecordedMessage[],
  before: number,
  leg: 0 | 1,
  byte_ms: number | null,
): Pick<FellSilent, 'from' | 'sign'> | null {
  const limit = recorder[before]!.time_ms;
  if (byte_ms !== null && byte_ms <= limit) return {from: byte_ms, sign: 'byte'};
  for (let i = before - 1; i >= 0; i--) {
    const one = recorder[i]!;
    if (pings(one, leg) && one.answered) return {from: one.time_ms, sign: 'pong'};
    if (one.side === leg && !one.injected) return {from: one.time_ms, sign: 'message'};
  }
  return null;
}

/** The proxy's own word of it, in the connection's span. */
function exact(connection: Span | null, leg: 0 | 1): number | null {
  const value = (key: string) => connection?.attributes.find((one) => one.key === key)?.value;
  if (value('websocket.silent.leg') !== (leg === 0 ? 'client' : 'upstream')) return null;
  const since = value('websocket.silent.since');
  return typeof since === 'number' ? since * 1000 : null;
}

/** The middle of that time, as exactly as it is known: "14:02:49 ± 15 s". */
export function silentMoment({from, to}: FellSilent): string {
  const half = (to - from) / 2;
  return `${half < 1000 ? preciseTime(from + half) : time(from + half)} ± ${duration(half / 1000)}`;
}

/** "The client fell silent at 14:02:49 ± 15 s: between …" */
export function silentText(fell: FellSilent): string {
  const {leg, from, to, sign} = fell;
  return (
    `The ${LEG[leg]} fell silent at ${silentMoment(fell)}: ` +
    `between ${preciseTime(from)}, ${SIGNS[sign]}, and ${preciseTime(to)}, the first ping it did not answer.`
  );
}
