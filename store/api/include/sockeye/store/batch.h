// What goes into a store and comes out of it: spans and logs as OpenTelemetry defines them, the sessions that proxies
// report, and figures of the fleet. A Batch keeps its texts itself; the string_views of its records point into them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/model/session_record.h"

namespace sockeye::store {

using base::SessionId;
using base::SpanId;
using base::TraceId;

// Longest kept text of one attribute value, in bytes; what is longer is cut at a character and marked `truncated`.
inline constexpr std::size_t longest_value = 16 * 1024;
// Most attributes, events or links kept of one span; what is over is counted as OpenTelemetry's dropped_*_count.
inline constexpr std::uint32_t most_attributes = 512;
inline constexpr std::uint32_t most_events = 4096;
inline constexpr std::uint32_t most_links = 512;

// OpenTelemetry's AnyValue. All text is valid UTF-8 (what was not arrives with U+FFFD in its place).
struct Value {
  enum class Type : std::uint8_t { empty, text, boolean, integer, real, bytes, array, map };
  Type type = Type::empty;
  bool truncated = false;
  union {
    std::int64_t integer = 0;
    double real;
    bool boolean;
  };
  std::string_view text;  // text and bytes as they are; array and map: a serialized OTLP ArrayValue or KeyValueList
};

struct Attribute {
  std::string_view key;
  Value value;
};

// A run in one of the batch's lists.
struct Range {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

// Who sent: a resource and an instrumentation scope. Spans and logs name one by its place in Batch::origins.
struct Origin {
  std::string_view service;  // service.name; "unknown_service" when there is none
  Range resource;            // attributes, service.name among them
  std::string_view scope_name, scope_version;
  Range scope;
  std::string_view resource_schema_url = {},
                   scope_schema_url = {};  // of the conventions that each follows; "" = unsaid
};

struct Event {
  std::uint64_t time_unix_ns = 0;
  std::string_view name;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
};

struct Link {
  TraceId trace_id;
  SpanId span_id;
  std::string_view trace_state;
  std::uint32_t flags = 0;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
};

struct Span {
  TraceId trace_id;  // never zero
  SpanId span_id;    // never zero
  SpanId parent_id;  // zero: a root
  std::uint32_t flags = 0;
  std::uint8_t kind = 0;    // opentelemetry.proto.trace.v1.Span.SpanKind: 0 … 5
  std::uint8_t status = 0;  // 0 unset, 1 ok, 2 error
  std::uint64_t start_unix_ns = 0;
  std::uint64_t end_unix_ns = 0;  // may lie before the start: peers' clocks are theirs
  std::string_view name, trace_state, status_message;
  std::optional<SessionId> session;  // attribute websocket.session.id
  std::uint32_t origin = 0;
  Range attributes, events, links;
  std::uint32_t dropped_attributes = 0, dropped_events = 0, dropped_links = 0;

  [[nodiscard]] std::uint64_t duration_ns() const {
    return end_unix_ns > start_unix_ns ? end_unix_ns - start_unix_ns : 0;
  }
};

struct Log {
  std::uint64_t time_unix_ns = 0;  // observed time where the record has none
  TraceId trace_id;                // zero: belongs to no trace
  SpanId span_id;
  std::uint32_t flags = 0;    // W3C trace flags in the lowest eight bits
  std::uint8_t severity = 0;  // OpenTelemetry's 1 … 24; 0 unknown
  std::string_view severity_text, event_name;
  Value body;
  std::uint32_t origin = 0;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
};

// One session as last reported. Written again whenever more is known: the later write replaces the one before, except
// that an ended session never becomes open again. Times in Unix nanoseconds.
// It is the record of model/session_record.h, credentials redacted by the sender, and what the store adds. Of figures,
// those that last are kept, and the dialect.
struct Session : model::SessionFacts, model::SessionFigures {
  std::string instance;  // service.instance.id of the proxy that reported it; "" = known from its span alone
  std::string service;
  std::uint64_t seen_unix_ns = 0;  // last report
  model::SessionEnd end;           // at 0: open, as far as is known. Why "lost": its reporter went away with it
  std::string recorder;            // flight recorder, encoded as docs/formats/live.md says; "" = not reported

