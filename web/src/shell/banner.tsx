// Says when what is shown may be old: the live stream is lost, or the store is in trouble.
import {useEffect, useState} from 'react';
import {Button} from 'react-aria-components';
import type {Status} from '../api/types';
import {live, useLiveState} from '../live/socket';
import {useStale} from '../live/use_stale';
import {useNow} from '../time/clock';
import {time} from '../time/format';

const PATIENCE = 1500; // a reconnect that quick needs no words

export function Banner({status}: {status: Status | undefined}) {
  const state = useLiveState();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (state !== 'lost') {
      if (state === 'open' || state === 'idle') setShown(false);
      return;
    }
    const timer = setTimeout(() => setShown(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [state]);
  const stale = useStale(useNow());
  if (stale !== null && !shown)
    return (
      <div className="banner" role="status">
        <span>
          <span className="strong">The console has been silent since {time(stale)}.</span> What you see is of then.
        </span>
        <Button className="button small" onPress={() => live.reconnect()}>
          Try now
        </Button>
      </div>
    );
  if (shown) {
    const wait = Math.max(0, Math.ceil((live.retryAt() - Date.now()) / 1000));
    return (
      <div className="banner" role="status">
        <span>
          <span className="strong">No live connection.</span>{' '}
          {stale === null ? 'What you see may be old' : `What you see is of ${time(stale)}`}; trying again
          {wait > 0 ? ` in ${wait} s` : ' now'}.
        </span>
        <Button className="button small" onPress={() => live.reconnect()}>
          Try now
        </Button>
      </div>
    );
  }
  if (status?.store.trouble)
    return (
      <div className="banner bad" role="status">
        <span>
          <span className="strong">The store has trouble:</span> {status.store.trouble}
        </span>
      </div>
    );
  return null;
}
