// One listening port: HTTP/1.1 and WebSocket, with TLS or without.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http.h"
#include "sockeye/base/result.h"
#include "sockeye/console/console.h"

namespace sockeye::console {

// The threads that do the servers' I/O. Outlives them.
class IoThreads {
 public:
  static std::unique_ptr<IoThreads> start(unsigned threads);
  virtual ~IoThreads() = default;  // joins
};

struct ServerOptions {
  std::string what;  // in errors: "--listen"
  std::string listen;
  std::optional<Tls> tls;
  std::size_t connections = 4096;
  std::chrono::seconds head_timeout{10}, idle_timeout{75}, body_timeout{60}, write_timeout{60};
  std::function<std::unique_ptr<Watcher>(const WatchedRequest&)> watch;
};

class Server {
 public:
  static base::Result<std::unique_ptr<Server>> start(IoThreads&, ServerOptions, Site);
  virtual ~Server() = default;
  [[nodiscard]] virtual std::string address() const = 0;
  // No new connections or requests; returns when every connection has ended, or after `timeout` when all are cut.
  virtual void stop(std::chrono::milliseconds timeout) = 0;
};

}  // namespace sockeye::console
