// The frame around every page: navigation, time range, connection, theme.
import {useEffect, useRef, type ReactNode} from 'react';
import {Button} from 'react-aria-components';
import {useStatus} from '../api/status';
import type {Status} from '../api/types';
import {Icon} from '../control/icon';
import {useHeard, useLiveState} from '../live/socket';
import {Link} from '../route/link';
import {address, sharedQuery, useLocation} from '../route/location';
import {SearchBox} from '../search/search_box';
import {useStale} from '../live/use_stale';
import {setClock, useNow} from '../time/clock';
import {RangePicker} from '../time/range_picker';
import {Banner} from './banner';
import {useGlobalKeys, useHelp} from './keys';
import {Login} from './login';
import {setTheme, useTheme, type Theme} from './theme';
import {plural} from '../text/units';

const PAGES = [
  ['/', 'Fleet'],
  ['/sessions', 'Sessions'],
  ['/traces', 'Traces'],
  ['/operations', 'Operations'],
  ['/incidents', 'Incidents'],
  ['/happened', 'What happened'],
] as const;

export function Shell({title, children}: {title: string; children: ReactNode}) {
  const {path, query} = useLocation();
  const status = useStatus().data;
  const [showHelp, help] = useHelp();
  const main = useRef<HTMLElement>(null);
  useGlobalKeys(showHelp);
  useEffect(() => {
    if (status) setClock(status.now_ms);
  }, [status]);
  useEffect(() => {
    document.title = title ? `${title} · Sockeye` : 'Sockeye';
  }, [title]);
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: a link to a place of this page, which must not enter the address. */}
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header className="top">
        <Link className="brand" href={address('/', sharedQuery(query))} aria-label="Sockeye: Fleet">
          <img src="/icon.svg" alt="" />
          Sockeye
        </Link>
        <nav className="nav" aria-label="Pages">
          {PAGES.map(([to, name]) => (
            <Link
              key={to}
              href={address(to, sharedQuery(query))}
              {...((to === '/' ? path === '/' : path.startsWith(to)) ? {'aria-current': 'page' as const} : {})}
            >
              {name}
            </Link>
          ))}
        </nav>
        <SearchBox />
        <div className="tools">
          <Proxies status={status} />
          <RangePicker />
          <ThemeButton />
          <Button className="button quiet icon" aria-label="Keys" onPress={showHelp}>
            <Icon name="help" size={16} />
          </Button>
        </div>
      </header>
      <Banner status={status} />
      <main id="main" tabIndex={-1} ref={main}>
        {children}
      </main>
      {help}
      <Login />
    </>
  );
}

function Proxies({status}: {status: Status | undefined}) {
  // The stream tells within a second, where a page listens to it; the status is asked for now and then.
  const proxies = useHeard('fleet')?.proxies ?? status?.proxies,
    silent = useStale(useNow()) !== null,
    lostSight = useLiveState() === 'lost' || silent;
  if (!proxies) return <span className="proxies" />;
  const lost = proxies.filter((one) => one.state === 'unheard' || one.state === 'lost').length,
    connected = proxies.filter((one) => one.state === 'connected').length;
  const text = lostSight
    ? 'proxies not known'
    : proxies.length === 0
      ? 'no proxy'
      : lost
        ? lost + connected === 1
          ? 'proxy not heard from'
          : `${lost} of ${lost + connected} proxies not heard from`
        : plural(connected, 'proxy', 'proxies');
  return (
    <Link
      className={`proxies${lost && !lostSight ? ' bad' : ''}`}
      href="/#proxies"
      title={proxies.map((one) => `${one.service} ${one.instance} on ${one.host}: ${one.state}`).join('\n')}
    >
      <span className={`dot ${lostSight ? 'warn' : lost ? 'bad' : connected ? 'good' : ''}`} />
      <span className="wide">{text}</span>
      <span className="unseen">{text}</span>
    </Link>
  );
}

function ThemeButton() {
  const theme = useTheme();
  const next: Record<Theme, Theme> = {auto: 'dark', dark: 'light', light: 'auto'};
  const names: Record<Theme, string> = {auto: 'as the system', dark: 'dark', light: 'light'};
  return (
    <Button
      className="button quiet icon"
      aria-label={`Theme: ${names[theme]}. Change to ${names[next[theme]]}`}
      onPress={() => setTheme(next[theme])}
    >
      <Icon name={theme === 'auto' ? 'auto' : theme === 'dark' ? 'moon' : 'sun'} size={16} />
    </Button>
  );
}
