// The tape in words: kinds, cohorts, figures, and the way from each to its sessions.
import type {Cohort, TapeEntry, TapeKind} from '../api/types';
import {address, type QueryChanges} from '../route/address';
import {bytes, count, duration, percent, plural, rate} from '../text/units';
import {codeText, reasonLabel} from '../sessions/words';
import {hourMinute} from '../time/format';

/** What can be filtered by: one choice may stand for several kinds. */
export const CHOICES: {key: string; label: string; kinds: TapeKind[]}[] = [
  {key: 'opens', label: 'Opens', kinds: ['opens']},
  {key: 'ends', label: 'Normal ends', kinds: ['ends']},
  {key: 'deaths', label: 'Deaths', kinds: ['death']},
  {key: 'storms', label: 'Storms', kinds: ['storm']},
  {key: 'drains', label: 'Drains', kinds: ['drain']},
  {key: 'deploys', label: 'Deploys', kinds: ['deploy']},
  {key: 'proxies', label: 'Proxies', kinds: ['proxy_up', 'proxy_lost']},
  {key: 'console', label: 'Console', kinds: ['console_start', 'console_stop', 'console_gap']},
];

export const KINDS: Record<TapeKind, string> = {
  opens: 'opened',
  ends: 'normal ends',
  death: 'deaths',
  storm: 'storm',
  drain: 'drain',
  deploy: 'deploy',
  proxy_up: 'proxy up',
  proxy_lost: 'proxy lost',
  console_start: 'console up',
  console_stop: 'console down',
  console_gap: 'console away',
};

export function kindsOf(chosen: readonly string[]): TapeKind[] {
  return CHOICES.filter((one) => chosen.includes(one.key)).flatMap((one) => one.kinds);
}

const RENAMED: Record<string, string> = {
  from_ms: 'from',
  to_ms: 'to',
  min_duration_seconds: 'min',
  max_duration_seconds: 'max',
};
const HOUR = 3_600_000;

/** A question to /api/v1/sessions as the address of the sessions page; '' when there is none. */
export function sessionsHref(query: Readonly<Record<string, unknown>> | null): string {
  if (!query || Object.keys(query).length === 0) return '';
  const changes: QueryChanges = {};
  for (const [key, value] of Object.entries(query)) {
    if (/^(opened|ended)_(from|to)_ms$/.test(key)) continue;
    if (Array.isArray(value)) changes[key] = value.map(String);
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      changes[RENAMED[key] ?? key] = key.endsWith('_duration_seconds') ? `${String(value)}s` : value;
  }
  return address('/sessions', {state: 'any', ...changes, ...timeOf(query)});
}

/** The page's time range is of ends among the ended, and of openings where it is asked so. */
function timeOf(query: Readonly<Record<string, unknown>>): QueryChanges {
  for (const what of ['ended', 'opened']) {
    const from = Number(query[`${what}_from_ms`] ?? NaN),
      to = Number(query[`${what}_to_ms`] ?? NaN);
    if (!Number.isFinite(from) && !Number.isFinite(to)) continue;
    return {
      ...(what === 'ended' ? {state: 'ended'} : {when: 'opened'}),
      from: Number.isFinite(from) ? from : to - HOUR,
      to: Number.isFinite(to) ? to : from + HOUR,
    };
  }
  return {};
}

/** What is known by its end is told in the words of all pages; the rest as the console tells it. */
export function titleOf(one: TapeEntry): string {
  const reason = one.query?.end_reason;
  if (typeof reason !== 'string' || (one.kind !== 'ends' && one.kind !== 'death')) return one.title;
  const code = Number(one.query?.close_code ?? 0);
  const name = code ? codeText(code, reason) : '';
  const why = [reason === 'normal' ? '' : reasonLabel(reason), name].filter(Boolean).join(' ');
  const what = `${plural(one.count, 'session')} ${one.kind === 'death' ? 'died' : 'ended normally'}`;
  return why ? `${what}: ${why}` : what;
}

/** Identity of an entry: nothing else happens to the same thing at the same time. */
export const entryKey = (one: TapeEntry): string =>
  `${one.time_ms}|${one.kind}|${one.route}|${one.instance}|${one.title}`;

const DIMENSIONS: Record<string, string> = {
  client_network: 'network',
  end_reason: 'reason',
  close_code: 'close code',
};

/** What people call a proxy, by its instance. */
export type Names = ReadonlyMap<string, string>;
export const namesOf = (instances: readonly {instance: string; service: string; host: string}[]): Names =>
  new Map(instances.map((one) => [one.instance, `${one.service} on ${one.host}`]));

