// Which times nobody saw: before there was a console or longer ago than it keeps, while it was away, or while it did
// not hear a proxy that was running.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

struct Gap {
  std::uint64_t from_unix_ns = 0, to_unix_ns = 0;
  enum class What : std::uint8_t { before, console, proxy } what = What::console;
  std::string instance;  // of a proxy
};

// Who was there to see, as the store and this process know it: of two stretches with the same beginning the later
// counts. In any order.
struct Watch {
  std::vector<store::Presence> presences;
  std::uint64_t kept_since_unix_ns = 0;  // what came before is not kept any more
};
[[nodiscard]] base::Result<Watch> watch_of(Api& api, std::uint64_t now_unix_ns, store::Deadline deadline);

// Nothing is known of what was before: there was no console yet, or it is not kept any more.
[[nodiscard]] std::uint64_t known_since(const Watch& watch);

// The gaps within `range`, by their beginning. At `now` the console is there. A proxy that was stopped is not missed
// afterwards; one that went away is, until it is back or was given up (`patience_ns`). Gaps of under a second, and of a
// proxy under 2.5 s, are none.
[[nodiscard]] std::vector<Gap> gaps(Watch watch, store::TimeRange range, std::uint64_t now_unix_ns,
                                    std::uint64_t patience_ns);

// How much of the time they take together.
[[nodiscard]] std::uint64_t length_of(const std::vector<Gap>& gaps);

}  // namespace sockeye::console
