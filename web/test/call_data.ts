// Calls and spans of the last three hours as plain records, and the console's questions about them answered from those
// records alone: sorted, filtered, counted and cut as the console does it, so that every number of the page can be
// followed and counted again.
import type {CallSpan, Group, Latency, LatencyRow, Percentiles} from '../src/api/types';
import type {World} from './fleet_data';
import {Random} from './random';
import {answer, span} from './trace_data';

interface Call {
  id: string;
  trace_id: string;
  service: string;
  operation: string;
  start_ms: number;
  first: number | null;
  last: number | null;
  duration: number;
  chunks: number | null;
  pause: number | null;
  perceived: number | null;
  status: 'ok' | 'error' | 'cancelled' | null; // null: no call
  route: string;
  target: string;
  client: string;
  dialect: string;
  instance: string;
  session: string | null;
  attributes: Record<string, string | number>;
}

// service, operation, first chunk, last chunk (medians, s), calls an hour, route; no first chunk: no call
const OPERATIONS: [string, string, number, number, number, string][] = [
  ['voice-bridge', 'realtime_inference', 0.62, 4.1, 700, 'realtime'],
  ['voice-bridge', 'media_reply', 0.31, 3.2, 900, 'calls'],
  ['mcp-gateway', 'tools/call', 0.18, 0.19, 400, 'chat'],
  ['mcp-gateway', 'tools/list', 0.012, 0.012, 60, 'chat'],
  ['chat-edge', 'chat/completions', 0.44, 2.6, 500, 'chat'],
  ['charger-csms', 'Heartbeat', 0.006, 0.006, 60, 'devices'],
  ['charger-csms', 'StartTransaction', 0.05, 0.05, 20, 'devices'],
  ['agent-node', 'POST /v1/respond', 0, 1.9, 700, ''],
  ['postgres', 'SELECT orders', 0, 0.004, 1500, ''],
  ['tts', 'synthesize speech', 0, 1.1, 600, ''],
];
const MODELS = ['gpt-realtime', 'gpt-realtime-mini', 'claude-voice', 'whisper-live'];

const made = new WeakMap<World, Call[]>();
export function callRecords(w: World): Call[] {
  const known = made.get(w);
  if (known) return known;
  const random = new Random(91),
    list: Call[] = [];
  const sessions = new Map<string, typeof w.open>();
  for (const one of w.open) sessions.set(one.route, [...(sessions.get(one.route) ?? []), one]);
  function add(service: string, operation: string, first: number, last: number, route: string, start: number): void {
    const session = route ? random.pick(sessions.get(route) ?? w.open) : null;
    const incident = start > w.started - 1_500_000 && start < w.started - 1_100_000 ? 2.4 : 1;
    const begins = first ? random.tail(first * incident, 0.55) : null;
    const duration =
      begins === null ? random.tail(last, 0.4) : begins + (last > first ? random.tail(last - first, 0.5) : 0);
    const chunks = begins === null ? null : last > first ? random.whole(8, 80) : 1;
    const dice = random.next();
    list.push({
      id: random.hex(16),
      trace_id: random.hex(32),
      service,
      operation,
      start_ms: start,
      first: begins,
      last: begins === null ? null : duration,
      duration,
      chunks,
      pause: begins !== null && chunks! > 1 ? ((duration - begins) / chunks!) * random.tail(3, 0.6) : null,
      perceived: operation === 'realtime_inference' ? begins! + random.between(0.1, 0.3) : null,
      status: begins === null ? null : dice < 0.015 * incident ? 'error' : dice < 0.06 ? 'cancelled' : 'ok',
      route,
      target: session?.target ?? '',
      client: session?.client ?? '',
      dialect: session?.dialect ?? '',
      instance: session?.instance ?? '',
      session: session?.id ?? null,
      attributes:
        operation === 'realtime_inference'
          ? {'gen_ai.request.model': random.pick(MODELS), 'gen_ai.usage.output_tokens': random.whole(20, 900)}
          : {},
    });
  }
  if (!w.empty) {
    for (const [service, operation, first, last, hourly, route] of OPERATIONS)
      for (let i = 0; i < hourly * 3; i++)
        add(service, operation, first, last, route, w.started - random.between(500, 3 * 3_600_000));
    // Many tools, seldom called: more operations than any page of them holds.
    for (let i = 0; i < 1200; i++)
      add('tool-host', `tool_${i}`, 0.05, 0.06, 'chat', w.started - random.between(500, 3_000_000));
  }
  made.set(w, list);
  return list;
}

