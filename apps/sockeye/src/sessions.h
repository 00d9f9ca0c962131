// /sessions and /sessions/<id> as JSON (docs/formats/sessions.md). Rows of values in, text out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/model/session_source.h"

namespace sockeye::app {

enum class SessionSort : std::uint8_t { age, messages, bytes, rtt, misses, buffered, silence };

struct SessionQuery {
  std::size_t limit = 100;  // 0 .. 100000, of "sessions" and of "ended"
  std::size_t offset = 0;
  SessionSort sort = SessionSort::age;
  bool ascending = false;
  std::string route;  // "" = all
};

// "limit=50&offset=100&sort=bytes&order=asc&route=calls". An error names the parameter and what it may be.
[[nodiscard]] base::Result<SessionQuery> parse_session_query(std::string_view query);

[[nodiscard]] std::string sessions_json(std::vector<model::SessionRow> live, std::vector<model::SessionRow> ended,
                                        const SessionQuery&, std::uint64_t now_unix_ms);

// One row of either, alone, without a line break.
[[nodiscard]] std::string session_line(const model::SessionRow&);

// One session, live or lately ended. `recorder` is oldest first; null when it is gone with the session.
[[nodiscard]] std::string session_json(const model::SessionRow&, const std::vector<model::RecordedMessage>* recorder,
                                       std::uint64_t now_unix_ms);

}  // namespace sockeye::app
