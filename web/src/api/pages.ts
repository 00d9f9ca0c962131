// Lists of any length, page by page: what is loaded, what there is, and the way on. A list that moves with the clock is
// renewed only while its first page is all that is loaded, so that nothing jumps under a reader.
import {keepPreviousData, useInfiniteQuery} from '@tanstack/react-query';
import {useCallback, useMemo} from 'react';
import {ask} from './fetch';

export interface Paged {
  cursor: string;
  complete: boolean;
}

export interface Pages<P> {
  pages: readonly P[];
  first: P | undefined;
  pending: boolean;
  /** Other arguments than those of what is shown are on their way. */
  renewing: boolean;
  error: Error | null;
  retry: () => void;
  more: boolean;
  loading: boolean;
  load: () => void;
  complete: boolean;
  at: number; // when it was answered
}

export function usePages<P extends Paged>(
  key: readonly unknown[],
  path: (cursor: string) => string,
  live: boolean,
  everyMs = 10_000,
): Pages<P> {
  const found = useInfiniteQuery<P>({
    queryKey: key,
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({pageParam, signal}) => ask<P>(path(String(pageParam)), signal),
    getNextPageParam: (page) => page.cursor || undefined,
    refetchInterval: (state) => (live && (state.state.data?.pages.length ?? 0) <= 1 ? everyMs : false),
  });
  const {fetchNextPage, hasNextPage, isFetchingNextPage} = found;
  const load = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const pages = useMemo(() => found.data?.pages ?? [], [found.data]);
  return {
    pages,
    first: pages[0],
    pending: found.isPending,
    renewing: found.isFetching && found.isPlaceholderData,
    error: found.error,
    retry: () => void found.refetch(),
    more: hasNextPage,
    loading: isFetchingNextPage,
    load,
    complete: pages[pages.length - 1]?.complete ?? true,
    at: found.dataUpdatedAt,
  };
}

/** Called with the rows in sight: loads the next page when the end of those that are there comes near. */
export function useLoadNear({more, load}: {more: boolean; load: () => void}, rows: number, page: number) {
  return useCallback(
    (_: number, last: number) => {
      if (more && rows >= page && last >= rows - 10) load();
    },
    [more, load, rows, page],
  );
}
