// The counts as metric families.
#pragma once

#include <vector>

#include "sockeye/model/metric_family.h"
#include "sockeye/pipeline/pipeline.h"

namespace sockeye::pipeline {

[[nodiscard]] std::vector<model::MetricFamily> to_families(const SpanCounts& counts);

}  // namespace sockeye::pipeline
