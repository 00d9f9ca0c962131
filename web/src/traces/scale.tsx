import {axisStep} from '../sessions/timeline_model';
import {duration} from '../text/units';

/** Times above the bars, since the start of the trace. */
export function Scale({from, to}: {from: number; to: number}) {
  const size = to - from;
  // axisStep counts in whole ms; finer views are counted in ns.
  const unit = size < 20 ? 1e-6 : 1,
    step = axisStep(size / unit, 6) * unit;
  const ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to && ticks.length < 20; at += step) ticks.push(at);
  return (
    <div className="scale" aria-hidden="true">
      <div className="scale-name">Span</div>
      <div className="scale-bars">
        {ticks.map((at) => (
          <span
            key={at}
            className={(at - from) / size > 0.93 ? 'last num' : 'num'}
            style={{left: `${(100 * (at - from)) / size}%`}}
          >
            {duration(Math.abs(at) < step / 1000 ? 0 : at / 1000)}
          </span>
        ))}
      </div>
    </div>
  );
}
