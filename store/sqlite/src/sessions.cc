#include "sessions.h"

#include <algorithm>

#include "sockeye/store/session.h"

namespace sockeye::sqlite {
using store::Session;

void read_session(Query& row, Session& to) {
  to.id = row.id<base::SessionId>(1);
  to.opened_unix_ns = row.number(2);
  to.end.unix_ns = row.integer(3) == still_open ? 0 : std::max<std::uint64_t>(row.number(3), 1);
  to.seen_unix_ns = row.number(4);
  int at = 5;
  for (auto* const text :
       {&to.instance, &to.service, &to.route, &to.dialect, &to.client, &to.target, &to.host, &to.subprotocol})
    text->assign(row.text(at++));
  to.trace_id = row.id<base::TraceId>(13);
  to.end.code = static_cast<std::uint16_t>(row.integer(14));
  to.end.why.assign(row.text(15));
  to.end.initiator.assign(row.text(16));
  to.end.reason.assign(row.text(17));
  to.messages[0] = row.number(18);
  to.messages[1] = row.number(19);
  to.bytes[0] = row.number(20);
  to.bytes[1] = row.number(21);
  to.missed_total = row.number(22);
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
  const Session now = fresh ? session : store::merged(before_, session);
  if (!fresh && now_ms - arrived >= touch_ms_) arrived = now_ms;
  // The end of time means "open": an end there is told one nanosecond earlier.
  const std::int64_t ended = now.ended() ? std::min(column_time(now.end.unix_ns), still_open - 1) : still_open;
  const std::int64_t opened = column_time(now.opened_unix_ns), seen = column_time(now.seen_unix_ns);
  const base::SessionId reconnect_of = now.reconnect_of.value_or(base::SessionId{});
  const auto bind = [&](const char* sql) {
    Query(db_, sql, blob(now.id), arrived, opened, ended, seen, std::string_view(now.instance),
          std::string_view(now.service), std::string_view(now.route), std::string_view(now.dialect),
          std::string_view(now.client), std::string_view(now.target), std::string_view(now.host),
          std::string_view(now.subprotocol), unless_zero(now.trace_id), now.end.code, std::string_view(now.end.why),
          std::string_view(now.end.initiator), std::string_view(now.end.reason), now.messages[0], now.messages[1],
          now.bytes[0], now.bytes[1], now.missed_total, now.anomalies,
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
