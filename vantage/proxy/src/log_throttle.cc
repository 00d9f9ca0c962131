#include "log_throttle.h"

#include <utility>

namespace sockeye::proxy {

std::optional<std::string> LogThrottle::admit(std::string_view subject, const std::string& line, base::Time now) {
  const std::lock_guard lock(mutex_);
  const std::string key(subject);
  if (entries_.size() >= capacity && !entries_.contains(key)) entries_.clear();
  Entry& entry = entries_[key];
  if (now < entry.quiet_until) {
    ++entry.left_out;
    return std::nullopt;
  }
  entry.quiet_until = now + interval;
  const auto left_out = std::exchange(entry.left_out, 0);
  return left_out == 0 ? line : line + " (and " + std::to_string(left_out) + " more like it)";
}

}  // namespace sockeye::proxy