  [[nodiscard]] bool ended() const { return end.unix_ns != 0; }
};

// Why the session's end was abnormal, as model::abnormal_end() defines it; "" when it was not, and while it is open.
// Missed heartbeats of a session that ended otherwise are figures of its life and do not make its end abnormal.
[[nodiscard]] std::string abnormal(const Session&);

// One look at a session while it lived; NaN = not known.
struct SessionPoint {
  SessionId id;
  std::uint64_t time_unix_ns = 0;
  float rtt_seconds[2] = {};          // by leg: client, upstream
  float buffered_bytes[2] = {};       // waiting to reach that leg
  float messages_per_second[2] = {};  // by sender since the point before
  float bytes_per_second[2] = {};
};

// The fleet of one route of one proxy over one interval (10 s; longer where a long gap was made good).
struct FleetPoint {
  std::uint64_t time_unix_ns = 0;  // its beginning
  std::uint32_t interval_ms = 10'000;
  std::uint32_t covered_ms = 10'000;  // of it: how long the proxy was heard. 0: counts were made good later, and what
                                      // is measured (active, missing_pongs to rtt) is not known
  std::string instance, route;
  std::uint64_t active = 0;                                          // at its end
  std::uint64_t opened = 0, ended = 0, reconnects = 0, refused = 0;  // in it
  std::uint64_t messages[2] = {}, bytes[2] = {};                     // by sender, in it
  std::uint64_t misses = 0, missing_pongs = 0, buffered_sessions = 0, buffered_bytes = 0, invocations_open = 0;
  float rtt_p50_seconds[2] = {}, rtt_p99_seconds[2] = {};  // by leg; NaN: no sample
  // Of an answer alone, which puts points together over a step: what averages hide.
  std::uint64_t active_min = 0, active_max = 0, missing_pongs_max = 0, buffered_bytes_max = 0;
  float rtt_max_seconds[2] = {};  // highest rtt_p99_seconds
};

// What a proxy had counted on one route at a moment, since it started: what the next figures are held against.
struct RouteTotals {
  // opened, ended, reconnects, refused, messages of client and server, bytes of client and server, misses
  using Counts = std::array<std::uint64_t, 9>;
  std::string instance, route;
  std::uint64_t time_unix_ns = 0;
  Counts counts{};
};

// Who was there to see: the console while it ran, or a proxy while a console heard it. One stretch, written again when
// it ends (and the console's, as it goes on); the next one begins after a gap, which nobody saw.
struct Presence {
  enum class Who : std::uint8_t { console, proxy } who = Who::console;
  std::string instance;  // of a proxy: service.instance.id, one for each start; "" of the console
  std::string service, host, version;
  std::uint64_t started_unix_ns = 0;  // that process
  std::uint64_t from_unix_ns = 0;     // with `who` and `instance`, which stretch it is
  std::uint64_t until_unix_ns = 0;    // heard at last
  // none: it goes on, or ended unseen with the console that reported it; away: not heard after `until`; stopped: by
  // itself and in order (a proxy: drained); lost: given up
  enum class End : std::uint8_t { none, away, stopped, lost } end = End::none;
};

struct Batch {
  std::vector<Origin> origins;
  std::vector<Attribute> attributes;
  std::vector<Event> events;
  std::vector<Link> links;
  std::vector<Span> spans;
  std::vector<Log> logs;
  std::vector<Session> sessions;
  std::vector<SessionPoint> points;
  std::vector<FleetPoint> fleet;
  std::vector<RouteTotals> totals;
  std::vector<Presence> presences;

  // Keeps a copy, or the buffer itself, for the life of the batch (moves included).
  std::string_view keep(std::string_view text);
  std::string_view adopt(std::string&& buffer);

  [[nodiscard]] std::span<const Attribute> of(Range r) const { return {attributes.data() + r.first, r.count}; }
  [[nodiscard]] std::span<const Event> events_of(const Span& s) const {
    return {events.data() + s.events.first, s.events.count};
  }
  [[nodiscard]] std::span<const Link> links_of(const Span& s) const {
    return {links.data() + s.links.first, s.links.count};
  }
  [[nodiscard]] bool empty() const {
    return spans.empty() && logs.empty() && sessions.empty() && points.empty() && fleet.empty() && totals.empty() &&
           presences.empty();
  }
  // About what it holds in memory, in bytes: what a store's queue is bounded by.
  [[nodiscard]] std::size_t footprint() const;

  Batch() = default;
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

 private:
  std::deque<std::string> buffers_;  // adopted; a deque, for short strings must not move
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;    // in the last chunk
  std::size_t open_ = 0;  // bytes left there
  std::size_t held_ = 0;  // in chunks and buffers
};

// Whether everything in it that points somewhere points into it, and no span has a zero id.
[[nodiscard]] bool sound(const Batch&);

// The value of `key` among `attributes`; null when it is not there.
[[nodiscard]] const Value* find(std::span<const Attribute> attributes, std::string_view key);

}  // namespace sockeye::store
