// Calls, spans, traces and groups: four looks at what the filters leave of the time range. Calls come first, because a
// connection that lives for hours is one trace and would bury what went on inside it.
import {useMemo} from 'react';
import {Button} from 'react-aria-components';
import './traces.css';
import {parameters, useAsk} from '../api/fetch';
import {AttributeFilter} from '../control/attribute_filter';
import {Chip} from '../control/chip';
import {Choice} from '../control/choice';
import {Segmented} from '../control/segmented';
import {NothingReceived} from '../control/states';
import {TextInput} from '../control/text_input';
import {useQueryState} from '../route/location';
import {durationTrouble} from '../sessions/filter';
import {useStatus} from '../api/status';
import {shortId} from '../text/units';
import {CallsList} from './calls_list';
import {GroupsView} from './groups_view';
import {askedOutcome, OUTCOMES, withOutcome} from './outcome';
import {
  boundsText,
  CLEARED,
  filtersOn,
  MEASURE_NAMES,
  MEASURES,
  readTraceFilter,
  SILENT,
  type Silent,
  type TraceFilter,
  type View,
} from './search_filter';
import {TracesList} from './traces_list';

const VIEWS: {key: View; label: string}[] = [
  {key: 'calls', label: 'Calls'},
  {key: 'traces', label: 'Traces'},
  {key: 'spans', label: 'Spans'},
  {key: 'groups', label: 'Groups'},
];

export function TracesPage() {
  const [query, change] = useQueryState();
  const text = query.toString();
  const filter = useMemo(() => readTraceFilter(new URLSearchParams(text)), [text]);
  const status = useStatus().data;
  const nothingAtAll = status?.store.spans === 0 && !filtersOn(filter);
  return (
    <>
      <div className="page-head">
        <h1>Traces</h1>
        <Segmented
          label="What to list"
          value={filter.view}
          options={VIEWS}
          onChange={(view) => change({view: view === 'calls' ? null : view, sort: null, order: null})}
        />
      </div>
      {nothingAtAll ? (
        <NothingReceived />
      ) : (
        <>
          <Filters filter={filter} />
          {filter.view === 'traces' ? (
            <TracesList filter={filter} />
          ) : filter.view === 'groups' ? (
            <GroupsView filter={filter} />
          ) : (
            <CallsList filter={filter} />
          )}
        </>
      )}
    </>
  );
}

function Filters({filter}: {filter: TraceFilter}) {
  const [, change] = useQueryState();
  const services = useAsk<{services: string[]}>(['services'], () => '/services', {refreshMs: 60_000});
  const operations = useAsk<{operations: string[]}>(
    ['operations', filter.service, filter.name],
    () => `/operations${parameters({service: filter.service, search: filter.name, limit: 200})}`,
  );
  const cell = boundsText(filter);
  return (
    <div className="filters" role="search" aria-label="Filters">
      <Choice
        label="Service"
        value={filter.service}
        options={(services.data?.services ?? []).map((one) => ({key: one, label: one}))}
        onChange={(service) => change({service, operation: null})}
      />
      <TextInput
        label="Operation"
        value={filter.name}
        list={operations.data?.operations ?? []}
        placeholder="part of its name"
        onChange={(name) => change({name})}
      />
      {!filter.anySpan && (
        <Choice
          label="Outcome"
          value={askedOutcome(filter.attributes)}
          options={OUTCOMES.map((one) => ({key: one, label: one}))}
          onChange={(next) => change({attribute: withOutcome(filter.attributes, next)})}
        />
      )}
      <Choice
        label="Span status"
        value={filter.status}
        options={[
          {key: 'error', label: 'error'},
          {key: 'ok', label: 'ok'},
          {key: 'unset', label: 'unset'},
        ]}
        onChange={(next) => change({status: next})}
      />
      <Choice
        label="Measure"
        value={filter.measure}
        any={null}
        options={MEASURES.map((key) => ({key, label: MEASURE_NAMES[key]}))}
        onChange={(next) => change({measure: next === 'duration' ? null : next, low: null, high: null})}
      />
      {cell === '' && <Durations filter={filter} />}
      <AttributeFilter
        label="Attribute"
        values={filter.anySpan ? filter.attributes : withOutcome(filter.attributes, '')}
        onChange={(next) =>
          change({attribute: filter.anySpan ? next : withOutcome(next, askedOutcome(filter.attributes))})
        }
      />
      {cell !== '' && <Chip text={cell} onRemove={() => change({low: null, high: null})} />}
      {SILENT.filter((key) => filter[key] !== '').map((key) => (
        <Chip key={key} text={chipText(key, filter[key])} onRemove={() => change({[key]: null})} />
      ))}
      {filtersOn(filter) && (
        <Button className="button quiet" onPress={() => change(CLEARED)}>
          Clear
        </Button>
      )}
    </div>
  );
}

function Durations({filter}: {filter: TraceFilter}) {
  const [, change] = useQueryState();
  return (
    <>
      <TextInput
        className="narrow"
        label="At least"
        value={filter.min}
        placeholder="300ms"
        check={durationTrouble}
        onChange={(min) => change({min})}
      />
      <TextInput
        className="narrow"
        label="Below"
        value={filter.max}
        placeholder="5s"
        check={durationTrouble}
        onChange={(max) => change({max})}
      />
    </>
  );
}

function chipText(key: Silent, value: string): string {
  if (key === 'session') return `session ${shortId(value)}`;
  return key === 'without' ? `without ${value.replace(/^attribute:/, '')}` : `${key} ${value}`;
}
