// The query API, /api/v1: docs/formats/openapi.yaml. Each question is one function of a table; it runs on a worker
// thread, for it waits for the store.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fleet.h"
#include "guard.h"
#include "http.h"
#include "parameters.h"
#include "sockeye/base/json.h"
#include "sockeye/console/console.h"

namespace sockeye::console {

struct Api {
  const Options& options;
  store::Store& store;
  Fleet& fleet;
  std::string otlp_http, otlp_grpc;  // addresses, "" = off
  std::uint64_t started_unix_ns = 0;
  std::function<void(base::Json&)> write_overload = {};  // the value of "overload" in the status

  [[nodiscard]] store::Deadline deadline() const { return std::chrono::steady_clock::now() + options.query_time; }
};

// GET of a path below /api. 404 for what is not there.
[[nodiscard]] Response answer(Api& api, const Request& request);

// What there is: paths, and beginnings of paths, which end in a slash.
[[nodiscard]] std::vector<std::string_view> question_paths();

// The questions, by what they are about. `rest` is the path behind the prefix in the table.
using Question = Response (*)(Api& api, std::string_view rest, Parameters& with);

Response ask_status(Api&, std::string_view, Parameters&);
Response ask_fleet(Api&, std::string_view, Parameters&);
Response ask_closes(Api&, std::string_view, Parameters&);
Response ask_sessions(Api&, std::string_view, Parameters&);
Response ask_session(Api&, std::string_view, Parameters&);  // /sessions/ID, …/points, …/spans
Response ask_traces(Api&, std::string_view, Parameters&);
Response ask_trace(Api&, std::string_view, Parameters&);
Response ask_spans(Api&, std::string_view, Parameters&);
Response ask_groups(Api&, std::string_view, Parameters&);
Response ask_services(Api&, std::string_view, Parameters&);
Response ask_operations(Api&, std::string_view, Parameters&);
Response ask_latency(Api&, std::string_view, Parameters&);
Response ask_search(Api&, std::string_view, Parameters&);
Response ask_tape(Api&, std::string_view, Parameters&);
Response ask_changes(Api&, std::string_view, Parameters&);
// Jaeger's query API, the part that its page and data sources use, and its third version over HTTP.
Response ask_jaeger_services(Api&, std::string_view, Parameters&);
Response ask_jaeger_service(Api&, std::string_view, Parameters&);  // /services/NAME/operations
Response ask_jaeger_operations(Api&, std::string_view, Parameters&);
Response ask_jaeger_traces(Api&, std::string_view, Parameters&);
Response ask_jaeger_trace(Api&, std::string_view, Parameters&);
Response ask_jaeger_dependencies(Api&, std::string_view, Parameters&);
Response ask_jaeger_v3_services(Api&, std::string_view, Parameters&);
Response ask_jaeger_v3_operations(Api&, std::string_view, Parameters&);
Response ask_jaeger_v3_traces(Api&, std::string_view, Parameters&);
Response ask_jaeger_v3_trace(Api&, std::string_view, Parameters&);

// What questions have in common.
[[nodiscard]] store::TimeRange time_range(Parameters& with);
// An hour long where nothing else is asked for, and not into the future.
[[nodiscard]] store::TimeRange bounded(Parameters& with);
// A step in nanoseconds that gives at most 2,000 of them, a multiple of `least_s`.
[[nodiscard]] std::uint64_t step_of(Parameters& with, const store::TimeRange& time, std::uint64_t least_s);
// Conditions that traces, spans and groups have in common, and their order.
[[nodiscard]] store::SpanQuery span_query(Parameters& with);
void read_order(Parameters& with, store::SpanQuery& query);
[[nodiscard]] std::vector<std::pair<std::string, std::string>> attribute_filters(Parameters& with);
[[nodiscard]] Response store_failed(const base::Error& error);
// 400 when something was wrong with the parameters.
[[nodiscard]] std::optional<Response> refused(const Parameters& with);

}  // namespace sockeye::console
