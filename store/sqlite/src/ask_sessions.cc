#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>

#include "ask.h"
#include "search.h"
#include "series.h"
#include "sessions.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Session;
using store::SessionQuery;

bool fits(const Session& s, const SessionQuery& q) {
  const auto same = [](const std::string& wanted, const std::string& is) { return wanted.empty() || wanted == is; };
  if (!same(q.instance, s.instance) || !same(q.route, s.route) || !same(q.dialect, s.dialect) ||
      !same(q.end_reason, s.end_reason) || !same(q.target, s.target) || !same(q.host, s.host) ||
      !store::ClientFilter(q.client).fits(s.client))
    return false;
  if (!store::opened_and_ended_within(s, q) || (q.reconnects && !s.reconnect_of)) return false;
  if (q.close_code && *q.close_code != s.close_code) return false;
  if (q.abnormal && s.misses == 0 &&
      (!s.ended_unix_ns || s.end_reason == "normal" || s.end_reason == "idle" || s.end_reason == "drain"))
    return false;
  const std::uint64_t until = s.ended_unix_ns.value_or(s.seen_unix_ns);
  const std::uint64_t duration = until > s.opened_unix_ns ? until - s.opened_unix_ns : 0;
  if (duration < q.min_duration_ns || duration > q.max_duration_ns) return false;
  const auto has = [&](const std::string& text) { return text.find(q.text) != std::string::npos; };
  return q.text.empty() || has(s.target) || has(s.host) || has(s.subprotocol) || has(s.close_reason);
}

// From `from` on in the order that was asked for. Open sessions have an end after all others.
const char* statement_of(const SessionQuery& q) {
  const bool by_end = q.sort == SessionQuery::Sort::ended;
  if (!by_end && q.state == SessionQuery::State::open)  // one end for all: the index is then one of openings
    return "SELECT " SOCKEYE_SESSION_COLUMNS
           " FROM session INDEXED BY session_ended WHERE ended = 9223372036854775807 AND opened <= ?1 "
           "AND ended >= ?2 AND (opened < ?3 OR (opened = ?3 AND number < ?4)) ORDER BY opened DESC, number DESC";
  if (!by_end)
    return "SELECT " SOCKEYE_SESSION_COLUMNS
           " FROM session INDEXED BY session_opened WHERE opened <= min(?1, ?3) AND ended >= ?2 "
           "AND (opened < ?3 OR (opened = ?3 AND number < ?4)) ORDER BY opened DESC, number DESC";
  return "SELECT " SOCKEYE_SESSION_COLUMNS
         " FROM session INDEXED BY session_ended WHERE opened <= ?1 AND ended >= ?2 AND ended <= ?3 "
         "AND (ended < ?3 OR (ended = ?3 AND number < ?4)) ORDER BY ended DESC, number DESC";
}

}  // namespace

base::Result<store::Page<Session>> sessions(Database& db, const SessionQuery& query) {
  Cursor from;
  if (!query.cursor.empty()) {
    const auto cursor = parse_cursor(query.cursor);
    if (!cursor) return base::fail(std::string(store::bad_cursor));
    from = *cursor;
  }
  // Opened at `last` or before, ended at `first` or later.
  const std::int64_t first = column_time(query.time.from_unix_ns);
  std::int64_t last = column_time(query.time.to_unix_ns);
  if (query.time.to_unix_ns < query.time.from_unix_ns) return store::Page<Session>{};
  if (query.time.to_unix_ns != query.time.from_unix_ns && last != INT64_MAX) --last;
  const bool by_end = query.sort == SessionQuery::Sort::ended;
  if (by_end && query.cursor.empty() && query.ended.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX))
    from.after.start = std::max<std::int64_t>(static_cast<std::int64_t>(query.ended.to_unix_ns), 1) - 1;
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, most_answers);
  store::Page<Session> out;
  Place place = from.after;
  Query rows(db, statement_of(query), last, first, from.after.start, from.after.id);
  Session session;
  while (rows.next()) {
    // The column says what it takes texts to know.
    const bool open = rows.integer(3) == still_open;
    const bool wanted = query.state == SessionQuery::State::any || (query.state == SessionQuery::State::open) == open;
    if (wanted) read_session(rows, session);
    if (wanted && fits(session, query)) {
      if (out.items.size() == limit) {
        out.cursor = to_text({place, 0});
        return out;
      }
      out.items.push_back(session);
    }
    // Behind the last one on the page, or the last one that was looked at.
    if (out.items.size() < limit || (wanted && out.items.back().id == session.id))
      place = {by_end ? rows.integer(3) : rows.integer(2), rows.integer(0)};
  }
  if (!db.late()) return out;
  out.complete = false;
  out.cursor = to_text({place, 0});
  return out;
}

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

namespace {

// Sums of what is counted, means of what is measured, and its peaks.
struct Merged {
  store::FleetPoint sum;
  std::uint64_t points = 0;
  double rtt_sum[4] = {};
  std::uint64_t rtt_points[4] = {};
  std::uint64_t covered_ms = 0;

