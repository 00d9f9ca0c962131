// "Needs attention": the dead and the dying, one click away, before any chart. It says that nothing is wrong only when
// nothing could say otherwise.
import type {ReactNode} from 'react';
import {Button} from 'react-aria-components';
import {parameters, useAsk} from '../api/fetch';
import type {LiveMessage, Session, SessionPage} from '../api/types';
import type {Certainty} from '../live/certainty';
import {Doubts, Verdict} from '../live/doubts';
import {useLive} from '../live/socket';
import {useCertainty} from '../live/use_certainty';
import {useSeen} from '../live/use_stale';
import {Link} from '../route/link';
import {address, sharedQuery, useQueryState} from '../route/location';
import {endText, explainEnd, silence, troubles} from '../sessions/words';
import {count, duration, plural, shortId} from '../text/units';
import {useNow} from '../time/clock';
import {time} from '../time/format';
import {bounds, useRange, type Range} from '../time/range';
import {Stamp} from '../time/stamp';

const SHOWN = 5,
  EVERY = 10_000;

export function Attention({
  route,
  instance,
  current,
}: {
  route: string;
  instance: string;
  current: FleetNow | undefined;
}) {
  const {range, key, live, setLive} = useRange();
  const clock = useNow(live),
    {now, stale} = useSeen(live);
  const [query] = useQueryState();
  const trouble = useLive(
    'sessions',
    live
      ? {
          trouble: true,
          sort: 'misses',
          order: 'desc',
          limit: SHOWN,
          ...(route ? {route} : {}),
          ...(instance ? {instance} : {}),
        }
      : null,
  );
  const dying = trouble?.sessions ?? [];
  const {stored, dead} = useDead(range, key, live, route, instance, current);
  const sure = useCertainty(clock, [{what: 'the sessions that ended', answer: stored, every_ms: EVERY}]);
  const past = live ? sure : {waiting: stored.isPending, doubts: stored.error ? [stored.error.message] : []};
  const wider = address('/sessions', {...sharedQuery(query), route, instance, trouble: 'true'});
  return (
    <section className="card attention" aria-label="Needs attention">
      <div className="attention-half">
        <header>
          <h2>{stale === null ? 'Needs attention now' : `Needed attention at ${time(stale)}`}</h2>
          {trouble && trouble.matched > 0 && <span className="badge bad num">{count(trouble.matched)}</span>}
          {(trouble?.matched ?? 0) > SHOWN && (
            <Link className="all" href={wider}>
              all {count(trouble!.matched)}
            </Link>
          )}
        </header>
        {live ? (
          <>
            <Dying sessions={dying.slice(0, SHOWN)} now={now} />
            {dying.length > 0 ? (
              <Doubts certainty={sure} />
            ) : (
              <Verdict
                certainty={trouble ? sure : {...sure, waiting: sure.doubts.length === 0}}
                clear={
                  dead.length === 0
                    ? `All clear: nothing is wrong with the ${plural(trouble?.total ?? 0, 'open session')}.`
                    : 'No open session is in trouble.'
                }
                known="No open session is known to be in trouble."
              />
            )}
          </>
        ) : (
          <p className="verdict-line faint">
            The time range does not move, so what happens now is not shown.{' '}
            <Button className="button small" onPress={() => setLive(true)}>
              Go live
            </Button>
          </p>
        )}
      </div>
      <Dead dead={dead} past={past} now={now} all={address('/incidents', {...sharedQuery(query), route, instance})} />
    </section>
  );
}

type FleetNow = Extract<LiveMessage, {type: 'fleet'}>;

/** The latest abnormal ends, the last one first. */
function useDead(
  range: Range,
  key: string,
  live: boolean,
  route: string,
  instance: string,
  current: FleetNow | undefined,
) {
  // The stream has the latest ends at once but only twenty of any kind; the store has all of the range.
  const stored = useAsk<SessionPage>(
    ['attention', key, route, instance],
    () => {
      const {from, to} = bounds(range);
      const span = {ended_from_ms: Math.round(from), ended_to_ms: Math.round(to)};
      const latest = {state: 'ended', abnormal: true, sort: 'ended', limit: SHOWN};
      const open = {from_ms: span.ended_from_ms, to_ms: span.ended_to_ms};
      return `/sessions${parameters({...latest, ...open, ...span, route, instance})}`;
    },
    {refreshMs: live && EVERY},
  );
  const known = new Map((stored.data?.sessions ?? []).map((one) => [one.id, one]));
  const earliest = bounds(range).from;
  for (const one of live ? (current?.ended ?? []) : [])
    if (
      one.abnormal &&
      (one.ended_ms ?? 0) >= earliest &&
      (!route || one.route === route) &&
      (!instance || one.instance === instance)
    )
      known.set(one.id, one);
  const dead = [...known.values()].sort((a, b) => (b.ended_ms ?? 0) - (a.ended_ms ?? 0));
  return {stored, dead};
}

function Dying({sessions, now}: {sessions: readonly Session[]; now: number}) {
  return (
    <ul>
      {sessions.map((one) => {
        const worst = troubles(one, now)[0];
        return (
          <Item
            key={one.id}
            session={one}
            level={worst?.level ?? 'warn'}
            title={worst?.text ?? ''}
            what={worst?.short ?? 'held up'}
            when={silenceText(one, now)}
          />
        );
      })}
    </ul>
  );
}

function Dead({dead, past, now, all}: {dead: readonly Session[]; past: Certainty; now: number; all: string}) {
  return (
    <div className="attention-half">
      <header>
        <h2>Ended abnormally</h2>
        <span className="faint">in this time range</span>
        <Link className="all" href={all}>
          all incidents
        </Link>
      </header>
      <ul>
        {dead.slice(0, SHOWN).map((one) => (
          <Item
            key={one.id}
            session={one}
            level="bad"
            title={explainEnd(one, [], now).headline}
            what={endText(one)}
            when={<Stamp ms={one.ended_ms} />}
          />
        ))}
      </ul>
      {dead.length === 0 && (
        <Verdict
          certainty={past}
          clear="No session ended abnormally in this time range."
          known="No abnormal end is known of this time range."
        />
      )}
    </div>
  );
}

/** How long the leg in trouble has said nothing. */
function silenceText(session: Session, now: number): string {
  const leg = (session.misses_now?.[1] ?? 0) > (session.misses_now?.[0] ?? 0) ? 1 : 0;
  const silent = silence(session, leg, now);
  return silent !== null && silent >= 2 ? `silent for ${duration(Math.round(silent))}` : '';
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
  when: ReactNode;
  title: string;
}) {
  return (
    <li>
      <Link href={`/sessions/${encodeURIComponent(session.id)}`} title={title}>
        <span className={`dot ${level}`} />
        <span className="mono who">{shortId(session.id)}</span>
        <span className={`what clip ${level}`}>{what}</span>
        <span className="when num soft">{when}</span>
        <span className="clip where soft" title={`${session.route} · ${session.client} · ${session.target}`}>
          <bdi>{session.route}</bdi>
          {session.client && (
            <>
              {' · '}
              <bdi>{session.client}</bdi>
            </>
          )}
          {session.target && (
            <>
              {' · '}
              <bdi>{session.target}</bdi>
            </>
          )}
        </span>
      </Link>
    </li>
  );
}
