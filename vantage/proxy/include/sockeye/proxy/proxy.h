// The sidecar: listeners, workers, routes. Thread-safe facade; the work happens on its worker threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/model/metric_family.h"
#include "sockeye/model/metrics.h"
#include "sockeye/observer/connection.h"
#include "sockeye/proxy/config.h"
#include "sockeye/proxy/pulse.h"

namespace sockeye::proxy {

// A live session as /sessions shows it: the engine's view and the transport's queues.
struct SessionRow {
  observer::SessionView view;
  base::Time now;  // of the snapshot
  std::array<std::uint64_t, 2>
      buffered{};  // bytes waiting to reach the client [0] and the server [1]: our queue + unsent
  std::uint64_t age_ms = 0;
  std::uint64_t opened_unix_ms = 0;
};

// One log line of the proxy: called from any worker. Levels as spdlog's: 0 trace … 2 info, 3 warn, 4 error.
using Log = std::function<void(int level, const std::string& line)>;

class Proxy {
 public:
  // Binds every listener and starts the workers; nothing is accepted on failure.
  static base::Result<std::unique_ptr<Proxy>> start(const Config& config, model::SpanSink* spans, Log log);
  virtual ~Proxy() = default;

  // New certificates, routes and listeners for new sessions; live ones keep what they began with. On failure nothing
  // changes.
  virtual base::Result<void> reload(Config config) = 0;
  // Stops accepting; sessions still open after `timeout` are closed 1001 with reason "server shutting down". Returns
  // when all have ended. Called again meanwhile, from another thread, with a shorter `timeout`: the earlier deadline
  // counts.
  virtual void drain(base::Duration timeout) = 0;
  [[nodiscard]] virtual bool draining() const = 0;

  // The addresses bound, in the order of the configuration, port 0 replaced by the real one.
  [[nodiscard]] virtual std::vector<Address> addresses() const = 0;
  // Asks each worker (at most 1 s); sessions in no particular order.
  [[nodiscard]] virtual std::vector<SessionRow> sessions() const = 0;
  // The flight recorder and row of one session; none when there is no such live session.
  struct SessionDetail {
    SessionRow row;
    std::vector<model::RecordedMessage> recorder;
  };
  [[nodiscard]] virtual std::optional<SessionDetail> session(const base::SessionId&) const = 0;
  // Sessions that ended lately (at most 64 a worker), newest first; view.close is set. /sessions shows them under
  // "ended", so that a person can still see how and why a session went.
  [[nodiscard]] virtual std::vector<SessionRow> ended() const = 0;

  // From now on sessions that end are kept for pulse(), at most so many of the latest; 0: no longer.
  virtual void follow(std::size_t ended_kept) = 0;
  // What changed since the last one. Asks each worker, which walks over its sessions in steps of at most a few
  // milliseconds; waits at most 1 s. What a worker tells later than that comes with the next call, nothing is lost. One
  // caller at a time.
  [[nodiscard]] virtual Pulse pulse(const PulseRequest&) = 0;

  // Shards live as long as the proxy, routes removed by a reload included (counters never go back).
  [[nodiscard]] virtual std::vector<model::RouteCounters> metrics() const = 0;
};

}  // namespace sockeye::proxy
