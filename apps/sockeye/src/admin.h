// The metrics port: /metrics, /healthz, /readyz, /sessions.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/model/session_source.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/prometheus/endpoint.h"
#include "sockeye/proxy/proxy.h"

namespace sockeye::app {

// What the handlers look at; outlives the endpoint.
struct Admin {
  std::atomic<model::SessionSource*> sessions{nullptr};  // null: not listening yet
  pipeline::Pipeline* pipeline = nullptr;                // null: no export
  proxy::Recordings* recordings = nullptr;               // null: none can be made
  // Records a session; null: this vantage cannot. Set before `sessions`.
  std::function<proxy::Recorded(const base::SessionId&)> record{};
};

[[nodiscard]] base::Result<std::unique_ptr<prometheus::Endpoint>> start_admin(const Admin& admin,
                                                                              const std::string& listen);

}  // namespace sockeye::app
