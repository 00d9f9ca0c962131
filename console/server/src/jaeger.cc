// Jaeger's HTTP query API, as its own page and Grafana's data source use it: times are Unix microseconds, answers are
// {"data": …, "total": …, "limit": 0, "offset": 0, "errors": null}. Source: Jaeger 1.x, cmd/query/app/http_handler.go
// and model/json.
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "api.h"
#include "clock.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;

Response data(Json&& json, std::size_t total) {
  Json out;
  out.open('{')
      .key("data")
      .raw(json.take())
      .key("total")
      .number(std::uint64_t{total})
      .key("limit")
      .number(std::uint64_t{0});
  out.key("offset").number(std::uint64_t{0}).key("errors").null().close('}');
  return json_response(out.take());
}

Response failed(int status, std::string_view message) {
  Json out;
  out.open('{').key("data").null().key("total").number(std::uint64_t{0}).key("limit").number(std::uint64_t{0});
  out.key("offset").number(std::uint64_t{0}).key("errors").open('[').open('{').key("code").number(std::int64_t{status});
  out.key("msg").text(message).close('}').close(']').close('}');
  Response response = json_response(out.take());
  response.status = status;
  return response;
}

Response names(const base::Result<std::vector<std::string>>& list) {
  if (!list) return failed(500, list.error().message);
  Json json;
  json.open('[');
  for (const auto& each : *list) json.text(each);
  json.close(']');
  return data(std::move(json), list->size());
}

void tag(Json& json, std::string_view key, const store::Value& value) {
  using Type = store::Value::Type;
  json.open('{').key("key").text(key).key("type");
  switch (value.type) {
    case Type::boolean:
      json.text("bool").key("value").boolean(value.boolean);
      break;
    case Type::integer:
      json.text("int64").key("value").number(value.integer);
      break;
    case Type::real:
      json.text("float64").key("value").number(value.real);
      break;
    case Type::text:
      json.text("string").key("value").text(value.text);
      break;
    default: {
      Json inner;
      write_value(inner, value);
      json.text("string").key("value").text(inner.take());
    }
  }
  json.close('}');
}

void text_tag(Json& json, std::string_view key, std::string_view text) {
  store::Value value;
  value.type = store::Value::Type::text;
  value.text = text;
  tag(json, key, value);
}

void tags(Json& json, std::span<const store::Attribute> attributes) {
  for (const auto& each : attributes) tag(json, each.key, each.value);
}

void reference(Json& json, std::string_view type, const store::TraceId& trace, const store::SpanId& span) {
  json.open('{').key("refType").text(type).key("traceID").text(base::to_hex(trace));
  json.key("spanID").text(base::to_hex(span)).close('}');
}

void write_jaeger_span(Json& json, const store::Batch& batch, const store::Span& span) {
  json.open('{').key("traceID").text(base::to_hex(span.trace_id)).key("spanID").text(base::to_hex(span.span_id));
  json.key("operationName").text(span.name).key("references").open('[');
  if (!span.parent_id.is_zero()) reference(json, "CHILD_OF", span.trace_id, span.parent_id);
  for (const auto& link : batch.links_of(span)) reference(json, "FOLLOWS_FROM", link.trace_id, link.span_id);
  json.close(']').key("startTime").number(span.start_unix_ns / 1000).key("duration").number(span.duration_ns() / 1000);
  json.key("tags").open('[');
  tags(json, batch.of(span.attributes));
  if (span.kind > 0) text_tag(json, "span.kind", kind_name(span.kind));
  if (span.status == 1) text_tag(json, "otel.status_code", "OK");
  if (span.status == 2) {
    text_tag(json, "otel.status_code", "ERROR");
    store::Value yes;
    yes.type = store::Value::Type::boolean;
    yes.boolean = true;
    tag(json, "error", yes);
  }
  if (!span.status_message.empty()) text_tag(json, "otel.status_description", span.status_message);
  if (span.origin < batch.origins.size()) {
    text_tag(json, "otel.scope.name", batch.origins[span.origin].scope_name);
    text_tag(json, "otel.scope.version", batch.origins[span.origin].scope_version);
  }
  json.close(']').key("logs").open('[');
  for (const auto& event : batch.events_of(span)) {
    json.open('{').key("timestamp").number(event.time_unix_ns / 1000).key("fields").open('[');
    text_tag(json, "event", event.name);
    tags(json, batch.of(event.attributes));
    json.close(']').close('}');
  }
  json.close(']').key("processID").text("p" + std::to_string(span.origin)).key("warnings").null().close('}');
}

bool write_jaeger_trace(Json& json, const store::Batch& batch) {
  if (batch.spans.empty()) return false;
  json.open('{').key("traceID").text(base::to_hex(batch.spans.front().trace_id)).key("spans").open('[');
  for (const auto& span : batch.spans) write_jaeger_span(json, batch, span);
  json.close(']').key("processes").open('{');
  for (std::size_t i = 0; i < batch.origins.size(); ++i) {
    const std::string key = "p" + std::to_string(i);
    json.key(key).open('{').key("serviceName").text(batch.origins[i].service).key("tags").open('[');
    for (const auto& each : batch.of(batch.origins[i].resource))
      if (each.key != "service.name") tag(json, each.key, each.value);
    json.close(']').close('}');
  }
  json.close('}').key("warnings").null().close('}');
  return true;
}

