// Jaeger's HTTP query API, as its own page and Grafana's data source use it: times are Unix microseconds, answers are
// {"data": …, "total": …, "limit": 0, "offset": 0, "errors": null}. Source: Jaeger 1.x, cmd/query/app/http_handler.go
// and model/json. What an answer leaves out it names as Jaeger does: by trace in `errors`, by span in `warnings`. Lists
// have a `cursor` besides, which Jaeger has not.
#include "jaeger.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "api.h"
#include "clock.h"
#include "read_ids.h"
#include "sockeye/model/names.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;

struct Left {
  std::string message;
  std::optional<store::TraceId> trace;
};

// `cursor`: none where the list is always whole.
Response data(Json&& json, std::size_t total, const std::vector<Left>& left = {},
              const std::optional<std::string>& cursor = std::nullopt) {
  Json out;
  out.open('{').key("data").raw(json.take()).key("total").number(std::uint64_t{total});
  out.key("limit").number(std::uint64_t{0}).key("offset").number(std::uint64_t{0}).key("errors");
  if (left.empty()) {
    out.null();
  } else {
    out.open('[');
    for (const Left& each : left) {
      out.open('{').key("msg").text(each.message);
      if (each.trace) out.key("traceID").text(base::to_hex(*each.trace));
      out.close('}');
    }
    out.close(']');
  }
  if (cursor) out.key("cursor").text(*cursor);
  out.close('}');
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
      json.text("bool");
      break;
    case Type::integer:
      json.text("int64");
      break;
    case Type::real:
      json.text("float64");
      break;
    case Type::bytes:
      json.text("binary");
      break;
    case Type::text:
      json.text("string");
      break;
    default: {  // Jaeger knows no nested values
      Json inner;
      write_value(inner, value);
      json.text("string").key("value").text(inner.take()).close('}');
      return;
    }
  }
  json.key("value");
  write_value(json, value);
  json.close('}');
}

void text_tag(Json& json, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  store::Value value;
  value.type = store::Value::Type::text;
  value.text = text;
  tag(json, key, value);
}

void count_tag(Json& json, std::string_view key, std::uint32_t count) {
  if (count == 0) return;
  store::Value value;
  value.type = store::Value::Type::integer;
  value.integer = count;
  tag(json, key, value);
}

void tags(Json& json, std::span<const store::Attribute> attributes) {
  for (const auto& each : attributes) tag(json, each.key, each.value);
}

void reference(Json& json, std::string_view type, const store::TraceId& trace, const store::SpanId& span) {
  json.open('{').key("refType").text(type).key("traceID").text(base::to_hex(trace));
  json.key("spanID").text(base::to_hex(span)).close('}');
}

void write_warning(Json& json, std::string_view warning) {
  json.key("warnings");
  if (warning.empty())
    json.null();
  else
    json.open('[').text(warning).close(']');
}

void write_jaeger_span(Json& json, const store::Batch& batch, const store::Span& span, std::string_view warning) {
  json.open('{').key("traceID").text(base::to_hex(span.trace_id)).key("spanID").text(base::to_hex(span.span_id));
  json.key("flags").number(std::uint64_t{span.flags & 0xFFU});
  json.key("operationName").text(span.name).key("references").open('[');
  if (!span.parent_id.is_zero()) reference(json, "CHILD_OF", span.trace_id, span.parent_id);
  for (const auto& link : batch.links_of(span)) reference(json, "FOLLOWS_FROM", link.trace_id, link.span_id);
  json.close(']').key("startTime").number(span.start_unix_ns / 1000).key("duration").number(span.duration_ns() / 1000);
  json.key("tags").open('[');
  tags(json, batch.of(span.attributes));
  if (span.kind > 0) text_tag(json, "span.kind", kind_name(span.kind));
  if (span.status == 1) text_tag(json, model::attribute::otel_status_code, "OK");
  if (span.status == 2) {
    text_tag(json, model::attribute::otel_status_code, "ERROR");
    store::Value yes;
    yes.type = store::Value::Type::boolean;
    yes.boolean = true;
    tag(json, "error", yes);
  }
  if (!span.status_message.empty()) text_tag(json, model::attribute::otel_status_description, span.status_message);
  text_tag(json, model::attribute::w3c_tracestate, span.trace_state);
  if (span.origin < batch.origins.size()) {
    const store::Origin& origin = batch.origins[span.origin];
    text_tag(json, model::attribute::otel_scope_name, origin.scope_name);
    text_tag(json, model::attribute::otel_scope_version, origin.scope_version);
    tags(json, batch.of(origin.scope));
  }
  count_tag(json, model::attribute::otel_dropped_attributes_count, span.dropped_attributes);
  count_tag(json, model::attribute::otel_dropped_events_count, span.dropped_events);
  count_tag(json, model::attribute::otel_dropped_links_count, span.dropped_links);
  json.close(']').key("logs").open('[');
  for (const auto& event : batch.events_of(span)) {
    json.open('{').key("timestamp").number(event.time_unix_ns / 1000).key("fields").open('[');
    text_tag(json, "event", event.name);
    tags(json, batch.of(event.attributes));
    json.close(']').close('}');
  }
  json.close(']').key("processID").text("p" + std::to_string(span.origin));
  write_warning(json, warning);
  json.close('}');
}

