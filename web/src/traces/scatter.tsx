// What was found, when it began against how long it took (logarithmic): outliers stand out before the list is read.
// With the keyboard: left and right go through time, up and down to the next slower and faster one, Enter opens.
import {useMemo, useState, type KeyboardEvent, type MouseEvent} from 'react';
import {tick} from '../chart/axis';
import {useWidth} from '../control/use_width';
import {navigate} from '../route/location';
import {axisStep} from '../sessions/timeline_model';
import {count, duration, plural} from '../text/units';
import {time} from '../time/format';

const HEIGHT = 132,
  LEFT = 56,
  BOTTOM = 22,
  TOP = 8,
  NEAR = 12; // px

export interface Dot {
  key: string;
  time_ms: number;
  seconds: number;
  bad: boolean;
  name: string;
  href: string;
}

export function Scatter({
  dots,
  from,
  to,
  what,
  noun,
  note = '',
}: {
  dots: readonly Dot[];
  from: number;
  to: number;
  /** What the vertical axis says. */
  what: string;
  noun: string;
  /** Which of those that fit are drawn. */
  note?: string;
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [chosen, setChosen] = useState<string | null>(null);
  const {low, high} = useMemo(() => decadesOf(dots), [dots]);
  const drawn = useMemo(() => [...dots].sort((a, b) => Number(a.bad) - Number(b.bad)), [dots]);
  const at = chosen === null ? undefined : dots.find((one) => one.key === chosen);
  const decades = Math.max(1, Math.round(Math.log10(high / low)));
  const x = (ms: number) => LEFT + ((ms - from) / (to - from)) * (width - LEFT - 8);
  const y = (seconds: number) =>
    HEIGHT - BOTTOM - (Math.log10(Math.max(seconds, low) / low) / decades) * (HEIGHT - BOTTOM - TOP);
  const step = axisStep(to - from, Math.max(2, width / 110)),
    ticks: number[] = [];
  for (let ms = Math.ceil(from / step) * step; ms <= to; ms += step) ticks.push(ms);
  const errors = dots.filter((one) => one.bad).length;

  /** What the pointer is at, or next to. */
  function nearest(event: MouseEvent): Dot | undefined {
    const frame = event.currentTarget.getBoundingClientRect();
    let best: Dot | undefined,
      least = NEAR ** 2;
    for (const one of dots) {
      const far =
        (x(one.time_ms) - event.clientX + frame.left) ** 2 + (y(one.seconds) - event.clientY + frame.top) ** 2;
      if (far < least) {
        least = far;
        best = one;
      }
    }
    return best;
  }
  const key = useKeys(dots, at, setChosen);
  const range = `between ${duration(low)} and ${duration(high)}`;
  const said = `${what} of ${plural(dots.length, noun)} over time, ${count(errors)} with errors, ${range}`;
  return (
    <figure className="scatter">
      <Readout at={at} what={what} note={note} />
      <div ref={box} style={{height: HEIGHT}}>
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows move through what it draws.
            tabIndex={0}
            role="application"
            aria-roledescription="scatter plot"
            aria-label={`${said}. Arrows choose one, Enter opens it. The list below has the same.`}
            onKeyDown={key}
            onBlur={() => setChosen(null)}
            onPointerMove={(event) => setChosen(nearest(event)?.key ?? null)}
            onPointerLeave={() => setChosen(null)}
            onClick={(event) => {
              const dot = nearest(event);
              if (dot) navigate(dot.href);
            }}
          >
            <Axes low={low} decades={decades} ticks={ticks} step={step} width={width} x={x} y={y} />
            {drawn.map((one) => (
              <circle
                key={one.key}
                cx={x(one.time_ms)}
                cy={y(one.seconds)}
                r={one.key === chosen ? 6 : one.bad ? 4 : 3.2}
                className={`${one.bad ? 'failed' : 'fine'}${one.key === chosen ? ' chosen' : ''}`}
              />
            ))}
          </svg>
        )}
      </div>
    </figure>
  );
}

function useKeys(dots: readonly Dot[], at: Dot | undefined, setChosen: (key: string | null) => void) {
  const inTime = useMemo(() => [...dots].sort((a, b) => a.time_ms - b.time_ms), [dots]);
  const bySize = useMemo(() => [...dots].sort((a, b) => a.seconds - b.seconds), [dots]);
  return (event: KeyboardEvent): void => {
    const go = (list: readonly Dot[], by: number) => {
      if (list.length === 0) return;
      const here = at ? list.indexOf(at) : by > 0 ? -1 : list.length;
      setChosen(list[Math.max(0, Math.min(list.length - 1, here + by))]!.key);
    };
    const act: Record<string, () => void> = {
      ArrowRight: () => go(inTime, 1),
      ArrowLeft: () => go(inTime, -1),
      ArrowUp: () => go(bySize, at ? 1 : -1),
      ArrowDown: () => go(bySize, -1),
      Home: () => setChosen(inTime[0]?.key ?? null),
      End: () => setChosen(inTime[inTime.length - 1]?.key ?? null),
      Enter: () => at && navigate(at.href),
      Escape: () => setChosen(null),
    };
    const run = act[event.key];
    if (!run || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    run();
  };
}

function Readout({at, what, note}: {at: Dot | undefined; what: string; note: string}) {
  return (
    <figcaption className="scatter-readout num" aria-live="polite">
      {at ? (
        <>
          <span className={`clip ${at.bad ? 'bad' : ''}`}>{at.name}</span>
          <span className="strong">{duration(at.seconds)}</span>
          <span className="faint">at {time(at.time_ms)}</span>
        </>
      ) : (
        <>
          <span className="strong">{what}</span>
          <span className="faint">{note}</span>
        </>
      )}
    </figcaption>
  );
}

function Axes({
  low,
  decades,
  ticks,
  step,
  width,
  x,
  y,
}: {
  low: number;
  decades: number;
  ticks: readonly number[];
  step: number;
  width: number;
  x: (ms: number) => number;
  y: (seconds: number) => number;
}) {
  return (
    <>
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
      {ticks.map((ms) => (
        <text key={ms} x={x(ms)} y={HEIGHT - 6} textAnchor="middle">
          {x(ms) > LEFT + 16 && x(ms) < width - 24 ? tick(ms / 1000, step / 1000) : ''}
        </text>
      ))}
    </>
  );
}

/** Whole decades around all that is drawn. */
function decadesOf(dots: readonly Dot[]): {low: number; high: number} {
  let least = Infinity,
    most = 0;
  for (const one of dots)
    if (one.seconds > 0) {
      least = Math.min(least, one.seconds);
      most = Math.max(most, one.seconds);
    }
  if (most === 0) return {low: 1e-3, high: 1};
  const low = 10 ** Math.floor(Math.log10(Math.max(1e-6, least)));
  return {low, high: Math.max(low * 10, 10 ** Math.ceil(Math.log10(most) - 1e-9))};
}

/** The time to draw: all of the range, or only what the first pages of a list by time reach back to. */
export function drawn(
  ends: {from: number; to: number},
  dots: readonly Dot[],
  cut: boolean,
): {from: number; to: number} {
  if (!cut || dots.length < 2) return ends;
  let from = Infinity,
    to = -Infinity;
  for (const {time_ms} of dots) {
    from = Math.min(from, time_ms);
    to = Math.max(to, time_ms);
  }
  const margin = Math.max(1, (to - from) * 0.03);
  return {from: from - margin, to: to + margin};
}
