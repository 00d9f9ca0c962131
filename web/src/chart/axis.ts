// Times below a chart: as coarse as the distance of the ticks asks for.
import {dayMonth, hourMinute, time} from '../time/format';

export function tick(seconds: number, distance: number): string {
  const ms = seconds * 1000;
  if (distance >= 86_400) return dayMonth(ms);
  if (distance >= 60) {
    const date = new Date(ms);
    return date.getHours() === 0 && date.getMinutes() === 0 ? dayMonth(ms) : hourMinute(ms);
  }
  return distance >= 1 ? time(ms).slice(-8) : `${time(ms).slice(-2)}.${String(Math.round(ms % 1000)).padStart(3, '0')}`;
}

/** Labels from the bottom up; one that rounds to the same as the one below says nothing. */
export const distinct = (labels: readonly string[]): string[] =>
  labels.map((label, i) => (i > 0 && label === labels[i - 1] ? '' : label));
