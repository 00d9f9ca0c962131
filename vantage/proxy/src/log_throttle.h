// Warnings about what can happen a thousand times a second, on any worker: one line per subject in 10 s, with the
// number of those left out.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sockeye/base/time.h"

namespace sockeye::proxy {

class LogThrottle {
 public:
  static constexpr base::Duration interval = std::chrono::seconds(10);
  static constexpr std::size_t capacity = 256;  // subjects; then all are forgotten

  // The line to log now, if any. Thread-safe.
  [[nodiscard]] std::optional<std::string> admit(std::string_view subject, const std::string& line, base::Time now);

 private:
  struct Entry {
    base::Time quiet_until{};
    std::uint64_t left_out = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sockeye::proxy
