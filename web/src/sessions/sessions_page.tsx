// All sessions, open and ended, with the filters an incident asks for.
import {useMemo, useState} from 'react';
import {Button} from 'react-aria-components';
import './sessions.css';
import {Chip} from '../control/chip';
import {CheckBox} from '../control/check_box';
import {Choice} from '../control/choice';
import {Icon} from '../control/icon';
import {Segmented} from '../control/segmented';
import {Empty, Failed, Loading, NothingReceived} from '../control/states';
import {TextInput} from '../control/text_input';
import {AttributeFilter} from '../control/attribute_filter';
import {useNames} from '../fleet/names';
import {useSeen} from '../live/use_stale';
import {useQueryState} from '../route/location';
import {useStatus} from '../api/status';
import {Table} from '../table/table';
import {count, plural} from '../text/units';
import {time} from '../time/format';
import {useRange} from '../time/range';
import {liveColumns, pastColumns, sessionHref, sessionTone, whereText} from './columns';
import {
  durationTrouble,
  EXACT,
  exactText,
  filtersOn,
  isLive,
  LIVE_SORTS,
  PAST_SORTS,
  readFilter,
  type SessionFilter,
} from './filter';
import {useLiveRows, useStoredRows, type Rows} from './sources';
import {REASON_ORDER, reasonLabel} from './words';

export function SessionsPage() {
  const [query, change] = useQueryState();
  const text = query.toString();
  const filter = useMemo(() => readFilter(new URLSearchParams(text)), [text]);
  const range = useRange();
  const fromStream = isLive(filter, range);
  const fixed = range.range.last === null;
  const streamed = useLiveRows(fromStream ? filter : null);
  const stored = useStoredRows(fromStream ? null : filter, range);
  const rows = fromStream ? streamed : stored;
  const {now, stale} = useSeen(range.live);
  const past = filter.state !== 'open' || fixed;
  const columns = useMemo(() => (past ? pastColumns(now) : liveColumns(now)), [past, now]);
  const sortable = useMemo(() => {
    const sorts: readonly string[] = fromStream ? LIVE_SORTS : PAST_SORTS;
    return columns.map((one) => ({...one, sortable: sorts.includes(one.key)}));
  }, [columns, fromStream]);
  const on = filtersOn(filter);
  const [open, setOpen] = useState(on > filter.exact.length);
  const status = useStatus().data;

  const sort = {key: filter.sort || (fromStream && filter.trouble ? 'misses' : 'opened'), order: filter.order};
  const nothingAtAll =
    status !== undefined &&
    status.store.sessions === 0 &&
    status.proxies.length === 0 &&
    rows.total === 0 &&
    !rows.waiting &&
    on === 0 &&
    !filter.text;

  return (
    <>
      <Head filter={filter} fixed={fixed} fromStream={fromStream} on={on} open={open} onOpen={setOpen} />
      <ExactFilters exact={filter.exact} />
      {open && <Filters />}
      {nothingAtAll ? (
        <NothingReceived />
      ) : (
        <div className="card">
          {rows.error ? (
            <Failed error={rows.error} retry={rows.retry} />
          ) : (
            <Table
              label="Sessions"
              columns={sortable}
              rows={rows.at}
              total={rows.total}
              rowKey={(row) => row.id}
              href={sessionHref}
              onRange={rows.onRange}
              sort={sort}
              onSort={(next) => change({sort: next.key, order: next.order === 'asc' ? 'asc' : null})}
              tone={(row) => sessionTone(row, now)}
              second={whereText}
              empty={
                rows.waiting ? (
                  <Loading label="Looking" />
                ) : (
                  <NoSession filtered={on > 0 || filter.text !== ''} past={past} />
                )
              }
            />
          )}
          <Foot rows={rows} filter={filter} fixed={fixed} fromStream={fromStream} stale={stale} />
        </div>
      )}
    </>
  );
}

/** What a filter has in the address. */
const CLEARED = {
  route: null,
  instance: null,
  dialect: null,
  client: null,
  text: null,
  trouble: null,
  abnormal: null,
  end_reason: null,
  close_code: null,
  min: null,
  max: null,
  when: null,
  attribute: null,
  ...Object.fromEntries(EXACT.map((key) => [key, null])),
};

function Head({
  filter,
  fixed,
  fromStream,
  on,
  open,
  onOpen,
}: {
  filter: SessionFilter;
  fixed: boolean;
  fromStream: boolean;
  on: number;
  open: boolean;
  onOpen: (open: boolean) => void;
}) {
  const [, change] = useQueryState();
  return (
    <div className="page-head">
      <h1>Sessions</h1>
      <Segmented
        label="Which sessions"
        value={filter.state}
        onChange={(state) => change({state: state === 'open' ? null : state, sort: null, order: null})}
        options={[
          {key: 'open', label: fixed ? 'Open at the end' : 'Open'},
          {key: 'ended', label: 'Ended'},
          {key: 'any', label: 'Both'},
        ]}
      />
      <TextInput
        className="grow session-search"
        search
        hideLabel
        label="Search sessions"
        placeholder="Client, target, id, close reason …"
        value={filter.text}
        onChange={(next) => change({text: next}, {replace: true})}
      />
      {fromStream && (
        <CheckBox
          label="In trouble"
          value={filter.trouble}
          onChange={(next) => change({trouble: next ? 'true' : null})}
        />
      )}
      {filter.state !== 'open' && (
        <CheckBox
          label="Abnormal ends"
          value={filter.abnormal}
          onChange={(next) => change({abnormal: next ? 'true' : null})}
        />
      )}
      <Button className="button" aria-expanded={open} onPress={() => onOpen(!open)}>
        <Icon name="filter" />
        Filters{on > 0 && <span className="badge">{on}</span>}
      </Button>
    </div>
  );
}

