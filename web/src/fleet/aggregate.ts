// From points per (step, instance, route) to the lines of the charts. Counts add up. Percentiles do not: the p99 shown
// for several routes is the worst of theirs, the p50 is weighted by their sessions. Lowest and highest of a sum are the
// sums of the lowest and of the highest: bounds, which hold even if the extremes were not at the same time.
import type {Closes, Fleet, FleetPoint, Gap, LiveRoute} from '../api/types';
import {joined, type Stretch} from '../chart/series';
import {endKind} from '../sessions/words';
import {duration} from '../text/units';

export interface FleetLines {
  times: number[];
  active: (number | null)[];
  active_min: (number | null)[];
  active_max: (number | null)[];
  opened: (number | null)[];
  ended: (number | null)[];
  reconnects: (number | null)[];
  refused: (number | null)[];
  messages: [(number | null)[], (number | null)[]]; // per second
  bytes: [(number | null)[], (number | null)[]]; // per second
  misses: (number | null)[];
  missing_pongs: (number | null)[];
  buffered_sessions: (number | null)[];
  buffered_bytes: (number | null)[];
  missing_pongs_max: (number | null)[];
  buffered_bytes_max: (number | null)[];
  rtt_p50: [(number | null)[], (number | null)[]];
  rtt_p99: [(number | null)[], (number | null)[]];
  rtt_max: [(number | null)[], (number | null)[]];
  /** Steps that are not wholly covered: the one under way, and those of which a part went unseen. */
  partial: Set<number>;
  gaps: Stretch[];
}

export function fleetLines(
  fleet: Pick<Fleet, 'step_seconds' | 'points' | 'coverage'>,
  from: number,
  to: number,
  route: string,
  instance: string,
): FleetLines {
  const step = fleet.step_seconds,
    step_ms = step * 1000;
  const first = Math.floor(from / step_ms),
    last = Math.floor(to / step_ms);
  const length = Math.max(0, Math.min(last - first + 1, 5000));
  const line = () => new Array<number | null>(length).fill(null);
  const lines: FleetLines = {
    times: Array.from({length}, (_, i) => (first + i) * step_ms),
    active: line(),
    active_min: line(),
    active_max: line(),
    opened: line(),
    ended: line(),
    reconnects: line(),
    refused: line(),
    messages: [line(), line()],
    bytes: [line(), line()],
    misses: line(),
    missing_pongs: line(),
    buffered_sessions: line(),
    buffered_bytes: line(),
    missing_pongs_max: line(),
    buffered_bytes_max: line(),
    rtt_p50: [line(), line()],
    rtt_p99: [line(), line()],
    rtt_max: [line(), line()],
    partial: new Set(),
    gaps: gapsOf(fleet.coverage, instance),
  };
  const weight = [new Float64Array(length), new Float64Array(length)] as const,
    covered = new Float64Array(length);
  const missed = (point: FleetPoint): number => gapWithin(fleet.coverage, point, step_ms) / 1000;
  for (const point of fleet.points) {
    if ((route && point.route !== route) || (instance && point.instance !== instance)) continue;
    const i = Math.floor(point.time_ms / step_ms) - first;
    if (i < 0 || i >= length) continue;
    const add = (to_line: (number | null)[], value: number | null) => {
      if (value !== null) to_line[i] = (to_line[i] ?? 0) + value;
    };
    covered[i] = Math.max(covered[i]!, point.covered_seconds);
    // Counts are made good after a gap; how many there were during it nobody knows.
    add(lines.active, point.active);
    add(lines.active_min, point.active_min);
    add(lines.active_max, point.active_max);
    add(lines.missing_pongs, point.missing_pongs);
    add(lines.missing_pongs_max, point.missing_pongs_max);
    add(lines.buffered_sessions, point.buffered_sessions);
    add(lines.buffered_bytes, point.buffered_bytes);
    add(lines.buffered_bytes_max, point.buffered_bytes_max);
    add(lines.opened, point.opened);
    add(lines.ended, point.ended);
    add(lines.reconnects, point.reconnects);
    add(lines.refused, point.refused);
    add(lines.misses, point.misses);
    // Counts are of the whole step, gaps included. The last one is under way, or cut by the range: it is as long as was
    // reported, and as was missed of it, so that it is not drawn as a fall.
    const whole = point.time_ms + step_ms <= to,
      seconds = whole ? step : Math.min(step, point.covered_seconds + missed(point)) || step;
    for (const leg of [0, 1] as const) {
      add(lines.messages[leg], point.messages[leg] / seconds);
      add(lines.bytes[leg], point.bytes[leg] / seconds);
      const p50 = point.rtt_p50_seconds[leg],
        p99 = point.rtt_p99_seconds[leg],
        most = point.rtt_max_seconds[leg],
        share = Math.max(1, point.active ?? 0);
      if (p50 !== null) {
        const before = weight[leg][i]!;
        lines.rtt_p50[leg][i] = ((lines.rtt_p50[leg][i] ?? 0) * before + p50 * share) / (before + share);
        weight[leg][i] = before + share;
      }
      if (p99 !== null) lines.rtt_p99[leg][i] = Math.max(lines.rtt_p99[leg][i] ?? 0, p99);
      if (most !== null) lines.rtt_max[leg][i] = Math.max(lines.rtt_max[leg][i] ?? 0, most);
    }
  }
  for (let i = 0; i < length; i++)
    if (lines.opened[i] !== null && covered[i]! < step - WHOLE_SECONDS) lines.partial.add(i);
  // One that has just begun has no figures yet.
  const now = length - 1;
  if (now >= 0 && lines.opened[now] === null && lines.times[now]! + step_ms > to) lines.partial.add(now);
  return lines;
}