// "1.5ms", "2m3s": Go's time.ParseDuration.
std::optional<std::uint64_t> go_duration(std::string_view text) {
  static const std::map<std::string_view, double> units = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                                           {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto next = std::min(text.find_first_of("0123456789.", digits), text.size());
    const auto unit = units.find(text.substr(digits, next - digits));
    if (digits == 0 || digits > 18 || unit == units.end()) return std::nullopt;
    double number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (error != std::errc() || at != text.data() + digits) return std::nullopt;
    total += number * unit->second;
    text.remove_prefix(next);
  }
  return total < 9e18 ? std::optional(static_cast<std::uint64_t>(total)) : std::nullopt;
}

// {"key":"value"} as Grafana sends them, or key:value.
void read_tags(Parameters& with, store::SpanQuery& query) {
  for (const auto& text : with.texts("tag")) {
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0)
      with.wrong("tag", "key:value");
    else
      query.attributes.emplace_back(text.substr(0, colon), text.substr(colon + 1));
  }
  for (const auto& text : with.texts("tags")) {
    if (text.empty()) continue;
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (text.size() > 16'384 || parser.parse(text).get(object) != simdjson::SUCCESS) {
      with.wrong("tags", R"({"key":"value"})");
      continue;
    }
    for (const auto& [key, value] : object) {
      std::string_view word;
      if (value.get(word) == simdjson::SUCCESS)
        query.attributes.emplace_back(key, word);
      else
        query.attributes.emplace_back(key, simdjson::minify(value));
    }
  }
  // Jaeger's own words for what OpenTelemetry keeps beside the attributes.
  std::erase_if(query.attributes, [&](const auto& each) {
    if (each.first == "error" && each.second == "true") {
      query.status = 2;
      return true;
    }
    if (each.first == "span.kind") {
      for (std::uint8_t kind = 1; kind <= 5; ++kind)
        if (kind_name(kind) == each.second) query.kind = kind;
      return true;
    }
    return false;
  });
  if (query.attributes.size() > 16) with.wrong("tags", "at most 16 of them");
}

}  // namespace

Response ask_jaeger_services(Api& api, std::string_view, Parameters&) {
  return names(api.store.services(api.deadline()));
}

Response ask_jaeger_service(Api& api, std::string_view rest, Parameters&) {
  constexpr std::string_view tail = "/operations";
  if (!rest.ends_with(tail)) return failed(404, "expected /api/services/NAME/operations");
  return names(api.store.operations(std::string(rest.substr(0, rest.size() - tail.size())), api.deadline()));
}

Response ask_jaeger_operations(Api& api, std::string_view, Parameters& with) {
  const auto list = api.store.operations(with.text("service"), api.deadline());
  if (!list) return failed(500, list.error().message);
  Json json;
  json.open('[');
  for (const auto& each : *list) json.open('{').key("name").text(each).key("spanKind").text("").close('}');
  json.close(']');
  return data(std::move(json), list->size());
}

Response ask_jaeger_traces(Api& api, std::string_view, Parameters& with) {
  store::SpanQuery query;
  std::vector<store::TraceId> ids;
  for (const auto& text : with.texts("traceID")) {
    if (const auto id = base::parse_trace_id(text))
      ids.push_back(*id);
    else
      with.wrong("traceID", "32 hex digits");
  }
  query.service = with.text("service");
  query.operation = with.text("operation");
  if (query.operation == "all") query.operation.clear();
  query.time.from_unix_ns = with.integer("start", 0, 0, UINT64_MAX / 1000) * 1000;
  query.time.to_unix_ns = with.integer("end", UINT64_MAX / 1000, 0, UINT64_MAX / 1000) * 1000;
  static_cast<void>(with.text("lookback"));
  query.limit = std::min<std::uint64_t>(with.integer("limit", 20, 1, 1500), 200);
  for (const auto& [name, into] : {std::pair<std::string_view, std::uint64_t&>{"minDuration", query.min_duration_ns},
                                   {"maxDuration", query.max_duration_ns}}) {
    const auto text = with.text(name);
    if (text.empty()) continue;
    if (const auto duration = go_duration(text))
      into = *duration;
    else
      with.wrong(name, "a duration such as 1.5ms or 2s");
  }
  read_tags(with, query);
  if (auto good = with.check(); !good) return failed(400, good.error().message);
  const auto deadline = api.deadline();
  if (ids.empty()) {
    const auto page = api.store.traces(query, deadline);
    if (!page) return failed(500, page.error().message);
    for (const auto& each : page->items) ids.push_back(each.trace_id);
  }
  Json json;
  json.open('[');
  std::size_t total = 0;
  std::size_t spans = 0;
  for (const auto& id : ids) {
    if (spans > 50'000) break;  // bounded cost: what is missing is asked for by id
    const auto trace = api.store.trace(id, 10'000, deadline);
    if (!trace) return failed(500, trace.error().message);
    spans += trace->spans.size();
    total += write_jaeger_trace(json, *trace) ? 1 : 0;
  }
  json.close(']');
  return data(std::move(json), total);
}

Response ask_jaeger_trace(Api& api, std::string_view rest, Parameters&) {
  std::string text(rest);
  if (text.size() < 32) text.insert(0, 32 - text.size(), '0');
  const auto id = base::parse_trace_id(text);
  if (!id) return failed(400, "expected /api/traces/ID, hex digits in lower case");
  const auto trace = api.store.trace(*id, 50'000, api.deadline());
  if (!trace) return failed(500, trace.error().message);
  Json json;
  json.open('[');
  const bool there = write_jaeger_trace(json, *trace);
  json.close(']');
  return there ? data(std::move(json), 1) : failed(404, "trace not found");
}

Response ask_jaeger_dependencies(Api&, std::string_view, Parameters&) {
  Json json;
  json.open('[').close(']');
  return data(std::move(json), 0);
}

}  // namespace sockeye::console
