// Latencies by operation and minute, and by operation and hour: collected in memory over one transaction, then merged
// into the table in the same. A stored sketch is sparse: its smallest and largest value, then the distance to the
// bucket before and the count in it, of each that is not empty; varints all.
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

inline constexpr std::size_t rolled_up = 3;  // measures: duration, first_chunk, last_chunk

// How a row's sketches are written (column `scale`).
enum class Scale : std::int64_t { sketch = 0, of_schema_2 = 1, sketch_with_coarse = 2 };

void encode_sketch(const store::Sketch&, std::string& out);  // replaces; "" of an empty one
// Adds to `to`; what is malformed ends it.
void decode_sketch(std::string_view, Scale scale, store::Sketch& to);
// What is stored and further values, as encode_sketch() would write them together. Values are sorted.
void merge_sketch(std::string_view old, Scale scale, std::vector<std::uint64_t>& values, std::string& out);
// The largest alone; 0 of an empty one.
[[nodiscard]] std::uint64_t largest_of(std::string_view, Scale scale);

// What one span counts as.
struct Sample {
  std::int64_t operation = 0;
  std::uint64_t start_unix_ns = 0;
  bool error = false;
  store::Figures figures;
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
  // The values, one element each: small where an operation is rare, and most are.
  struct Row {
    std::uint64_t spans = 0, errors = 0, cancelled = 0;
    std::vector<std::uint64_t> values[rolled_up];
  };
  void merge(const Key&, Row&, std::int64_t now_ms);

  Database& db_;
  std::unordered_map<Key, Row, KeyHash> rows_;
  std::string blobs_[rolled_up];
};

}  // namespace sockeye::sqlite
