// Latencies by operation and minute, and by operation and hour: collected in memory over one transaction, then merged
// into the table in the same. A stored histogram is sparse: pairs of varints, the distance to the bucket before and the
// count in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "database.h"
#include "sockeye/store/query.h"

namespace sockeye::sqlite {

inline constexpr std::int64_t minute = 60, hour = 3600;  // seconds; the two widths

void encode_histogram(const store::LatencyHistogram&, std::string& out);
// Adds to `to`; what is malformed ends it.
void decode_histogram(std::string_view, store::LatencyHistogram& to);

// What one span counts as. A bucket below 0: not measured.
struct Sample {
  std::int64_t operation = 0;
  std::uint64_t start_unix_ns = 0;
  bool error = false, cancelled = false;
  std::int16_t buckets[3] = {-1, -1, -1};  // by store::Measure
};

class Rollup {
 public:
  explicit Rollup(Database& db) : db_(db) {}
  void add(const Sample&);
  void flush(std::int64_t now_ms);  // into the table
  void forget() { rows_.clear(); }  // after a rollback

 private:
  struct Key {
    std::int64_t operation, width, time;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const {
      return static_cast<std::size_t>(k.operation) * 0x9e3779b97f4a7c15ULL ^
             static_cast<std::size_t>(k.time) * 0xe7037ed1a0b428dbULL ^ static_cast<std::size_t>(k.width);
    }
  };
  // Buckets hit, one element a value: small where an operation is rare, and most are.
  struct Row {
    std::uint64_t spans = 0, errors = 0, cancelled = 0;
    std::vector<std::uint8_t> hits[3];
  };
  void merge(const Key&, const Row&, std::int64_t now_ms);

  Database& db_;
  std::unordered_map<Key, Row, KeyHash> rows_;
  store::LatencyHistogram histogram_{};
  std::string blobs_[3];
};

}  // namespace sockeye::sqlite
