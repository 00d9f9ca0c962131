// One session: first how it stands or why it ended, then what preceded that, then everything else.
import {useMemo, useState, type ReactNode} from 'react';
import './session.css';
import {ApiError, parameters, useAsk} from '../api/fetch';
import type {RecordedMessage, Session, SessionDetail, SessionPoints, SpanPage} from '../api/types';
import {Card} from '../control/card';
import {Empty, Failed, Loading} from '../control/states';
import {useLive} from '../live/socket';
import {useSeen} from '../live/use_stale';
import {Link} from '../route/link';
import {address, sharedQuery, useQueryState} from '../route/location';
import {shortId} from '../text/units';
import {time} from '../time/format';
import {SessionCalls} from './session_calls';
import {SessionCharts} from './session_charts';
import {SessionFacts} from './session_facts';
import {SessionMessages} from './session_messages';
import {SessionTraces} from './session_traces';
import {Timeline} from './timeline';
import {silentText} from './silence';
import {messageName, messageNamed, timelineModel, type TimelineModel, type View} from './timeline_model';
import {endKind, explainEnd, reasonLabel} from './words';

const REFRESH = 10_000; // of what the stream does not carry: traces, ended calls

export function SessionPage({id}: {id: string}) {
  const [query, change] = useQueryState();
  const its = useSession(id);
  const {detail, session, model, current, ended, recorder, spans, points, connection, now, stale} = its;
  if (!session || !model) {
    return <NotThere id={id} error={detail.error} retry={() => void detail.refetch()} />;
  }

  const end = verdict(session, recorder, now, stale);
  const from = Number(query.get('a') ?? NaN),
    to = Number(query.get('b') ?? NaN);
  const view: View | null = Number.isFinite(from) && Number.isFinite(to) && to > from ? {from, to} : null;
  const onView = (next: View | null) => change({a: next?.from.toFixed(1), b: next?.to.toFixed(1)}, {replace: true});
  const index = messageNamed(model.messages, query.get('message'));
  const onChoose = (next: number | null) =>
    change({message: next === null ? null : messageName(model.messages, next)}, {replace: true});

  return (
    <div className="stack session">
      <Head session={session} level={end.level} stale={stale} />
      <section className={`card verdict level-${end.level}`} aria-label="Its end and why">
        <div className="verdict-words">
          <p className="verdict-headline">{end.headline}</p>
          <ul className="verdict-before">
            {model.fell && <li className="fell-silent">{silentText(model.fell)}</li>}
            {end.before.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </div>
        <SessionFacts session={session} connection={connection} spans={spans.data?.spans ?? NONE} now={now} />
      </section>
      <Messages recorded={recorder.length} model={model} waiting={detail.isPending}>
        <Timeline model={model} view={view} chosen={index} onView={onView} onChoose={onChoose} />
      </Messages>
      <SessionCharts
        points={points.data?.points ?? []}
        session={session}
        model={model}
        waiting={points.isPending}
        onView={(a, b) => onView({from: a, to: b})}
      />
      <SessionCalls
        session={session}
        calls={ended ? [] : (current?.calls ?? detail.data?.calls ?? [])}
        invocations={detail.data?.invocations ?? []}
        now={now}
        waiting={detail.isPending}
      />
      <div className="session-two">
        <SessionTraces traces={detail.data?.traces ?? []} session={session} waiting={detail.isPending} />
        <SessionMessages
          model={model}
          chosen={index}
          onChoose={(next) => {
            onChoose(next);
            const at = model.messages[next]!.time_ms;
            onView({from: at - 2000, to: at + 2000});
          }}
        />
      </div>
    </div>
  );
}
const NONE: never[] = [];

/** The session as the stream has it, else as it is stored, and what else is known of it. */
function useSession(id: string) {
  const [open, setOpen] = useState(true);
  const detail = useAsk<SessionDetail>(['session', id], () => `/sessions/${encodeURIComponent(id)}`, {
    refreshMs: open ? REFRESH : false,
  });
  const streamed = useLive('session', open ? id : null);
  const current = streamed?.session.id === id ? streamed : undefined;
  const session = current?.session ?? detail.data?.session;
  const ended = session?.state === 'ended';
  if (ended && open && detail.data?.session.state === 'ended') setOpen(false);
  const {now, stale} = useSeen(!ended);
  const recorder = current?.recorder.length ? current.recorder : (detail.data?.recorder ?? NONE);
  const points = useAsk<SessionPoints>(['points', id], () => `/sessions/${encodeURIComponent(id)}/points`, {
    refreshMs: open ? REFRESH : false,
  });
  // Spans of single messages are off by default; one page of the session's spans tells whether there are any.
  const spans = useAsk<SpanPage>(
    ['message-spans', id],
    () => `/sessions/${encodeURIComponent(id)}/spans${parameters({limit: 5000})}`,
  );
  const connection = detail.data?.connection ?? null;
  const until = ended ? 0 : now; // an ended session has its own end
  const model = useMemo(
    () => session && timelineModel(session, recorder, spans.data?.spans ?? [], until, connection),
    [session, recorder, spans.data, until, connection],
  );

  return {detail, session, model, current, ended, recorder, spans, points, connection, now, stale};
}

function NotThere({id, error, retry}: {id: string; error: Error | null; retry: () => void}) {
  if (error) {
    return error instanceof ApiError && error.status === 404 ? (
      <Empty page title="No such session">
        <p>
          The console has not kept a session with the id <code className="break">{id}</code>. The retention limits may
          have removed it.
        </p>
        <p>
          <Link href="/sessions">All sessions</Link>
        </p>
      </Empty>
    ) : (
      <Failed error={error} retry={retry} />
    );
  }
  return <Loading label="Looking for the session" />;
}

function verdict(session: Session, recorder: readonly RecordedMessage[], now: number, stale: number | null) {
  const said = explainEnd(session, recorder, now);
  return stale === null
    ? said
    : {
        ...said,
        level: said.level === 'good' ? ('warn' as const) : said.level,
        headline: `As of ${time(stale)}, when the console was last heard from: ${said.headline}`,
      };
}

function Head({session, level, stale}: {session: Session; level: 'good' | 'warn' | 'bad'; stale: number | null}) {
  const [query] = useQueryState();
  const ended = session.state === 'ended';
  return (
    <div>
      <nav className="crumbs" aria-label="Where">
        <Link href={address('/sessions', sharedQuery(query))}>Sessions</Link>
        <span>/</span>
        <span className="mono clip">{session.id}</span>
      </nav>
      <div className="page-head">
        <h1>
          Session <span className="mono">{shortId(session.id)}</span>
        </h1>
        <span className={`badge ${level === 'good' ? (ended ? '' : 'live') : level}`}>
          <span className={`dot ${level} ${!ended && session.live && stale === null ? 'pulse' : ''}`} />
          {ended
            ? reasonLabel(endKind(session))
            : session.state === 'closing'
              ? 'Closing'
              : stale !== null
                ? `Open at ${time(stale)}`
                : session.last_heard
                  ? `Open when last heard from, ${time(session.heard_ms)}`
                  : level === 'good'
                    ? 'Open, live'
                    : 'Open, in trouble'}
        </span>
        <span className="about clip">
          <bdi>{session.route}</bdi> · <bdi>{session.client}</bdi> → <bdi>{session.target}</bdi>
        </span>
      </div>
    </div>
  );
}

function Messages({
  recorded,
  model,
  waiting,
  children,
}: {
  recorded: number;
  model: TimelineModel;
  waiting: boolean;
  children: ReactNode;
}) {
  return (
    <Card
      title="Messages, client and server"
      tools={<span className="faint">{source(recorded, model.messages.length, waiting)}</span>}
    >
      {model.messages.length ? (
        children
      ) : (
        <Empty title={waiting ? 'Loading the flight recorder …' : 'No messages were kept for this session'}>
          {!waiting && (
            <p>
              The flight recorder keeps the last message headers of sessions that ended badly or are open; spans of
              single messages can be switched on at the proxy.
            </p>
          )}
        </Empty>
      )}
    </Card>
  );
}

function source(recorded: number, all: number, waiting: boolean): string {
  if (waiting && all === 0) return '';
  return all > recorded ? 'flight recorder and message spans' : 'from the flight recorder';
}
