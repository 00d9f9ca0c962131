// All metrics of this process, put together for whoever asks: /metrics, or an exporter.
#pragma once

#include <atomic>
#include <vector>

#include "sockeye/model/metric_source.h"
#include "sockeye/model/session_source.h"

namespace sockeye::app {

class Metrics final : public model::MetricSource {
 public:
  // `sessions`: borrowed; null where there are none yet, or no longer.
  explicit Metrics(const std::atomic<model::SessionSource*>& sessions) : sessions_(sessions) {}
  // Borrowed; null is none. Before families() is called.
  void add(const model::MetricSource* source) {
    if (source != nullptr) sources_.push_back(source);
  }
  // Sessions first, then the sources in the order they were added, then the process itself.
  [[nodiscard]] std::vector<model::MetricFamily> families() const override;

 private:
  const std::atomic<model::SessionSource*>& sessions_;
  std::vector<const model::MetricSource*> sources_;
};

}  // namespace sockeye::app
