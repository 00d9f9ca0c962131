// "Needs attention": the dead and the dying, one click away, before any chart.
import {parameters, useAsk} from '../api/fetch';
import type {LiveMessage, Session, SessionPage} from '../api/types';
import {Icon} from '../control/icon';
import {useLive} from '../live/socket';
import {Link} from '../route/link';
import {address, sharedQuery, useQueryState} from '../route/location';
import {explainEnd, isAbnormal, reasonLabel, silence, troubles} from '../sessions/words';
import {count, duration, shortId} from '../text/units';
import {now as clock, useNow} from '../time/clock';
import {Stamp} from '../time/stamp';

const SHOWN = 5;

export function Attention({
  route,
  instance,
  current,
}: {
  route: string;
  instance: string;
  current: Extract<LiveMessage, {type: 'fleet'}> | undefined;
}) {
  const now = useNow();
  const [query] = useQueryState();
  const trouble = useLive('sessions', {
    trouble: true,
    sort: 'misses',
    order: 'desc',
    limit: SHOWN,
    ...(route ? {route} : {}),
    ...(instance ? {instance} : {}),
  });
  const dying = trouble?.sessions ?? [];
  // The stream tells the latest ends at once but only twenty of any kind; the store fills in the bad ones of the last
  // hour.
  const stored = useAsk<SessionPage>(
    ['attention', route, instance],
    () => {
      const to_ms = Math.round(clock());
      const latest = {state: 'ended', abnormal: true, sort: 'ended', limit: SHOWN};
      return `/sessions${parameters({...latest, from_ms: to_ms - 3_600_000, to_ms, route, instance})}`;
    },
    {refreshMs: 10_000},
  );
  const known = new Map((stored.data?.sessions ?? []).map((one) => [one.id, one]));
  for (const one of current?.ended ?? [])
    if ((!route || one.route === route) && (!instance || one.instance === instance)) known.set(one.id, one);
  const dead = [...known.values()].filter(isAbnormal).sort((a, b) => (b.ended_ms ?? 0) - (a.ended_ms ?? 0));
  const looked = current !== undefined || stored.data !== undefined;
  const calm = trouble !== undefined && dying.length === 0 && dead.length === 0;
  return (
    <section className="card attention" aria-label="Needs attention">
      <div className="attention-half">
        <header>
          <h2>Needs attention now</h2>
          {trouble && trouble.matched > 0 && <span className="badge bad num">{count(trouble.matched)}</span>}
          {(trouble?.matched ?? 0) > SHOWN && (
            <Link
              className="all"
              href={address('/sessions', {...sharedQuery(query), route, instance, trouble: 'true'})}
            >
              all {count(trouble!.matched)}
            </Link>
          )}
        </header>
        <ul>
          {dying.slice(0, SHOWN).map((one) => {
            const wrong = troubles(one, now);
            const worst = wrong[0];
            return (
              <Item
                key={one.id}
                session={one}
                level={worst?.level ?? 'warn'}
                title={worst?.text ?? ''}
                what={worst?.short ?? 'a call is stuck'}
                when={silenceText(one, now)}
              />
            );
          })}
          {dying.length === 0 && (
            <li className="none faint">
              {trouble ? (
                <>
                  <Icon name="check" />{' '}
                  {calm ? `Nothing: all ${count(trouble.total)} sessions answer.` : 'No open session is in trouble.'}
                </>
              ) : (
                ' '
              )}
            </li>
          )}
        </ul>
      </div>
      <div className="attention-half">
        <header>
          <h2>Ended badly of late</h2>
          <Link className="all" href={address('/incidents', sharedQuery(query))}>
            incidents
          </Link>
        </header>
        <ul>
          {dead.slice(0, SHOWN).map((one) => (
            <Item
              key={one.id}
              session={one}
              level="bad"
              title={explainEnd(one, [], now).headline}
              what={
                (reasonLabel(one.end_reason) || 'abnormal') +
                (one.close_code !== null ? ` ${one.close_code}` : '') +
                (one.initiator && one.initiator !== 'network' ? ` · by ${one.initiator}` : '')
              }
              when={one.ended_ms !== null ? <Stamp ms={one.ended_ms} /> : null}
            />
          ))}
          {dead.length === 0 && (
            <li className="none faint">
              {looked ? (
                <>
                  <Icon name="check" /> No abnormal end in the last hour.
                </>
              ) : (
                ' '
              )}
            </li>
          )}
        </ul>
      </div>
    </section>
  );
}

/** How long the leg in trouble has said nothing. */
function silenceText(session: Session, now: number): string {
  const leg = (session.misses_now?.[1] ?? 0) > (session.misses_now?.[0] ?? 0) ? 1 : 0;
  const silent = silence(session, leg, now);
  return silent !== null && silent >= 2 ? `silent ${duration(Math.round(silent))}` : '';
}

function Item({
  session,
  level,
  what,
  when,
  title,
}: {
  session: Session;
  level: 'bad' | 'warn';
  what: string;
  when: React.ReactNode;
  title: string;
}) {
  return (
    <li>
      <Link href={`/sessions/${encodeURIComponent(session.id)}`} title={title}>
        <span className={`dot ${level}`} />
        <span className="mono who">{shortId(session.id)}</span>
        <span className={`what clip ${level}`}>{what}</span>
        <span className="clip where soft">
          {session.route}
          {session.client ? ` · ${session.client}` : ''}
        </span>
        <span className="when num soft">{when}</span>
      </Link>
    </li>
  );
}
