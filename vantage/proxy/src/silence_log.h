// What is logged of sessions whose peer is silent. One at a time is told in full; when a network dies, thousands are
// told at once: the first few in full, the rest as one line a second with how many there were of each route and leg.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"

namespace sockeye::proxy {

class SilenceLog {
 public:
  static constexpr unsigned burst = 5;  // lines in full, and one more for each second
  static constexpr base::Duration interval = std::chrono::seconds(1);

  // True: the session is to be told in full; else it is counted. Thread-safe.
  [[nodiscard]] bool admit(const std::string& route, model::Side silent, bool closed, base::Time now);
  // The line about those counted, an interval after the first of them; else "". Thread-safe, and costs one load where
  // nothing is counted.
  [[nodiscard]] std::string due(base::Time now);

 private:
  std::atomic<std::uint64_t> counted_{0};
  std::mutex mutex_;  // guards the rest
  double left_ = burst;
  base::Time at_{};   // when left_ was that
  base::Time due_{};  // the next line
  std::map<std::tuple<std::string, model::Side, bool>, std::uint64_t> counts_;
};

}  // namespace sockeye::proxy
