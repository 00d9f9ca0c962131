// From points per (step, instance, route) to the lines of the charts. Counts add up. Percentiles do not: the p99 shown
// for several routes is the worst of theirs, the p50 is weighted by their sessions.
import type {Closes, FleetPoint, LiveRoute} from '../api/types';

export interface FleetLines {
  times: number[];
  active: (number | null)[];
  opened: (number | null)[];
  ended: (number | null)[];
  reconnects: (number | null)[];
  refused: (number | null)[];
  messages: [(number | null)[], (number | null)[]]; // per second
  bytes: [(number | null)[], (number | null)[]]; // per second
  misses: (number | null)[];
  stuck: (number | null)[];
  buffered_sessions: (number | null)[];
  buffered_bytes: (number | null)[];
  rtt_p50: [(number | null)[], (number | null)[]];
  rtt_p99: [(number | null)[], (number | null)[]];
}

export function fleetLines(
  points: readonly FleetPoint[],
  step: number,
  from: number,
  to: number,
  route: string,
  instance: string,
): FleetLines {
  const step_ms = step * 1000;
  const first = Math.floor(from / step_ms),
    last = Math.floor(to / step_ms);
  const length = Math.max(0, Math.min(last - first + 1, 5000));
  const line = () => new Array<number | null>(length).fill(null);
  const lines: FleetLines = {
    times: Array.from({length}, (_, i) => (first + i) * step_ms),
    active: line(),
    opened: line(),
    ended: line(),
    reconnects: line(),
    refused: line(),
    messages: [line(), line()],
    bytes: [line(), line()],
    misses: line(),
    stuck: line(),
    buffered_sessions: line(),
    buffered_bytes: line(),
    rtt_p50: [line(), line()],
    rtt_p99: [line(), line()],
  };
  const weight = [new Float64Array(length), new Float64Array(length)] as const;
  for (const point of points) {
    if ((route && point.route !== route) || (instance && point.instance !== instance)) continue;
    const i = Math.floor(point.time_ms / step_ms) - first;
    if (i < 0 || i >= length) continue;
    const add = (to_line: (number | null)[], value: number) => (to_line[i] = (to_line[i] ?? 0) + value);
    add(lines.active, point.active);
    add(lines.opened, point.opened);
    add(lines.ended, point.ended);
    add(lines.reconnects, point.reconnects);
    add(lines.refused, point.refused);
    add(lines.misses, point.misses);
    add(lines.stuck, point.stuck);
    add(lines.buffered_sessions, point.buffered_sessions);
    add(lines.buffered_bytes, point.buffered_bytes);
    for (const leg of [0, 1] as const) {
      add(lines.messages[leg], point.messages[leg] / step);
      add(lines.bytes[leg], point.bytes[leg] / step);
      const p50 = point.rtt_p50_seconds[leg],
        p99 = point.rtt_p99_seconds[leg],
        share = Math.max(1, point.active);
      if (p50 !== null) {
        const before = weight[leg][i]!;
        lines.rtt_p50[leg][i] = ((lines.rtt_p50[leg][i] ?? 0) * before + p50 * share) / (before + share);
        weight[leg][i] = before + share;
      }
      if (p99 !== null) lines.rtt_p99[leg][i] = Math.max(lines.rtt_p99[leg][i] ?? 0, p99);
    }
  }
  return lines;
}

/** Closes by reason on the same steps; reasons nobody gave are left out. */
export function closeLines(
  closes: Closes,
  from: number,
  to: number,
  route: string,
): {times: number[]; reasons: {reason: string; values: number[]; total: number}[]} {
  const step_ms = Math.max(1, closes.step_seconds) * 1000;
  const first = Math.floor(from / step_ms),
    length = Math.max(0, Math.min(Math.floor(to / step_ms) - first + 1, 5000));
  const found = new Map<string, {reason: string; values: number[]; total: number}>();
  for (const one of closes.closes) {
    if (route && one.route !== route) continue;
    const i = Math.floor(one.time_ms / step_ms) - first;
    if (i < 0 || i >= length) continue;
    let line = found.get(one.end_reason);
    if (!line)
      found.set(one.end_reason, (line = {reason: one.end_reason, values: new Array<number>(length).fill(0), total: 0}));
    line.values[i]! += one.count;
    line.total += one.count;
  }
  return {
    times: Array.from({length}, (_, i) => (first + i) * step_ms),
    reasons: [...found.values()].sort((a, b) => b.total - a.total),
  };
}

export interface FleetNow {
  active: number;
  messages: [number, number];
  bytes: [number, number];
  opened: number;
  ended: number;
  stuck: number;
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
    stuck: 0,
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
    sum.stuck += one.stuck;
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
