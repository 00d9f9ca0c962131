import type {UseQueryResult} from '@tanstack/react-query';
import {useStatus} from '../api/status';
import {consoleTime} from '../time/clock';
import {certainty, type Certainty} from './certainty';
import {live, useLive, useLiveState} from './socket';

export interface Asking {
  what: string;
  answer: Pick<UseQueryResult<unknown>, 'error' | 'dataUpdatedAt'>;
  every_ms: number;
}

/** What can be said for sure at `now` (of useNow()), given the questions that the caller relies on. */
export function useCertainty(now: number, questions: readonly Asking[]): Certainty {
  const state = useLiveState();
  const fleet = useLive('fleet', true);
  const status = useStatus();
  const age = (local_ms: number) => (local_ms > 0 ? Math.max(0, now - consoleTime(local_ms)) : null);
  return certainty(
    {
      stream: {state, age_ms: age(live.heardAt('fleet'))},
      proxies: fleet?.proxies ?? status.data?.proxies ?? null,
      unheard: fleet?.unheard ?? null,
      questions: [{what: 'the console itself', answer: status, every_ms: 10_000}, ...questions].map((one) => ({
        what: one.what,
        error: one.answer.error,
        age_ms: age(one.answer.dataUpdatedAt),
        every_ms: one.every_ms,
      })),
      storeTrouble: status.data?.store.trouble ?? '',
    },
    now,
  );
}
