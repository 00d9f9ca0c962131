// Where the details of a span stand beside a waterfall of any length: they scroll with the page, never inside it. Those
// that fit into the window stay in it; longer ones begin at its top when a span is chosen, and come after when they are
// out of sight.
import {type CSSProperties, type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState} from 'react';

const TOP = 60, // below the bar of the page
  WIDE = '(min-width: 1081px)'; // beside the rows, not over them

export function usePlace(chosen: number | null): [RefObject<HTMLDivElement>, CSSProperties, () => void] {
  const panel = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<CSSProperties>({});
  const look = useCallback(() => {
    const its = panel.current,
      around = its?.parentElement;
    if (!its || !around || around.classList.contains('alone')) return;
    const fits = its.offsetHeight + TOP + 16 <= window.innerHeight && matchMedia(WIDE).matches;
    const top = matchMedia(WIDE).matches ? TOP : barHeight() + 8;
    setPlace(
      fits
        ? {position: 'sticky', top: TOP}
        : {marginTop: Math.max(0, Math.round(top - around.getBoundingClientRect().top))},
    );
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another span is another place.
  useLayoutEffect(look, [look, chosen]);
  useEffect(() => {
    const scrolled = (): void => {
      const its = panel.current?.getBoundingClientRect();
      if (its && matchMedia(WIDE).matches && (its.bottom < TOP || its.top > window.innerHeight)) look();
    };
    window.addEventListener('scroll', scrolled, {passive: true});
    return () => window.removeEventListener('scroll', scrolled);
  }, [look]);
  // Where the page goes next is known when it has gone.
  const follow = useCallback(() => void requestAnimationFrame(() => requestAnimationFrame(look)), [look]);
  return [panel, place, follow];
}

const barHeight = (): number => document.querySelector('.top')?.getBoundingClientRect().height ?? 0;
