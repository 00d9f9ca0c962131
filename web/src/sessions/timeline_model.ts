// The messages of a session on two lanes, from the flight recorder and, where they exist, from spans of single
// messages. No drawing here.
import type {RecordedMessage, Session, Span} from '../api/types';
import {fellSilent, type FellSilent} from './silence';
import {knownUntil, lastWords, unanswered} from './words';

export interface TimelineModel {
  /** By time. */
  messages: RecordedMessage[];
  lost: Set<number>; // indices of pings nobody answered
  from: number; // of the session
  to: number;
  /** Before this moment the recorder has forgotten; null when it holds all, or nothing. */
  forgotten: number | null;
  /** By side: silent from .. to the end, when that is worth saying. */
  silences: ([number, number] | null)[];
  /** By side: whether that is a bad sign. One that says nothing may have nothing to say. */
  alarming: boolean[];
  /** When a peer that is pinged stopped answering. */
  fell: FellSilent | null;
}

const WORTH_SAYING = 3000;

export function timelineModel(
  session: Session,
  recorder: readonly RecordedMessage[],
  spans: readonly Span[],
  now: number,
  connection: Span | null = null,
): TimelineModel {
  const from = session.opened_ms,
    to = knownUntil(session, now);
  const first = recorder[0]?.time_ms ?? Infinity;
  const early: RecordedMessage[] = [];
  for (const span of spans) {
    const one = messageOf(span);
    if (one && one.time_ms < first) early.push(one);
  }
  const messages = [...early, ...recorder].sort((a, b) => a.time_ms - b.time_ms);
  const seen = session.messages[0] + session.messages[1];
  const words = lastWords(session, recorder),
    fell = fellSilent(session, messages, connection);
  return {
    messages,
    from,
    to: Math.max(to, from + 1),
    lost: unanswered(messages, session, connection),
    forgotten: messages.length > 0 && seen > messages.length ? messages[0]!.time_ms : null,
    fell,
    alarming: ([0, 1] as const).map((side) => fell?.leg === side || (session.misses_now?.[side] ?? 0) > 0),
    silences: ([0, 1] as const).map((side) => {
      const last = words[side];
      return last !== null && last !== undefined && to - last >= WORTH_SAYING && to > last ? [last, to] : null;
    }),
  };
}

const TYPES = new Set(['text', 'binary', 'ping', 'pong', 'close', 'continuation']);

function messageOf(span: Span): RecordedMessage | null {
  if (span.name !== 'websocket.send' && span.name !== 'websocket.receive') return null;
  const value = (key: string) => span.attributes.find((one) => one.key === key)?.value;
  const type = value('websocket.message.type'),
    direction = value('websocket.message.direction'),
    length = value('websocket.message.length');
  return {
    time_ms: span.start_ms,
    // The proxy receives from clients and sends to them, unless the direction says more.
    side:
      direction === 'c2s' || direction === 'client'
        ? 0
        : direction === 's2c' || direction === 'server'
          ? 1
          : span.name === 'websocket.receive'
            ? 0
            : 1,
    type: typeof type === 'string' && TYPES.has(type) ? (type as RecordedMessage['type']) : 'binary',
    length: typeof length === 'number' ? length : 0,
    compressed: value('websocket.message.compressed') === true,
    injected: false,
    answered: false,
  };
}

export interface View {
  from: number;
  to: number;
}

const CLOSEST = 2; // ms across the whole width

/** `view` kept inside the session (with a little air) and no closer than a couple of milliseconds. */
export function clampView(view: View, model: {from: number; to: number}): View {
  const air = Math.max(50, (model.to - model.from) * 0.02);
  const low = model.from - air,
    high = model.to + air;
  const size = Math.min(Math.max(view.to - view.from, CLOSEST), high - low);
  const from = Math.min(Math.max(view.from, low), high - size);
  return {from, to: from + size};
}

export function zoomView(view: View, factor: number, around: number, model: {from: number; to: number}): View {
  return clampView({from: around - (around - view.from) * factor, to: around + (view.to - around) * factor}, model);
}

/** What to look at first: all that is known of the messages up to the end, or else the whole session. */
export function firstView(model: TimelineModel): View {
  const first = model.messages[0]?.time_ms;
  if (first === undefined) return clampView({from: model.from, to: model.to}, model);
  const start = Math.max(first, model.to - 180_000);
  const air = Math.max(20, (model.to - start) * 0.02);
  return clampView({from: start - air, to: model.to + air}, model);
}

/** Index of the first message at or after `time`. */
export function after(messages: readonly RecordedMessage[], time: number): number {
  let low = 0,
    high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle]!.time_ms < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A name that a message keeps when others come and old ones are forgotten: when, by whom, and which of those. */
export function messageName(messages: readonly RecordedMessage[], index: number): string {
  const {time_ms, side} = messages[index]!;
  let which = 0;
  for (let i = index - 1; i >= 0 && messages[i]!.time_ms === time_ms; i--) if (messages[i]!.side === side) which++;
  return [time_ms, side, ...(which ? [which] : [])].join('-');
}

/** Its place among them now; null: it is not kept any more, or never was. */
export function messageNamed(messages: readonly RecordedMessage[], name: string | null): number | null {
  const [, time, side, which = '0'] = /^(\d+(?:\.\d+)?)-([01])(?:-(\d+))?$/.exec(name ?? '') ?? [];
  let left = Number(which);
  for (let i = after(messages, Number(time ?? NaN)); messages[i]?.time_ms === Number(time); i++)
    if (messages[i]!.side === Number(side) && left-- === 0) return i;
  return null;
}

/** Round steps for an axis of about `wanted` ticks, in ms. */
export function axisStep(size: number, wanted: number): number {
  for (const step of [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
  ])
    if (size / step <= wanted) return step;
  return Math.ceil(size / wanted / 86_400_000) * 86_400_000;
}