  void add(const store::FleetPoint& p) {
    ++points;
    for (const auto field : {&store::FleetPoint::active, &store::FleetPoint::opened, &store::FleetPoint::ended,
                             &store::FleetPoint::reconnects, &store::FleetPoint::refused, &store::FleetPoint::misses,
                             &store::FleetPoint::stuck, &store::FleetPoint::buffered_sessions,
                             &store::FleetPoint::buffered_bytes, &store::FleetPoint::invocations_open})
      sum.*field += p.*field;
    for (int i = 0; i < 2; ++i) {
      sum.messages[i] += p.messages[i];
      sum.bytes[i] += p.bytes[i];
      add_rtt(i, p.rtt_p50_seconds[i]);
      add_rtt(2 + i, p.rtt_p99_seconds[i]);
    }
    sum.interval_ms = std::max(points == 1 ? 0 : sum.interval_ms, p.interval_ms);
    covered_ms += p.interval_ms;
    sum.active_min = points == 1 ? p.active : std::min(sum.active_min, p.active);
    sum.active_max = std::max(sum.active_max, p.active);
    sum.stuck_max = std::max(sum.stuck_max, p.stuck);
    sum.buffered_bytes_max = std::max(sum.buffered_bytes_max, p.buffered_bytes);
    for (int i = 0; i < 2; ++i)  // fmax: of a number and a NaN, the number
      sum.rtt_max_seconds[i] =
          points == 1 ? p.rtt_p99_seconds[i] : std::fmax(sum.rtt_max_seconds[i], p.rtt_p99_seconds[i]);
  }
  void add_rtt(int which, float value) {
    if (std::isnan(value)) return;
    rtt_sum[which] += value;
    ++rtt_points[which];
  }
  [[nodiscard]] float rtt(int which) const {
    if (rtt_points[which] == 0) return std::numeric_limits<float>::quiet_NaN();
    return static_cast<float>(rtt_sum[which] / static_cast<double>(rtt_points[which]));
  }
  [[nodiscard]] store::FleetPoint point() const {
    store::FleetPoint out = sum;
    for (const auto field :
         {&store::FleetPoint::active, &store::FleetPoint::stuck, &store::FleetPoint::buffered_sessions,
          &store::FleetPoint::buffered_bytes, &store::FleetPoint::invocations_open})
      out.*field = (sum.*field + points / 2) / points;
    for (int i = 0; i < 2; ++i) {
      out.rtt_p50_seconds[i] = rtt(i);
      out.rtt_p99_seconds[i] = rtt(2 + i);
    }
    return out;
  }
};

std::uint64_t step_of(std::uint64_t time, std::uint64_t step) { return step == 0 ? time : time / step * step; }

}  // namespace

base::Result<std::vector<store::FleetPoint>> fleet(Database& db, const store::FleetQuery& query) {
  constexpr std::size_t most = 200'000;
  std::map<std::tuple<std::uint64_t, std::string, std::string>, Merged> merged;
  Query rows(db,
             "SELECT time, instance, route, data FROM fleet WHERE time >= ?1 AND time < ?2 "
             "AND (?3 = '' OR instance = ?3) AND (?4 = '' OR route = ?4) ORDER BY time",
             column_time(query.time.from_unix_ns), column_time(query.time.to_unix_ns), std::string_view(query.instance),
             std::string_view(query.route));
  store::FleetPoint point;
  while (rows.next()) {
    if (!decode_fleet(rows.bytes(3), point)) continue;
    merged[{step_of(rows.number(0), query.step_ns), std::string(rows.text(1)), std::string(rows.text(2))}].add(point);
    if (merged.size() > most) return base::fail("so many points are too much for one answer: ask for longer steps");
  }
  std::vector<store::FleetPoint> out;
  for (const auto& [key, value] : merged) {
    auto& to = out.emplace_back(value.point());
    std::tie(to.time_unix_ns, to.instance, to.route) = key;
    const std::uint64_t step_ms = query.step_ns / 1'000'000;
    if (step_ms > to.interval_ms)
      to.interval_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(step_ms, UINT32_MAX));
    to.covered_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(value.covered_ms, to.interval_ms));
  }
  return out;
}

base::Result<std::vector<store::CloseCount>> closes(Database& db, store::TimeRange range, std::uint64_t step_ns) {
  constexpr std::size_t most = 200'000;
  std::map<std::tuple<std::uint64_t, std::string, std::string, std::string, std::uint16_t>, std::uint64_t> counts;
  Query rows(db,
             "SELECT ended, route, end_reason, initiator, close_code FROM session INDEXED BY session_ended "
             "WHERE ended >= ?1 AND ended < ?2",
             column_time(range.from_unix_ns), column_time(range.to_unix_ns));
  while (rows.next()) {
    const std::uint64_t at = step_ns == 0 ? range.from_unix_ns : step_of(rows.number(0), step_ns);
    ++counts[{at, std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3)),
              static_cast<std::uint16_t>(rows.integer(4))}];
    if (counts.size() > most) return base::fail("so many closes are too much for one answer: ask for longer steps");
  }
  std::vector<store::CloseCount> out;
  for (const auto& [key, count] : counts) {
    auto& to = out.emplace_back();
    std::tie(to.time_unix_ns, to.route, to.end_reason, to.initiator, to.code) = key;
    to.count = count;
  }
  return out;
}

}  // namespace sockeye::sqlite::ask
