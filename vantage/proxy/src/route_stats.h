// What is counted under each route's name. Lives as long as the proxy, whatever reloads say: counters never go back.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sockeye/model/metrics.h"

namespace sockeye::proxy {

struct RouteStats {
  explicit RouteStats(unsigned workers);
  std::vector<std::unique_ptr<model::RouteMetrics>> shards;  // by worker
  std::atomic<std::uint32_t> sessions{0};                    // open or being opened, all workers
  std::atomic<std::uint32_t> requests{0};                    // plain ones being served
};

class RouteStatsTable {
 public:
  explicit RouteStatsTable(unsigned workers) : workers_(workers) {}
  // Thread-safe; the same object for the same name.
  RouteStats& of(const std::string& route);
  [[nodiscard]] std::vector<model::RouteCounters> all() const;

 private:
  unsigned workers_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<RouteStats>> routes_;
};

// A place among the sessions, or the requests, that a route allows; gives it back when destroyed.
class SessionSlot {
 public:
  SessionSlot() = default;
  // Empty when the route is full.
  static SessionSlot take(std::atomic<std::uint32_t>& taken, std::uint32_t limit);
  SessionSlot(SessionSlot&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  SessionSlot& operator=(SessionSlot&& other) noexcept {
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~SessionSlot() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
  }
  [[nodiscard]] explicit operator bool() const { return taken_ != nullptr; }

 private:
  explicit SessionSlot(std::atomic<std::uint32_t>* taken) : taken_(taken) {}
  std::atomic<std::uint32_t>* taken_ = nullptr;
};

}  // namespace sockeye::proxy
