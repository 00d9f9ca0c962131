// Traces found, when they began against how long they took (logarithmic): outliers stand out before the list is read.
import {useMemo} from 'react';
import type {TraceSummary} from '../api/types';
import {tick} from '../chart/axis';
import {useWidth} from '../control/use_width';
import {navigate} from '../route/location';
import {axisStep} from '../sessions/timeline_model';
import {count, duration, plural} from '../text/units';
import {time} from '../time/format';

const HEIGHT = 132,
  LEFT = 56,
  BOTTOM = 22,
  TOP = 8;

export function Scatter({traces, from, to}: {traces: readonly TraceSummary[]; from: number; to: number}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const {low, high} = useMemo(() => {
    let least = Infinity,
      most = 0;
    for (const one of traces)
      if (one.duration_seconds > 0) {
        least = Math.min(least, one.duration_seconds);
        most = Math.max(most, one.duration_seconds);
      }
    return most === 0
      ? {low: 1e-3, high: 1}
      : {low: 10 ** Math.floor(Math.log10(Math.max(1e-6, least))), high: 10 ** Math.ceil(Math.log10(most) + 1e-9)};
  }, [traces]);
  const decades = Math.max(1, Math.round(Math.log10(high / low)));
  const x = (ms: number) => LEFT + ((ms - from) / (to - from)) * (width - LEFT - 8);
  const y = (seconds: number) =>
    HEIGHT - BOTTOM - (Math.log10(Math.max(seconds, low) / low) / decades) * (HEIGHT - BOTTOM - TOP);
  const step = axisStep(to - from, Math.max(2, width / 110)),
    ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  const errors = traces.filter((one) => one.errors > 0).length;
  return (
    <div ref={box} className="scatter" style={{height: HEIGHT}}>
      {width > 0 && (
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={
            `${plural(traces.length, 'trace')}, ${count(errors)} with errors, over time and duration ` +
            `between ${duration(low)} and ${duration(high)}. The list below has the same.`
          }
        >
          {Array.from({length: decades + 1}, (_, i) => low * 10 ** i)
            .filter((_, i) => decades < 5 || i % 2 === 0)
            .map((one) => (
              <g key={one}>
                <line x1={LEFT} x2={width - 8} y1={y(one)} y2={y(one)} className="grid-line" />
                <text x={LEFT - 6} y={y(one) + 4} textAnchor="end">
                  {duration(one)}
                </text>
              </g>
            ))}
          {ticks.map((at) => (
            <text key={at} x={x(at)} y={HEIGHT - 6} textAnchor="middle">
              {x(at) > LEFT + 12 && x(at) < width - 24 ? tick(at / 1000, step / 1000) : ''}
            </text>
          ))}
          {[...traces]
            .sort((a, b) => Math.sign(a.errors) - Math.sign(b.errors))
            .map((one) => (
              // biome-ignore lint/a11y/noStaticElementInteractions: the list below has the same, for keys.
              <circle
                key={one.trace_id}
                cx={x(one.start_ms)}
                cy={y(one.duration_seconds)}
                r={one.errors ? 4 : 3.2}
                className={one.errors ? 'failed' : 'fine'}
                onClick={() => navigate(`/traces/${encodeURIComponent(one.trace_id)}`)}
              >
                <title>
                  {`${one.root_operation || '(no name)'} · ${one.root_service}\n` +
                    `${duration(one.duration_seconds)} at ${time(one.start_ms)}` +
                    (one.errors ? `\n${plural(one.errors, 'error')}` : '')}
                </title>
              </circle>
            ))}
        </svg>
      )}
    </div>
  );
}
