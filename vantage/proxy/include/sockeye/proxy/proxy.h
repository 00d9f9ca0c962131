// The sidecar: listeners, workers, routes. Thread-safe facade; the work happens on its worker threads, which are asked
// for what they know of sessions (at most 1 s), and walk over them in steps of at most a few milliseconds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/capture/recordings.h"
#include "sockeye/model/session_source.h"
#include "sockeye/model/span.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

// One log line of the proxy: called from any worker. Levels as spdlog's: 0 trace … 2 info, 3 warn, 4 error.
using Log = std::function<void(int level, const std::string& line)>;

class Proxy : public model::SessionSource {
 public:
  // Binds every listener and starts the workers; nothing is accepted on failure.
  // `recordings` outlive it; null: none are made.
  static base::Result<std::unique_ptr<Proxy>> start(const Config& config, model::SpanSink* spans, Log log,
                                                    capture::Recordings* recordings = nullptr);

  // New certificates, routes and listeners for new sessions; live ones keep what they began with. On failure nothing
  // changes.
  virtual base::Result<void> reload(Config config) = 0;
  // Stops accepting; sessions still open after `timeout` are closed 1001 with reason "server shutting down". Returns
  // when all have ended. Called again meanwhile, from another thread, with a shorter `timeout`: the earlier deadline
  // counts.
  virtual void drain(base::Duration timeout) = 0;

  // Records an open session from here on.
  [[nodiscard]] virtual capture::Recorded record(const base::SessionId&) = 0;

  // The addresses bound, in the order of the configuration, port 0 replaced by the real one.
  [[nodiscard]] virtual std::vector<Address> addresses() const = 0;
};

}  // namespace sockeye::proxy
