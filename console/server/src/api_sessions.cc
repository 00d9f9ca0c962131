#include <algorithm>
#include <cmath>

#include "api.h"
#include "clock.h"
#include "read_ids.h"
#include "sockeye/model/names.h"
#include "write.h"

namespace sockeye::console {
namespace {

constexpr std::size_t most_traces = 50, most_invocations = 200, spans_looked_at = 2000;
constexpr std::uint64_t asked_watch_ns = 10'000'000'000;

Response not_found() { return error_response(404, "no session of that id is known (any more)"); }

Response ask_points(Api& api, const store::SessionId& id, Parameters& with) {
  const auto time = time_range(with);
  if (auto no = refused(with)) return *std::move(no);
  const auto points = api.store.points(id, time, api.deadline());
  if (!points) return store_failed(points.error());
  base::Json json;
  json.open('{').key("points").open('[');
  const auto pair = [&](std::string_view key, const float(&values)[2]) {
    json.key(key).open('[').number(static_cast<double>(values[0])).number(static_cast<double>(values[1])).close(']');
  };
  for (const auto& point : *points) {
    json.open('{');
    time_ms(json, "time_ms", point.time_unix_ns);
    pair("rtt_seconds", point.rtt_seconds);
    pair("buffered_bytes", point.buffered_bytes);
    pair("messages_per_second", point.messages_per_second);
    pair("bytes_per_second", point.bytes_per_second);
    json.close('}');
  }
  json.close(']').close('}');
  return json_response(json.take());
}

Response ask_spans(Api& api, const store::SessionId& id, Parameters& with) {
  store::SpanQuery query;
  query.time = time_range(with);
  query.session = id;
  query.limit = with.integer("limit", 500, 1, 5000);
  query.cursor = with.text("cursor");
  if (auto no = refused(with)) return *std::move(no);
  const auto page = api.store.spans(query, api.deadline());
  if (!page) return store_failed(page.error());
  base::Json json;
  json.open('{').key("spans").open('[');
  for (const auto& span : page->spans.spans) write_span(json, page->spans, span);
  json.close(']').key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

Response detail(Api& api, const store::SessionId& id) {
  const auto now = unix_now_ns();
  const auto deadline = api.deadline();
  auto live = api.fleet.session(id, now);
  auto stored = api.store.session(id, deadline);
  if (!stored) return store_failed(stored.error());
  if (!live && !*stored) return not_found();
  const store::Session& facts = live ? live->session : **stored;

  std::vector<live::Recorded> recorder;
  std::vector<live::OpenCall> calls;
  if (live) {
    api.fleet.watch(id, now + asked_watch_ns);  // its proxy will report; the page's WebSocket brings it
    if (const auto reported = api.fleet.detail(id)) {
      recorder = reported->recorder;
      calls = reported->calls;
    }
  } else if (auto kept = live::decode_recorder(base::as_bytes(facts.recorder))) {
    recorder = *std::move(kept);
  }

  store::SpanQuery query;
  query.session = id;
  query.limit = most_traces;
  const auto traces = api.store.traces(query, deadline);
  if (!traces) return store_failed(traces.error());
  query.limit = spans_looked_at;
  const auto spans = api.store.spans(query, deadline);
  if (!spans) return store_failed(spans.error());
  std::vector<const store::Span*> invocations;
  const store::Span* connection = nullptr;
  for (const auto& span : spans->spans.spans) {
    if (span.name == model::span_name::connection)
      connection = &span;
    else if (invocations.size() < most_invocations &&
             store::find(spans->spans.of(span.attributes), model::attribute::websocket_invocation_status) != nullptr)
      invocations.push_back(&span);
  }
  std::reverse(invocations.begin(), invocations.end());

  base::Json json;
  json.open('{').key("session");
  write_session(json, facts, live ? live->live : std::nullopt);
  write_recorder(json, "recorder", recorder);
  write_calls(json, "calls", calls);
  json.key("traces").open('[');
  for (const auto& trace : traces->items) write_summary(json, trace);
  json.close(']').key("invocations").open('[');
  for (const auto* span : invocations) write_span(json, spans->spans, *span);
  json.close(']').key("connection");
  if (connection != nullptr)
    write_span(json, spans->spans, *connection);
  else
    json.null();
  json.close('}');
  return json_response(json.take());
}

}  // namespace

Response ask_sessions(Api& api, std::string_view, Parameters& with) {
  store::SessionQuery query;
  query.time = time_range(with);
  using State = store::SessionQuery::State;
  constexpr std::array states = {State::any, State::open, State::ended};
  query.state = states[with.word("state", {"any", "open", "ended"}).value_or(0)];
  query.sort = static_cast<store::SessionQuery::Sort>(
      with.word("sort", {"opened", "ended", "duration", "messages", "bytes", "misses"}).value_or(0));
  query.ascending = with.word("order", {"desc", "asc"}).value_or(0) == 1;
  query.route = with.text("route");
  query.instance = with.text("instance");
  query.target = with.text("target");
  query.host = with.text("host");
  query.close_reason = with.text("close_reason");
  query.reconnects = with.flag("reconnect");
  query.opened = {with.time("opened_from_ms").value_or(0), with.time("opened_to_ms").value_or(UINT64_MAX)};
  query.ended = {with.time("ended_from_ms").value_or(0), with.time("ended_to_ms").value_or(UINT64_MAX)};
  // What opened before, or ended after, was open then: the store need look no further.
  query.time.from_unix_ns = std::max(query.time.from_unix_ns, query.ended.from_unix_ns);
  query.time.to_unix_ns = std::min({query.time.to_unix_ns, query.opened.to_unix_ns, query.ended.to_unix_ns});
  query.dialect = with.text("dialect");
  query.client = with.text("client");
  query.end_reason = with.text("end_reason");
  query.text = with.text("text");
  query.abnormal = with.flag("abnormal");
  query.min_duration_ns = with.duration("min_duration_seconds").value_or(0);
  query.max_duration_ns = with.duration("max_duration_seconds").value_or(UINT64_MAX);
  if (const auto code = with.integer("close_code", 0, 0, 65535); code != 0)
    query.close_code = static_cast<std::uint16_t>(code);
  query.limit = with.integer("limit", 50, 1, 500);
  query.cursor = with.text("cursor");
  query.attributes = attribute_filters(with);
  if (auto no = refused(with)) return *std::move(no);
  const auto now = unix_now_ns();
  query.now_unix_ns = now;
  query.latest = [&](const store::SessionId& id) { return api.fleet.latest(id, now); };
  const auto page = api.store.sessions(query, api.deadline());
  if (!page) return store_failed(page.error());
  base::Json json;
  json.open('{').key("sessions").open('[');
  for (const auto& session : page->items) {
    // What its proxy says this second is newer than what the store has.
    if (const auto live = api.fleet.session(session.id, now))
      write_session(json, live->session, live->live);
    else
      write_session(json, session, std::nullopt);
  }
  json.close(']').key("total");
  if (page->total)
    json.number(*page->total);
  else
    json.null();
  json.key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

Response ask_session(Api& api, std::string_view rest, Parameters& with) {
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto id = read_session_id(rest.substr(0, slash));
  if (!id) return error_response(400, "expected /api/v1/sessions/ID, with an id as the list shows them");
  const std::string_view what = rest.substr(slash);
  if (what == "/points") return ask_points(api, *id, with);
  if (what == "/spans") return ask_spans(api, *id, with);
  if (!what.empty()) return error_response(404, "of a session there are /points and /spans");
  if (auto no = refused(with)) return *std::move(no);
  return detail(api, *id);
}

}  // namespace sockeye::console
