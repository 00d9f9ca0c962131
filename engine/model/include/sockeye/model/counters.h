// What is counted with: written by one thread, read by a scrape at any time. A relaxed store is all a single writer
// needs, so the message path has no lock and no locked instruction.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

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

// Seconds, from 100 µs to 2^20 · 100 µs ≈ 105 s in powers of two, found with one bit_width, no search.
class DurationHistogram {
 public:
  static constexpr std::size_t buckets = 22;  // the last is +Inf
  static constexpr double first_bound = 1e-4;
  [[nodiscard]] static std::size_t bucket(base::Duration d) {
    const std::uint64_t ns = d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count());
    const std::size_t at = static_cast<std::size_t>(std::bit_width(ns == 0 ? 0 : (ns - 1) / 100'000));
    return at < buckets - 1 ? at : buckets - 1;
  }
  void observe(base::Duration d) {
    counts_[bucket(d)].add();
    sum_ns_.add(d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count()));
  }
  [[nodiscard]] static constexpr double bound(std::size_t i) { return first_bound * static_cast<double>(1ULL << i); }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].value(); }
  [[nodiscard]] double sum_seconds() const { return static_cast<double>(sum_ns_.value()) * 1e-9; }

 private:
  std::array<Counter, buckets> counts_;
  Counter sum_ns_;
};

// For whole sessions: 1 s, 2 s, 4 s … 2^19 s ≈ 6 days.
class LongDurationHistogram {
 public:
  static constexpr std::size_t buckets = 21;
  void observe(base::Duration d) {
    const std::uint64_t ns = d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count());
    const std::size_t at = static_cast<std::size_t>(std::bit_width(ns == 0 ? 0 : (ns - 1) / 1'000'000'000));
    counts_[at < buckets - 1 ? at : buckets - 1].add();
    sum_ns_.add(ns);
  }
  [[nodiscard]] static constexpr double bound(std::size_t i) { return static_cast<double>(1ULL << i); }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].value(); }
  [[nodiscard]] double sum_seconds() const { return static_cast<double>(sum_ns_.value()) * 1e-9; }

 private:
  std::array<Counter, buckets> counts_;
  Counter sum_ns_;
};

// Message sizes: 16 B · 4^i up to 64 MiB, then +Inf.
class SizeHistogram {
 public:
  static constexpr std::size_t buckets = 13;
  void observe(std::uint64_t bytes) {
    const std::size_t at = (static_cast<std::size_t>(std::bit_width(bytes <= 1 ? 0 : (bytes - 1) >> 4U)) + 1) / 2;
    counts_[at < buckets - 1 ? at : buckets - 1].add();
    sum_.add(bytes);
  }
  [[nodiscard]] static constexpr double bound(std::size_t i) { return static_cast<double>(16ULL << (2 * i)); }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].value(); }
  [[nodiscard]] double sum() const { return static_cast<double>(sum_.value()); }

 private:
  std::array<Counter, buckets> counts_;
  Counter sum_;
};

// Tokens of one answer: 1, 4, 16 … 4^13 ≈ 67 million, the buckets OpenTelemetry asks for.
class TokenHistogram {
 public:
  static constexpr std::size_t buckets = 15;
  void observe(std::uint64_t tokens) {
    const std::size_t at = (static_cast<std::size_t>(std::bit_width(tokens <= 1 ? 0 : tokens - 1)) + 1) / 2;
    counts_[at < buckets - 1 ? at : buckets - 1].add();
    sum_.add(tokens);
  }
  [[nodiscard]] static constexpr double bound(std::size_t i) { return static_cast<double>(1ULL << (2 * i)); }
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].value(); }
  [[nodiscard]] double sum() const { return static_cast<double>(sum_.value()); }

 private:
  std::array<Counter, buckets> counts_;
  Counter sum_;
};

}  // namespace sockeye::model
