import {useMemo} from 'react';
import './trace.css';
import {ApiError, parameters, useAsk} from '../api/fetch';
import type {Trace, TracePage as Found} from '../api/types';
import {Empty, Failed, Loading} from '../control/states';
import {Link} from '../route/link';
import {address, sharedQuery, useQueryState} from '../route/location';
import {count, duration, plural, shortId} from '../text/units';
import {Stamp} from '../time/stamp';
import {layoutTrace, type Layout} from './layout';
import {serviceColors} from './service_color';
import {Waterfall} from './waterfall';

export function TracePage({id}: {id: string}) {
  const [query] = useQueryState();
  const answer = useAsk<Trace>(['trace', id], () => `/traces/${encodeURIComponent(id)}?limit=50000`);
  const trace = answer.data;
  const layout = useMemo(() => trace && layoutTrace(trace.spans), [trace]);
  if (!trace || !layout) {
    if (!answer.error) return <Loading label="Loading the trace" />;
    if (answer.error instanceof ApiError && answer.error.status === 404)
      return (
        <Empty page title="No such trace">
          <p>
            Nothing is stored under <code className="break">{id}</code>. It may not have been sampled, not have arrived
            yet, or be past the retention limits.
          </p>
          <p>
            <Link href="/traces">Search traces</Link>
          </p>
        </Empty>
      );
    return <Failed error={answer.error} retry={() => void answer.refetch()} />;
  }
  const root =
    layout.rows.find((row) => row.span && row.parent === -1)?.span ?? layout.rows.find((row) => row.span)?.span;
  if (!root) return <Empty page title="The trace has no spans" />;
  const errors = layout.rows.reduce((sum, row) => sum + (row.span?.status === 'error' ? 1 : 0), 0);
  const session = trace.spans.find((one) => one.session !== null)?.session ?? null;
  const length = duration((layout.to - layout.from) / 1000);
  return (
    <div className="trace">
      <nav className="crumbs" aria-label="Where">
        <Link href={address('/traces', sharedQuery(query))}>Traces</Link>
        <span>/</span>
        <span className="mono clip">{trace.trace_id}</span>
      </nav>
      <div className="page-head">
        <h1 className="break">
          <span className="soft">{root.service}</span> {root.name || '(no name)'}
        </h1>
        <span className="about num">
          <Stamp ms={layout.from} /> · <span className="strong">{length}</span> ·{' '}
          {plural(trace.spans.length - layout.copies, 'span')}
          {errors > 0 && (
            <>
              {' '}
              · <span className="bad strong">{plural(errors, 'error')}</span>
            </>
          )}
        </span>
      </div>
      <Notes layout={layout} truncated={trace.truncated} spans={trace.spans.length} />
      {session && <Neighbours session={session} trace={trace.trace_id} at={layout.from} />}
      <Services trace={trace} />
      <Waterfall trace={trace} layout={layout} />
    </div>
  );
}

function Services({trace}: {trace: Trace}) {
  const services = useMemo(() => {
    const colors = serviceColors(trace.spans.map((one) => one.service)),
      many = new Map<string, number>();
    for (const span of trace.spans) many.set(span.service, (many.get(span.service) ?? 0) + 1);
    return [...colors].slice(0, 12).map(([name, color]) => ({name, color, spans: many.get(name) ?? 0}));
  }, [trace]);
  return (
    <ul className="services" aria-label="Services">
      {services.map((one) => (
        <li key={one.name}>
          <i className="swatch box" style={{color: `var(${one.color})`}} />
          <span className="clip">{one.name || '(no service)'}</span>
          <span className="faint num">{count(one.spans)}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is odd about the trace as a whole. */
function Notes({layout, truncated, spans}: {layout: Layout; truncated: boolean; spans: number}) {
  const notes: string[] = [];
  if (truncated) notes.push(`Only the first ${count(spans)} spans are shown; there are more.`);
  if (layout.missing)
    notes.push(
      `${plural(layout.missing, 'parent')} never arrived: not sampled, not exported yet, ` +
        'or of a service that sends its spans elsewhere.',
    );
  if (layout.cycles) notes.push(`${plural(layout.cycles, 'cycle')} of parents cut open.`);
  if (layout.offClock)
    notes.push(`${plural(layout.offClock, 'span')} from a clock more than a day off, left out of the time axis.`);
  if (layout.copies)
    notes.push(
      `${plural(layout.copies, 'span')} came more than once and ${layout.copies === 1 ? 'is' : 'are'} shown once.`,
    );
  if (notes.length === 0) return null;
  return (
    <ul className="trace-notes">
      {notes.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );
}

/** The session the trace is of, and its traces before and after this one. */
function Neighbours({session, trace, at}: {session: string; trace: string; at: number}) {
  const found = useAsk<Found>(
    ['neighbours', session, trace],
    () =>
      '/traces' +
      parameters({session, from_ms: Math.round(at - 43_200_000), to_ms: Math.round(at + 43_200_000), limit: 100}),
  );
  const list = [...(found.data?.traces ?? [])].sort((a, b) => a.start_ms - b.start_ms),
    here = list.findIndex((one) => one.trace_id === trace);
  const others = list.filter((one) => one.trace_id !== trace).length;
  const before = here > 0 ? list[here - 1] : undefined,
    after = here >= 0 ? list[here + 1] : undefined;
  return (
    <div className="neighbours">
      <span>
        Session{' '}
        <Link className="mono" href={`/sessions/${encodeURIComponent(session)}`}>
          {shortId(session)}
        </Link>
      </span>
      {before && (
        <Link href={`/traces/${before.trace_id}`} title={before.root_operation}>
          ‹ earlier trace
        </Link>
      )}
      {after && (
        <Link href={`/traces/${after.trace_id}`} title={after.root_operation}>
          later trace ›
        </Link>
      )}
      <Link
        href={address('/traces', {
          view: 'traces',
          session,
          from: Math.round(at - 43_200_000),
          to: Math.round(at + 43_200_000),
        })}
      >
        {found.data
          ? others
            ? `all ${count(others + 1)}${found.data.cursor ? '+' : ''} traces of the session`
            : 'its only trace'
          : 'traces of the session'}
      </Link>
    </div>
  );
}
