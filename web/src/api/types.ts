// The console's query API, /api/v1, as the page sees it; docs/formats/openapi.yaml is the same for everybody else.
// Times are Unix milliseconds with a fraction (`_ms`), durations seconds (`_seconds`), `null` what is not known. Of the
// two directions or legs, 0 is the client's, 1 the server's (upstream's).
//
// Counts beyond 2^53 - 1 come as text; `counted` makes numbers of them before anybody here sees them.
//
// Errors: any status ≥ 400 with {"error": {"code": "bad_request" | "unauthorized" | "forbidden" | "not_found" |
// "too_large" | "busy" | "deadline" | "internal", "message": "..."}}; 401 asks for a token (POST /api/v1/login).

export type Pair = [number, number];
export type MaybePair = [number | null, number | null];

// GET /api/v1/status
export interface Status {
  version: string;
  now_ms: number;
  started_ms: number;
  open: boolean; // true: no token is asked for
  store: {
    backend: string;
    spans: number;
    logs: number;
    sessions: number;
    bytes: number;
    oldest_ms: number | null;
    queued_bytes: number;
    written_spans: number;
    duplicate_spans: number;
    refused_batches: number;
    expired_spans: number;
    trouble: string; // '' = well
  };
  retention: {age_seconds: number | null; bytes: number | null};
  receivers: {http: string | null; grpc: string | null}; // addresses
  proxies: Proxy[];
  overload: {
    // shed since the console started
    live: {
      held_bytes: number;
      sessions_not_kept: number;
      ends_not_kept: number;
      routes_not_kept: number;
      reports_refused: number;
      reports_delayed: number;
    };
    ports: {page: PortCounts; http: PortCounts; grpc: PortCounts};
  };
}

export interface PortCounts {
  turned_away: number;
  made_room: number;
  misbehaved: number;
  slow: number;
}

export interface Proxy {
  instance: string;
  service: string;
  host: string;
  version: string;
  connected: boolean; // state is "connected"
  state: 'connected' | 'unheard' | 'drained' | 'lost'; // unheard: it may come back; drained: it said that it stops
  since_ms: number; // in this state
  heard_ms: number; // its last report
  started_ms: number;
  sessions: number; // open ones, as it said last
}

// GET /api/v1/fleet?from_ms&to_ms[&step_seconds][&route][&instance]
// One point a step and (instance, route); a step is at least 10 s. Also `routes` and `instances` seen in the range.
export interface Fleet {
  step_seconds: number;
  routes: string[];
  instances: {instance: string; service: string; host: string}[];
  points: FleetPoint[];
  coverage: Gap[]; // by their beginning
}
/** A time of which figures are missing: the console was away, or did not hear a proxy that was running. */
export interface Gap {
  from_ms: number;
  to_ms: number;
  what: 'before' | 'console' | 'proxy'; // before the console's first start, or longer ago than it keeps; at most one
  instance: string | null; // of a proxy
  missing_seconds: number;
}
export interface FleetPoint {
  time_ms: number;
  instance: string;
  route: string;
  active: number | null; // what is measured is null where nothing was reported, as all that is so marked
  opened: number; // in the step, as all that follow up to `misses`
  ended: number;
  reconnects: number;
  refused: number;
  messages: Pair;
  bytes: Pair;
  misses: number;
  missing_pongs: number | null;
  buffered_sessions: number | null;
  buffered_bytes: number | null;
  invocations_open: number | null;
  rtt_p50_seconds: MaybePair;
  rtt_p99_seconds: MaybePair;
  active_min: number | null; // peaks within the step, where the figures above are means over it
  active_max: number | null;
  missing_pongs_max: number | null;
  buffered_bytes_max: number | null;
  rtt_max_seconds: MaybePair; // highest rtt_p99_seconds
  covered_seconds: number; // of the step: how long figures were reported
}

// GET /api/v1/closes?from_ms&to_ms[&step_seconds][&route][&instance]
export interface Closes {
  step_seconds: number;
  closes: {
    time_ms: number;
    route: string;
    end_reason: string;
    initiator: string;
    code: number;
    count: number;
    abnormal: boolean;
    abnormal_why: string;
  }[];
}