/** How much of the step of a point went unseen, in ms. */
function gapWithin(coverage: readonly Gap[], point: FleetPoint, step_ms: number): number {
  const its = coverage.filter((one) => ofAll(one) || one.instance === point.instance);
  return joined(its.map((one) => ({from: one.from_ms, to: one.to_ms}))).reduce(
    (sum, {from, to}) => sum + Math.max(0, Math.min(to, point.time_ms + step_ms) - Math.max(from, point.time_ms)),
    0,
  );
}

/** Reports come once a second: a step that lacks no more than that is whole. */
const WHOLE_SECONDS = 1.5;

/** Nothing was seen of any proxy. */
const ofAll = (one: Gap): boolean => one.what !== 'proxy';

/** What went unseen of all that is shown; of one proxy among others a part only. */
function gapsOf(coverage: readonly Gap[], instance: string): Stretch[] {
  const whole = coverage.filter((one) => ofAll(one) || one.instance === instance),
    part = instance ? [] : coverage.filter((one) => one.what === 'proxy');
  const stretch = (one: Gap): Stretch => ({from: one.from_ms, to: one.to_ms});
  return [...joined(whole.map(stretch)), ...joined(part.map(stretch)).map((one) => ({...one, part: true}))];
}

/**
 * "missing 22 s: the console was away 14:03:05 – 14:03:27", a line each; the longest first. What lies before all that
 * is known comes before these.
 */
export function missingNotes(
  coverage: readonly Gap[],
  instance: string,
  names: ReadonlyMap<string, string>,
  moment: (ms: number) => string,
): string[] {
  const notes: string[] = [];
  const by = new Map<string, Gap[]>();
  for (const one of coverage) {
    if (one.what === 'before') {
      const since = moment(wholeSecond(one.to_ms));
      notes.push(
        `nothing is recorded before ${since}: the console was first started then, or keeps nothing from longer ago`,
      );
      continue;
    }
    if (one.what === 'proxy' && instance && one.instance !== instance) continue;
    const who =
      one.what === 'console'
        ? 'the console was away'
        : `${names.get(one.instance ?? '') ?? 'a proxy'} was not heard from`;
    by.set(who, [...(by.get(who) ?? []), one]);
  }
  const sum = (gaps: readonly Gap[]) => gaps.reduce((all, one) => all + one.missing_seconds, 0);
  const lines = [...by]
    .sort((a, b) => sum(b[1]) - sum(a[1]))
    .map(([who, gaps]) => {
      const [one] = gaps;
      if (gaps.length > 1) return `missing ${duration(Math.round(sum(gaps)))}: ${who} ${gaps.length} times`;
      const from = wholeSecond(one!.from_ms),
        to = wholeSecond(one!.to_ms);
      return `missing ${duration((to - from) / 1000)}: ${who} ${moment(from)} – ${moment(to)}`;
    });
  return [...notes, ...lines];
}

