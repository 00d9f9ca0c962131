import {useAsk} from './fetch';
import type {Status} from './types';

export function useStatus() {
  return useAsk<Status>(['status'], () => '/status', {refreshMs: 10_000});
}