// GET /api/v1/sessions?state=open|ended|any [&from_ms&to_ms] [&route&instance&dialect&client&end_reason&close_code]
//     [&text] [&abnormal=true] [&min_duration_seconds&max_duration_seconds] [&limit≤500] [&cursor]
//     [&sort=opened|ended|duration|messages|bytes|misses] [&order=desc|asc]
// `attribute=key:value` (repeatable) searches the attributes of the sessions' spans.
export interface SessionPage {
  sessions: Session[];
  total?: number | null; // that fit, where it was counted
  cursor: string; // '' = no more
  complete: boolean; // false: the search was cut short by its time limit; the cursor goes on
}

export type EndReason =
  | 'normal'
  | 'heartbeat_timeout'
  | 'stuck'
  | 'protocol_error'
  | 'reset'
  | 'limit'
  | 'drain'
  | 'idle'
  | 'lost'; // the proxy that reported it went away

export interface Session {
  id: string; // UUID
  instance: string;
  service: string;
  route: string;
  dialect: string; // 'none' when nothing was recognised
  client: string;
  target: string;
  host: string;
  subprotocol: string;
  trace_id: string; // '' when not sampled
  opened_ms: number;
  seen_ms: number;
  ended_ms: number | null;
  state: 'open' | 'closing' | 'ended';
  live: boolean; // reported by a connected proxy right now
  close_code: number | null;
  end_reason: EndReason | null;
  initiator: string | null; // client, server, proxy, network
  close_reason: string;
  abnormal: boolean; // as docs/signals.md, "Abnormal ends", defines; `abnormal=true` asks for these
  abnormal_why: string; // '' = not; else few words: "heartbeat timeout", "1011 server error", "proxy lost"
  heard_ms: number | null; // when a proxy spoke of it last; null once it ended
  last_heard: boolean; // open as far as is known: its proxy is away, and all of this is of `heard_ms`
  messages: Pair;
  bytes: Pair;
  misses: number;
  anomalies: number;
  reconnect_of: string | null;
  // Live sessions only, else null:
  messages_per_second: Pair | null;
  bytes_per_second: Pair | null;
  rtt_seconds: MaybePair | null;
  buffered_bytes: Pair | null;
  buffered_since_ms: number | null; // since when bytes have been waiting without a pause; null: none are
  misses_now: Pair | null; // in a row, by leg
  invocations_open: number | null;
  gap_bytes: Pair | null; // that a tap's capture of it is missing, by sender
  last_message_ms: MaybePair | null;
}

// GET /api/v1/sessions/ID
export interface SessionDetail {
  session: Session;
  recorder: RecordedMessage[]; // oldest first; [] when it was not kept
  calls: OpenCall[]; // open invocations of a live session
  traces: TraceSummary[]; // latest first, at most 50
  invocations: Span[]; // its latest spans that are calls (websocket.invocation.status is set), at most 200, by start
  connection: Span | null; // its websocket.connection span, once it ended
}
export interface RecordedMessage {
  time_ms: number;
  side: 0 | 1; // the sender: client, server
  type: 'text' | 'binary' | 'ping' | 'pong' | 'close' | 'continuation';
  length: number;
  compressed: boolean;
  injected: boolean; // Sockeye's own ping or Close
  answered: boolean; // a ping of Sockeye's own whose pong came (pongs to our pings are not recorded)
}
export interface OpenCall {
  number: number;
  operation: string;
  opened_by: 0 | 1;
  opened_ms: number;
  first_chunk_ms: number | null;
  last_chunk_ms: number | null;
  chunks: number;
  trace_id: string;
}

// GET /api/v1/sessions/ID/points[?from_ms&to_ms]
export interface SessionPoints {
  points: {
    time_ms: number;
    rtt_seconds: MaybePair;
    buffered_bytes: Pair;
    messages_per_second: Pair;
    bytes_per_second: Pair;
  }[];
}

