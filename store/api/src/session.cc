#include "sockeye/store/session.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "sockeye/model/names.h"
#include "sockeye/store/match.h"
#include "sockeye/store/value_text.h"

namespace sockeye::store {
namespace {

namespace attribute = model::attribute;

std::string_view text_of(std::span<const Attribute> attributes, std::string_view key) {
  const Value* value = find(attributes, key);
  return value != nullptr && value->type == Value::Type::text ? value->text : std::string_view();
}

std::uint64_t count_of(std::span<const Attribute> attributes, std::string_view key) {
  const Value* value = find(attributes, key);
  if (value == nullptr || value->type != Value::Type::integer || value->integer < 0) return 0;
  return static_cast<std::uint64_t>(value->integer);
}

// How much is known of its end: nothing, that its reporter went away with it, or what was seen.
int end_known(const Session& s) { return !s.ended() ? 0 : s.end.why == "lost" ? 1 : 2; }
bool reported(const Session& s) { return !s.instance.empty(); }

void fill(std::string& to, const std::string& from) {
  if (to.empty()) to = from;
}

// What `to` does not say, as `from` says it.
void fill_facts(Session& to, const Session& from) {
  for (const auto field : {&Session::instance, &Session::service, &Session::recorder}) fill(to.*field, from.*field);
  for (const auto field : {&model::SessionFacts::route, &model::SessionFacts::client, &model::SessionFacts::target,
                           &model::SessionFacts::host, &model::SessionFacts::subprotocol,
                           &model::SessionFacts::extensions, &model::SessionFacts::server})
    fill(to.*field, from.*field);
  fill(to.dialect, from.dialect);
  if (to.trace_id.is_zero()) to.trace_id = from.trace_id;
  if (to.opened_unix_ns == 0) to.opened_unix_ns = from.opened_unix_ns;
  if (!to.reconnect_of) to.reconnect_of = from.reconnect_of;
}

void raise(std::uint64_t& to, std::uint64_t from) { to = std::max(to, from); }
void raise(std::array<std::uint64_t, 2>& to, const std::array<std::uint64_t, 2>& from) {
  for (std::size_t i = 0; i < to.size(); ++i) raise(to[i], from[i]);
}
// Figures that last only grow: of two that tell of one session, the higher is the later.
void take_higher(Session& to, const Session& from) {
  model::each_figure([&](const auto& figure) {
    if constexpr (requires { raise(to.*figure.field, from.*figure.field); })
      if (figure.lasting) raise(to.*figure.field, from.*figure.field);
  });
}

model::SessionEnd end_of(const Session& session, const Session& beside) {
  model::SessionEnd out = session.end;
  if (end_known(session) != end_known(beside)) return out;
  if (out.code == 0) out.code = beside.end.code;
  fill(out.why, beside.end.why);
  fill(out.initiator, beside.end.initiator);
  fill(out.reason, beside.end.reason);
  return out;
}

}  // namespace

std::optional<Session> session_of(const Batch& batch, const Span& span) {
  if (!span.session || span.name != model::span_name::connection) return std::nullopt;
  const auto attributes = batch.of(span.attributes);
  if (text_of(attributes, attribute::sockeye_vantage) == "console")
    return std::nullopt;  // whoever looks is none of the fleet
  Session out;
  out.id = *span.session;
  out.service = batch.origins[span.origin].service;
  out.route = text_of(attributes, attribute::sockeye_route);
  out.dialect = text_of(attributes, attribute::sockeye_dialect);
  out.client = text_of(attributes, attribute::client_address);
  out.target = text_of(attributes, attribute::url_path);
  out.host = text_of(attributes, attribute::server_address);
  out.subprotocol = text_of(attributes, attribute::websocket_subprotocol);
  out.trace_id = span.trace_id;
  out.opened_unix_ns = span.start_unix_ns;
  out.seen_unix_ns = span.end_unix_ns;
  out.end.unix_ns = std::max<std::uint64_t>(span.end_unix_ns, 1);  // 0 would be open
  out.end.code = static_cast<std::uint16_t>(
      std::min<std::uint64_t>(count_of(attributes, attribute::websocket_close_code), UINT16_MAX));
  out.end.why = text_of(attributes, attribute::websocket_end_reason);
  out.end.initiator = text_of(attributes, attribute::websocket_close_initiator);
  out.end.reason = text_of(attributes, attribute::websocket_close_reason);
  // The service's view: what it received, the client sent.
  out.messages[0] = count_of(attributes, attribute::websocket_messages_received);
  out.messages[1] = count_of(attributes, attribute::websocket_messages_sent);
  out.bytes[0] = count_of(attributes, attribute::websocket_bytes_received);
  out.bytes[1] = count_of(attributes, attribute::websocket_bytes_sent);
  out.missed_total = count_of(attributes, attribute::websocket_ping_client_missed) +
                     count_of(attributes, attribute::websocket_ping_upstream_missed);
  out.anomalies = count_of(attributes, attribute::websocket_anomalies);
  out.reconnect_of = base::parse_session_id(text_of(attributes, attribute::websocket_reconnect_of));
  return out;
}

Session merged(const Session& one, const Session& other) {
  const auto facts = [](const Session& s) { return std::tuple(reported(s), s.seen_unix_ns); };
  const auto end = [](const Session& s) { return std::tuple(end_known(s), s.end.unix_ns, reported(s)); };
  const bool facts_of_other = facts(other) >= facts(one), end_of_other = end(other) >= end(one);
  Session out = facts_of_other ? other : one;
  const Session& rest = facts_of_other ? one : other;
  fill_facts(out, rest);
  take_higher(out, rest);
  out.end = end_of_other ? end_of(other, one) : end_of(one, other);
  out.seen_unix_ns = std::max(one.seen_unix_ns, other.seen_unix_ns);
  return out;
}

bool open_within(const Session& session, const TimeRange& time) {
  if (time.to_unix_ns < time.from_unix_ns) return false;
  const bool moment = time.to_unix_ns == time.from_unix_ns || time.to_unix_ns == UINT64_MAX;
  const std::uint64_t last = moment ? time.to_unix_ns : time.to_unix_ns - 1;
  return session.opened_unix_ns <= last && (!session.ended() || session.end.unix_ns >= time.from_unix_ns);
}

bool fits(const Session& s, const SessionQuery& q) {
  const auto same = [](const std::string& wanted, const std::string& is) { return wanted.empty() || wanted == is; };
  if (!same(q.instance, s.instance) || !same(q.route, s.route) || !same(q.dialect, s.dialect) ||
      !same(q.end_reason, s.end.why) || !same(q.target, s.target) || !same(q.host, s.host) ||
      !same(q.close_reason, s.end.reason) || !ClientFilter(q.client).fits(s.client))
    return false;
  if (!within(s.opened_unix_ns, q.opened) || (q.reconnects && !s.reconnect_of)) return false;
  const bool any_end = q.ended.from_unix_ns == 0 && q.ended.to_unix_ns == UINT64_MAX;
  if (!any_end && (!s.ended() || !within(s.end.unix_ns, q.ended))) return false;
  if (q.close_code && *q.close_code != s.end.code) return false;
  if (q.abnormal && abnormal(s).empty()) return false;
  if (duration_ns(s) < q.min_duration_ns || duration_ns(s) > q.max_duration_ns) return false;
  return holds_folded(s.target, q.text) || holds_folded(s.host, q.text) || holds_folded(s.subprotocol, q.text) ||
         holds_folded(s.end.reason, q.text);
}

std::uint64_t duration_ns(const Session& s) {
  const std::uint64_t until = s.ended() ? s.end.unix_ns : s.seen_unix_ns;
  return until > s.opened_unix_ns ? until - s.opened_unix_ns : 0;
}

std::optional<Latest> latest_of(const SessionQuery& q, const SessionId& id, std::uint64_t as_of_unix_ns) {
  auto out = q.latest ? q.latest(id) : std::nullopt;
  if (out) out->seen_unix_ns = std::min(out->seen_unix_ns, as_of_unix_ns);
  return out;
}

void take_latest(Session& to, const SessionQuery& q, std::uint64_t as_of_unix_ns) {
  if (to.ended()) return;
  const auto latest = latest_of(q, to.id, as_of_unix_ns);
  if (!latest) return;
  to.seen_unix_ns = latest->seen_unix_ns;
  static_cast<model::SessionFigures&>(to) = latest->figures;
}

std::uint64_t rank_of(const Session& s, SessionQuery::Sort sort) {
  using Sort = SessionQuery::Sort;
  switch (sort) {
    case Sort::opened:
      return s.opened_unix_ns;
    case Sort::ended:
      return s.ended() ? s.end.unix_ns : UINT64_MAX;
    case Sort::duration:
      return duration_ns(s);
    case Sort::messages:
      return s.messages[0] + s.messages[1];
    case Sort::bytes:
      return s.bytes[0] + s.bytes[1];
    case Sort::misses:
      return s.missed_total;
  }
  return 0;
}

}  // namespace sockeye::store
