// Metrics as values, the shape every exporter reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/model/exemplar.h"

namespace sockeye::model {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

struct HistogramValue {
  std::vector<double> bounds;         // upper bounds, ascending, without +Inf
  std::vector<std::uint64_t> counts;  // per bucket, not cumulative; bounds.size() + 1 entries
  double sum = 0;
  std::vector<std::optional<Exemplar>> exemplars{};  // per bucket, or empty
};

struct MetricSample {
  std::vector<std::pair<std::string_view, std::string>> labels;  // values are escaped by the renderer
  double value = 0;                                              // counter and gauge
  HistogramValue histogram;                                      // histogram
};

struct MetricFamily {
  std::string_view name;  // counters carry their `_total` suffix here
  std::string_view help;
  std::string_view unit;  // OpenMetrics unit ("seconds", "bytes"), or ""
  MetricType type = MetricType::counter;
  std::vector<MetricSample> samples;
};

}  // namespace sockeye::model