// GET /api/v1/sessions/ID/spans[?from_ms&to_ms&limit≤5000&cursor]   latest first
export interface SpanPage {
  spans: Span[];
  cursor: string;
  complete: boolean;
}

// GET /api/v1/traces?[service&operation&status=error|ok|unset&kind&min_duration_seconds&max_duration_seconds]
//     [&attribute=key:value (repeatable)] [&session=ID] [&from_ms&to_ms] [&limit≤200] [&cursor]
export interface TracePage {
  traces: TraceSummary[];
  cursor: string;
  complete: boolean;
}
export interface TraceSummary {
  trace_id: string;
  root_service: string;
  root_operation: string;
  root_missing: boolean;
  start_ms: number;
  duration_seconds: number;
  spans: number;
  errors: number;
  matched: number; // spans that match the search
  sorted_seconds: number | null; // what it was sorted by, of its foremost such span; null: by the start
  services: {service: string; spans: number}[];
  session: string | null;
}

// GET /api/v1/traces/ID[?limit≤50000]
export interface Trace {
  trace_id: string;
  spans: Span[]; // by start
  logs: Log[]; // by time
  truncated: boolean; // there are more spans than `limit`
}
export type Json = null | boolean | number | string | Json[] | {[key: string]: Json};
export interface Span {
  trace_id: string;
  span_id: string;
  parent_id: string; // '' = root
  name: string;
  service: string;
  kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  status: 'unset' | 'ok' | 'error';
  status_message: string;
  start_ms: number;
  start_unix_ns: string; // exact
  flags: number; // W3C trace flags in the lowest eight bits; above them OTLP's own
  trace_state: string;
  duration_ns: number; // beyond 2^53 - 1 a text, as every integer: it is only ever divided, which reads both
  session: string | null;
  attributes: Attribute[];
  // offset: since span start
  events: {name: string; time_ms: number; offset_ns: number; attributes: Attribute[]; dropped_attributes?: number}[];
  links: {
    trace_id: string;
    span_id: string;
    trace_state: string;
    flags: number;
    attributes: Attribute[];
    dropped_attributes?: number;
  }[];
  resource: Attribute[];
  resource_schema_url: string;
  scope: Scope;
  dropped: {attributes: number; events: number; links: number};
}
export interface Scope {
  name: string;
  version: string;
  attributes: Attribute[];
  schema_url: string;
}
export interface Attribute {
  key: string;
  value: Json; // at every depth: integers beyond 2^53 - 1, NaN and infinities as text, bytes as base64
  type?: 'int' | 'double' | 'bytes'; // of a value that is text without being a string
  truncated?: true;
}
export interface Log {
  time_ms: number;
  time_unix_ns: string; // exact
  span_id: string;
  flags: number;
  event_name: string;
  severity: number;
  severity_text: string;
  body: Json;
  body_type?: Attribute['type'];
  body_truncated?: true;
  service: string;
  attributes: Attribute[];
  dropped_attributes: number;
  resource: Attribute[];
  resource_schema_url: string;
  scope: Scope;
}

// GET /api/v1/services  →  {"services": string[]}
// GET /api/v1/operations[?service=NAME][&search=PART][&limit≤10000][&cursor]
export interface Operations {
  operations: string[]; // the names of this page, each once
  entries: {service: string; operation: string; kinds: Span['kind'][]}[]; // by service and name
  cursor: string;
  complete: boolean;
}

