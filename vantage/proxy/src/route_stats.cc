#include "route_stats.h"

namespace sockeye::proxy {

RouteStats::RouteStats(unsigned workers) {
  for (unsigned i = 0; i < workers; ++i) shards.push_back(std::make_unique<model::RouteMetrics>());
}

RouteStats& RouteStatsTable::of(const std::string& route) {
  const std::lock_guard lock(mutex_);
  auto& stats = routes_[route];
  if (!stats) stats = std::make_unique<RouteStats>(workers_);
  return *stats;
}

std::vector<model::RouteCounters> RouteStatsTable::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::RouteCounters> out;
  out.reserve(routes_.size());
  for (const auto& [name, stats] : routes_) {
    model::RouteCounters counters{name, {}};
    for (const auto& metrics : stats->shards) counters.workers.push_back(metrics.get());
    out.push_back(std::move(counters));
  }
  return out;
}

SessionSlot SessionSlot::take(std::atomic<std::uint32_t>& taken, std::uint32_t limit) {
  if (taken.fetch_add(1, std::memory_order_relaxed) < limit) return SessionSlot(&taken);
  taken.fetch_sub(1, std::memory_order_relaxed);
  return {};
}

}  // namespace sockeye::proxy
