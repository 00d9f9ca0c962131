// The metrics port: /metrics, /healthz, /readyz, /sessions.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/capture/recordings.h"
#include "sockeye/model/metric_source.h"
#include "sockeye/model/session_source.h"
#include "sockeye/prometheus/endpoint.h"

namespace sockeye::app {

// What the handlers look at; outlives the endpoint.
struct Admin {
  std::atomic<model::SessionSource*> sessions{nullptr};  // null: not listening yet
  const model::MetricSource* metrics = nullptr;          // never null when asked
  // Records a session; null: this vantage cannot. Set before `sessions`.
  std::function<capture::Recorded(const base::SessionId&)> record{};
};

[[nodiscard]] base::Result<std::unique_ptr<prometheus::Endpoint>> start_admin(const Admin& admin,
                                                                              const std::string& listen);

}  // namespace sockeye::app
