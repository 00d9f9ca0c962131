// A streamed call as its span tells it: how long until the first chunk, how long the stream, where chunks arrived.
import type {Json, Span} from '../api/types';

export interface Streaming {
  first: number; // seconds since the span's start
  last: number;
  count: number | null;
  /** Arrivals in seconds since the start; known ones from events, else spread evenly (see `even`). */
  chunks: number[];
  /** The arrivals are not known one by one: drawn at the mean interval. */
  even: boolean;
  longestGap: number | null;
}

const CHUNK_EVENTS = new Set(['chunk', 'websocket.chunk', 'gen_ai.chunk']);
const MOST = 2000;

function number(value: Json | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function streaming(span: Span): Streaming | null {
  let first: number | null = null, last: number | null = null, count: number | null = null, mean: number | null = null, longest: number | null = null;
  for (const {key, value} of span.attributes) {
    if (key === 'websocket.time_to_first_chunk') first = number(value);
    else if (key === 'websocket.time_to_first_chunk_ms') first ??= number(value) === null ? null : number(value)! / 1000; // the seed's names
    else if (key === 'websocket.time_to_last_chunk') last = number(value);
    else if (key === 'websocket.chunk.count' || key === 'websocket.chunk_count') count = number(value);
    else if (key === 'websocket.chunk.interval.mean') mean = number(value);
    else if (key === 'websocket.chunk.interval.max') longest = number(value);
  }
  const known: number[] = [];
  for (const event of span.events) {
    if (event.name === 'first_chunk') first ??= event.offset_ns / 1e9;
    if ((event.name === 'first_chunk' || CHUNK_EVENTS.has(event.name)) && known.length < MOST) known.push(event.offset_ns / 1e9);
  }
  if (first === null || first < 0) return null;
  last ??= Math.max(span.duration_ns / 1e9, first);
  if (last < first) last = first;
  known.sort((a, b) => a - b);
  if (known.length > 1) {
    let gap = 0;
    for (let i = 1; i < known.length; i++) gap = Math.max(gap, known[i]! - known[i - 1]!);
    return {first, last, count: count ?? known.length, chunks: known, even: false, longestGap: longest ?? gap};
  }
  const chunks: number[] = [];
  if (count !== null && count > 0) {
    const step = count > 1 ? mean ?? (last - first) / (count - 1) : 0;
    for (let i = 0; i < Math.min(count, MOST) && first + i * step <= last + 1e-9; i++) chunks.push(first + i * step);
  }
  return {first, last, count, chunks, even: chunks.length > 1, longestGap: longest};
}
