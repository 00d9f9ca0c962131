#include <algorithm>
#include <cstring>

#include "ask.h"
#include "search.h"
#include "series.h"
#include "sessions.h"
#include "sockeye/store/summaries.h"

namespace sockeye::sqlite::ask {
using store::Session;

base::Result<std::optional<Session>> session(Database& db, const base::SessionId& id) {
  Query row(db, "SELECT " SOCKEYE_SESSION_COLUMNS " FROM session WHERE id = ?1", blob(id));
  if (!row.next()) return std::nullopt;
  Session out;
  read_session(row, out);
  Query recorder(db, "SELECT data FROM recorder WHERE session = ?1", row.integer(0));
  if (recorder.next()) out.recorder.assign(recorder.bytes(0));
  return out;
}

base::Result<std::vector<store::SessionPoint>> points(Database& db, const base::SessionId& id, store::TimeRange range) {
  std::vector<store::SessionPoint> out;
  if (range.from_unix_ns >= range.to_unix_ns) return out;
  Query rows(db, "SELECT data FROM point WHERE part = ?1 AND slot >= ?2 AND slot <= ?3 ORDER BY slot, sequence",
             std::int64_t{id.bytes.back()}, range.from_unix_ns / slot_ns, (range.to_unix_ns - 1) / slot_ns);
  while (rows.next()) {
    const auto data = rows.bytes(0);
    for (std::size_t at = 0; at + point_size <= data.size(); at += point_size) {
      if (std::memcmp(data.data() + at, id.bytes.data(), id.bytes.size()) != 0) continue;
      const auto point = decode_point(data.data() + at);
      if (point.time_unix_ns >= range.from_unix_ns && point.time_unix_ns < range.to_unix_ns) out.push_back(point);
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.time_unix_ns < b.time_unix_ns; });
  return out;
}

base::Result<std::vector<store::FleetPoint>> fleet(Database& db, const store::FleetQuery& query) {
  constexpr std::size_t most = 200'000;
  store::FleetSteps steps(query.step_ns);
  Query rows(db,
             "SELECT time, instance, route, data, version FROM fleet WHERE time >= ?1 AND time < ?2 "
             "AND (?3 = '' OR instance = ?3) AND (?4 = '' OR route = ?4) ORDER BY time",
             column_time(query.time.from_unix_ns), column_time(query.time.to_unix_ns), std::string_view(query.instance),
             std::string_view(query.route));
  store::FleetPoint point;
  while (rows.next()) {
    decode_fleet(rows.integer(4), rows.bytes(3), point);
    point.time_unix_ns = rows.number(0);
    point.instance.assign(rows.text(1));
    point.route.assign(rows.text(2));
    steps.add(point);
    if (steps.size() > most) return base::fail("so many points are too much for one answer: ask for longer steps");
  }
  return steps.points();
}

base::Result<std::vector<store::CloseCount>> closes(Database& db, const store::ClosesQuery& query) {
  constexpr std::size_t most = 200'000;
  store::CloseSteps steps(query);
  Query rows(db,
             "SELECT ended, route, end_reason, initiator, close_code FROM session INDEXED BY session_ended "
             "WHERE ended >= ?1 AND ended < ?2 AND (?3 = '' OR route = ?3) AND (?4 = '' OR instance = ?4)",
             column_time(query.time.from_unix_ns), column_time(query.time.to_unix_ns), std::string_view(query.route),
             std::string_view(query.instance));
  while (rows.next()) {
    steps.add(rows.number(0), rows.text(1), rows.text(2), rows.text(3), static_cast<std::uint16_t>(rows.integer(4)));
    if (steps.size() > most) return base::fail("so many closes are too much for one answer: ask for longer steps");
  }
  return steps.counts();
}

}  // namespace sockeye::sqlite::ask
