// The fixture's answers to /search, /tape and /changes, counted from its sessions and calls.
import type {Changes, Cohort, Found, FoundGroup, FoundItem, Session, Tape, TapeEntry} from '../src/api/types';
import {shortId} from '../src/text/units';
import {callRecords} from './call_data';
import type {World} from './fleet_data';

const MINUTE = 60_000;
const minuteOf = (ms: number) => Math.floor(ms / MINUTE) * MINUTE;
const sessionsOf = (w: World) => [...w.open, ...w.ended];
const died = (one: Session) => one.end_reason !== null && !['normal', 'idle', 'drain'].includes(one.end_reason);

export function search(w: World, text: string): Found {
  const q = text.trim().toLowerCase();
  const groups: FoundGroup[] = [];
  const add = (kind: FoundGroup['kind'], all: FoundItem[], most = 6) => {
    if (all.length > 0) groups.push({kind, total: all.length, more: all.length > most, items: all.slice(0, most)});
  };
  const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(q)?.[1];
  const sessions = sessionsOf(w);
  add(
    'session',
    sessions
      .filter((one) => one.id.startsWith(q) || one.id.endsWith(q))
      .map((one) => item(one.id, shortId(one.id), `${one.route}, ${one.client}`, one.opened_ms, {session: one.id})),
  );
  const wanted = traceparent ?? q;
  if (wanted.length >= 6)
    add(
      'trace',
      callRecords(w)
        .filter((one) => one.trace_id.startsWith(wanted))
        .map((one) => item(one.trace_id, one.trace_id, `${one.operation} of ${one.service}`, one.start_ms)),
    );
  const counted = (kind: FoundGroup['kind'], of: (one: Session) => string) => {
    const by = new Map<string, Session[]>();
    for (const one of sessions)
      if (of(one).toLowerCase().includes(q)) by.set(of(one), [...(by.get(of(one)) ?? []), one]);
    add(
      kind,
      [...by]
        .sort((a, b) => b[1].length - a[1].length)
        .map(([value, list]) => ({
          ...item(value, value, list[0]!.route, Math.max(...list.map((one) => one.opened_ms))),
          count: list.length,
          query: QUERY[kind]?.(value) ?? {},
        })),
    );
  };
  counted('client', (one) => one.client);
  counted('target', (one) => one.target);
  const operations = new Map<string, FoundItem>();
  for (const call of callRecords(w))
    if (call.operation.toLowerCase().includes(q) && !operations.has(call.operation))
      operations.set(call.operation, {
        ...item(call.operation, call.operation, call.service, call.start_ms),
        service: call.service,
        query: {service: call.service, operation: call.operation},
      });
  add('operation', [...operations.values()]);
  counted('close_reason', (one) => one.close_reason);
  counted('route', (one) => one.route);
  return {query: text, groups, complete: true};
}

const QUERY: Partial<Record<FoundGroup['kind'], (value: string) => Record<string, string>>> = {
  client: (client) => ({client}),
  target: (target) => ({target}),
  close_reason: (close_reason) => ({close_reason}),
  route: (route) => ({route}),
};

function item(id: string, label: string, detail: string, time_ms: number, more: Partial<FoundItem> = {}): FoundItem {
  return {id, label, detail, time_ms, count: null, query: {}, ...more};
}

const FOLD = 5 * MINUTE;

export function tape(w: World, query: URLSearchParams): Tape {
  const from = Number(query.get('from_ms') ?? 0),
    to = Number(query.get('to_ms') ?? Infinity),
    kinds = query.getAll('kind');
  const folded = new Map<string, TapeEntry>();
  function fold(kind: TapeEntry['kind'], ms: number, step: number, one: Session, more: Partial<TapeEntry>): void {
    const start = Math.floor(ms / step) * step,
      place = `${kind}|${start}|${one.route}|${more.title ?? ''}`;
    const known = folded.get(place);
    if (known) {
      known.count++;
      if (known.sessions.length < 5) known.sessions.push(one.id);
      return;
    }
    folded.set(place, {
      time_ms: start,
      to_ms: start + step,
      kind,
      title: '',
      route: one.route,
      instance: '',
      count: 1,
      sessions: [one.id],
      level: 'info',
      query: {},
      ...more,
    });
  }
  for (const one of sessionsOf(w)) {
    const opened = Math.floor(one.opened_ms / FOLD) * FOLD;
    fold('opens', one.opened_ms, FOLD, one, {
      query: {route: one.route, opened_from_ms: opened, opened_to_ms: opened + FOLD},
    });
    if (one.ended_ms === null) continue;
    if (died(one)) {
      const ended = minuteOf(one.ended_ms);
      fold('death', one.ended_ms, MINUTE, one, {
        title: (one.end_reason ?? '').replaceAll('_', ' '),
        level: 'bad',
        query: {
          state: 'ended',
          route: one.route,
          end_reason: one.end_reason ?? '',
          ended_from_ms: ended,
          ended_to_ms: ended + MINUTE,
        },
      });
    } else {
      const ended = Math.floor(one.ended_ms / FOLD) * FOLD;
      fold('ends', one.ended_ms, FOLD, one, {
        query: {state: 'ended', route: one.route, ended_from_ms: ended, ended_to_ms: ended + FOLD},
      });
    }
  }
  const entries = [...folded.values()].map((one) => ({
    ...one,
    title:
      one.kind === 'opens'
        ? `${one.count} sessions opened`
        : one.kind === 'ends'
          ? `${one.count} sessions ended`
          : `${one.count} died: ${one.title}`,
  }));
  const plain = (
    time_ms: number,
    kind: TapeEntry['kind'],
    title: string,
    more: Partial<TapeEntry> = {},
  ): TapeEntry => ({
    time_ms,
    to_ms: null,
    kind,
    title,
    route: '',
    instance: w.proxies[0]?.instance ?? '',
    count: 0,
    sessions: [],
    level: 'info',
    query: null,
    ...more,
  });
  if (!w.empty)
    entries.push(
      plain(w.started - 55 * MINUTE, 'deploy', 'voice-bridge on bridge-a: 0.3.2 → 0.4.0'),
      plain(w.started - 24 * MINUTE, 'storm', '38 reconnects within a minute, usually 2', {
        route: 'realtime',
        level: 'warn',
        count: 38,
        to_ms: w.started - 23 * MINUTE,
        query: {route: 'realtime', reconnect: 'true', opened_from_ms: w.started - 24 * MINUTE},
      }),
      plain(w.started - 30 * MINUTE, 'console_gap', 'the console was away for 22 s', {
        instance: '',
        level: 'warn',
        to_ms: w.started - 30 * MINUTE + 22_000,
      }),
    );
  const sign = query.get('order') === 'asc' ? 1 : -1;
  const all = entries
    .filter((one) => one.time_ms >= from && one.time_ms < to)
    .filter((one) => kinds.length === 0 || kinds.includes(one.kind))
    .filter((one) => !query.get('route') || one.route === query.get('route'))
    .filter((one) => !query.get('instance') || one.instance === query.get('instance'))
    .sort((a, b) => sign * (a.time_ms - b.time_ms));
  const limit = Number(query.get('limit') ?? 200),
    at = Number(query.get('cursor') || 0);
  return {
    step_seconds: FOLD / 1000,
    entries: all.slice(at, at + limit),
    cursor: at + limit < all.length ? String(at + limit) : '',
    complete: true,
  };
}

