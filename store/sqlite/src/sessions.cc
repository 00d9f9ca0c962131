#include "sessions.h"

#include <algorithm>
#include <utility>

namespace sockeye::sqlite {
namespace {

using store::Session;

std::string_view text_of(std::span<const store::Attribute> attributes, std::string_view key) {
  const store::Value* value = store::find(attributes, key);
  return value != nullptr && value->type == store::Value::Type::text ? value->text : std::string_view();
}

std::uint64_t count_of(std::span<const store::Attribute> attributes, std::string_view key) {
  const store::Value* value = store::find(attributes, key);
  if (value == nullptr || value->type != store::Value::Type::integer || value->integer < 0) return 0;
  return static_cast<std::uint64_t>(value->integer);
}

void fill(std::string& to, const std::string& from) {
  if (to.empty()) to = from;
}
template <class Number>
void fill(Number& to, Number from) {
  if (to == 0) to = from;
}

void take_end(Session& to, const Session& from) {
  to.ended_unix_ns = from.ended_unix_ns;
  to.close_code = from.close_code;
  to.end_reason = from.end_reason;
  to.initiator = from.initiator;
  to.close_reason = from.close_reason;
}

// Figures only grow: of two that tell of one session, the higher is the later.
void take_more(Session& to, const Session& from) {
  for (int i = 0; i < 2; ++i) {
    to.messages[i] = std::max(to.messages[i], from.messages[i]);
    to.bytes[i] = std::max(to.bytes[i], from.bytes[i]);
  }
  to.misses = std::max(to.misses, from.misses);
  to.anomalies = std::max(to.anomalies, from.anomalies);
}

// What `to` does not say, as `from` says it. Not its end.
void fill_facts(Session& to, const Session& from) {
  for (std::string Session::*const field :
       {&Session::instance, &Session::service, &Session::route, &Session::dialect, &Session::client, &Session::target,
        &Session::host, &Session::subprotocol, &Session::recorder})
    fill(to.*field, from.*field);
  if (to.trace_id.is_zero()) to.trace_id = from.trace_id;
  fill(to.opened_unix_ns, from.opened_unix_ns);
  if (!to.reconnect_of) to.reconnect_of = from.reconnect_of;
}

void fill_figures(Session& to, const Session& from) {
  for (int i = 0; i < 2; ++i) {
    fill(to.messages[i], from.messages[i]);
    fill(to.bytes[i], from.bytes[i]);
  }
  fill(to.misses, from.misses);
  fill(to.anomalies, from.anomalies);
}

Session with_span(const Session& report, const Session& span) {
  Session out = report;
  fill_facts(out, span);
  fill_figures(out, span);
  // "lost" says only that its reporter went away; the span saw the end.
  if (!out.ended_unix_ns || (out.end_reason == "lost" && span.ended_unix_ns)) {
    take_end(out, span);
    take_more(out, span);
  } else {
    fill(out.close_code, span.close_code);
    fill(out.end_reason, span.end_reason);
    fill(out.initiator, span.initiator);
    fill(out.close_reason, span.close_reason);
  }
  out.seen_unix_ns = std::max(report.seen_unix_ns, span.seen_unix_ns);
  return out;
}

}  // namespace

std::optional<Session> session_of(const store::Batch& batch, const store::Span& span) {
  if (!span.session || span.name != "websocket.connection") return std::nullopt;
  const auto attributes = batch.of(span.attributes);
  if (text_of(attributes, "sockeye.vantage") == "console") return std::nullopt;  // whoever looks is none of the fleet
  Session out;
  out.id = *span.session;
  out.service = batch.origins[span.origin].service;
  out.route = text_of(attributes, "sockeye.route");
  out.dialect = text_of(attributes, "sockeye.dialect");
  out.client = text_of(attributes, "client.address");
  out.target = text_of(attributes, "url.path");
  out.host = text_of(attributes, "server.address");
  out.subprotocol = text_of(attributes, "websocket.subprotocol");
  out.trace_id = span.trace_id;
  out.opened_unix_ns = span.start_unix_ns;
  out.ended_unix_ns = out.seen_unix_ns = span.end_unix_ns;
  out.close_code =
      static_cast<std::uint16_t>(std::min<std::uint64_t>(count_of(attributes, "websocket.close.code"), UINT16_MAX));
  out.end_reason = text_of(attributes, "websocket.end_reason");
  out.initiator = text_of(attributes, "websocket.close.initiator");
  out.close_reason = text_of(attributes, "websocket.close.reason");
  // The service's view: what it received, the client sent.
  out.messages[0] = count_of(attributes, "websocket.messages.received");
  out.messages[1] = count_of(attributes, "websocket.messages.sent");
  out.bytes[0] = count_of(attributes, "websocket.bytes.received");
  out.bytes[1] = count_of(attributes, "websocket.bytes.sent");
  out.misses =
      count_of(attributes, "websocket.ping.client.missed") + count_of(attributes, "websocket.ping.upstream.missed");
  out.anomalies = count_of(attributes, "websocket.anomalies");
  out.reconnect_of = base::parse_session_id(text_of(attributes, "websocket.reconnect_of"));
  return out;
}

Session merged(const Session& before, const Session& later) {
  if (later.instance.empty() && !before.instance.empty()) return with_span(before, later);
  if (before.instance.empty() && !later.instance.empty()) return with_span(later, before);
  Session out = later;
  fill_facts(out, before);
  // "lost" says that nobody who reports saw the end; who did may have told of it already.
  const bool seen = before.ended_unix_ns && before.end_reason != "lost";
  if (before.ended_unix_ns && (!later.ended_unix_ns || (seen && later.end_reason == "lost"))) {
    take_end(out, before);
    take_more(out, before);
  }
  out.seen_unix_ns = std::max(out.seen_unix_ns, before.seen_unix_ns);
  return out;
}

void read_session(Query& row, Session& to) {
  to.id = row.id<base::SessionId>(1);
  to.opened_unix_ns = row.number(2);
  to.ended_unix_ns.reset();
  if (row.integer(3) != still_open) to.ended_unix_ns = row.number(3);
  to.seen_unix_ns = row.number(4);
  int at = 5;
  for (std::string Session::*const field : {&Session::instance, &Session::service, &Session::route, &Session::dialect,
                                            &Session::client, &Session::target, &Session::host, &Session::subprotocol})
    (to.*field).assign(row.text(at++));
  to.trace_id = row.id<base::TraceId>(13);
  to.close_code = static_cast<std::uint16_t>(row.integer(14));
  to.end_reason.assign(row.text(15));
  to.initiator.assign(row.text(16));
  to.close_reason.assign(row.text(17));
  to.messages[0] = row.number(18);
  to.messages[1] = row.number(19);
  to.bytes[0] = row.number(20);
  to.bytes[1] = row.number(21);
  to.misses = row.number(22);
  to.anomalies = row.number(23);
  to.reconnect_of.reset();
  if (!row.null(24)) to.reconnect_of = row.id<base::SessionId>(24);
  to.recorder.clear();
}

bool Sessions::write(const Session& session, std::int64_t now_ms) {
  std::int64_t number = 0, arrived = now_ms;
  {
    Query old(db_, "SELECT " SOCKEYE_SESSION_COLUMNS ", arrived FROM session WHERE id = ?1", blob(session.id));
    if (old.next()) {
      number = old.integer(0);
      read_session(old, before_);
      arrived = old.integer(25);
    }
  }
  const bool fresh = number == 0;
  const Session now = fresh ? session : merged(before_, session);
  if (!fresh && now_ms - arrived >= touch_ms_) arrived = now_ms;
  // The end of time means "open": an end there is told one nanosecond earlier.
  const std::int64_t ended = now.ended_unix_ns ? std::min(column_time(*now.ended_unix_ns), still_open - 1) : still_open;
  const std::int64_t opened = column_time(now.opened_unix_ns), seen = column_time(now.seen_unix_ns);
  const base::SessionId reconnect_of = now.reconnect_of.value_or(base::SessionId{});
  const auto bind = [&](const char* sql) {
    Query(db_, sql, blob(now.id), arrived, opened, ended, seen, std::string_view(now.instance),
          std::string_view(now.service), std::string_view(now.route), std::string_view(now.dialect),
          std::string_view(now.client), std::string_view(now.target), std::string_view(now.host),
          std::string_view(now.subprotocol), unless_zero(now.trace_id), now.close_code,
          std::string_view(now.end_reason), std::string_view(now.initiator), std::string_view(now.close_reason),
          now.messages[0], now.messages[1], now.bytes[0], now.bytes[1], now.misses, now.anomalies,
          MaybeBlob{blob(reconnect_of).bytes, now.reconnect_of.has_value()}, store::abnormal(now).empty() ? 0 : 1)
        .run();
  };
  if (fresh) {
    bind(
        "INSERT INTO session(id, arrived, opened, ended, seen_ns, instance, service, route, dialect, client, target, "
        "host, subprotocol, trace_id, close_code, end_reason, initiator, close_reason, messages_client, "
        "messages_server, bytes_client, bytes_server, misses, anomalies, reconnect_of, abnormal) VALUES(?1, ?2, ?3, "
        "?4, ?5, ?6, "
        "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)");
    number = sqlite3_last_insert_rowid(db_.raw());
  } else {
    bind(
        "UPDATE session SET arrived = ?2, opened = ?3, ended = ?4, seen_ns = ?5, instance = ?6, service = ?7, "
        "route = ?8, dialect = ?9, client = ?10, target = ?11, host = ?12, subprotocol = ?13, trace_id = ?14, "
        "close_code = ?15, end_reason = ?16, initiator = ?17, close_reason = ?18, messages_client = ?19, "
        "messages_server = ?20, bytes_client = ?21, bytes_server = ?22, misses = ?23, anomalies = ?24, "
        "reconnect_of = ?25, abnormal = ?26 WHERE id = ?1");
  }
  if (!session.recorder.empty())
    Query(db_,
          "INSERT INTO recorder(session, data) VALUES(?1, ?2) ON CONFLICT(session) DO UPDATE SET data = excluded.data",
          number, Blob{session.recorder})
        .run();
  return fresh;
}

}  // namespace sockeye::sqlite