// GET /api/v1/latency?from_ms&to_ms[&service][&operation][&search][&step_seconds][&sort&order][&limit≤1000][&cursor]
// Without a step one row an operation, in the order asked for over all of them; with one (a multiple of 60) a row each
// step. `sort` is count, errors, error_rate, cancelled, operation, service, or {duration,first_chunk,last_chunk}_{p50,
// p95,p99,max}. `histogram` is there with histogram=duration|first_chunk|last_chunk: [low, high, count] of the buckets
// that are not empty, values from low seconds to below high: /spans with measure, min_seconds, max_seconds and the
// row's from_ms and to_ms has exactly those spans.
export interface Latency {
  step_seconds: number;
  rows: LatencyRow[];
  total: number; // operations that fit, of all pages
  totals: {count: number; errors: number; cancelled: number}; // of all operations that fit
  cursor: string;
  complete: boolean;
}
export interface Percentiles {
  count: number;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  min_seconds: number | null; // exact, as the largest is
  max_seconds: number | null;
  relative_error: number; // of the percentiles
}
export interface LatencyRow {
  time_ms: number; // beginning of the step
  from_ms: number; // of what it counts: the step's part within the range
  to_ms: number; // exclusive
  partial: boolean; // not all of the step is in the range, or over yet
  service: string;
  operation: string;
  count: number;
  errors: number;
  cancelled: number;
  duration: Percentiles;
  first_chunk: Percentiles; // of calls only; count 0 when the operation streams nothing
  last_chunk: Percentiles;
  histogram?: [number, number, number][];
}

// GET /api/v1/spans: spans in any order. Conditions as of /traces, which has these, too: [&operation_contains]
// [&calls=true]
//     [&route&target&client&dialect&instance] [&without=route|target|client|dialect|instance|attribute:KEY]
//     [&measure=duration|first_chunk|last_chunk|longest_pause|perceived [&min_seconds&max_seconds (exclusive)]]
//     [&sort=start|duration|first_chunk|last_chunk|longest_pause|perceived|chunks] [&order=desc|asc]
// Sorted by a figure, spans of which it is not known are left out. limit ≤ 200.
export interface CallPage {
  spans: CallSpan[];
  total: number | null; // of all pages; null where it was not counted
  cursor: string;
  complete: boolean; // false with a cursor of '': the best of what could be looked at; a shorter range finds the rest
}
export interface CallSpan extends Span {
  figures: Figures;
  route: string; // '' = none
  target: string;
}
export interface Figures {
  first_chunk_seconds: number | null;
  last_chunk_seconds: number | null;
  longest_pause_seconds: number | null;
  perceived_seconds: number | null;
  chunks: number | null;
  call_status: string | null; // null: it is no call
}

// GET /api/v1/groups?by=service|operation|route|target|client|dialect|status|kind|attribute:KEY
//     &figure=duration|first_chunk|last_chunk|longest_pause|perceived|chunks|attribute:KEY
//     [&sort=count|errors|p50|p95|p99|max] [&order] [&limit≤200] [&cursor], conditions as of /spans
export interface Groups {
  groups: Group[];
  total_groups: number; // of all pages
  counted: number; // spans, of all groups
  cursor: string;
  complete: boolean;
}
export interface Group {
  value: string | null; // null: of those that have none
  count: number;
  errors: number;
  measured: number; // of which the figure is known
  p50: number | null; // seconds; of chunks and attributes the number itself
  p95: number | null;
  p99: number | null;
  max: number | null;
  query: Record<string, string> | null; // further conditions of /spans that have exactly these; add, do not replace
}

// GET /api/v1/search?q=…[&limit≤50]: ids or their ends, traceparents, addresses, networks, parts of names.
export interface Found {
  query: string;
  groups: FoundGroup[]; // those without an item are left out
  complete: boolean;
}
export interface FoundGroup {
  kind: 'session' | 'trace' | 'client' | 'network' | 'target' | 'operation' | 'close_reason' | 'route' | 'proxy';
  total: number | null;
  more: boolean;
  items: FoundItem[];
}
export interface FoundItem {
  id: string;
  label: string;
  detail: string;
  time_ms: number | null;
  count: number | null; // sessions
  service?: string; // of an operation
  session?: string;
  trace_id?: string;
  span_id?: string; // of a traceparent
  query: Record<string, string>; // of /sessions; of an operation, /traces
}

// GET /api/v1/tape[?from_ms&to_ms][&step_seconds]
//     [&kind= (repeatable)][&route][&instance][&order=asc][&limit≤1000][&cursor]
export type TapeKind =
  | 'opens'
  | 'ends'
  | 'death'
  | 'storm'
  | 'drain'
  | 'deploy'
  | 'proxy_up'
  | 'proxy_lost'
  | 'console_start'
  | 'console_stop'
  | 'console_gap';