// `batch` holds one span more than `most` where the trace has more.
void write_jaeger_trace(Json& json, const store::Batch& batch, std::size_t most) {
  const std::size_t count = std::min(batch.spans.size(), most);
  const std::string warning =
      count == batch.spans.size()
          ? ""
          : "only the earliest " + std::to_string(count) + " spans of this trace are here: /api/v1/traces/ID has more";
  json.open('{').key("traceID").text(base::to_hex(batch.spans.front().trace_id)).key("spans").open('[');
  for (std::size_t i = 0; i < count; ++i)
    write_jaeger_span(json, batch, batch.spans[i], i == 0 ? warning : std::string_view());
  json.close(']').key("processes").open('{');
  for (std::size_t i = 0; i < batch.origins.size(); ++i) {
    const std::string key = "p" + std::to_string(i);
    json.key(key).open('{').key("serviceName").text(batch.origins[i].service).key("tags").open('[');
    for (const auto& each : batch.of(batch.origins[i].resource))
      if (each.key != model::attribute::service_name) tag(json, each.key, each.value);
    json.close(']').close('}');
  }
  json.close('}');
  write_warning(json, warning);
  json.close('}');
}

// What Jaeger's page sends besides and what changes nothing here: no trace is adjusted, so every one is raw.
void take_presentation(Parameters& with) {
  static_cast<void>(with.text("raw"));
  static_cast<void>(with.text("prettyPrint"));
  static_cast<void>(with.text("lookback"));
}

constexpr std::size_t most_names = 100'000;

}  // namespace

Response ask_jaeger_services(Api& api, std::string_view, Parameters&) {
  return names(api.store.services(api.deadline()));
}

Response ask_jaeger_service(Api& api, std::string_view rest, Parameters&) {
  constexpr std::string_view tail = "/operations";
  if (!rest.ends_with(tail)) return failed(404, "expected /api/services/NAME/operations");
  store::OperationNamesQuery query;
  query.service = rest.substr(0, rest.size() - tail.size());
  query.limit = most_names;
  const auto page = api.store.operations(query, api.deadline());
  if (!page) return failed(500, page.error().message);
  Json json;
  json.open('[');
  for (const auto& each : page->items) json.text(each.operation);
  json.close(']');
  return data(std::move(json), page->items.size(), {}, page->cursor);
}

// One entry for each kind of span that an operation has.
Response ask_jaeger_operations(Api& api, std::string_view, Parameters& with) {
  store::OperationNamesQuery query;
  query.service = with.text("service");
  query.cursor = with.text("cursor");
  query.limit = most_names;
  const auto asked = with.text("spanKind");
  query.kind = kind_of(asked);
  store::Page<store::OperationName> page;
  if (asked.empty() || query.kind) {
    auto found = api.store.operations(query, api.deadline());
    if (!found) return failed(found.error().message == store::bad_cursor ? 400 : 500, found.error().message);
    page = *std::move(found);
  }
  Json json;
  json.open('[');
  std::size_t count = 0;
  const auto write = [&](const std::string& name, std::string_view kind) {
    json.open('{').key("name").text(name).key("spanKind").text(kind).close('}');
    ++count;
  };
  for (const auto& each : page.items) {
    if (each.kinds == 0) write(each.operation, "");
    for (std::uint8_t kind = 0; kind <= 5; ++kind)
      if ((each.kinds >> kind & 1U) != 0 && (!query.kind || query.kind == kind))
        write(each.operation, kind == 0 ? "" : kind_name(kind));
  }
  json.close(']');
  return data(std::move(json), count, {}, page.cursor);
}

