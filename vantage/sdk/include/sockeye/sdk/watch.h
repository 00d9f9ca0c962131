// A process that looks at its own WebSockets: it has the bytes of its connections, a clock, and threads. Nothing is
// enforced, and nothing is asked of whoever carries the bytes but that he tells of them.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/observation.h"
#include "sockeye/observer/options.h"

namespace sockeye::sdk {

class Connection;

// Thread-safe. Outlives its connections.
class Watch {
 public:
  // `spans` may be null: counts only.
  Watch(observer::Options options, model::SpanSink* spans);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // A connection was accepted (or made); its bytes follow, from the first one of the request head on.
  [[nodiscard]] std::unique_ptr<Connection> connection(observer::Endpoints endpoints);
  // Counters live as long as the watch.
  [[nodiscard]] model::RouteCounters metrics() const;

 private:
  friend class Connection;
  // Connections are spread over these: what one needs while it is observed is its shard's.
  struct Shard {
    std::mutex mutex;
    observer::Workspace workspace;
    model::RouteMetrics metrics;
  };
  static constexpr std::size_t shards = 4;

  observer::Options options_;
  std::array<Shard, shards> shards_;
  std::atomic<std::size_t> next_{0};
};

// Thread-safe, though bytes of one side must be given in their order.
class Connection {
 public:
  virtual ~Connection() = default;  // the connection is gone
  virtual void bytes(model::Side from, base::Bytes) = 0;
};

}  // namespace sockeye::sdk
