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
#include "sockeye/model/abnormal_end.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Session;

}  // namespace

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
  bool any = false;

  void add(const store::FleetPoint& p) {
    for (const auto field : {&store::FleetPoint::opened, &store::FleetPoint::ended, &store::FleetPoint::reconnects,
                             &store::FleetPoint::refused, &store::FleetPoint::misses})
      sum.*field += p.*field;
    for (int i = 0; i < 2; ++i) {
      sum.messages[i] += p.messages[i];
      sum.bytes[i] += p.bytes[i];
    }
    sum.interval_ms = std::max(any ? sum.interval_ms : 0, p.interval_ms);
    any = true;
    covered_ms += p.covered_ms;
    if (p.covered_ms == 0) return;  // only its counts are known
    ++points;
    for (const auto field :
         {&store::FleetPoint::active, &store::FleetPoint::missing_pongs, &store::FleetPoint::buffered_sessions,
          &store::FleetPoint::buffered_bytes, &store::FleetPoint::invocations_open})
      sum.*field += p.*field;
    for (int i = 0; i < 2; ++i) {
      add_rtt(i, p.rtt_p50_seconds[i]);
      add_rtt(2 + i, p.rtt_p99_seconds[i]);
    }
    sum.active_min = points == 1 ? p.active : std::min(sum.active_min, p.active);
    sum.active_max = std::max(sum.active_max, p.active);
    sum.missing_pongs_max = std::max(sum.missing_pongs_max, p.missing_pongs);
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
         {&store::FleetPoint::active, &store::FleetPoint::missing_pongs, &store::FleetPoint::buffered_sessions,
          &store::FleetPoint::buffered_bytes, &store::FleetPoint::invocations_open})
      out.*field = points == 0 ? 0 : (sum.*field + points / 2) / points;
    for (int i = 0; i < 2; ++i) {
      out.rtt_p50_seconds[i] = rtt(i);
      out.rtt_p99_seconds[i] = rtt(2 + i);
      if (points == 0) out.rtt_max_seconds[i] = std::numeric_limits<float>::quiet_NaN();
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

base::Result<std::vector<store::CloseCount>> closes(Database& db, const store::ClosesQuery& query) {
  constexpr std::size_t most = 200'000;
  std::map<std::tuple<std::uint64_t, std::string, std::string, std::string, std::uint16_t>, std::uint64_t> counts;
  Query rows(db,
             "SELECT ended, route, end_reason, initiator, close_code FROM session INDEXED BY session_ended "
             "WHERE ended >= ?1 AND ended < ?2 AND (?3 = '' OR route = ?3) AND (?4 = '' OR instance = ?4)",
             column_time(query.time.from_unix_ns), column_time(query.time.to_unix_ns), std::string_view(query.route),
             std::string_view(query.instance));
  while (rows.next()) {
    const std::uint64_t at = query.step_ns == 0 ? query.time.from_unix_ns : step_of(rows.number(0), query.step_ns);
    ++counts[{at, std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3)),
              static_cast<std::uint16_t>(rows.integer(4))}];
    if (counts.size() > most) return base::fail("so many closes are too much for one answer: ask for longer steps");
  }
  std::vector<store::CloseCount> out;
  for (const auto& [key, count] : counts) {
    auto& to = out.emplace_back();
    std::tie(to.time_unix_ns, to.route, to.end_reason, to.initiator, to.code) = key;
    to.count = count;
    to.abnormal = model::abnormal_end(to.end_reason, to.code);
  }
  return out;
}

}  // namespace sockeye::sqlite::ask
