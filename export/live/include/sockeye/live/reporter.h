// Reports this process's sessions to a console: one thread, one WebSocket, reconnecting by itself. What it reports
// comes from a Source; nothing else ever waits for the console, and what is held for it is bounded: figures are
// absolute, so a tick that cannot be sent is skipped, and ended sessions are kept until the console has confirmed them,
// at most so many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/live/messages.h"

namespace sockeye::live {

// What there is to report. Called on the reporter's thread only, and never after Reporter::stop() has returned.
class Source {
 public:
  virtual ~Source() = default;
  [[nodiscard]] virtual Hello hello() = 0;
  // What is new since the last call; with `resync` the console knows nothing yet: every open session is reported, if
  // need be over several calls, and all_reported is set once that is done. A session that ended comes with its Opened
  // in the same report. May take its time: the console waits, nobody else.
  [[nodiscard]] virtual Report collect(bool resync, const Ask& ask) = 0;
};

struct ReporterOptions {
  std::string endpoint;    // http(s)://host[:port][/prefix]
  std::string token_file;  // "" = none; read again at every connect, sent as bearer token
  std::string ca;          // PEM, for https; "" = the system's
  base::Duration interval = std::chrono::seconds(1);
  base::Duration retry_first = std::chrono::milliseconds(500);  // doubles with each failure in a row …
  base::Duration retry_cap = std::chrono::seconds(30);        // … up to this; each delay is drawn from [1/2, 1] of it
  base::Duration connect_timeout = std::chrono::seconds(10);  // each of: connect, TLS, upgrade
  base::Duration dead_after = std::chrono::seconds(20);       // without a pong, or room for what is being written
  std::size_t ended_kept = 10'000;                            // reported, but not confirmed yet
  // Levels as spdlog's. One line when the console is lost and one when it is back. From the reporter's thread.
  std::function<void(int level, const std::string& line)> log;
};

// All methods are safe from any thread.
class Reporter {
 public:
  // Fails when the endpoint is no such URL, or token or CA cannot be read; a console that is away is the normal case.
  // `source` is borrowed until stop() has returned.
  [[nodiscard]] static base::Result<std::unique_ptr<Reporter>> start(ReporterOptions options, Source& source);
  virtual ~Reporter() = default;  // stop(0s) unless stopped before

  // Reports what is new once more and closes with 1000, or gives up after `timeout`. Idempotent.
  virtual void stop(base::Duration timeout) = 0;

  struct Status {
    bool connected = false;         // the console took the upgrade, and nothing has gone wrong since
    std::uint64_t connects = 0;     // handshakes that succeeded
    std::uint64_t reports = 0;      // written
    std::uint64_t ended_lost = 0;   // unconfirmed ones that gave way to newer ones
    std::uint64_t unconfirmed = 0;  // ended sessions kept for a console that has not confirmed them
  };
  [[nodiscard]] virtual Status status() const = 0;
};

}  // namespace sockeye::live