export function changes(w: World, query: URLSearchParams): Changes {
  const within = (from: string, to: string) =>
    w.ended.filter(
      (one) => died(one) && one.ended_ms! >= Number(query.get(from)) && one.ended_ms! < Number(query.get(to)),
    );
  const now = within('from_ms', 'to_ms'),
    before = within('against_from_ms', 'against_to_ms');
  const everybody = sessionsOf(w);
  const dimensions: Partial<Record<Cohort['share'][number]['dimension'], (one: Session) => string>> = {
    route: (one) => one.route,
    end_reason: (one) => one.end_reason ?? '',
    client_network: (one) => one.client.replace(/\.\d+(:\d+)?$/, '.0/24'),
  };
  const cohorts: Cohort[] = [];
  const best = (Object.keys(dimensions) as (keyof typeof dimensions)[]).flatMap((dimension) => {
    const of = dimensions[dimension]!;
    const by = new Map<string, number>();
    for (const one of now) by.set(of(one), (by.get(of(one)) ?? 0) + 1);
    const [value, many] = [...by].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    return many * 2 > now.length ? [{dimension, value, of}] : [];
  });
  for (let size = best.length; size > 0; size--) {
    const share = best.slice(0, size),
      fits = (one: Session) => share.every((each) => each.of(one) === each.value);
    cohorts.push({
      share: share.map(({dimension, value, of}) => ({
        dimension,
        value,
        usual: everybody.filter((one) => of(one) === value).length / everybody.length,
      })),
      count: now.filter(fits).length,
      of: now.length,
      against_count: before.filter(fits).length,
      against_of: before.length,
      first_ms: null,
      last_ms: null,
      sessions: now
        .filter(fits)
        .slice(0, 5)
        .map((one) => one.id),
      query: {
        state: 'ended',
        abnormal: 'true',
        ...Object.fromEntries(
          share.filter((each) => each.dimension !== 'client_network').map(({dimension, value}) => [dimension, value]),
        ),
        ended_from_ms: Number(query.get('from_ms')),
        ended_to_ms: Number(query.get('to_ms')),
      },
    });
  }
  const unseen = (from: string, to: string) =>
    Math.max(0, Math.min(Number(query.get(to)), w.outage.to) - Math.max(Number(query.get(from)), w.outage.from)) / 1000;
  const seconds = (Number(query.get('to_ms')) - Number(query.get('from_ms'))) / 1000;
  const openedIn = (from: string, to: string) =>
    sessionsOf(w).filter((one) => one.opened_ms >= Number(query.get(from)) && one.opened_ms < Number(query.get(to)))
      .length;
  return {
    deaths: now.length,
    against_deaths: before.length,
    missing_seconds: unseen('from_ms', 'to_ms'),
    against_missing_seconds: unseen('against_from_ms', 'against_to_ms'),
    few: now.length < 6,
    cohorts,
    figures: [
      {
        name: 'opened_per_second',
        before: openedIn('against_from_ms', 'against_to_ms') / seconds,
        after: openedIn('from_ms', 'to_ms') / seconds,
      },
      {name: 'rtt_p99_max_seconds', before: 0.11, after: 0.84},
    ],
    from_ms: Number(query.get('from_ms')),
    to_ms: Number(query.get('to_ms')),
    against_from_ms: Number(query.get('against_from_ms')),
    against_to_ms: Number(query.get('against_to_ms')),
    complete: true,
  };
}