function ExactFilters({exact}: {exact: SessionFilter['exact']}) {
  const [, change] = useQueryState();
  if (exact.length === 0) return null;
  return (
    <div className="filters exact-filters">
      {exact.map(([key, value]) => (
        <Chip
          key={key + value}
          text={exactText(key, value)}
          onRemove={() =>
            change({[key]: exact.filter((one) => one[0] === key && one[1] !== value).map((one) => one[1])})
          }
        />
      ))}
    </div>
  );
}

function NoSession({filtered, past}: {filtered: boolean; past: boolean}) {
  const [, change] = useQueryState();
  return (
    <Empty
      title={
        filtered ? 'No session fits these filters' : past ? 'No session ended in this time range' : 'No session is open'
      }
    >
      {filtered ? (
        <Button className="button" onPress={() => change(CLEARED)}>
          Clear the filters
        </Button>
      ) : past ? (
        <p>Choose a longer time range above.</p>
      ) : (
        <p>They appear here as soon as a client connects through a proxy.</p>
      )}
    </Empty>
  );
}

function Foot({
  rows,
  filter,
  fixed,
  fromStream,
  stale,
}: {
  rows: Rows;
  filter: SessionFilter;
  fixed: boolean;
  fromStream: boolean;
  stale: number | null;
}) {
  return (
    <div className="table-foot num" role="status">
      <span>
        {fromStream
          ? `${count(rows.total)} of ${count(rows.of)} open sessions`
          : rows.of !== null
            ? `${count(rows.total)} of ${plural(rows.of, 'session')}`
            : `${count(rows.total)}${rows.more ? '+' : ''} ${rows.total === 1 ? 'session' : 'sessions'}`}
      </span>
      {!rows.complete && (
        <span className="warn">The search was cut short by its time limit; scrolling goes on with it.</span>
      )}
      {fromStream && stale !== null && (
        <span className="warn">As of {time(stale)}, when the console was last heard from.</span>
      )}
      {filter.state === 'open' && !fromStream && (
        <span>{fixed ? 'As they were at the end of the time range.' : 'Not live.'}</span>
      )}
      {filter.when === 'opened' && <span>Those that opened in the time range.</span>}
    </div>
  );
}

function Filters() {
  const [query, change] = useQueryState();
  const text = query.toString();
  const filter = useMemo(() => readFilter(new URLSearchParams(text)), [text]);
  const {range, key} = useRange();
  const {routes, proxies} = useNames(range, key);
  const past = filter.state !== 'open';
  return (
    <div className="filters" role="search" aria-label="Filters">
      <Choice label="Route" value={filter.route} options={routes} onChange={(route) => change({route})} />
      <Choice label="Proxy" value={filter.instance} options={proxies} onChange={(instance) => change({instance})} />
      <TextInput
        label="Dialect"
        value={filter.dialect}
        onChange={(dialect) => change({dialect}, {replace: true})}
        placeholder="any"
        list={DIALECTS}
      />
      <TextInput
        label="Client"
        value={filter.client}
        onChange={(client) => change({client}, {replace: true})}
        placeholder="address"
      />
      {past && (
        <Choice
          label="End"
          value={filter.end_reason}
          options={REASON_ORDER.map((one) => ({key: one, label: reasonLabel(one)}))}
          onChange={(end_reason) => change({end_reason})}
        />
      )}
      {past && (
        <TextInput
          className="narrow"
          label="Close code"
          value={filter.close_code}
          onChange={(close_code) => change({close_code}, {replace: true})}
          placeholder="1006"
          check={(one) => (/^\d{0,4}$/.test(one) ? '' : 'Four digits')}
        />
      )}
      <TextInput
        className="narrow"
        label="Longer than"
        value={filter.min}
        onChange={(min) => change({min}, {replace: true})}
        placeholder="30s"
        check={durationTrouble}
      />
      <TextInput
        className="narrow"
        label="Shorter than"
        value={filter.max}
        onChange={(max) => change({max}, {replace: true})}
        placeholder="1h"
        check={durationTrouble}
      />
      <AttributeFilter
        label="Span attribute"
        values={filter.attributes}
        onChange={(attribute) => change({attribute})}
      />
    </div>
  );
}

const DIALECTS = [
  'none',
  'openai-realtime',
  'gemini-live',
  'twilio-media-streams',
  'json-rpc',
  'graphql-transport-ws',
  'socket.io',
  'signalr',
  'stomp',
  'mqtt',
  'ocpp',
  'phoenix',
];