Response ask_jaeger_traces(Api& api, std::string_view, Parameters& with) {
  JaegerSearch search;
  auto& query = search.query;
  std::vector<store::TraceId> ids;
  for (const auto& text : with.texts("traceID")) {
    if (const auto id = read_trace_id(text))
      ids.push_back(*id);
    else
      with.wrong("traceID", "at most 32 hex digits");
  }
  const bool named = !ids.empty();
  query.service = with.text("service");
  query.operation = with.text("operation");
  if (query.operation == "all") query.operation.clear();
  query.time.from_unix_ns = with.integer("start", 0, 0, UINT64_MAX / 1000) * 1000;
  query.time.to_unix_ns = with.integer("end", UINT64_MAX / 1000, 0, UINT64_MAX / 1000) * 1000;
  query.limit = with.integer("limit", 20, 1, most_jaeger_traces);
  query.cursor = with.text("cursor");
  take_presentation(with);
  for (const auto& [name, into] : {std::pair<std::string_view, std::uint64_t&>{"minDuration", query.min_duration_ns},
                                   {"maxDuration", query.max_duration_ns}}) {
    const auto text = with.text(name);
    if (text.empty()) continue;
    if (const auto duration = go_duration(text))
      into = *duration;
    else
      with.wrong(name, "a duration such as 1.5ms or 2s");
  }
  add_tags(search, with, "tags", with.texts("tag"), with.texts("tags"));
  if (auto good = with.check(); !good) return failed(400, good.error().message);
  const auto deadline = api.deadline();
  std::vector<Left> left;
  std::string cursor;
  if (!named && search.possible) {
    const auto page = api.store.traces(query, deadline);
    if (!page) return failed(page.error().message == store::bad_cursor ? 400 : 500, page.error().message);
    for (const auto& each : page->items) ids.push_back(each.trace_id);
    cursor = page->cursor;
    if (!page->complete) left.push_back({"the search took too long and was cut short: ask on with the cursor", {}});
  }
  Json json;
  json.open('[');
  std::size_t total = 0;
  std::size_t spans = 0;
  for (const auto& id : ids) {
    if (spans >= most_jaeger_spans) {
      left.push_back({"left out, for the answer has 50,000 spans already: ask for it by its id", id});
      continue;
    }
    const auto trace = api.store.trace(id, most_jaeger_trace_spans + 1, deadline);
    if (!trace) return failed(500, trace.error().message);
    if (trace->spans.empty()) {
      left.push_back({"trace not found", id});
      continue;
    }
    spans += trace->spans.size();
    write_jaeger_trace(json, *trace, most_jaeger_trace_spans);
    ++total;
  }
  json.close(']');
  return data(std::move(json), total, left, cursor);
}

Response ask_jaeger_trace(Api& api, std::string_view rest, Parameters&) {
  const auto id = read_trace_id(rest);
  if (!id) return failed(400, "expected /api/traces/ID, at most 32 hex digits");
  const auto trace = api.store.trace(*id, most_jaeger_spans + 1, api.deadline());
  if (!trace) return failed(500, trace.error().message);
  if (trace->spans.empty()) return failed(404, "trace not found");
  Json json;
  json.open('[');
  write_jaeger_trace(json, *trace, most_jaeger_spans);
  json.close(']');
  return data(std::move(json), 1);
}

// `endTs` and `lookback` in milliseconds.
Response ask_jaeger_dependencies(Api& api, std::string_view, Parameters& with) {
  constexpr std::uint64_t day_ms = 86'400'000, most_ms = 9'200'000'000'000;
  const std::uint64_t end_ms = with.integer("endTs", unix_now_ns() / 1'000'000 + 1, 0, most_ms);
  const std::uint64_t lookback_ms = with.integer("lookback", day_ms, 0, most_ms);
  const std::string service = with.text("service");
  if (auto good = with.check(); !good) return failed(400, good.error().message);
  const store::TimeRange range{(end_ms - std::min(lookback_ms, end_ms)) * 1'000'000, end_ms * 1'000'000};
  const auto page = api.store.dependencies(range, api.deadline());
  if (!page) return failed(500, page.error().message);
  std::vector<Left> left;
  if (!page->complete) left.push_back({"counting took too long: only the latest spans are in it; ask for less", {}});
  Json json;
  std::size_t total = 0;
  json.open('[');
  for (const auto& each : page->items) {
    if (!service.empty() && each.parent != service && each.child != service) continue;
    json.open('{').key("parent").text(each.parent).key("child").text(each.child);
    json.key("callCount").number(each.calls).close('}');
    ++total;
  }
  json.close(']');
  return data(std::move(json), total, left);
}

}  // namespace sockeye::console
