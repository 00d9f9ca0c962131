// All that is known of one span. Everything is text; long values are cut with a way to see the rest.
import {useState} from 'react';
import {Button} from 'react-aria-components';
import type {Attribute, Json, Span, Trace} from '../api/types';
import {Icon} from '../control/icon';
import {Link} from '../route/link';
import {count, duration, percent, plural, shortId} from '../text/units';
import {flagsText} from './flags';
import {preciseTime, utc} from '../time/format';
import type {Stretch} from './critical_path';
import type {Layout, Row} from './layout';
import {nanoseconds} from './nanoseconds';
import {outcomeOf, outcomeTone} from './outcome';
import {streaming, type Streaming} from './streaming';
import {chunkWords} from './waterfall_row';

export function SpanDetails({
  row,
  trace,
  layout,
  color,
  stretches,
  onClose,
  onGo,
}: {
  row: Row;
  trace: Trace;
  layout: Layout;
  color: string;
  stretches: Stretch[] | undefined;
  /** null: the details stay open. */
  onClose: (() => void) | null;
  onGo: (row: number) => void;
}) {
  const span = row.span!;
  const logs = trace.logs.filter((one) => one.span_id === span.span_id);
  const its = streaming(span);
  const own = stretches?.reduce((sum, one) => sum + one.to - one.from, 0) ?? 0;
  const dropped = [
    ['attributes', span.dropped.attributes],
    ['events', span.dropped.events],
    ['links', span.dropped.links],
  ].filter(([, many]) => many);
  return (
    <aside
      className="card details"
      aria-label={`Span ${span.name}`}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose?.();
      }}
    >
      <header>
        <i className="swatch box" style={{color: `var(${color})`}} />
        <h2 className="break grow">{span.name || '(no name)'}</h2>
        {onClose && (
          <Button className="button quiet small icon" aria-label="Close the details" onPress={onClose}>
            <Icon name="close" size={12} />
          </Button>
        )}
      </header>
      <div className="details-body">
        {span.status === 'error' && (
          <p className="details-error break">
            <span className="strong">Error.</span> {span.status_message && <Value value={span.status_message} />}
          </p>
        )}
        {row.note && <p className="details-note">{NOTES[row.note]}</p>}
        {its && <Stream its={its} />}
        <Facts row={row} span={span} layout={layout} own={own} onGo={onGo} />
        <Attributes title="Attributes" list={span.attributes} />
        {span.events.length > 0 && <Events events={span.events} />}
        {logs.length > 0 && <Logs logs={logs} start={row.start} />}
        {span.links.length > 0 && <Links links={span.links} />}
        <Attributes title="Scope attributes" list={span.scope.attributes} />
        <Attributes title="Resource" list={span.resource} />
        {dropped.length > 0 && (
          <p className="faint">
            Dropped before it came here: {dropped.map(([what, many]) => `${String(many)} ${String(what)}`).join(', ')}.
          </p>
        )}
      </div>
    </aside>
  );
}

function Stream({its}: {its: Streaming}) {
  return (
    <div className="details-stream">
      <div>
        <span className="faint">First chunk</span>
        <strong className="num">{duration(its.first)}</strong>
        <span className="faint num">{percent(its.first, its.last)} of it</span>
      </div>
      <div>
        <span className="faint">Last chunk</span>
        <strong className="num">{duration(its.last)}</strong>
        <span className="faint num">{its.count !== null ? `${count(its.count)} chunks` : ''}</span>
      </div>
      <div>
        <span className="faint">Longest pause</span>
        <strong className="num">{duration(its.longestGap)}</strong>
        <span className="faint">{its.gap ? `after ${duration(its.gap[0])}` : ''}</span>
      </div>
      <p className="faint">{chunkWords(its)}.</p>
    </div>
  );
}

function Facts({
  row,
  span,
  layout,
  own,
  onGo,
}: {
  row: Row;
  span: Span;
  layout: Layout;
  own: number; // ms on the critical path
  onGo: (row: number) => void;
}) {
  const outcome = outcomeOf(span);
  return (
    <dl className="facts">
      <dt>Service</dt>
      <dd>{span.service || '–'}</dd>
      <dt>Kind</dt>
      <dd>{span.kind}</dd>
      {outcome !== null && (
        <>
          <dt>Outcome</dt>
          <dd className={outcomeTone(outcome)}>{outcome}</dd>
        </>
      )}
      <dt>Span status</dt>
      <dd className={span.status === 'error' ? 'bad' : ''}>{span.status}</dd>
      <dt>Began</dt>
      <dd className="num" title={utc(span.start_ms)}>
        {preciseTime(span.start_ms)}{' '}
        {row.note !== 'off clock' && <span className="faint">+{duration((row.start - layout.from) / 1000)}</span>}
      </dd>
      <dt>Duration</dt>
      <dd className="num">
        {duration(nanoseconds(span.duration_ns) / 1e9)}
        {own > 0 && <span className="faint"> · {duration(own / 1000)} of it on the critical path</span>}
      </dd>
      {span.session && (
        <>
          <dt>Session</dt>
          <dd>
            <Link className="mono" href={`/sessions/${encodeURIComponent(span.session)}`}>
              {shortId(span.session)}
            </Link>
          </dd>
        </>
      )}
      <Origin span={span} layout={layout} onGo={onGo} />
    </dl>
  );
}

