import {useCallback, useEffect, useLayoutEffect, useState, type RefObject} from 'react';

/** Where an element begins in the document, in px; it moves when anything above it grows. */
export function useOffset(of: RefObject<HTMLElement>): number {
  const [offset, setOffset] = useState(0);
  const look = useCallback(() => {
    const top = of.current?.getBoundingClientRect().top;
    if (top !== undefined) setOffset(Math.round(top + window.scrollY));
  }, [of]);
  useLayoutEffect(look);
  useEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [look]);
  return offset;
}
