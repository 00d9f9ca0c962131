// Points of sessions and of the fleet: how they lie in their rows. Numbers are little-endian, floats IEEE 754.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "database.h"
#include "sockeye/store/batch.h"

namespace sockeye::sqlite {

inline constexpr std::uint64_t slot_ns = 600'000'000'000;
inline constexpr std::size_t point_size = 16 + 8 + 8 * 4;

void encode_point(const store::SessionPoint&, std::string& out);  // appends point_size bytes
[[nodiscard]] store::SessionPoint decode_point(const char* from);

// What has no column. A version says which fields there are, and in which order: it goes up with any of these. Of
// fleet.data: 1 ends before covered_ms, which was the whole interval then; 2 has it. Encoding replaces `out`, decoding
// throws Failure where the version is a later one than is known, or the length is not that of the version.
inline constexpr std::int64_t fleet_version = 2, total_version = 1;
void encode_fleet(const store::FleetPoint&, std::string& out);  // without time, instance and route
void decode_fleet(std::int64_t version, std::string_view from, store::FleetPoint& to);
void encode_counts(const store::RouteTotals::Counts&, std::string& out);
void decode_counts(std::int64_t version, std::string_view from, store::RouteTotals::Counts& to);

class Series {
 public:
  explicit Series(Database& db) : db_(db) {}
  void write(const std::vector<store::SessionPoint>&, std::int64_t now_ms);
  void write(const std::vector<store::FleetPoint>&);
  void write(const std::vector<store::RouteTotals>&);
  void write(const std::vector<store::Presence>&);

 private:
  struct Placed {
    std::int64_t part, slot;
    const store::SessionPoint* point;
  };
  Database& db_;
  std::vector<Placed> placed_;
  std::string data_;
};

}  // namespace sockeye::sqlite
