import type {Proxy} from '../api/types';
import {Button} from 'react-aria-components';
import {Card} from '../control/card';
import {plural} from '../text/units';
import {time} from '../time/format';
import {Stamp} from '../time/stamp';

const STATES: Record<Proxy['state'], {order: number; dot: string; word: string; tone: string; means: string}> = {
  lost: {order: 0, dot: 'bad', word: 'lost, last heard from', tone: 'bad', means: 'Gone without a word; given up.'},
  unheard: {
    order: 1,
    dot: 'bad',
    word: 'not heard from since',
    tone: 'bad',
    means: 'It may come back; its sessions are shown as they were last heard of.',
  },
  connected: {order: 2, dot: 'good', word: 'connected since', tone: 'soft', means: 'It reports each second.'},
  drained: {order: 3, dot: '', word: 'drained, stopped at', tone: 'soft', means: 'It was told to stop and said so.'},
};

/** "2 connected, 1 not heard from, 1 drained" */
export function proxyCounts(proxies: readonly Proxy[]): string {
  const many = (state: Proxy['state']) => proxies.filter((one) => one.state === state).length;
  return [
    [many('connected'), 'connected'],
    [many('unheard'), 'not heard from'],
    [many('lost'), 'lost'],
    [many('drained'), 'drained'],
  ]
    .filter(([number], at) => at === 0 || number !== 0)
    .map(([number, word]) => `${number} ${word}`)
    .join(', ');
}

export function Proxies({
  proxies,
  stale,
  chosen,
  onChoose,
}: {
  proxies: readonly Proxy[];
  /** When the console was last heard from, if that is a while ago. */
  stale: number | null;
  chosen: string;
  onChoose: (instance: string) => void;
}) {
  const ordered = [...proxies].sort(
    (a, b) =>
      STATES[a.state].order - STATES[b.state].order ||
      a.service.localeCompare(b.service) ||
      a.host.localeCompare(b.host),
  );
  return (
    <div id="proxies" className="fleet-proxies">
      <Card
        title={stale === null ? 'Proxies now' : `Proxies at ${time(stale)}`}
        tools={
          <span className={`num ${stale === null ? 'faint' : 'warn'}`}>
            {stale === null ? proxyCounts(ordered) : `${proxyCounts(ordered)} then; how they are now is not known`}
          </span>
        }
      >
        {ordered.length === 0 ? (
          <p className="body soft">
            None reports here. Start one with <code>--console {window.location.origin}</code> to see its sessions live.
          </p>
        ) : (
          <ul className="proxy-list">
            {ordered.map((one) => {
              const state = STATES[one.state];
              return (
                <li key={one.instance} className={one.state === 'connected' ? '' : 'lost'}>
                  <span className={`dot ${stale === null ? state.dot : state.dot && 'warn'}`} />
                  <span className="strong clip" title={one.instance}>
                    {one.service} <span className="faint">{one.host}</span>
                  </span>
                  <span className={stale === null ? state.tone : 'soft'} title={state.means}>
                    {stale !== null && one.state === 'connected' ? 'was connected since' : state.word}{' '}
                    <Stamp ms={one.state === 'lost' || one.state === 'unheard' ? one.heard_ms : one.since_ms} />
                  </span>
                  <span className="num soft">
                    {plural(one.sessions, 'session')}
                    {one.state === 'unheard' || (stale !== null && one.state === 'connected') ? ' then' : ''}
                  </span>
                  <span className="faint num">{one.version}</span>
                  <Button
                    className="button small quiet"
                    onPress={() => onChoose(one.instance === chosen ? '' : one.instance)}
                  >
                    {one.instance === chosen ? 'Show all' : 'Show only this'}
                    <span className="unseen">
                      {' '}
                      {one.service} on {one.host}
                    </span>
                  </Button>
                </li>
              );
            })}
          </ul>
        )}
      </Card>
    </div>
  );
}
