// The time range and Live, in the top bar: the same for every page and kept when going from one to another.
import {useState} from 'react';
import {Button, Dialog, DialogTrigger, Popover, ToggleButton} from 'react-aria-components';
import {Icon} from '../control/icon';
import {useLiveState} from '../live/socket';
import {useStale} from '../live/use_stale';
import {useNow} from './clock';
import {bounds, CHOICES, useRange} from './range';
import {time, utc} from './format';

function local(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}

export function RangePicker() {
  const {range, live, setLast, setFixed, setLive} = useRange();
  const silent = useStale(useNow(live)) !== null,
    lost = useLiveState() === 'lost' || silent;
  const choice = CHOICES.find((one) => one.seconds === range.last);
  const label = choice ? choice.label : `${time(range.from)} – ${time(range.to)}`;
  return (
    <div className="row range-picker">
      <DialogTrigger>
        <Button className="button" aria-label={`Time range: ${label}`}>
          <Icon name="clock" />
          <span className="num" title={choice ? undefined : `${utc(range.from)} – ${utc(range.to)}`}>
            {label}
          </span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Dialog className="range-dialog" aria-label="Time range">
            {({close}) => (
              <>
                <div className="range-choices">
                  {CHOICES.map((one) => (
                    <Button
                      key={one.key}
                      className={`button quiet${one.seconds === range.last ? ' chosen' : ''}`}
                      onPress={() => {
                        setLast(one.key);
                        close();
                      }}
                    >
                      {one.label}
                    </Button>
                  ))}
                </div>
                <Custom
                  initial={bounds(range)}
                  onChoose={(from, to) => {
                    setFixed(from, to);
                    close();
                  }}
                />
              </>
            )}
          </Dialog>
        </Popover>
      </DialogTrigger>
      <ToggleButton className="button live-button" isSelected={live} onChange={setLive} aria-label="Live">
        <span className={`dot ${!live ? '' : lost ? 'warn' : 'good pulse'}`} />
        <span className="wide">Live</span>
      </ToggleButton>
    </div>
  );
}

function Custom({
  initial,
  onChoose,
}: {
  initial: {from: number; to: number};
  onChoose: (from: number, to: number) => void;
}) {
  const [from, setFrom] = useState(local(initial.from));
  const [to, setTo] = useState(local(initial.to));
  const a = Date.parse(from),
    b = Date.parse(to);
  const good = Number.isFinite(a) && Number.isFinite(b) && b > a;
  return (
    <form
      className="range-custom"
      onSubmit={(event) => {
        event.preventDefault();
        if (good) onChoose(a, b);
      }}
    >
      <label className="field">
        <span className="label">From ({zone()})</span>
        <input
          className="input"
          type="datetime-local"
          step="1"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </label>
      <label className="field">
        <span className="label">To</span>
        <input
          className="input"
          type="datetime-local"
          step="1"
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
      </label>
      <Button className="button primary" type="submit" isDisabled={!good}>
        Show this range
      </Button>
    </form>
  );
}
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'local';
