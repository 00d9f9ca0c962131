// Counters → metric families (docs/signals.md lists them all). Called at a scrape, from any thread.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "sockeye/model/metric_family.h"
#include "sockeye/model/metrics.h"

namespace sockeye::signal {

// The counters of one route, one shard a worker. Borrowed during the call. Routes of the same name are added up.
struct RouteCounters {
  std::string_view route;
  std::span<const model::RouteMetrics* const> workers;
};

// Every family that RouteMetrics can feed, in a fixed order, present even when nothing has happened yet: an alert on a
// rate needs the zero before the one.
[[nodiscard]] std::vector<model::MetricFamily> collect(std::span<const RouteCounters>);

}  // namespace sockeye::signal
