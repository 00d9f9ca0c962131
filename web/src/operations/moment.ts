// One moment for all figures of a view: table, headline, legend and heat map are asked for the same two ends of time,
// so that they agree. A moving range moves every quarter of a minute, and stands still while `held`.
import {useEffect, useRef, useState} from 'react';
import {bounds, type RangeState} from '../time/range';

export interface Moment {
  from: number;
  to: number;
}
const EVERY = 15_000;

export function useMoment({range, key, live}: RangeState, held: boolean): Moment {
  const [moment, setMoment] = useState(() => ({key, ...bounds(range)}));
  const still = useRef(held);
  still.current = held;
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => {
      if (!still.current && !document.hidden) setMoment({key, ...bounds(range)});
    }, EVERY);
    return () => clearInterval(timer);
  }, [live, key, range]);
  if (moment.key === key) return moment;
  const next = {key, ...bounds(range)};
  setMoment(next);
  return next;
}
