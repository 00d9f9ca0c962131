// What is counted with: written by one thread, read by a scrape at any time. A relaxed store is all a single writer
// needs, so the message path has no lock and no locked instruction.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "sockeye/base/time.h"

namespace sockeye::model {

// One writer thread, any number of readers.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void add(std::int64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Counts by buckets whose upper bounds are `first`, and each 2^step times the one before; the last is +Inf. A bucket is
// found with one bit_width, no search. Of durations, `first` is in nanoseconds, bounds and sum are in seconds; negative
// ones count as zero.
template <class Value, std::uint64_t first, unsigned step, std::size_t size>
class Histogram {
 public:
  static constexpr std::size_t buckets = size;
  [[nodiscard]] static std::size_t bucket(Value value) {
    const std::uint64_t n = number(value);
    const std::size_t at = (static_cast<std::size_t>(std::bit_width(n == 0 ? 0 : (n - 1) / first)) + step - 1) / step;
    return at < buckets - 1 ? at : buckets - 1;
  }
  void observe(Value value) {
    counts_[bucket(value)].add();
    sum_.add(number(value));
  }
  [[nodiscard]] static constexpr double bound(std::size_t i) {
    return static_cast<double>(first) / scale * static_cast<double>(1ULL << (step * i));
  }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].value(); }
  [[nodiscard]] double sum() const { return static_cast<double>(sum_.value()) / scale; }

 private:
  static constexpr bool of_time = std::is_same_v<Value, base::Duration>;
  static constexpr double scale = of_time ? 1e9 : 1;
  [[nodiscard]] static std::uint64_t number(Value value) {
    if constexpr (of_time)
      return value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count());
    else
      return value;
  }

  std::array<Counter, buckets> counts_;
  Counter sum_;
};

using DurationHistogram = Histogram<base::Duration, 100'000, 1, 22>;            // 100 µs · 2^i, to 105 s
using LongDurationHistogram = Histogram<base::Duration, 1'000'000'000, 1, 21>;  // whole sessions: to 2^19 s ≈ 6 days
using SizeHistogram = Histogram<std::uint64_t, 16, 2, 13>;                      // of messages: 16 B · 4^i, to 64 MiB
using TokenHistogram = Histogram<std::uint64_t, 1, 2, 15>;  // of one answer: 4^i, to 67 million, as OpenTelemetry asks

}  // namespace sockeye::model
