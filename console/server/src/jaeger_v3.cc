// Jaeger's API v3 over HTTP: answers are OTLP/JSON in {"result": …}, times RFC 3339, errors
// {"error": {"httpCode": …, "message": …}}. Source: Jaeger 2.x,
// cmd/jaeger/internal/extension/jaegerquery/internal/apiv3 /http_gateway.go, and opentelemetry-proto's JSON mapping.
#include <algorithm>

#include "api.h"
#include "jaeger.h"
#include "read_ids.h"
#include "sockeye/intake/decode.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;

Response failed_as_v3(int status, std::string_view message) {
  Json out;
  out.open('{').key("error").open('{').key("httpCode").number(std::int64_t{status}).key("message").text(message);
  out.close('}').close('}');
  Response response = json_response(out.take());
  response.status = status;
  return response;
}

void attributes(Json& json, std::span<const store::Attribute> list, std::uint32_t dropped) {
  if (!list.empty()) {
    json.key("attributes").open('[');
    for (const auto& each : list)
      json.open('{').key("key").text(each.key).key("value").raw(intake::to_otlp_json(each.value)).close('}');
    json.close(']');
  }
  if (dropped != 0) json.key("droppedAttributesCount").number(std::uint64_t{dropped});
}

void text(Json& json, std::string_view key, std::string_view value) {
  if (!value.empty()) json.key(key).text(value);
}

void flags(Json& json, std::uint32_t value) {
  if (value != 0) json.key("flags").number(std::uint64_t{value});
}

void write_otlp_span(Json& json, const store::Batch& batch, const store::Span& span) {
  json.open('{').key("traceId").text(base::to_hex(span.trace_id)).key("spanId").text(base::to_hex(span.span_id));
  text(json, "traceState", span.trace_state);
  json.key("parentSpanId").text(span.parent_id.is_zero() ? "" : base::to_hex(span.parent_id));
  flags(json, span.flags);
  json.key("name").text(span.name).key("kind").number(std::uint64_t{span.kind});
  json.key("startTimeUnixNano").text(std::to_string(span.start_unix_ns));
  json.key("endTimeUnixNano").text(std::to_string(span.end_unix_ns));
  attributes(json, batch.of(span.attributes), span.dropped_attributes);
  if (span.events.count > 0) {
    json.key("events").open('[');
    for (const auto& event : batch.events_of(span)) {
      json.open('{').key("timeUnixNano").text(std::to_string(event.time_unix_ns)).key("name").text(event.name);
      attributes(json, batch.of(event.attributes), event.dropped_attributes);
      json.close('}');
    }
    json.close(']');
  }
  if (span.dropped_events != 0) json.key("droppedEventsCount").number(std::uint64_t{span.dropped_events});
  if (span.links.count > 0) {
    json.key("links").open('[');
    for (const auto& link : batch.links_of(span)) {
      json.open('{').key("traceId").text(base::to_hex(link.trace_id)).key("spanId").text(base::to_hex(link.span_id));
      text(json, "traceState", link.trace_state);
      attributes(json, batch.of(link.attributes), link.dropped_attributes);
      flags(json, link.flags);
      json.close('}');
    }
    json.close(']');
  }
  if (span.dropped_links != 0) json.key("droppedLinksCount").number(std::uint64_t{span.dropped_links});
  json.key("status").open('{');
  text(json, "message", span.status_message);
  if (span.status != 0) json.key("code").number(std::uint64_t{span.status});
  json.close('}').close('}');
}

// Of each origin one ResourceSpans with its one scope.
void write_resource_spans(Json& json, const store::Batch& batch, std::size_t most) {
  const auto spans = std::span(batch.spans).first(std::min(batch.spans.size(), most));
  for (std::size_t i = 0; i < batch.origins.size(); ++i) {
    const auto here = [i](const store::Span& span) { return span.origin == i; };
    if (std::none_of(spans.begin(), spans.end(), here)) continue;
    const store::Origin& origin = batch.origins[i];
    json.open('{').key("resource").open('{');
    attributes(json, batch.of(origin.resource), 0);
    json.close('}').key("scopeSpans").open('[').open('{').key("scope").open('{');
    text(json, "name", origin.scope_name);
    text(json, "version", origin.scope_version);
    attributes(json, batch.of(origin.scope), 0);
    json.close('}').key("spans").open('[');
    for (const auto& span : spans)
      if (here(span)) write_otlp_span(json, batch, span);
    json.close(']');
    text(json, "schemaUrl", origin.scope_schema_url);
    json.close('}').close(']');
    text(json, "schemaUrl", origin.resource_schema_url);
    json.close('}');
  }
}

// What was left out is said beside the result: Jaeger's own clients pass over it.
struct Cut {
  std::vector<store::TraceId> left_out, truncated;
  std::string cursor;
  bool complete = true;
};

