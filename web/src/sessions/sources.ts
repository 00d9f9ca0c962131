// Two sources of the same rows: the live stream (a window that follows the scroll position, so 100,000 open sessions
// cost what is in sight) and the store (page after page).
import {keepPreviousData, useInfiniteQuery} from '@tanstack/react-query';
import {useCallback, useEffect, useMemo, useRef, useState} from 'react';
import {ask, parameters} from '../api/fetch';
import type {Session, SessionPage} from '../api/types';
import {useLive} from '../live/socket';
import {bounds, type RangeState} from '../time/range';
import {liveWish, sessionParameters, type SessionFilter} from './filter';

const WINDOW = 200,
  PAGE = 200;

export interface Rows {
  at: (index: number) => Session | undefined;
  total: number;
  /** Live: of all open sessions; stored: of all that fit. null when not known. */
  of: number | null;
  onRange: (first: number, last: number) => void;
  waiting: boolean;
  error: Error | null;
  retry: () => void;
  more: boolean;
  complete: boolean;
}

export function useLiveRows(filter: SessionFilter | null): Rows {
  const [offset, setOffset] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const wish = useMemo(() => filter && {...liveWish(filter), offset, limit: WINDOW}, [filter, offset]);
  const message = useLive('sessions', wish);
  const shownOffset = useRef(0);
  const previous = useRef(message);
  if (message !== previous.current) {
    // Answers carry no offset: the first one after a change is the one of the new window.
    previous.current = message;
    shownOffset.current = offset;
  }
  const onRange = useCallback((first: number, last: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setOffset((old) =>
        first >= old && last < old + WINDOW ? old : Math.max(0, Math.floor((first + last) / 2) - WINDOW / 2),
      );
    }, 60);
  }, []);
  return {
    at: (index) => message?.sessions[index - shownOffset.current],
    total: message?.matched ?? 0,
    of: message?.total ?? null,
    onRange,
    waiting: filter !== null && message === undefined,
    error: null,
    retry: () => undefined,
    more: false,
    complete: true,
  };
}

export function useStoredRows(filter: SessionFilter | null, range: RangeState): Rows {
  const fixed = range.range.last === null;
  const ends = () => ({...bounds(range.range), fixed});
  const query = useInfiniteQuery<SessionPage>({
    queryKey: ['sessions', filter, filter?.state === 'open' && !fixed ? '' : range.key],
    enabled: filter !== null,
    initialPageParam: '',
    queryFn: ({pageParam, signal}) =>
      ask<SessionPage>(
        `/sessions${parameters({...sessionParameters(filter!, ends()), limit: PAGE, cursor: String(pageParam)})}`,
        signal,
      ),
    getNextPageParam: (page) => page.cursor || undefined,
    placeholderData: keepPreviousData,
    // Only while the first page is all there is: a reader deep in the list is not pulled about.
    refetchInterval: (state) => (range.live && (state.state.data?.pages.length ?? 0) <= 1 ? 10_000 : false),
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.sessions) ?? [], [query.data]);
  const {hasNextPage, isFetchingNextPage, fetchNextPage} = query;
  const onRange = useCallback(
    (_: number, last: number) => {
      if (hasNextPage && !isFetchingNextPage && last >= rows.length - 30) void fetchNextPage();
    },
    [hasNextPage, isFetchingNextPage, fetchNextPage, rows.length],
  );
  return {
    at: (index) => rows[index],
    total: rows.length,
    of: query.data?.pages[0]?.total ?? null,
    onRange,
    waiting: query.isPending && filter !== null,
    error: query.data ? null : query.error,
    retry: () => void query.refetch(),
    more: query.hasNextPage,
    complete: query.data?.pages[query.data.pages.length - 1]?.complete ?? true,
  };
}