function figure(call: Call, name: string): number | null {
  if (name.startsWith('attribute:')) {
    const value = call.attributes[name.slice(10)];
    return typeof value === 'number' ? value : null;
  }
  const all: Record<string, number | null> = {
    start: call.start_ms,
    duration: call.duration,
    first_chunk: call.first,
    last_chunk: call.last,
    longest_pause: call.pause,
    perceived: call.perceived,
    chunks: call.chunks,
  };
  return all[name] ?? null;
}

function label(call: Call, by: string): string | null {
  if (by.startsWith('attribute:')) {
    const value = by === 'attribute:websocket.invocation.status' ? call.status : call.attributes[by.slice(10)];
    return value === undefined || value === null ? null : String(value);
  }
  const all: Record<string, string> = {
    service: call.service,
    operation: call.operation,
    route: call.route,
    target: call.target,
    client: call.client,
    dialect: call.dialect,
    status: call.status === 'error' ? 'error' : 'unset',
    kind: call.status ? 'server' : 'internal',
  };
  return all[by] || null;
}

function filtered(w: World, query: URLSearchParams): Call[] {
  const from = Number(query.get('from_ms') ?? 0),
    to = Number(query.get('to_ms') ?? Infinity),
    low = Number(query.get('min_seconds') ?? 0),
    high = Number(query.get('max_seconds') ?? Infinity),
    measure = query.get('measure') ?? 'duration';
  const contains = (query.get('operation_contains') ?? '').toLowerCase();
  return callRecords(w).filter((call) => {
    if (call.start_ms < from || call.start_ms >= to) return false;
    if (query.get('calls') === 'true' && call.status === null) return false;
    for (const key of ['service', 'operation', 'route', 'target', 'client', 'dialect', 'status', 'kind'])
      if (query.get(key) && label(call, key) !== query.get(key)) return false;
    if (query.get('session') && call.session !== query.get('session')) return false;
    if (contains && !call.operation.toLowerCase().includes(contains)) return false;
    if (query.get('without') && label(call, query.get('without')!) !== null) return false;
    for (const pair of query.getAll('attribute')) {
      const [key, value] = [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)];
      if ((label(call, `attribute:${key}`) ?? '') !== value) return false;
    }
    if (!query.has('min_seconds') && !query.has('max_seconds')) return true;
    const value = figure(call, measure);
    return value !== null && value >= low && value < high;
  });
}

/** By `value`, those without one last whichever the order. */
function sorted<T>(list: T[], value: (one: T) => number | null, order: string): T[] {
  const sign = order === 'asc' ? 1 : -1;
  return [...list].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return sign * (x - y);
  });
}

function cut<T>(list: T[], query: URLSearchParams, otherwise: number): {list: T[]; cursor: string} {
  const limit = Number(query.get('limit') ?? otherwise),
    at = Number(query.get('cursor') || 0);
  return {list: list.slice(at, at + limit), cursor: at + limit < list.length ? String(at + limit) : ''};
}

export function spans(w: World, query: URLSearchParams) {
  const sort = query.get('sort') ?? 'start';
  const all = sorted(
    filtered(w, query).filter((call) => figure(call, sort) !== null),
    (call) => figure(call, sort),
    query.get('order') ?? 'desc',
  );
  const page = cut(all, query, 100);
  return {spans: page.list.map(toSpan), total: all.length, cursor: page.cursor, complete: true};
}

export function callTrace(w: World, id: string) {
  const call = callRecords(w).find((one) => one.trace_id === id);
  return call && {trace_id: id, spans: [toSpan(call)], logs: [], truncated: false};
}