/** Both ends are told in whole seconds, and the time between them as these say. */
const wholeSecond = (ms: number): number => Math.round(ms / 1000) * 1000;

export interface CloseLine {
  kind: string; // endKind()
  values: number[];
  total: number;
  /** Of these, the abnormal ones. */
  abnormal: number[];
}
export interface CloseLines {
  times: number[];
  kinds: CloseLine[];
  total: number;
  abnormal: number;
}

/** Closes by kind on the same steps; kinds that nothing is of are left out. */
export function closeLines(closes: Closes, from: number, to: number, route: string): CloseLines {
  const step_ms = Math.max(1, closes.step_seconds) * 1000;
  const first = Math.floor(from / step_ms),
    length = Math.max(0, Math.min(Math.floor(to / step_ms) - first + 1, 5000));
  const found = new Map<string, CloseLine>();
  const zeros = () => new Array<number>(length).fill(0);
  let total = 0,
    abnormal = 0;
  for (const one of closes.closes) {
    if (route && one.route !== route) continue;
    const i = Math.floor(one.time_ms / step_ms) - first;
    if (i < 0 || i >= length) continue;
    const kind = endKind(one);
    let line = found.get(kind);
    if (!line) found.set(kind, (line = {kind, values: zeros(), total: 0, abnormal: zeros()}));
    line.values[i]! += one.count;
    line.total += one.count;
    total += one.count;
    if (!one.abnormal) continue;
    line.abnormal[i]! += one.count;
    abnormal += one.count;
  }
  return {
    times: Array.from({length}, (_, i) => (first + i) * step_ms),
    kinds: [...found.values()].sort((a, b) => b.total - a.total),
    total,
    abnormal,
  };
}

export interface FleetNow {
  active: number;
  messages: [number, number];
  bytes: [number, number];
  opened: number;
  ended: number;
  missing_pongs: number;
  buffered_sessions: number;
  buffered_bytes: number;
  invocations_open: number;
  rtt_p50: [number | null, number | null];
  rtt_p99: [number | null, number | null];
}

export function fleetNow(routes: readonly LiveRoute[], route: string, instance: string): FleetNow {
  const sum: FleetNow = {
    active: 0,
    messages: [0, 0],
    bytes: [0, 0],
    opened: 0,
    ended: 0,
    missing_pongs: 0,
    buffered_sessions: 0,
    buffered_bytes: 0,
    invocations_open: 0,
    rtt_p50: [null, null],
    rtt_p99: [null, null],
  };
  const weight = [0, 0];
  for (const one of routes) {
    if ((route && one.route !== route) || (instance && one.instance !== instance)) continue;
    sum.active += one.active;
    sum.opened += one.opened_per_second;
    sum.ended += one.ended_per_second;
    sum.missing_pongs += one.missing_pongs;
    sum.buffered_sessions += one.buffered_sessions;
    sum.buffered_bytes += one.buffered_bytes;
    sum.invocations_open += one.invocations_open;
    for (const leg of [0, 1] as const) {
      sum.messages[leg] += one.messages_per_second[leg];
      sum.bytes[leg] += one.bytes_per_second[leg];
      const p50 = one.rtt_p50_seconds[leg],
        p99 = one.rtt_p99_seconds[leg],
        share = Math.max(1, one.active);
      if (p50 !== null) {
        sum.rtt_p50[leg] = ((sum.rtt_p50[leg] ?? 0) * weight[leg]! + p50 * share) / (weight[leg]! + share);
        weight[leg]! += share;
      }
      if (p99 !== null) sum.rtt_p99[leg] = Math.max(sum.rtt_p99[leg] ?? 0, p99);
    }
  }
  return sum;
}
