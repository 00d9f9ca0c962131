import {preciseTime, time, utc, possible} from './format';

export function Stamp({ms, precise = false}: {ms: number | null | undefined; precise?: boolean}) {
  if (!possible(ms)) return <span className="faint">–</span>;
  return (
    <time className="num" dateTime={new Date(ms).toISOString()} title={utc(ms)}>
      {precise ? preciseTime(ms) : time(ms)}
    </time>
  );
}