function toSpan(call: Call): CallSpan {
  const more = {
    name: call.operation,
    service: call.service,
    status: call.status === 'error' ? ('error' as const) : ('unset' as const),
    message: call.status === 'error' ? 'the model gave up' : '',
    session: call.session,
  };
  const its =
    call.status === null
      ? span({...more, trace_id: call.trace_id, id: call.id, start_ms: call.start_ms, seconds: call.duration})
      : answer(call.trace_id, call.id, '', call.start_ms, call.first!, call.last!, call.chunks!, call.session ?? '', {
          ...more,
          values: {
            'websocket.invocation.status': call.status,
            'websocket.invocation.operation': call.operation,
            'websocket.chunk.interval.max': call.pause,
            'websocket.chunk.times': chunkTimes(call),
            ...call.attributes,
          },
        });
  return {
    ...its,
    attributes: its.attributes.filter((one) => one.value !== null),
    figures: {
      first_chunk_seconds: call.first,
      last_chunk_seconds: call.last,
      longest_pause_seconds: call.pause,
      perceived_seconds: call.perceived,
      chunks: call.chunks,
      call_status: call.status,
    },
    route: call.route,
    target: call.target,
  };
}

/** As the proxy writes them: the pause in the middle, the rest at equal distances. */
function chunkTimes(call: Call): string | null {
  if (call.first === null || call.chunks === null || call.operation !== 'realtime_inference') return null;
  const rest = (call.last! - call.first - (call.pause ?? 0)) / Math.max(1, call.chunks - 2);
  return Array.from({length: call.chunks}, (_, i) =>
    Math.round(1e6 * (i === 0 ? call.first! : i === Math.floor(call.chunks! / 2) ? (call.pause ?? rest) : rest)),
  ).join();
}

function quantile(ordered: readonly number[], share: number): number | null {
  return ordered.length ? ordered[Math.min(ordered.length - 1, Math.ceil(share * ordered.length) - 1)]! : null;
}

export function groups(w: World, query: URLSearchParams) {
  const by = query.get('by') ?? 'route',
    name = query.get('figure') ?? 'duration',
    sort = (query.get('sort') ?? 'count') as 'count' | 'errors' | 'p50' | 'p95' | 'p99' | 'max';
  const fits = filtered(w, query),
    map = new Map<string | null, Call[]>();
  for (const call of fits) {
    const value = label(call, by),
      list = map.get(value);
    if (list) list.push(call);
    else map.set(value, [call]);
  }
  const all = sorted(
    [...map].map(([value, calls]): Group => {
      const values = calls.flatMap((call) => figure(call, name) ?? []).sort((a, b) => a - b);
      return {
        value,
        count: calls.length,
        errors: calls.filter((call) => call.status === 'error').length,
        measured: values.length,
        query:
          value === null
            ? {without: by}
            : by.startsWith('attribute:')
              ? {attribute: `${by.slice(10)}:${value}`}
              : {[by]: value},
        p50: quantile(values, 0.5),
        p95: quantile(values, 0.95),
        p99: quantile(values, 0.99),
        max: values[values.length - 1] ?? null,
      };
    }),
    (group) => group[sort],
    query.get('order') ?? 'desc',
  );
  const page = cut(all, query, 100);
  return {groups: page.list, total_groups: all.length, counted: fits.length, cursor: page.cursor, complete: true};
}

const GAMMA = 1.02;

