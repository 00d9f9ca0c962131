// Times are shown in the viewer's zone; UTC goes into the title, ready to be compared with server logs.

const clock = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', second: '2-digit'});
const short = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit'});
const day = new Intl.DateTimeFormat('en-GB', {day: '2-digit', month: 'short'});
const year = new Intl.DateTimeFormat('en-GB', {day: '2-digit', month: 'short', year: 'numeric'});

const LIMIT = 8.64e15; // what a Date can hold

export const possible = (ms: number | null | undefined): ms is number =>
  typeof ms === 'number' && Math.abs(ms) <= LIMIT;

/** 14:03:07, or 21 Nov 14:03:07 on another day, or with the year in another year. */
export function time(ms: number | null | undefined, reference = Date.now()): string {
  if (!possible(ms)) return '–';
  const date = new Date(ms),
    today = new Date(reference);
  if (date.toDateString() === today.toDateString()) return clock.format(date);
  if (date.getFullYear() === today.getFullYear()) return `${day.format(date)} ${clock.format(date)}`;
  return `${year.format(date)} ${clock.format(date)}`;
}

/** 14:03:07.250 */
export function preciseTime(ms: number | null | undefined): string {
  if (!possible(ms)) return '–';
  return `${time(ms)}.${String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, '0')}`;
}

export function hourMinute(ms: number): string {
  return possible(ms) ? short.format(new Date(ms)) : '–';
}

export function dayMonth(ms: number): string {
  return possible(ms) ? day.format(new Date(ms)) : '–';
}

export function utc(ms: number | null | undefined): string {
  return possible(ms) ? `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')} UTC` : '';
}
