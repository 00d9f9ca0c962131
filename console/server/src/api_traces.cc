#include "api.h"
#include "read_ids.h"
#include "write.h"

namespace sockeye::console {

Response ask_traces(Api& api, std::string_view, Parameters& with) {
  store::SpanQuery query;
  query.time = time_range(with);
  query.service = with.text("service");
  query.operation = with.text("operation");
  if (const auto status = with.word("status", {"unset", "ok", "error"}))
    query.status = static_cast<std::uint8_t>(*status);
  if (const auto kind = with.word("kind", {"unspecified", "internal", "server", "client", "producer", "consumer"}))
    query.kind = static_cast<std::uint8_t>(*kind);
  query.min_duration_ns = with.duration("min_duration_seconds").value_or(0);
  query.max_duration_ns = with.duration("max_duration_seconds").value_or(UINT64_MAX);
  query.attributes = attribute_filters(with);
  if (const auto session = with.text("session"); !session.empty()) {
    query.session = read_session_id(session);
    if (!query.session) with.wrong("session", "a session's id");
  }
  query.limit = with.integer("limit", 20, 1, 200);
  query.cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  const auto page = api.store.traces(query, api.deadline());
  if (!page) return store_failed(page.error());
  base::Json json;
  json.open('{').key("traces").open('[');
  for (const auto& trace : page->items) write_summary(json, trace);
  json.close(']').key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

Response ask_trace(Api& api, std::string_view rest, Parameters& with) {
  const auto id = read_trace_id(rest);
  if (!id) return error_response(400, "expected /api/v1/traces/ID, an id of at most 32 hex digits");
  const auto limit = with.integer("limit", 20'000, 1, 50'000);
  if (auto no = refused(with)) return *std::move(no);
  const auto trace = api.store.trace(*id, limit + 1, api.deadline());
  if (!trace) return store_failed(trace.error());
  if (trace->spans.empty() && trace->logs.empty())
    return error_response(404, "no span of this trace is stored (any more)");
  base::Json json;
  json.open('{').key("trace_id").text(base::to_hex(*id)).key("spans").open('[');
  for (std::size_t i = 0; i < std::min<std::size_t>(trace->spans.size(), limit); ++i)
    write_span(json, *trace, trace->spans[i]);
  json.close(']').key("logs").open('[');
  for (const auto& log : trace->logs) write_log(json, *trace, log);
  json.close(']').key("truncated").boolean(trace->spans.size() > limit).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