export function latency(w: World, query: URLSearchParams, now = Date.now()): Latency {
  const from = Number(query.get('from_ms')),
    to = Number(query.get('to_ms'));
  const step = Number(query.get('step_seconds') ?? 0),
    wanted = query.get('histogram') ?? '';
  const search = (query.get('search') ?? '').toLowerCase();
  const fits = callRecords(w).filter(
    (call) =>
      call.start_ms >= from &&
      call.start_ms < to &&
      (!query.get('service') || call.service === query.get('service')) &&
      (!query.get('operation') || call.operation === query.get('operation')) &&
      (!search || `${call.operation}\n${call.service}`.toLowerCase().includes(search)),
  );
  const map = new Map<string, Call[]>(),
    operations = new Set<string>();
  for (const call of fits) {
    operations.add(`${call.service}\n${call.operation}`);
    const time = step ? Math.floor(call.start_ms / 1000 / step) * step * 1000 : from;
    const place = `${time}\n${call.service}\n${call.operation}`,
      list = map.get(place);
    if (list) list.push(call);
    else map.set(place, [call]);
  }
  const rows = [...map.values()].map((calls): LatencyRow => {
    const [one] = calls as [Call, ...Call[]];
    const time = step ? Math.floor(one.start_ms / 1000 / step) * step * 1000 : from;
    const row: LatencyRow = {
      time_ms: time,
      from_ms: step ? Math.max(time, from) : from,
      to_ms: step ? Math.min(time + step * 1000, to) : to,
      partial: step !== 0 && (time < from || time + step * 1000 > Math.min(now, to)),
      service: one.service,
      operation: one.operation,
      count: calls.length,
      errors: calls.filter((call) => call.status === 'error').length,
      cancelled: calls.filter((call) => call.status === 'cancelled').length,
      duration: percentiles(calls, 'duration'),
      first_chunk: percentiles(calls, 'first_chunk'),
      last_chunk: percentiles(calls, 'last_chunk'),
    };
    if (wanted) row.histogram = histogram(calls, wanted);
    return row;
  });
  const sort = query.get('sort') ?? 'count',
    totals = {count: 0, errors: 0, cancelled: 0};
  for (const row of rows) {
    totals.count += row.count;
    totals.errors += row.errors;
    totals.cancelled += row.cancelled;
  }
  const ordered = step
    ? rows.sort((a, b) => a.time_ms - b.time_ms)
    : sorted(rows, (row) => rowFigure(row, sort), query.get('order') ?? 'desc');
  const page = step ? {list: ordered, cursor: ''} : cut(ordered, query, 200);
  return {
    step_seconds: step,
    rows: page.list,
    total: operations.size,
    totals,
    cursor: page.cursor,
    complete: true,
  };
}

function rowFigure(row: LatencyRow, sort: string): number | null {
  if (sort === 'count' || sort === 'errors' || sort === 'cancelled') return row[sort];
  if (sort === 'error_rate') return row.errors / row.count;
  const [, measure, which] = /^(duration|first_chunk|last_chunk)_(p50|p95|p99|max)$/.exec(sort) ?? [];
  if (!measure || !which) return null;
  return row[measure as 'duration'][`${which}_seconds` as 'p50_seconds'];
}

function percentiles(calls: readonly Call[], name: string): Percentiles {
  const values = calls.flatMap((call) => figure(call, name) ?? []).sort((a, b) => a - b);
  return {
    count: values.length,
    min_seconds: values[0] ?? null,
    p50_seconds: quantile(values, 0.5),
    p95_seconds: quantile(values, 0.95),
    p99_seconds: quantile(values, 0.99),
    max_seconds: values[values.length - 1] ?? null,
    relative_error: 0.01,
  };
}

function histogram(calls: readonly Call[], name: string): [number, number, number][] {
  const buckets = new Map<number, number>();
  for (const call of calls) {
    const value = figure(call, name);
    if (value === null || value <= 0) continue;
    const bucket = Math.floor(Math.log(value) / Math.log(GAMMA));
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  return [...buckets].sort((a, b) => a[0] - b[0]).map(([i, many]) => [GAMMA ** i, GAMMA ** (i + 1), many]);
}

export const services = (w: World) => [...new Set(callRecords(w).map((call) => call.service))].sort();

export function operations(w: World, query: URLSearchParams) {
  const service = query.get('service') ?? '',
    search = (query.get('search') ?? '').toLowerCase();
  const all = [
    ...new Set(
      callRecords(w)
        .filter((call) => (!service || call.service === service) && call.operation.toLowerCase().includes(search))
        .map((call) => call.operation),
    ),
  ].sort();
  const page = cut(all, query, 10_000);
  return {operations: page.list, cursor: page.cursor, complete: true};
}
