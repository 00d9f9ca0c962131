// Where metrics come from: the sessions of a vantage, the span pipeline, recordings, the process. Who shows or exports
// metrics sees no more of any of them than this.
#pragma once

#include <vector>

#include "sockeye/model/metric_family.h"

namespace sockeye::model {

// Thread-safe. A family comes from one source only.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  [[nodiscard]] virtual std::vector<MetricFamily> families() const = 0;
};

}  // namespace sockeye::model
