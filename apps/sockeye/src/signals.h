// SIGHUP, SIGTERM and SIGINT as something to wait for.
#pragma once

#include <chrono>

namespace sockeye::app {

// Made before any thread, so that every thread inherits the mask.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // From any thread: ends a wait() with 0.
  void done() const;
  // The next signal; 0 after done(), -1 after `timeout` (negative: never).
  [[nodiscard]] int wait(std::chrono::milliseconds timeout) const;

 private:
  int signals_ = -1;
  int done_ = -1;
};

}  // namespace sockeye::app
