#include "series.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

namespace sockeye::sqlite {
namespace {

static_assert(std::endian::native == std::endian::little, "write the byte order out before building for another");

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
template <class T>
const char* take(const char* from, T& value) {
  std::memcpy(&value, from, sizeof(T));
  return from + sizeof(T);
}

// Every field in the order of the format, for writing and for reading.
template <class Fleet, class Each>
void each_fleet_field(Fleet& f, Each each) {
  each(f.interval_ms);
  each(f.active);
  each(f.opened);
  each(f.ended);
  each(f.reconnects);
  each(f.refused);
  for (int i = 0; i < 2; ++i) each(f.messages[i]);
  for (int i = 0; i < 2; ++i) each(f.bytes[i]);
  each(f.misses);
  each(f.missing_pongs);
  each(f.buffered_sessions);
  each(f.buffered_bytes);
  each(f.invocations_open);
  for (int i = 0; i < 2; ++i) each(f.rtt_p50_seconds[i]);
  for (int i = 0; i < 2; ++i) each(f.rtt_p99_seconds[i]);
}
template <class Point, class Each>
void each_point_field(Point& p, Each each) {
  for (int i = 0; i < 2; ++i) each(p.rtt_seconds[i]);
  for (int i = 0; i < 2; ++i) each(p.buffered_bytes[i]);
  for (int i = 0; i < 2; ++i) each(p.messages_per_second[i]);
  for (int i = 0; i < 2; ++i) each(p.bytes_per_second[i]);
}
constexpr std::size_t fleet_size = 4 + 14 * 8 + 4 * 4;  // of version 1

void expect(const char* what, std::int64_t version, std::int64_t newest, std::size_t size, std::size_t expected) {
  if (version > newest)
    throw Failure{SQLITE_MISMATCH, 0,
                  std::string(what) + " are of version " + std::to_string(version) +
                      ", and this version of Sockeye knows up to " + std::to_string(newest)};
  if (version < 1 || size != expected) throw Failure{SQLITE_CORRUPT, 0, std::string(what) + " are damaged"};
}

}  // namespace

void encode_point(const store::SessionPoint& point, std::string& out) {
  out.append(reinterpret_cast<const char*>(point.id.bytes.data()), point.id.bytes.size());
  put(out, point.time_unix_ns);
  each_point_field(point, [&](float value) { put(out, value); });
}

store::SessionPoint decode_point(const char* from) {
  store::SessionPoint out;
  from = take(from, out.id.bytes);
  from = take(from, out.time_unix_ns);
  each_point_field(out, [&](float& value) { from = take(from, value); });
  return out;
}

void encode_fleet(const store::FleetPoint& point, std::string& out) {
  out.clear();
  each_fleet_field(point, [&](auto value) { put(out, value); });
  put(out, point.covered_ms);
}

void decode_fleet(std::int64_t version, std::string_view bytes, store::FleetPoint& to) {
  expect("figures of the fleet", version, fleet_version, bytes.size(),
         version == 1 ? fleet_size : fleet_size + sizeof to.covered_ms);
  const char* from = bytes.data();
  each_fleet_field(to, [&](auto& value) { from = take(from, value); });
  to.covered_ms = to.interval_ms;
  if (version > 1) take(from, to.covered_ms);
}

void encode_counts(const store::RouteTotals::Counts& counts, std::string& out) {
  out.clear();
  for (const auto count : counts) put(out, count);
}

void decode_counts(std::int64_t version, std::string_view bytes, store::RouteTotals::Counts& to) {
  expect("totals of a route", version, total_version, bytes.size(), sizeof to);
  const char* from = bytes.data();
  for (auto& count : to) from = take(from, count);
}

void Series::write(const std::vector<store::SessionPoint>& points, std::int64_t now_ms) {
  placed_.clear();
  for (const auto& point : points)
    placed_.push_back({point.id.bytes.back(), static_cast<std::int64_t>(point.time_unix_ns / slot_ns), &point});
  std::stable_sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.part, a.slot) < std::tie(b.part, b.slot);
  });
  constexpr std::size_t most = 64;  // in a row: it fits a page with others
  for (std::size_t at = 0; at < placed_.size();) {
    const std::size_t first = at;
    data_.clear();
    for (; at < placed_.size() && at - first < most && placed_[at].part == placed_[first].part &&
           placed_[at].slot == placed_[first].slot;
         ++at)
      encode_point(*placed_[at].point, data_);
    // The sequence begins with the time, so that retention can tell by it when a row came.
    Query(db_,
          "INSERT INTO point(part, slot, sequence, data) VALUES(?1, ?2, max(?3, 1 + ifnull((SELECT max(sequence) FROM "
          "point WHERE part = ?1 AND slot = ?2), 0)), ?4)",
          placed_[first].part, placed_[first].slot, now_ms << 16, Blob{data_})
        .run();
  }
}

void Series::write(const std::vector<store::FleetPoint>& points) {
  for (const auto& point : points) {
    encode_fleet(point, data_);
    Query(db_,
          "INSERT INTO fleet(time, instance, route, data, version) VALUES(?1, ?2, ?3, ?4, ?5) "
          "ON CONFLICT(time, instance, route) DO UPDATE SET data = excluded.data, version = excluded.version",
          column_time(point.time_unix_ns), std::string_view(point.instance), std::string_view(point.route), Blob{data_},
          fleet_version)
        .run();
  }
}

void Series::write(const std::vector<store::RouteTotals>& totals) {
  for (const auto& each : totals) {
    encode_counts(each.counts, data_);
    Query(db_,
          "INSERT INTO total(instance, route, time, data, version) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(instance, "
          "route) DO UPDATE SET time = excluded.time, data = excluded.data, version = excluded.version "
          "WHERE excluded.time >= time",
          std::string_view(each.instance), std::string_view(each.route), column_time(each.time_unix_ns), Blob{data_},
          total_version)
        .run();
  }
}

void Series::write(const std::vector<store::Presence>& presences) {
  for (const auto& each : presences)
    Query(db_,
          "INSERT INTO presence(who, instance, began, until, started, ended, service, host, version) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(who, instance, began) DO UPDATE SET "
          "until = max(until, excluded.until), ended = excluded.ended",
          static_cast<int>(each.who), std::string_view(each.instance), column_time(each.from_unix_ns),
          column_time(each.until_unix_ns), column_time(each.started_unix_ns), static_cast<int>(each.end),
          std::string_view(each.service), std::string_view(each.host), std::string_view(each.version))
        .run();
}

}  // namespace sockeye::sqlite
