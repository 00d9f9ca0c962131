import type {Proxy} from '../api/types';
import {Button} from 'react-aria-components';
import {Card} from '../control/card';
import {count} from '../text/units';
import {Stamp} from '../time/stamp';

export function Proxies({
  proxies,
  chosen,
  onChoose,
}: {
  proxies: readonly Proxy[];
  chosen: string;
  onChoose: (instance: string) => void;
}) {
  const ordered = [...proxies].sort(
    (a, b) =>
      Number(a.connected) - Number(b.connected) || a.service.localeCompare(b.service) || a.host.localeCompare(b.host),
  );
  const connected = ordered.filter((one) => one.connected).length;
  return (
    <div id="proxies" className="fleet-proxies">
      <Card
        title="Proxies"
        tools={
          <span className="faint num">
            {connected} connected, {ordered.length - connected} lost
          </span>
        }
      >
        {ordered.length === 0 ? (
          <p className="body soft">
            None reports here. Start one with <code>--console {window.location.origin}</code> to see its sessions live.
          </p>
        ) : (
          <ul className="proxy-list">
            {ordered.map((one) => (
              <li key={one.instance} className={one.connected ? '' : 'lost'}>
                <span className={`dot ${one.connected ? 'good' : 'bad'}`} />
                <span className="strong clip" title={one.instance}>
                  {one.service} <span className="faint">{one.host}</span>
                </span>
                <span className={one.connected ? 'soft' : 'bad'}>
                  {one.connected ? 'connected' : 'lost'} since <Stamp ms={one.since_ms} />
                </span>
                <span className="num soft">{count(one.sessions)} sessions</span>
                <span className="faint num">{one.version}</span>
                <Button
                  className="button small quiet"
                  onPress={() => onChoose(one.instance === chosen ? '' : one.instance)}
                >
                  {one.instance === chosen ? 'Show all' : 'Show only'}
                  <span className="unseen">
                    {' '}
                    {one.service} on {one.host}
                  </span>
                </Button>
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}
