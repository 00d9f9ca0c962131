// How often something may happen: a token bucket kept as one point in time (GCRA). Control frames cost a peer six bytes
// each and us a pong's worth of work at the other side, so their rate has a limit.
#pragma once

#include <cstdint>

#include "sockeye/base/time.h"

namespace sockeye::session {

class RateLimit {
 public:
  static constexpr base::Duration burst = std::chrono::seconds(5);

  // `per_second`: 0 = no limit. Bursts of `burst`'s worth are allowed.
  explicit RateLimit(std::uint32_t per_second)
      : cost_(per_second == 0 ? 0 : std::chrono::nanoseconds(std::chrono::seconds(1)).count() / per_second) {}

  // One more at `now`; false when that is too many (it then does not count).
  [[nodiscard]] bool allow(base::Time now) {
    const base::Time from = used_until_ > now ? used_until_ : now;
    if (cost_ != 0 && from - now > burst - base::Duration(cost_)) return false;
    used_until_ = from + base::Duration(cost_);
    return true;
  }

 private:
  base::Time used_until_{};
  std::int64_t cost_;  // ns of allowance one event uses up
};

}  // namespace sockeye::session
