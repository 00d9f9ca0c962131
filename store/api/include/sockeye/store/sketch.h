// Durations, counted so that percentiles of any merged set of them are known within 1 %, and their smallest and largest
// exactly. As DDSketch, with buckets that are a fixed list of whole nanoseconds: bound 0 is 0, and each next bound is
// max(1, bound / 50) above the one before. Bucket i holds what is in [bound i, bound i + 1): a single value up to 100
// ns, from there on a span of 2 % at most, so that its middle is within 1 % of everything in it. Sketches merge by
// adding up.
//
// The list is part of stored files (docs/formats/store.md): it must not change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sockeye::store {

// Of a percentile, relative to the true one; `coarse_error` where counts of an earlier, coarser scale are among it.
inline constexpr double sketch_error = 0.01, coarse_error = 0.11;

[[nodiscard]] std::size_t bucket_count();
[[nodiscard]] std::size_t bucket_of(std::uint64_t ns);        // 0 … bucket_count() - 1
[[nodiscard]] std::uint64_t bucket_low(std::size_t bucket);   // its first nanosecond
[[nodiscard]] std::uint64_t bucket_high(std::size_t bucket);  // the next one's first; of the last UINT64_MAX

class Sketch {
 public:
  void add(std::uint64_t ns);
  // Counts of which the values themselves are not known any more. `least` and `most` are theirs.
  void add(std::size_t bucket, std::uint32_t count);
  void widen(std::uint64_t least, std::uint64_t most);
  void merge(const Sketch&);
  void set_coarse() { coarse_ = true; }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] bool coarse() const { return coarse_; }
  [[nodiscard]] double error() const { return coarse_ ? coarse_error : sketch_error; }
  // The value that a share `q` of all are not above (nearest rank), in nanoseconds; within [min(), max()]. 0 of none.
  [[nodiscard]] std::uint64_t percentile(double q) const;
  // Calls `each(bucket, count)` for those that are not empty, ascending.
  template <class Each>
  void each(Each each) const {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (counts_[i] != 0) each(first_ + i, counts_[i]);
  }
  friend bool operator==(const Sketch& a, const Sketch& b);

 private:
  std::uint32_t& slot(std::size_t bucket);

  std::size_t first_ = 0;              // bucket of counts_[0]
  std::vector<std::uint32_t> counts_;  // a window over all buckets; a full count stays at its largest
  std::uint64_t count_ = 0, min_ = UINT64_MAX, max_ = 0;
  bool coarse_ = false;
};

}  // namespace sockeye::store
