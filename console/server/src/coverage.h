// Which times nobody saw: while the console was away, or while it did not hear a proxy that was running.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sockeye/store/store.h"

namespace sockeye::console {

struct Gap {
  std::uint64_t from_unix_ns = 0, to_unix_ns = 0;
  store::Presence::Who who = store::Presence::Who::console;
  std::string instance;  // of a proxy
};

// The gaps within `range`, by their beginning. What lies before the first stretch of a console is no gap: there was
// none yet. `presences` as the store and this process know them (the later of two with the same beginning counts), in
// any order; at `now` the console is there. A proxy that was stopped is not missed afterwards; one that went away is,
// until it is back or was given up (`patience_ns`). Gaps of under a second, and of a proxy under 2.5 s, are none.
[[nodiscard]] std::vector<Gap> gaps(std::vector<store::Presence> presences, store::TimeRange range,
                                    std::uint64_t now_unix_ns, std::uint64_t patience_ns);

}  // namespace sockeye::console