Response traces(Api& api, const std::vector<store::TraceId>& ids, std::size_t most_of_one, Cut cut,
                store::Deadline deadline) {
  Json json;
  json.open('{').key("result").open('{').key("resourceSpans").open('[');
  std::size_t spans = 0;
  for (const auto& id : ids) {
    if (spans >= most_jaeger_spans) {
      cut.left_out.push_back(id);
      continue;
    }
    const auto trace = api.store.trace(id, most_of_one + 1, deadline);
    if (!trace) return failed_as_v3(500, trace.error().message);
    if (trace->spans.size() > most_of_one) cut.truncated.push_back(id);
    spans += trace->spans.size();
    write_resource_spans(json, *trace, most_of_one);
  }
  if (spans == 0 && cut.cursor.empty()) return failed_as_v3(404, "No traces found");
  json.close(']').close('}');
  for (const auto& [key, list] :
       {std::pair<std::string_view, const std::vector<store::TraceId>&>{"left_out", cut.left_out},
        {"truncated", cut.truncated}}) {
    json.key(key).open('[');
    for (const auto& id : list) json.text(base::to_hex(id));
    json.close(']');
  }
  json.key("cursor").text(cut.cursor).key("complete").boolean(cut.complete).close('}');
  return json_response(json.take());
}

std::uint64_t time_of(Parameters& with, std::string_view name, std::uint64_t otherwise) {
  const auto said = with.text(name);
  if (said.empty()) return otherwise;
  const auto time = rfc3339(said);
  if (!time) with.wrong(name, "a time such as 2026-03-01T12:34:56.789Z");
  return time.value_or(otherwise);
}

}  // namespace

Response ask_jaeger_v3_services(Api& api, std::string_view, Parameters&) {
  const auto services = api.store.services(api.deadline());
  if (!services) return failed_as_v3(500, services.error().message);
  Json json;
  json.open('{').key("services").open('[');
  for (const auto& each : *services) json.text(each);
  json.close(']').close('}');
  return json_response(json.take());
}

Response ask_jaeger_v3_operations(Api& api, std::string_view, Parameters& with) {
  store::OperationNamesQuery query;
  query.service = with.text("service");
  query.cursor = with.text("cursor");
  query.limit = 100'000;
  const auto asked = with.text("span_kind");
  query.kind = kind_of(asked);
  store::Page<store::OperationName> page;
  if (asked.empty() || query.kind) {
    auto found = api.store.operations(query, api.deadline());
    if (!found) return failed_as_v3(found.error().message == store::bad_cursor ? 400 : 500, found.error().message);
    page = *std::move(found);
  }
  Json json;
  json.open('{').key("operations").open('[');
  const auto write = [&](const std::string& name, std::uint8_t kind) {
    json.open('{').key("name").text(name).key("spanKind").text(kind == 0 ? "internal" : kind_name(kind)).close('}');
  };
  for (const auto& each : page.items) {
    if (each.kinds == 0) write(each.operation, 0);
    for (std::uint8_t kind = 0; kind <= 5; ++kind)
      if ((each.kinds >> kind & 1U) != 0 && (!query.kind || query.kind == kind)) write(each.operation, kind);
  }
  json.close(']').key("cursor").text(page.cursor).close('}');
  return json_response(json.take());
}

Response ask_jaeger_v3_traces(Api& api, std::string_view, Parameters& with) {
  JaegerSearch search;
  auto& query = search.query;
  query.service = with.text("query.service_name");
  query.operation = with.text("query.operation_name");
  query.time.from_unix_ns = time_of(with, "query.start_time_min", 0);
  query.time.to_unix_ns = time_of(with, "query.start_time_max", UINT64_MAX);
  for (const auto& [name, into] :
       {std::pair<std::string_view, std::uint64_t&>{"query.duration_min", query.min_duration_ns},
        {"query.duration_max", query.max_duration_ns}}) {
    const auto said = with.text(name);
    if (said.empty()) continue;
    if (const auto duration = go_duration(said))
      into = *duration;
    else
      with.wrong(name, "a duration such as 1.5ms or 2s");
  }
  const auto traces_asked = with.integer("query.num_traces", 20, 1, most_jaeger_traces);
  query.limit = with.integer("query.search_depth", traces_asked, 1, most_jaeger_traces);
  query.cursor = with.text("cursor");
  static_cast<void>(with.text("query.raw_traces"));  // every trace is raw here
  add_tags(search, with, "query.attributes", {}, with.texts("query.attributes"));
  if (auto good = with.check(); !good) return failed_as_v3(400, "malformed parameter " + good.error().message);
  if (!search.possible) return failed_as_v3(404, "No traces found");
  const auto deadline = api.deadline();
  const auto page = api.store.traces(query, deadline);
  if (!page) return failed_as_v3(page.error().message == store::bad_cursor ? 400 : 500, page.error().message);
  std::vector<store::TraceId> ids;
  for (const auto& each : page->items) ids.push_back(each.trace_id);
  return traces(api, ids, most_jaeger_trace_spans, {{}, {}, page->cursor, page->complete}, deadline);
}

Response ask_jaeger_v3_trace(Api& api, std::string_view rest, Parameters&) {
  const auto id = read_trace_id(rest);
  if (!id) return failed_as_v3(400, "malformed parameter trace_id: expected at most 32 hex digits");
  return traces(api, {*id}, most_jaeger_spans, {}, api.deadline());
}

}  // namespace sockeye::console
