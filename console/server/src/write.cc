#include "write.h"

#include <array>
#include <cmath>
#include <limits>

#include "sockeye/base/ids.h"
#include "sockeye/intake/decode.h"

namespace sockeye::console {
namespace {

using base::Json;

constexpr std::array<std::string_view, 6> kinds = {"unspecified", "internal", "server",
                                                   "client",      "producer", "consumer"};
constexpr std::array<std::string_view, 3> statuses = {"unset", "ok", "error"};

double ms(std::uint64_t unix_ns) {
  const std::uint64_t microseconds = unix_ns / 1000;
  return static_cast<double>(microseconds) / 1e3;
}

template <class Write>
void pair(Json& json, std::string_view key, Write write) {
  json.key(key).open('[');
  for (std::size_t i = 0; i < 2; ++i) write(i);
  json.close(']');
}

std::string_view opcode_name(std::uint8_t opcode) {
  switch (opcode) {
    case 0:
      return "continuation";
    case 1:
      return "text";
    case 2:
      return "binary";
    case 8:
      return "close";
    case 9:
      return "ping";
    default:
      return "pong";
  }
}

void null(Json& json, std::string_view key) { json.key(key).null(); }

void trace_id(Json& json, const store::TraceId& id) { json.key("trace_id").text(id.is_zero() ? "" : base::to_hex(id)); }

void session_id(Json& json, std::string_view key, const std::optional<store::SessionId>& id) {
  json.key(key);
  if (id)
    json.text(base::to_uuid(*id));
  else
    json.null();
}

void number(Json& json, model::FigureUnit unit, std::uint64_t value) {
  if (unit == model::FigureUnit::count)
    json.number(value);
  else if (unit == model::FigureUnit::seconds)
    json.number(static_cast<double>(value) / 1e9);
  else if (value == 0)
    json.null();
  else
    json.number(ms(value));
}
void number(Json& json, model::FigureUnit unit, const std::optional<std::uint64_t>& value) {
  if (value)
    number(json, unit, *value);
  else
    json.null();
}

// The figures that last, or the others: which are of a live session alone.
void write_figures(Json& json, const model::SessionFigures& figures, bool lasting, bool known) {
  model::each_figure([&](const auto& figure) {
    if (figure.lasting != lasting) return;
    json.key(figure.name);
    const auto& value = figures.*figure.field;
    if (!known) {
      json.null();
    } else if constexpr (requires { value.size(); }) {
      json.open('[');
      for (const auto& each : value) number(json, figure.unit, each);
      json.close(']');
    } else {
      number(json, figure.unit, value);
    }
  });
}

void write_rates(Json& json, const std::optional<LiveRates>& live) {
  if (!live) {
    for (const std::string_view key : {"messages_per_second", "bytes_per_second", "buffered_since_ms"}) null(json, key);
    return;
  }
  pair(json, "messages_per_second", [&](std::size_t i) { json.number(live->messages_per_second[i]); });
  pair(json, "bytes_per_second", [&](std::size_t i) { json.number(live->bytes_per_second[i]); });
  time_ms(json, "buffered_since_ms", live->buffered_since_unix_ns);
}

}  // namespace

std::string_view kind_name(std::uint8_t kind) { return kinds[kind < kinds.size() ? kind : 0]; }
std::string_view status_name(std::uint8_t status) { return statuses[status < statuses.size() ? status : 0]; }

void time_ms(Json& json, std::string_view key, std::uint64_t unix_ns) {
  json.key(key);
  if (unix_ns == 0)
    json.null();
  else
    json.number(ms(unix_ns));
}

void seconds(Json& json, std::string_view key, double value) { json.key(key).number(value); }

void write_value(Json& json, const store::Value& value) { json.raw(intake::to_json(value)); }

namespace {

// What a value is whose JSON is text without being a string's; "" where the JSON says it.
std::string_view type_in_text(const store::Value& value) {
  using Type = store::Value::Type;
  const auto exact = [](std::int64_t n) {
    return n <= base::largest_exact_integer && n >= -base::largest_exact_integer;
  };
  if (value.type == Type::bytes) return "bytes";
  if (value.type == Type::integer && !exact(value.integer)) return "int";
  if (value.type == Type::real && !std::isfinite(value.real)) return "double";
  return {};
}

void write_dropped(Json& json, std::uint32_t attributes) {
  json.key("dropped_attributes").number(std::uint64_t{attributes});
}

// Who sent it: `service`, `resource`, and the `scope` that spoke.
void write_origin(Json& json, const store::Batch& batch, std::uint32_t place) {
  static const store::Origin nobody;
  const store::Origin& origin = place < batch.origins.size() ? batch.origins[place] : nobody;
  json.key("service").text(origin.service);
  write_attributes(json, "resource", batch.of(origin.resource));
  json.key("resource_schema_url").text(origin.resource_schema_url);
  json.key("scope").open('{').key("name").text(origin.scope_name).key("version").text(origin.scope_version);
  write_attributes(json, "attributes", batch.of(origin.scope));
  json.key("schema_url").text(origin.scope_schema_url).close('}');
}

}  // namespace

void write_attributes(Json& json, std::string_view key, std::span<const store::Attribute> attributes) {
  json.key(key).open('[');
  for (const auto& each : attributes) {
    json.open('{').key("key").text(each.key).key("value");
    write_value(json, each.value);
    if (const auto type = type_in_text(each.value); !type.empty()) json.key("type").text(type);
    if (each.value.truncated) json.key("truncated").boolean(true);
    json.close('}');
  }
  json.close(']');
}

void write_span(Json& json, const store::Batch& batch, const store::Span& span, const std::function<void()>& more) {
  const auto offset = [&](std::uint64_t at) { return static_cast<std::int64_t>(at - span.start_unix_ns); };
  json.open('{');
  trace_id(json, span.trace_id);
  json.key("span_id").text(base::to_hex(span.span_id));
  json.key("parent_id").text(span.parent_id.is_zero() ? "" : base::to_hex(span.parent_id));
  json.key("name").text(span.name);
  json.key("kind").text(kind_name(span.kind));
  json.key("status").text(status_name(span.status));
  json.key("status_message").text(span.status_message);
  json.key("flags").number(std::uint64_t{span.flags}).key("trace_state").text(span.trace_state);
  json.key("start_ms").number(ms(span.start_unix_ns));
  json.key("start_unix_ns").text(std::to_string(span.start_unix_ns));
  json.key("duration_ns").number(static_cast<std::int64_t>(span.end_unix_ns - span.start_unix_ns));
  session_id(json, "session", span.session);
  write_attributes(json, "attributes", batch.of(span.attributes));
  json.key("events").open('[');
  for (const auto& event : batch.events_of(span)) {
    json.open('{').key("name").text(event.name).key("time_ms").number(ms(event.time_unix_ns));
    json.key("offset_ns").number(offset(event.time_unix_ns));
    write_attributes(json, "attributes", batch.of(event.attributes));
    write_dropped(json, event.dropped_attributes);
    json.close('}');
  }
  json.close(']').key("links").open('[');
  for (const auto& link : batch.links_of(span)) {
    json.open('{');
    trace_id(json, link.trace_id);
    json.key("span_id").text(base::to_hex(link.span_id));
    json.key("trace_state").text(link.trace_state).key("flags").number(std::uint64_t{link.flags});
    write_attributes(json, "attributes", batch.of(link.attributes));
    write_dropped(json, link.dropped_attributes);
    json.close('}');
  }
  json.close(']');
  write_origin(json, batch, span.origin);
  json.key("dropped").open('{').key("attributes").number(std::uint64_t{span.dropped_attributes});
  json.key("events").number(std::uint64_t{span.dropped_events}).key("links").number(std::uint64_t{span.dropped_links});
  json.close('}');
  if (more) more();
  json.close('}');
}

void write_log(Json& json, const store::Batch& batch, const store::Log& log) {
  json.open('{').key("time_ms").number(ms(log.time_unix_ns));
  json.key("time_unix_ns").text(std::to_string(log.time_unix_ns));
  json.key("span_id").text(log.span_id.is_zero() ? "" : base::to_hex(log.span_id));
  json.key("flags").number(std::uint64_t{log.flags}).key("event_name").text(log.event_name);
  json.key("severity").number(std::uint64_t{log.severity}).key("severity_text").text(log.severity_text).key("body");
  write_value(json, log.body);
  if (const auto type = type_in_text(log.body); !type.empty()) json.key("body_type").text(type);
  if (log.body.truncated) json.key("body_truncated").boolean(true);
  write_attributes(json, "attributes", batch.of(log.attributes));
  write_dropped(json, log.dropped_attributes);
  write_origin(json, batch, log.origin);
  json.close('}');
}

void write_summary(Json& json, const store::TraceSummary& trace) {
  json.open('{');
  trace_id(json, trace.trace_id);
  json.key("root_service").text(trace.root_service).key("root_operation").text(trace.root_operation);
  json.key("root_missing").boolean(trace.root_missing).key("start_ms").number(ms(trace.start_unix_ns));
  json.key("duration_seconds")
      .number(
          static_cast<double>(trace.end_unix_ns > trace.start_unix_ns ? trace.end_unix_ns - trace.start_unix_ns : 0) /
          1e9);
  json.key("spans").number(trace.spans).key("errors").number(trace.errors).key("matched").number(trace.matched);
  seconds(json, "sorted_seconds", trace.sorted.value_or(std::numeric_limits<double>::quiet_NaN()));
  json.key("services").open('[');
  for (const auto& [service, spans] : trace.services)
    json.open('{').key("service").text(service).key("spans").number(spans).close('}');
  json.close(']');
  session_id(json, "session", trace.session);
  json.close('}');
}

void write_session(Json& json, const store::Session& s, const std::optional<LiveRates>& live) {
  const bool ended = s.ended() && !live;
  json.open('{').key("id").text(base::to_uuid(s.id)).key("instance").text(s.instance).key("service").text(s.service);
  json.key("route").text(s.route).key("dialect").text(s.dialect.empty() ? "none" : s.dialect);
  json.key("client").text(s.client).key("target").text(s.target).key("host").text(s.host);
  json.key("subprotocol").text(s.subprotocol);
  trace_id(json, s.trace_id);
  json.key("opened_ms").number(ms(s.opened_unix_ns)).key("seen_ms").number(ms(s.seen_unix_ns));
  // Open as far as is known, but its proxy is not heard: nothing of it is later than that.
  time_ms(json, "heard_ms", ended ? 0 : s.seen_unix_ns);
  json.key("last_heard").boolean(!ended && !live);
  time_ms(json, "ended_ms", ended ? s.end.unix_ns : 0);
  json.key("state").text(ended ? "ended" : live && s.state != model::SessionState::open ? "closing" : "open");
  json.key("live").boolean(live.has_value()).key("close_code");
  if (ended && s.end.code != 0)
    json.number(std::uint64_t{s.end.code});
  else
    json.null();
  for (const auto& [key, value] :
       {std::pair<std::string_view, const std::string&>{"end_reason", s.end.why}, {"initiator", s.end.initiator}}) {
    json.key(key);
    if (ended && !value.empty())
      json.text(value);
    else
      json.null();
  }
  json.key("close_reason").text(s.end.reason);
  const std::string abnormal = ended ? store::abnormal(s) : "";
  json.key("abnormal").boolean(!abnormal.empty()).key("abnormal_why").text(abnormal);
  write_figures(json, s, true, true);
  session_id(json, "reconnect_of", s.reconnect_of);
  write_rates(json, live);
  write_figures(json, s, false, live.has_value());
  json.close('}');
}

void write_recorder(Json& json, std::string_view key, const std::vector<live::Recorded>& recorder) {
  json.key(key).open('[');
  for (const auto& each : recorder) {
    json.open('{').key("time_ms").number(ms(each.time_unix_ns)).key("side").number(std::uint64_t{each.side});
    json.key("type").text(opcode_name(each.opcode)).key("length").number(each.length);
    json.key("compressed").boolean(each.compressed).key("injected").boolean(each.injected);
    json.key("answered").boolean(each.answered).close('}');
  }
  json.close(']');
}

void write_calls(Json& json, std::string_view key, const std::vector<live::OpenCall>& calls) {
  json.key(key).open('[');
  for (const auto& call : calls) {
    json.open('{').key("number").number(call.number).key("operation").text(call.operation);
    json.key("opened_by").number(std::uint64_t{call.opened_by}).key("opened_ms").number(ms(call.opened_unix_ns));
    time_ms(json, "first_chunk_ms", call.first_chunk_unix_ns);
    time_ms(json, "last_chunk_ms", call.last_chunk_unix_ns);
    json.key("chunks").number(call.chunks);
    trace_id(json, call.trace_id);
    json.close('}');
  }
  json.close(']');
}

void write_proxies(Json& json, const std::vector<ProxyNow>& proxies) {
  json.key("proxies").open('[');
  for (const auto& proxy : proxies) {
    const auto& hello = proxy.hello;
    json.open('{').key("instance").text(hello.instance).key("service").text(hello.service).key("host").text(hello.host);
    constexpr std::array<std::string_view, 4> states = {"connected", "unheard", "drained", "lost"};
    json.key("version").text(hello.sockeye_version);
    json.key("connected").boolean(proxy.state == ProxyNow::State::connected);
    json.key("state").text(states[static_cast<std::size_t>(proxy.state)]);
    json.key("since_ms").number(ms(proxy.since_unix_ns)).key("heard_ms").number(ms(proxy.heard_unix_ns));
    json.key("started_ms").number(ms(hello.started_unix_ns));
    json.key("sessions").number(proxy.sessions).close('}');
  }
  json.close(']');
}

void write_route(Json& json, const RouteNow& route) {
  const auto& s = route.summary;
  const auto rtt = [&](const std::array<std::optional<std::uint64_t>, 2>& legs) {
    return [&json, &legs](std::size_t i) {
      if (legs[i])
        json.number(static_cast<double>(*legs[i]) / 1e9);
      else
        json.null();
    };
  };
  json.open('{').key("instance").text(route.instance).key("route").text(s.route).key("active").number(s.active);
  pair(json, "messages_per_second", [&](std::size_t i) { json.number(route.messages_per_second[i]); });
  pair(json, "bytes_per_second", [&](std::size_t i) { json.number(route.bytes_per_second[i]); });
  json.key("opened_per_second").number(route.opened_per_second).key("ended_per_second").number(route.ended_per_second);
  json.key("misses").number(s.missed_total).key("reconnects").number(s.reconnects_total);
  json.key("missing_pongs").number(s.missing_pongs);
  json.key("buffered_sessions").number(s.buffered_sessions).key("buffered_bytes").number(s.buffered_bytes);
  json.key("invocations_open").number(s.invocations_open);
  pair(json, "rtt_p50_seconds", rtt(s.rtt_p50_ns));
  pair(json, "rtt_p99_seconds", rtt(s.rtt_p99_ns));
  json.close('}');
}

}  // namespace sockeye::console
