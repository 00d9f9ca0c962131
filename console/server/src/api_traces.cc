#include <array>

#include "api.h"
#include "read_ids.h"
#include "sockeye/model/names.h"
#include "write.h"

namespace sockeye::console {
namespace {

// What an attribute is asked for by a parameter of its own.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> named = {
    {{"target", model::attribute::url_path},
     {"client", model::attribute::client_address},
     {"dialect", model::attribute::sockeye_dialect},
     {"instance", model::attribute::service_instance_id}}};

void read_named(Parameters& with, store::SpanQuery& query) {
  query.route = with.text("route");
  for (auto [value, attribute] : {std::pair{with.text("target"), named[0].second},
                                  {with.text("client"), named[1].second},
                                  {with.text("dialect"), named[2].second},
                                  {with.text("instance"), named[3].second}})
    if (!value.empty()) query.attributes.emplace_back(attribute, std::move(value));
  const auto without = with.text("without");
  if (without.empty()) return;
  constexpr std::string_view prefix = "attribute:";
  if (without == "route") query.without = store::attribute_of(store::Dimension::route);
  for (const auto& [word, attribute] : named)
    if (without == word) query.without = attribute;
  if (without.starts_with(prefix)) query.without = without.substr(prefix.size());
  if (query.without.empty()) with.wrong("without", "one of route, target, client, dialect, instance, attribute:KEY");
}

// [min_seconds, max_seconds) of a measure.
void read_measure(Parameters& with, store::SpanQuery& query) {
  const auto measure = with.word("measure", {"duration", "first_chunk", "last_chunk", "longest_pause", "perceived"});
  const auto least = with.duration("min_seconds"), below = with.duration("max_seconds");
  if (!measure && (least || below)) with.wrong("measure", "what min_seconds and max_seconds are of");
  if (measure) query.measure = static_cast<store::Measure>(*measure);
  query.least_measure = least.value_or(0);
  query.below_measure = below.value_or(UINT64_MAX);
}

}  // namespace

store::SpanQuery span_query(Parameters& with) {
  store::SpanQuery query;
  query.time = time_range(with);
  query.service = with.text("service");
  query.operation = with.text("operation");
  query.operation_contains = with.text("operation_contains");
  if (const auto status = with.word("status", {"unset", "ok", "error"}))
    query.status = static_cast<std::uint8_t>(*status);
  if (const auto kind = with.word("kind", {"unspecified", "internal", "server", "client", "producer", "consumer"}))
    query.kind = static_cast<std::uint8_t>(*kind);
  query.min_duration_ns = with.duration("min_duration_seconds").value_or(0);
  query.max_duration_ns = with.duration("max_duration_seconds").value_or(UINT64_MAX);
  query.attributes = attribute_filters(with);
  read_named(with, query);
  query.calls = with.flag("calls");
  read_measure(with, query);
  if (const auto session = with.text("session"); !session.empty()) {
    query.session = read_session_id(session);
    if (!query.session) with.wrong("session", "a session's id");
  }
  return query;
}

void read_order(Parameters& with, store::SpanQuery& query) {
  const auto sort =
      with.word("sort", {"start", "duration", "first_chunk", "last_chunk", "longest_pause", "perceived", "chunks"});
  if (sort.value_or(0) > 0) query.sort = static_cast<store::Measure>(*sort - 1);
  query.ascending = with.word("order", {"desc", "asc"}).value_or(0) == 1;
}

Response ask_traces(Api& api, std::string_view, Parameters& with) {
  auto query = span_query(with);
  read_order(with, query);
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
