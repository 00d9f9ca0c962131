// One way to ask the console: JSON in, JSON out, errors as values with the console's own words in them.
import {keepPreviousData, QueryClient, useQuery, type UseQueryResult} from '@tanstack/react-query';
import {counted} from './numbers';

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Told when the console wants a token. */
export const unauthorized = new EventTarget();

export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      signal: signal ?? null,
      credentials: 'same-origin',
      headers: {Accept: 'application/json'},
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', 'The console does not answer. Is `sockeye console` running?');
  }
  if (!response.ok) {
    if (response.status === 401) unauthorized.dispatchEvent(new Event('unauthorized'));
    throw await refusal(response);
  }
  return counted((await response.json()) as T);
}

async function refusal(response: Response): Promise<ApiError> {
  let code = 'internal',
    message = `The console answered ${response.status}.`;
  try {
    const body = (await response.json()) as {error?: {code?: unknown; message?: unknown}};
    if (typeof body.error?.code === 'string') code = body.error.code;
    if (typeof body.error?.message === 'string') message = body.error.message;
  } catch {
    // Not JSON (a proxy in between): the status says enough.
  }
  return new ApiError(response.status, code, message);
}

export async function login(token: string): Promise<void> {
  const response = await fetch('/api/v1/login', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({token}),
  });
  if (!response.ok) throw await refusal(response);
}

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      // What the console refuses it will refuse again; what it could not answer just now is worth two more tries.
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      staleTime: 2000,
      refetchOnWindowFocus: false,
    },
  },
});

export interface Asked {
  refreshMs?: number | false;
  /** Keep showing the last answer while the next, for other arguments, is under way: nothing jumps. */
  keep?: boolean;
}

/** Asks `path()`; it is evaluated at each (re)fetch, so a moving time range needs no new key. */
export function useAsk<T>(
  key: readonly unknown[] | null,
  path: () => string,
  {refreshMs = false, keep = true}: Asked = {},
): UseQueryResult<T, Error> {
  return useQuery<T, Error>({
    queryKey: key ?? ['nothing'],
    queryFn: ({signal}) => ask<T>(path(), signal),
    enabled: key !== null,
    refetchInterval: refreshMs,
    ...(keep ? {placeholderData: keepPreviousData} : {}),
  });
}

/** A query string of the parameters that are set. */
export function parameters(values: Record<string, string | number | boolean | string[] | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(key, String(one));
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}
