// What keeps the process alive when there is too much of something: what it may use, how near it is, and what is given
// up for it (model::Shedding), so that open sessions go on being carried.
//
//   memory       of the process, against `memory`: from 80 % on
//   loop lag     how late a worker gets to its timers, as far as it was busy itself in that time: a loop that others
//                leave no processor is not helped by doing less
//   descriptors  new connections stop short of the limit, so that upstreams, the metrics port and files can go on
//
// Workers tell their lag; one of them looks at the rest. Everybody reads the verdict, one atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sockeye/base/time.h"
#include "sockeye/model/counters.h"
#include "sockeye/model/metric_family.h"
#include "sockeye/model/overload.h"
#include "sockeye/observer/memory.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

// What a worker counts of it. Written by that worker only.
struct ShedCounts {
  model::Counter sessions;      // handshakes refused, or connections turned away
  model::Counter connections;   // idle ones that were closed to make room
  model::Counter observations;  // given up for memory
  model::DurationHistogram loop_lag;
};

// Thread-safe, but where it says otherwise.
class Overload {
 public:
  explicit Overload(unsigned workers);
  void configure(const OverloadLimits& limits);

  [[nodiscard]] model::Overload now() const;
  [[nodiscard]] model::Shedding shedding() const { return now().shedding; }

  // A worker's timer came so late, and that worker used so much processor time since the one before.
  void lagged(unsigned worker, base::Duration late, base::Duration busy);
  // By worker 0, now and then. True: the verdict has changed.
  bool look(base::Time now);

  // Of a descriptor that was just opened, the lowest that was free: it eats into what is kept. For a client's
  // connection, or for an upstream's.
  [[nodiscard]] bool spares(int client) const { return client < client_most_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool spares_upstream(int upstream) const {
    return upstream < upstream_most_.load(std::memory_order_relaxed);
  }
  void out_of_descriptors(base::Time now) { out_until_.store((now + held).time_since_epoch().count()); }

  // "memory at 91 % of 512 MiB", "loop lag of 130 ms": of the verdict. For who logs it; worker 0's thread.
  [[nodiscard]] std::string why() const;

  [[nodiscard]] ShedCounts& counts(unsigned worker) { return *counts_[worker]; }
  // As /metrics has it; `memory`: of observations.
  [[nodiscard]] std::vector<model::MetricFamily> families(const observer::Memory& memory) const;

 private:
  static constexpr base::Duration held = std::chrono::seconds(1);  // a verdict is kept so long once it is less
  static constexpr base::Duration often = std::chrono::seconds(1);

  [[nodiscard]] model::Overload judge(base::Time now);
  void read_memory();

  std::atomic<std::uint16_t> verdict_{0};  // shedding << 8 | strain
  std::atomic<std::int64_t> out_until_{0};
  std::atomic<int> client_most_, upstream_most_;
  std::atomic<std::uint64_t> memory_limit_{0};
  std::atomic<std::int64_t> lag_limit_;
  std::vector<std::unique_ptr<std::atomic<std::int64_t>>> lags_;  // ns, smoothed; by worker
  std::vector<std::unique_ptr<ShedCounts>> counts_;
  // Worker 0's.
  std::uint64_t resident_ = 0;
  base::Time read_at_{};
  base::Time lower_at_{};  // when the verdict may become less
};

}  // namespace sockeye::proxy