/** Which span it is, and whose. */
function Origin({span, layout, onGo}: {span: Span; layout: Layout; onGo: (row: number) => void}) {
  return (
    <>
      <dt>Span</dt>
      <dd className="mono">{span.span_id}</dd>
      {span.parent_id && (
        <>
          <dt>Parent</dt>
          <dd className="mono">
            {layout.byId.has(span.parent_id) ? (
              <button type="button" className="link" onClick={() => onGo(layout.byId.get(span.parent_id)!)}>
                {span.parent_id}
              </button>
            ) : (
              <>
                {span.parent_id} <span className="faint">not here</span>
              </>
            )}
          </dd>
        </>
      )}
      {span.scope.name && (
        <>
          <dt>Scope</dt>
          <dd>
            {span.scope.name} <span className="faint">{span.scope.version}</span>
          </dd>
        </>
      )}
      {span.scope.schema_url && (
        <>
          <dt>Scope schema</dt>
          <dd className="break">{span.scope.schema_url}</dd>
        </>
      )}
      {span.resource_schema_url && (
        <>
          <dt>Resource schema</dt>
          <dd className="break">{span.resource_schema_url}</dd>
        </>
      )}
      {span.trace_state && (
        <>
          <dt>Trace state</dt>
          <dd className="mono break">{span.trace_state}</dd>
        </>
      )}
      {span.flags !== 0 && (
        <>
          <dt>Flags</dt>
          <dd>{flagsText(span.flags)}</dd>
        </>
      )}
    </>
  );
}

function Events({events}: {events: Span['events']}) {
  return (
    <section>
      <h3>
        Events <span className="faint num">{count(events.length)}</span>
      </h3>
      <ul className="details-events">
        {events.slice(0, 200).map((event, i) => (
          <li key={i}>
            <span className="num faint">+{duration(nanoseconds(event.offset_ns) / 1e9)}</span>{' '}
            <span className="break strong">{event.name || '(no name)'}</span>
            {event.attributes.length > 0 && <Values list={event.attributes} />}
            <Dropped many={event.dropped_attributes} />
          </li>
        ))}
        {events.length > 200 && <li className="faint">and {count(events.length - 200)} more</li>}
      </ul>
    </section>
  );
}

function Logs({logs, start}: {logs: Trace['logs']; start: number}) {
  return (
    <section>
      <h3>
        Logs <span className="faint num">{count(logs.length)}</span>
      </h3>
      <ul className="details-events">
        {logs.slice(0, 200).map((log, i) => (
          <li key={i}>
            <span className="num faint" title={utc(log.time_ms)}>
              +{duration((log.time_ms - start) / 1000)}
            </span>{' '}
            <span className={log.severity >= 17 ? 'bad strong' : log.severity >= 13 ? 'warn strong' : 'soft'}>
              {log.severity_text || 'log'}
            </span>{' '}
            <Value value={log.body} />
            {log.attributes.length > 0 && <Values list={log.attributes} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Links({links}: {links: Span['links']}) {
  return (
    <section>
      <h3>Links</h3>
      <ul className="details-events">
        {links.map((link, i) => (
          <li key={i}>
            <Link
              className="mono break"
              href={`/traces/${encodeURIComponent(link.trace_id)}?span=${encodeURIComponent(link.span_id)}`}
            >
              {link.trace_id}
            </Link>
            {link.trace_state && <span className="mono faint break"> {link.trace_state}</span>}
            {link.attributes.length > 0 && <Values list={link.attributes} />}
            <Dropped many={link.dropped_attributes} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const NOTES: Record<string, string> = {
  cycle: 'Its parents form a cycle; it was cut open here.',
  'off clock': 'Its clock is more than a day from the rest of the trace, so it is left out of the time axis.',
  backwards: 'It ends before it starts: the clock was set back meanwhile, or its sender is wrong.',
};

function Attributes({title, list}: {title: string; list: readonly Attribute[]}) {
  if (list.length === 0) return null;
  return (
    <section>
      <h3>
        {title} <span className="faint num">{count(list.length)}</span>
      </h3>
      <Values list={list} />
    </section>
  );
}

function Values({list}: {list: readonly Attribute[]}) {
  return (
    <dl className="values">
      {list.map((one, i) => (
        <div key={i}>
          <dt className="break">{one.key}</dt>
          <dd>
            <Value value={one.value} />
            {one.type && <span className="badge">{TYPES[one.type]}</span>}
            {one.truncated && <span className="badge warn">cut</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const TYPES = {int: 'integer', double: 'number', bytes: 'bytes, base64'};

function Dropped({many}: {many: number | undefined}) {
  return many ? <p className="faint">{plural(many, 'attribute')} dropped before it came here.</p> : null;
}

const LONG = 400;

function Value({value}: {value: Json}) {
  const [all, setAll] = useState(false);
  const text =
    typeof value === 'string'
      ? value
      : value !== null && typeof value === 'object'
        ? JSON.stringify(value, null, 1)
        : String(value);
  if (text.length <= LONG)
    return <span className="attribute-value break">{text === '' ? <span className="faint">(empty)</span> : text}</span>;
  return (
    <span className="attribute-value break">
      {all ? text.slice(0, 100_000) : text.slice(0, LONG)}{' '}
      <button type="button" className="link" onClick={() => setAll(!all)}>
        {all ? 'less' : `… all ${count(text.length)} characters`}
      </button>
    </span>
  );
}
