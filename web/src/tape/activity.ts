// How many sessions opened, ended normally and died, by step: the strip above the tape. The latter two are all
// that ended.
import type {Closes, Fleet, TapeEntry} from '../api/types';
import type {Series} from '../chart/series';

export function activity(
  fleet: Fleet | undefined,
  closes: Closes | undefined,
  from: number,
  to: number,
  step_seconds: number,
  route: string,
  /** Every opening in the range, if known: figures are of ten seconds each, and a fixed range may cut them. */
  opens: readonly TapeEntry[] | null = null,
): {times: number[]; series: Series[]} {
  const step = Math.max(fleet?.step_seconds ?? 0, closes?.step_seconds ?? 0, step_seconds) * 1000,
    first = Math.floor(from / step) * step,
    length = Math.max(1, Math.min(5000, Math.ceil((to - first) / step)));
  const zeros = () => new Array<number>(length).fill(0);
  const opened = zeros(),
    ended = zeros(),
    died = zeros();
  const add = (into: number[], time_ms: number, many: number) => {
    const at = Math.floor((time_ms - first) / step);
    if (at >= 0 && at < length) into[at]! += many;
  };
  if (opens) for (const one of opens) add(opened, one.time_ms, one.count);
  else for (const point of fleet?.points ?? []) add(opened, point.time_ms, point.opened);
  for (const one of closes?.closes ?? [])
    if (!route || one.route === route) add(one.abnormal ? died : ended, one.time_ms, one.count);
  return {
    times: Array.from({length}, (_, i) => first + i * step),
    series: [
      {label: 'opened', color: '--series-1', values: opened},
      {label: 'ended normally', color: '--series-0', values: ended},
      {label: 'died', color: '--bad-mark', values: died},
    ],
  };
}