export interface Tape {
  step_seconds: number;
  entries: TapeEntry[];
  cursor: string;
  complete: boolean;
}
export interface TapeEntry {
  time_ms: number;
  to_ms: number | null; // null: a moment
  kind: TapeKind;
  title: string;
  route: string;
  instance: string;
  count: number; // sessions
  level: 'bad' | 'warn' | 'info';
  sessions: string[]; // at most 5 of them
  query: Record<string, string | number> | null; // of /sessions: exactly these
}

// GET /api/v1/changes[?from_ms&to_ms][&against_from_ms&against_to_ms]
export interface Changes {
  deaths: number;
  against_deaths: number;
  missing_seconds: number; // how much of each window nobody saw
  against_missing_seconds: number;
  few: boolean; // what they share may be chance
  cohorts: Cohort[];
  figures: {name: string; before: number | null; after: number | null}[];
  from_ms: number | null;
  to_ms: number | null;
  against_from_ms: number | null;
  against_to_ms: number | null;
  complete: boolean;
}
export interface Cohort {
  share: {
    dimension:
      | 'route'
      | 'proxy'
      | 'client_network'
      | 'minute'
      | 'end_reason'
      | 'close_code'
      | 'dialect'
      | 'target'
      | 'upstream';
    value: string;
    usual: number | null; // its share among all sessions of the window
  }[];
  count: number;
  of: number;
  against_count: number;
  against_of: number;
  first_ms: number | null;
  last_ms: number | null;
  sessions: string[];
  query: Record<string, string | number>; // of /sessions
}

// POST /api/v1/login {"token": "..."}  →  204 and a cookie; 401 when it is wrong. POST /api/v1/logout → 204.

// WebSocket /api/v1/live, subprotocol sockeye-page.v1, JSON texts. The page says what it looks at (each message
// replaces the one before); the console answers at once and then at most once a second, when something changed.
export interface Subscribe {
  fleet?: boolean;
  sessions?: {
    route?: string;
    instance?: string;
    dialect?: string;
    client?: string;
    text?: string;
    abnormal?: boolean;
    min_duration_seconds?: number;
    max_duration_seconds?: number;
    attribute?: string[]; // key:value, of the sessions' spans
    trouble?: boolean; // only those with heartbeats missed now, or bytes waiting for 5 s or longer
    sort?: 'opened' | 'messages' | 'bytes' | 'rtt' | 'misses' | 'buffered' | 'silence';
    order?: 'desc' | 'asc';
    offset?: number;
    limit?: number; // ≤ 500
  };
  session?: string;
}
export type LiveMessage =
  | {
      type: 'fleet';
      now_ms: number;
      proxies: Proxy[];
      unheard: Unheard | null; // null: all proxies are heard
      routes: LiveRoute[];
      ended: Session[]; // lately, ≤ 20
    }
  | {
      type: 'sessions';
      now_ms: number;
      total: number;
      matched: number;
      complete?: boolean; // false: not all could be asked for their attributes in time
      sessions: Session[]; // the window, in order
    }
  | {type: 'session'; now_ms: number; session: Session; recorder: RecordedMessage[]; calls: OpenCall[]}
  | {type: 'error'; message: string};
/** Sessions of proxies that are not heard of, of all open ones. */
export interface Unheard {
  sessions: number;
  of: number;
  since_ms: number;
}
export interface LiveRoute {
  instance: string;
  route: string;
  active: number;
  messages_per_second: Pair;
  bytes_per_second: Pair;
  opened_per_second: number;
  ended_per_second: number;
  misses: number; // since the proxy started
  reconnects: number;
  missing_pongs: number;
  buffered_sessions: number;
  buffered_bytes: number;
  invocations_open: number;
  rtt_p50_seconds: MaybePair;
  rtt_p99_seconds: MaybePair;
}
