// The session table: one row a session, merged from what proxies report and from connection spans.
#pragma once

#include <cstdint>

#include "database.h"
#include "sockeye/store/batch.h"

namespace sockeye::sqlite {

inline constexpr std::int64_t still_open = INT64_MAX;  // in column `ended`

// The columns read_session() expects, in its order.
#define SOCKEYE_SESSION_COLUMNS                                                                                 \
  "number, id, opened, ended, seen_ns, instance, service, route, dialect, client, target, host, subprotocol, "  \
  "trace_id, close_code, end_reason, initiator, close_reason, messages_client, messages_server, bytes_client, " \
  "bytes_server, misses, anomalies, reconnect_of"

// Replaces `to`, texts included: their memory is used again.
void read_session(Query& row, store::Session& to);

class Sessions {
 public:
  // `touch_ms`: how stale `arrived` may get before a write that changes nothing else of the indices renews it.
  Sessions(Database& db, std::int64_t touch_ms) : db_(db), touch_ms_(touch_ms) {}
  // True: it is new.
  bool write(const store::Session&, std::int64_t now_ms);

 private:
  Database& db_;
  std::int64_t touch_ms_;
  store::Session before_;
};

}  // namespace sockeye::sqlite
