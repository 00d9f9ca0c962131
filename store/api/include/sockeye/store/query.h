// What can be asked of a store, and the answers. Nothing here names a backend: a row store with indices and a column
// store with skip indices both answer it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/store/batch.h"
#include "sockeye/store/figures.h"
#include "sockeye/store/network.h"
#include "sockeye/store/sketch.h"

namespace sockeye::store {

struct TimeRange {
  std::uint64_t from_unix_ns = 0;
  std::uint64_t to_unix_ns = UINT64_MAX;  // exclusive
};

// All given conditions hold (for spans: of one span). Text is compared whole and by bytes, unless said otherwise.
struct SpanQuery {
  TimeRange time;                  // of the span's start
  std::string service, operation;  // "" = any
  std::optional<std::uint8_t> status;
  std::optional<std::uint8_t> kind;
  std::uint64_t min_duration_ns = 0, max_duration_ns = UINT64_MAX;
  // Key and value of a span, resource or scope attribute. Values as text: 17, 2.5, true as their text reads; an empty
  // value asks only that the key is there.
  std::vector<std::pair<std::string, std::string>> attributes;
  // They may stand in an event of the span, too, or be what OpenTelemetry keeps beside attributes, by the names it
  // gives them where there are only attributes: event (an event's name), otel.scope.name, otel.scope.version,
  // otel.status_description, w3c.tracestate.
  bool fields = false;
  bool not_error = false;  // any status but error
  std::optional<SessionId> session;
  std::string operation_contains;  // "" = any; ASCII letters match in either case
  std::string route;               // "" = any; attribute sockeye.route
  bool calls = false;              // only spans with websocket.invocation.status
  std::string without;             // "" = any; only spans that have no such attribute, nor their resource or scope
  // With a measure only spans of which it is known and in [least, below): the bounds of a Sketch's bucket are such.
  std::optional<Measure> measure;
  std::uint64_t least_measure = 0, below_measure = UINT64_MAX;
  // By a measure, or by the start. Spans of which it is not known are left out.
  std::optional<Measure> sort;
  bool ascending = false;
  std::size_t limit = 20;
  std::string cursor;  // from the answer before; "" = from the beginning
};

struct TraceSummary {
  TraceId trace_id;
  std::string root_service, root_operation;  // of the root, or of the earliest span when no root is here (yet)
  bool root_missing = false;
  std::uint64_t start_unix_ns = 0, end_unix_ns = 0;
  std::uint64_t spans = 0, errors = 0, matched = 0;
  std::optional<double> sorted;  // what it was sorted by, if not by a start: seconds, or a number of chunks
  std::vector<std::pair<std::string, std::uint64_t>> services;  // and their number of spans, most first, at most 16
  std::optional<SessionId> session;
};

// `cursor` is "" when there is no more. `complete` is false when the deadline ended the search early: what was found
// is right, and the cursor goes on from there.
// The error of a question whose cursor no answer gave: its message is this, in every backend.
inline constexpr std::string_view bad_cursor = "the cursor is not one of an earlier answer";

template <class T>
struct Page {
  std::vector<T> items;
  std::string cursor;
  bool complete = true;
  std::optional<std::uint64_t> total;  // of all pages, where it is known without looking at them
};

// Sorted by anything but the latest start, an answer that is not complete may have no cursor: then it is the best of
// what was looked at, and a shorter range finds the rest.
struct SpanPage {
  Batch spans;
  std::optional<std::uint64_t> total;  // of all pages; none where it was not counted
  std::string cursor;
  bool complete = true;
};

struct OperationKey {
  std::string service, operation;
  friend auto operator<=>(const OperationKey&, const OperationKey&) = default;
};

struct OperationStats {
  OperationKey key;
  std::uint64_t count = 0, errors = 0, cancelled = 0;  // cancelled: websocket.invocation.status
  std::array<Sketch, 3> latency;                       // by Measure: duration, first_chunk, last_chunk
};

struct OperationsQuery {
  TimeRange time;                  // of spans' starts, to the nanosecond
  std::string service, operation;  // "" = any
  std::string search;              // in the operation's or the service's name; ASCII letters match in either case
  std::uint64_t step_ns = 0;       // 0: one row per operation; else one per operation and step (multiples of a minute)
  enum class Sort : std::uint8_t { count, errors, error_rate, cancelled, percentile, operation, service } sort{};
  Measure sort_measure = Measure::duration;  // of `percentile`: one of the first three
  double sort_quantile = 0.95;               // 1 is the largest
  bool ascending = false;                    // operations that lack the figure come last either way
  std::size_t limit = 200;                   // operations
  std::string cursor;
};

struct OperationPoint {
  std::uint64_t time_unix_ns = 0;  // beginning of the step; the range's beginning when step_ns is 0
  OperationStats stats;            // of what lies within the range
};

struct OperationsPage {
  std::vector<OperationPoint> points;                  // by step, then in the order asked for
  std::uint64_t total = 0;                             // operations, of all pages
  std::uint64_t count = 0, errors = 0, cancelled = 0;  // of all of them
  std::string cursor;
  bool complete = true;  // false: the deadline came first, and figures are of a part of the range
};

// Spans that fit `spans` (its order and limits are not looked at), counted by what they have in common.
struct GroupsQuery {
  SpanQuery spans;
  Dimension by = Dimension::operation;
  std::string by_key;  // of Dimension::attribute
  // The figure: a measure, or an attribute that is a number (counted in millionths; below 0 it does not count).
  Measure figure = Measure::duration;
  std::string figure_key;  // not "": that attribute
  enum class Sort : std::uint8_t { count, errors, percentile } sort{};
  double sort_quantile = 0.95;  // 1 is the largest
  bool ascending = false;       // groups that lack the figure come last either way
  std::size_t limit = 50;
  std::string cursor;
};

struct Group {
  std::optional<std::string> value;     // none: those that have none
  std::uint64_t count = 0, errors = 0;  // spans
  Sketch figure;                        // of those that have it
};

struct GroupPage {
  std::vector<Group> groups;
  std::uint64_t total = 0;    // groups, of all pages
  std::uint64_t counted = 0;  // spans, of all groups
  std::string cursor;
  bool complete = true;  // false: the deadline came first, or there were more than 50,000 groups
};

struct OperationName {
  std::string service, operation;
  std::uint8_t kinds = 0;  // bit k: it has spans of kind k; 0: not known (last seen by a version that did not note it)
};

struct OperationNamesQuery {
  std::string service;               // "" = of all services
  std::string contains;              // in the name, whatever the case of ASCII letters
  std::optional<std::uint8_t> kind;  // those of which no kind is known fit as well
  std::size_t limit = 10'000;
  std::string cursor;
};

// Spans of one service whose parent is a span of another.
struct Dependency {
  std::string parent, child;
  std::uint64_t calls = 0;
};

// Figures of an open session that are newer than those stored: it is not written again with each report.
struct Latest {
  std::uint64_t seen_unix_ns = 0;
  model::SessionFigures figures;
};

struct SessionQuery {
  TimeRange time;  // sessions that were open at some time within: a range of no length asks "open at T"
  enum class State : std::uint8_t { any, open, ended } state = State::any;
  std::string instance, route, dialect, client, end_reason;  // "" = any; client: as ClientFilter
  std::string text;       // in target, host, subprotocol or close reason; ASCII letters match in either case
  bool abnormal = false;  // only those with an abnormal() end
  std::uint64_t min_duration_ns = 0, max_duration_ns = UINT64_MAX;
  std::optional<std::uint16_t> close_code;
  // Key and value of an attribute that one of the session's spans has, as in SpanQuery; all of them on the same span.
  std::vector<std::pair<std::string, std::string>> attributes;
  // What is newer of an open session, if anything: it is found and sorted by this. Asked in the thread of the question.
  std::function<std::optional<Latest>(const SessionId&)> latest;
  // When the question is asked. Pages after the first go by the time of the first: durations grow meanwhile.
  std::uint64_t now_unix_ns = UINT64_MAX;
  // duration: until the end, or until it was seen last; messages and bytes: of both senders.
  enum class Sort : std::uint8_t { opened, ended, duration, messages, bytes, misses } sort = Sort::opened;
  bool ascending = false;
  // Only those that opened, or ended, within.
  TimeRange opened, ended;
  bool reconnects = false;                 // only those that are a reconnect of another
  std::string target, host, close_reason;  // "" = any; the whole of it
  std::size_t limit = 50;
  std::string cursor;
};

struct ClosesQuery {
  TimeRange time = {};                    // of the ends
  std::string route = {}, instance = {};  // "" = any
  std::uint64_t step_ns = 0;              // 0: all of the range together
};

struct CloseCount {
  std::uint64_t time_unix_ns = 0;
  std::string route, end_reason, initiator;
  std::uint16_t code = 0;
  std::uint64_t count = 0;
  std::string abnormal;  // of such a session: why; "" = it was not
};

struct FleetQuery {
  TimeRange time;
  std::string instance, route;
  std::uint64_t step_ns = 10'000'000'000;  // points are added up (counts) or averaged (gauges, with their peaks beside)
};

// What somebody typed who looks for something, and everything it may mean.
struct LookupQuery {
  std::string text = {};    // part of a value, whatever the case of ASCII letters
  std::string digits = {};  // the same as hexadecimal digits in lower case; "" = it is none, or fewer than four
  std::optional<Network> network = {};
  std::size_t limit = 8;  // of each kind; 1 … 100
};

// Where a text was found. Of `end` the value is an end_reason or a close code; of `client` an address without its port;
// of `operation` a span's name.
enum class LookupPlace : std::uint8_t { client, target, close_reason, end, route, instance, operation };
inline constexpr std::size_t lookup_places = 7;

struct LookupValue {
  std::string value, service;      // service: of an operation
  std::uint64_t count = 0;         // sessions; 0: not counted
  std::uint64_t last_unix_ns = 0;  // when it was last opened, or seen
};

struct LookupList {
  std::vector<LookupValue> values;  // latest first, at most `limit`
  std::uint64_t total = 0;          // of different values that were found
};

struct Lookup {
  std::vector<Session> sessions;  // whose ids begin or end with the digits, latest first, at most `limit`; no recorder
  bool more_sessions = false;
  std::vector<TraceId> traces;  // whose ids begin with the digits
  bool more_traces = false;
  std::array<LookupList, lookup_places> places;  // by LookupPlace
  std::uint64_t network_sessions = 0;            // with a client in the network
  std::uint64_t network_last_unix_ns = 0;
  bool complete = true;  // false: the latest were looked through, until the time was over
};

// Opens and ends of sessions, counted by step and by what they have in common.
struct HappeningsQuery {
  TimeRange time = {};
  std::uint64_t step_ns = 10'000'000'000;
  std::string route = {}, instance = {};  // "" = any
};

struct Happening {
  std::uint64_t time_unix_ns = 0;                      // beginning of the step, a multiple of it
  bool end = false;                                    // else opened
  std::string route, instance, end_reason, initiator;  // the last two of ends
  std::uint16_t close_code = 0;
  std::uint64_t count = 0, reconnects = 0;
  std::uint64_t first_unix_ns = 0, last_unix_ns = 0;  // of them
  std::vector<SessionId> sessions;                    // the first few
};
inline constexpr std::size_t happening_samples = 5;

struct StoreStats {
  std::string backend;  // "sqlite"
  std::uint64_t spans = 0, logs = 0, sessions = 0;
  std::uint64_t bytes = 0;  // on disk
  std::uint64_t oldest_unix_ns = 0;
  std::uint64_t kept_since_unix_ns = 0;  // what arrived before is not kept any more; 0: nothing went
  std::uint64_t queued_bytes = 0;        // accepted, not written yet
  std::uint64_t written_spans = 0, duplicate_spans = 0, refused_batches = 0, expired_spans = 0;  // since the start
  std::string trouble;  // "" = well; else what stands in the way, for a person
};

}  // namespace sockeye::store
