#include "silence_log.h"

#include <algorithm>
#include <utility>

namespace sockeye::proxy {

bool SilenceLog::admit(const std::string& route, model::Side silent, bool closed, base::Time now) {
  const std::lock_guard lock(mutex_);
  left_ = std::min<double>(burst, left_ + base::seconds(now - at_));
  at_ = now;
  // In the order they happened: while some are only counted, none is told in full.
  if (left_ >= 1 && counts_.empty()) {
    left_ -= 1;
    return true;
  }
  if (counts_.empty()) due_ = now + interval;
  ++counts_[{route, silent, closed}];
  counted_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::string SilenceLog::due(base::Time now) {
  if (counted_.load(std::memory_order_relaxed) == 0) return {};
  const std::lock_guard lock(mutex_);
  if (counts_.empty() || now < due_) return {};
  const auto all = counted_.exchange(0, std::memory_order_relaxed);
  std::string line =
      std::to_string(all) + (all == 1 ? " more session" : " more sessions") + " with a heartbeat timeout: ";
  std::string_view between;
  for (const auto& [key, count] : std::exchange(counts_, {})) {
    const auto& [route, leg, closed] = key;
    line.append(between).append(std::to_string(count)).append(closed ? " closed" : count == 1 ? " goes on" : " go on");
    line.append(leg == model::Side::client ? ", silent client" : ", silent upstream").append(" (route ");
    line.append(route).append(")");
    between = "; ";
  }
  return line;
}

}  // namespace sockeye::proxy
