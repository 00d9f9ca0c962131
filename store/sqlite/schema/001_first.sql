-- What is what: docs/formats/store.md. Ids of spans ascend in the order of arrival, and are never changed.
-- Times are Unix nanoseconds where nothing else is said; `arrived` and `seen` are Unix milliseconds of our own clock.

PRAGMA application_id = 0x534b4559;  -- "SKEY"

-- Who sent: resource and scope, each combination once.
CREATE TABLE origin(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  service TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX origin_hash ON origin(hash);

CREATE TABLE operation(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seen INTEGER NOT NULL,
  service TEXT NOT NULL,
  name TEXT NOT NULL
);
CREATE UNIQUE INDEX operation_name ON operation(service, name);

CREATE TABLE span(
  id INTEGER PRIMARY KEY,
  trace_id BLOB NOT NULL,
  span_id BLOB NOT NULL,
  parent_id BLOB,             -- NULL: a root
  start INTEGER NOT NULL,     -- at most 2^63 - 1; what is later has its start in the body
  duration INTEGER NOT NULL,  -- end minus start; negative where the end lies before
  kind INTEGER NOT NULL,
  status INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  operation INTEGER NOT NULL,
  session BLOB,
  body BLOB NOT NULL
);
CREATE UNIQUE INDEX span_identity ON span(trace_id, span_id);
CREATE INDEX span_start ON span(start);
CREATE INDEX span_session ON span(session, start) WHERE session IS NOT NULL;

-- Runs of about 1,024 spans, and what is in them. Spans after the last block are in none yet.
CREATE TABLE block(
  id INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  spans INTEGER NOT NULL,
  arrived INTEGER NOT NULL,   -- of its last span
  min_start INTEGER NOT NULL,
  max_start INTEGER NOT NULL,
  max_duration INTEGER NOT NULL
);

-- Bloom filters over what can be searched for, cut into 16 slices so that a search reads a sixteenth of them.
CREATE TABLE filter(
  slice INTEGER NOT NULL,
  block INTEGER NOT NULL,
  bits BLOB NOT NULL,         -- empty: anything may be in it
  PRIMARY KEY(slice, block)
) WITHOUT ROWID;

CREATE TABLE log(
  id INTEGER PRIMARY KEY,
  arrived INTEGER NOT NULL,
  time INTEGER NOT NULL,
  trace_id BLOB,
  span_id BLOB,
  severity INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX log_trace ON log(trace_id, time) WHERE trace_id IS NOT NULL;

-- Latencies by operation: a row a minute (width 60) and a row an hour (3600).
CREATE TABLE rollup(
  width INTEGER NOT NULL,
  time INTEGER NOT NULL,      -- Unix seconds
  operation INTEGER NOT NULL,
  arrived INTEGER NOT NULL,   -- of its first span
  spans INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  duration BLOB NOT NULL,
  first_chunk BLOB,
  last_chunk BLOB,
  PRIMARY KEY(width, time, operation)
) WITHOUT ROWID;
CREATE INDEX rollup_arrived ON rollup(arrived);

CREATE TABLE session(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL,
  arrived INTEGER NOT NULL,
  opened INTEGER NOT NULL,
  ended INTEGER NOT NULL,     -- 2^63 - 1: open
  seen_ns INTEGER NOT NULL,
  instance TEXT NOT NULL,     -- '': known from its span alone
  service TEXT NOT NULL,
  route TEXT NOT NULL,
  dialect TEXT NOT NULL,
  client TEXT NOT NULL,
  target TEXT NOT NULL,
  host TEXT NOT NULL,
  subprotocol TEXT NOT NULL,
  trace_id BLOB,
  close_code INTEGER NOT NULL,
  end_reason TEXT NOT NULL,
  initiator TEXT NOT NULL,
  close_reason TEXT NOT NULL,
  messages_client INTEGER NOT NULL,
  messages_server INTEGER NOT NULL,
  bytes_client INTEGER NOT NULL,
  bytes_server INTEGER NOT NULL,
  misses INTEGER NOT NULL,
  anomalies INTEGER NOT NULL,
  reconnect_of BLOB
);
CREATE UNIQUE INDEX session_id ON session(id);
CREATE INDEX session_opened ON session(opened, ended);
CREATE INDEX session_ended ON session(ended, opened, route, end_reason, initiator, close_code);
CREATE INDEX session_arrived ON session(arrived);

CREATE TABLE recorder(
  session INTEGER PRIMARY KEY,  -- session.number
  data BLOB NOT NULL
);

-- Looks at sessions, kept together by the last byte of the session's id and by ten minutes: a write touches few pages
-- however many sessions there are, and a question reads a 256th.
CREATE TABLE point(
  part INTEGER NOT NULL,
  slot INTEGER NOT NULL,      -- time / 600 s
  sequence INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(part, slot, sequence)
) WITHOUT ROWID;

CREATE TABLE fleet(
  time INTEGER NOT NULL,
  instance TEXT NOT NULL,
  route TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(time, instance, route)
) WITHOUT ROWID;
