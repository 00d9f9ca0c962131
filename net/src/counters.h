// What a server counts of those it does not serve to the end. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace sockeye::net {

struct Counters {
  std::atomic<std::uint64_t> turned_away{0}, made_room{0}, misbehaved{0}, slow{0};
};

}  // namespace sockeye::net
