// The routes and proxies of a time range, to choose from.
import {parameters, useAsk} from '../api/fetch';
import type {Fleet} from '../api/types';
import type {Option} from '../control/choice';
import {bounds, type Range} from '../time/range';

export interface Names {
  routes: Option[];
  proxies: Option[];
}

export function namesOf(fleet: Pick<Fleet, 'routes' | 'instances'> | undefined): Names {
  return {
    routes: (fleet?.routes ?? []).map((one) => ({key: one, label: one})),
    proxies: (fleet?.instances ?? []).map((one) => ({key: one.instance, label: `${one.service} · ${one.host}`})),
  };
}

export function useNames(range: Range, key: string): Names {
  const fleet = useAsk<Fleet>(['fleet-names', key], () => {
    const {from, to} = bounds(range);
    const step_seconds = Math.max(10, Math.ceil((to - from) / 1000));
    return `/fleet${parameters({from_ms: Math.round(from), to_ms: Math.round(to), step_seconds})}`;
  });
  return namesOf(fleet.data);
}
