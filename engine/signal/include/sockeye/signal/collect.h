// Counters → metric families (docs/signals.md lists them all). Called at a scrape, from any thread.
#pragma once

#include <span>
#include <vector>

#include "sockeye/model/metric_family.h"
#include "sockeye/model/metrics.h"

namespace sockeye::signal {

// Every family that RouteMetrics can feed, routes of the same name added up; in a fixed order, present even when
// nothing has happened yet: an alert on a rate needs the zero before the one.
[[nodiscard]] std::vector<model::MetricFamily> collect(std::span<const model::RouteCounters>);

}  // namespace sockeye::signal
