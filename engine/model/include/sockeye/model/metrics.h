// The counters of one route on one worker. Written by that worker only, read by a scrape at any time: a relaxed store
// is all a single writer needs, so the message path has no lock and no locked instruction.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>

#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/session.h"

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
  void observe(base::Duration d) {
    const std::uint64_t ns = d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count());
    const std::size_t at = static_cast<std::size_t>(std::bit_width(ns == 0 ? 0 : (ns - 1) / 100'000));
    counts_[at < buckets - 1 ? at : buckets - 1].add();
    sum_ns_.add(ns);
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

// Message kinds of websocket_messages_total{type}.
enum class MessageType : std::uint8_t { text = 0, binary, ping, pong, close, count_ };

// Closes by (code, initiator, reason): a small open table, bounded. Row `overflow` (code 0 with label "other") takes
// the rest.
struct CloseRow {
  std::atomic<std::uint32_t> key{0};  // code << 16 | initiator << 8 | reason; 0 = free. Written once, before `count`.
  Counter count;
};

struct RouteMetrics {
  Gauge connections_active;
  Counter connections_accepted, connections_rejected, connections_closed;
  // Request message complete → last byte of its reply. Without a dialect that pairs them: a turn, from the first
  // complete client data message to the next complete server data message, one at a time (session/traffic.h).
  DurationHistogram message_duration;
  DurationHistogram handshake_duration;  // request's first byte → 101 or the refusal sent
  Gauge buffered_bytes;                  // sampled: our queues + the kernel's unsent bytes
  Gauge buffered_sessions;               // sessions with buffered bytes above 0 at the last sample
  std::array<Counter, 2> pong_missed;    // by leg
  std::array<std::array<Counter, static_cast<std::size_t>(MessageType::count_)>, 2> messages;  // by sender, type
  std::array<Counter, 2> message_bytes;  // payload bytes as on the wire, by sender
  std::array<SizeHistogram, 2> message_size;
  std::array<DurationHistogram, 2> ping_rtt;  // by leg
  LongDurationHistogram session_duration;
  Counter reconnects;
  std::array<Counter, static_cast<std::size_t>(Anomaly::count_)> anomalies;
  static constexpr std::size_t close_rows = 64;
  std::array<CloseRow, close_rows> closes;
  Counter closes_other;
  Counter http_requests;  // plain HTTP relayed beside the upgrades

  void count_close(std::uint16_t code, Initiator, EndReason);
};

}  // namespace sockeye::model
