// A streamed call as its span tells it: how long until the first chunk, how long the stream, where chunks arrived.
import type {Json, Span} from '../api/types';
import {nanoseconds} from './nanoseconds';

export interface Streaming {
  first: number; // seconds since the span's start
  last: number;
  count: number | null;
  /** Arrivals in seconds since the start, in order: as they were (`even` false), or spread evenly. */
  chunks: number[];
  /** The arrivals are not known one by one: drawn at equal intervals, but for the gap. */
  even: boolean;
  /** Every how many chunks one of `chunks` stands for; 1: each is there. */
  every: number;
  longestGap: number | null;
  /** Where the stream paused, in seconds since the start. */
  gap: [number, number] | null;
}

const CHUNK_EVENTS = new Set(['chunk', 'websocket.chunk', 'gen_ai.chunk']);
const MOST = 2000;

function number(value: Json | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function streaming(span: Span): Streaming | null {
  let first: number | null = null,
    last: number | null = null,
    count: number | null = null,
    longest: number | null = null,
    every = 1,
    times: number[] = [];
  for (const {key, value} of span.attributes) {
    if (key === 'websocket.time_to_first_chunk') first = number(value);
    else if (key === 'websocket.time_to_first_chunk_ms')
      first ??= number(value) === null ? null : number(value)! / 1000; // the seed's names
    else if (key === 'websocket.time_to_last_chunk') last = number(value);
    else if (key === 'websocket.chunk.count' || key === 'websocket.chunk_count') count = number(value);
    else if (key === 'websocket.chunk.interval.max') longest = number(value);
    else if (key === 'websocket.chunk.times') times = chunkTimes(value);
    else if (key === 'websocket.chunk.times.every') every = Math.max(1, number(value) ?? 1);
  }
  const events: number[] = [];
  let gap: [number, number] | null = null;
  for (const event of span.events) {
    const at = nanoseconds(event.offset_ns) / 1e9;
    if (event.name === 'first_chunk')
      first ??= at; // one a lane: no list of arrivals
    else if (CHUNK_EVENTS.has(event.name) && events.length < MOST) events.push(at);
    else if (event.name === 'chunk_gap') {
      const waited = number(event.attributes.find((one) => one.key === 'websocket.chunk.interval')?.value);
      if (waited !== null && waited > 0) gap = [at - waited, at];
    }
  }
  if (first === null || first < 0) return null;
  last ??= Math.max(nanoseconds(span.duration_ns) / 1e9, first);
  if (last < first) last = first;
  const known = times.length > 0 ? withLast(times, last, every) : events;
  if (known.length > 0) {
    if (times.length === 0 && !known.some((at) => Math.abs(at - first!) < 1e-9)) known.push(first);
    known.sort((a, b) => a - b);
    let longestKnown = 0;
    for (let i = 1; i < known.length; i++) longestKnown = Math.max(longestKnown, known[i]! - known[i - 1]!);
    return {
      first,
      last,
      count: count ?? known.length,
      chunks: known,
      even: false,
      every,
      longestGap: longest ?? (every === 1 ? longestKnown : null),
      gap: gap ?? (every === 1 ? pauseOf(known) : null),
    };
  }
  const chunks = count === null ? [] : spread(first, last, count, gap);
  return {first, last, count, chunks, even: chunks.length > 1, every: 1, longestGap: longest, gap};
}

/** `websocket.chunk.times`: microseconds, the first since the span's start, each other one since the one before. */
export function chunkTimes(value: Json | undefined): number[] {
  if (typeof value !== 'string' || !/^\d+(,\d+)*$/.test(value)) return [];
  let at = 0;
  return value
    .split(',')
    .slice(0, MOST)
    .map((each) => (at += Number(each)) / 1e6);
}

/** A thinned list does not say when the last chunk came; the span does. */
function withLast(times: number[], last: number, every: number): number[] {
  return every > 1 && last > times[times.length - 1]! ? [...times, last] : times;
}

/** The longest wait, where it is a pause by the proxy's own rule: 200 ms, and three times the mean of the others. */
function pauseOf(known: readonly number[]): [number, number] | null {
  let at = 0;
  for (let i = 1; i < known.length; i++)
    if (at === 0 || known[i]! - known[i - 1]! > known[at]! - known[at - 1]!) at = i;
  if (at === 0 || known.length < 3) return null;
  const longest = known[at]! - known[at - 1]!,
    rest = (known[known.length - 1]! - known[0]! - longest) / (known.length - 2);
  return longest >= 0.2 && longest >= 3 * rest ? [known[at - 1]!, known[at]!] : null;
}

/** `count` arrivals from `first` to `last` at equal intervals, none of them inside the gap. */
function spread(first: number, last: number, count: number, gap: [number, number] | null): number[] {
  const shown = Math.min(count, MOST);
  if (shown <= 1) return shown === 1 ? [first] : [];
  if (!gap || count < 3) return Array.from({length: shown}, (_, i) => first + ((last - first) * i) / (count - 1));
  const step = (last - first - (gap[1] - gap[0])) / (count - 2);
  const before = step > 0 ? Math.min(count - 2, Math.round((gap[0] - first) / step)) : 0; // intervals before the gap
  return Array.from({length: shown}, (_, i) => (i <= before ? first + i * step : gap[1] + (i - before - 1) * step));
}