/** "38 of 40 deaths share route chat, proxy edge on web-1, network 10.2.3.0/24, minute 14:03" */
export function cohortText(cohort: Cohort, names: Names): string {
  const verb = cohort.count === 1 ? 'has' : 'share';
  return `${count(cohort.count)} of ${plural(cohort.of, 'death')} ${verb} ${shareText(cohort, names)}`;
}

export function shareText({share}: Cohort, names: Names): string {
  return share
    .map(({dimension, value}) => `${DIMENSIONS[dimension] ?? dimension} ${valueText(dimension, value, names)}`)
    .join(', ');
}

function valueText(dimension: string, value: string, names: Names): string {
  if (dimension === 'proxy') return names.get(value) ?? value;
  if (dimension === 'minute' && Number.isFinite(Date.parse(value))) return hourMinute(Date.parse(value));
  if (dimension === 'end_reason') return value === 'normal' ? 'Close handshake' : value.replaceAll('_', ' ');
  return value === '' ? '(none)' : value;
}

/** "before: 0 of 2; of all sessions 12 %": how unusual it is that they share this. */
export function againstText(cohort: Cohort): string {
  const before =
    cohort.against_of === 0
      ? 'none died before'
      : `before: ${count(cohort.against_count)} of ${count(cohort.against_of)}`;
  const usual = cohort.share.flatMap((one) => one.usual ?? []);
  return usual.length ? `${before}; of all sessions ${percent(Math.min(...usual), 1)}` : before;
}

/** How much of a window nobody saw: what is counted in it may be too little. '' when all was seen. */
export function unseenText(missing_seconds: number, window_seconds: number): string {
  if (!(missing_seconds > 0)) return '';
  const text = duration(missing_seconds < 1 ? missing_seconds : Math.round(missing_seconds));
  return ` (${missing_seconds >= window_seconds ? 'all' : text} of it unseen)`;
}

export function figureText(name: string, value: number | null): string {
  if (value === null) return '–';
  if (name.endsWith('_per_second')) return rate(value, name.startsWith('bytes') ? 'B' : '');
  if (name.endsWith('_seconds')) return duration(value);
  return name.endsWith('bytes') ? bytes(value) : count(value);
}
const FIGURES: Record<string, string> = {
  opened_per_second: 'Sessions opened',
  ended_per_second: 'Sessions ended',
  reconnects_per_second: 'Reconnects',
  refused_per_second: 'Refused',
  misses_per_second: 'Missed heartbeats',
  messages_per_second: 'Messages',
  bytes_per_second: 'Bytes',
  active: 'Open sessions, mean',
  rtt_p99_max_seconds: 'Round trip p99, highest',
};
export const figureName = (name: string): string =>
  FIGURES[name] ?? name.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());

/** "+40 %", "×3.2", "new", "gone": what a reader would say of the change. */
export function changeText(before: number | null, after: number | null): string {
  if (before === null || after === null || before === after) return '';
  if (before === 0) return 'new';
  if (after === 0) return 'gone';
  const ratio = after / before;
  if (ratio >= 2) return `×${Number(ratio.toPrecision(2))}`;
  return `${ratio > 1 ? '+' : '−'}${Math.round(Math.abs(ratio - 1) * 100)} %`;
}

export const AGAINST = [
  {key: 'before', label: 'the same length of time before', ms: 0},
  {key: 'hour', label: 'the same time an hour before', ms: 3_600_000},
  {key: 'day', label: 'the same time a day before', ms: 86_400_000},
  {key: 'week', label: 'the same time a week before', ms: 604_800_000},
];

/** Two moments and what they are compared with. */
export function windows(
  a: number,
  b: number,
  against: string,
): {from: number; to: number; againstFrom: number; againstTo: number} {
  const from = Math.min(a, b),
    to = Math.max(a, b);
  const back = AGAINST.find((one) => one.key === against)?.ms || to - from;
  return {from, to, againstFrom: from - back, againstTo: to - back};
}

/** Two moments at most: a third takes the place of the one that is nearer to it. */
export function markMoment(marks: readonly number[], moment: number): number[] {
  if (marks.includes(moment)) return marks.filter((one) => one !== moment);
  if (marks.length < 2) return [...marks, moment].sort((x, y) => x - y);
  const nearer = Math.abs(marks[0]! - moment) <= Math.abs(marks[1]! - moment) ? 1 : 0;
  return [marks[nearer]!, moment].sort((x, y) => x - y);
}
