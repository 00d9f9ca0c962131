// One thing that happened to the fleet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api.h"

namespace sockeye::console::tape {

enum class Level : std::uint8_t { info, warn, bad };

struct Entry {
  std::uint64_t time_unix_ns = 0, to_unix_ns = 0;  // the same: a moment
  std::string_view kind;
  std::string title, route, instance;  // "" = of several, or of none
  Level level = Level::info;
  std::uint64_t count = 0;                 // sessions
  std::vector<store::SessionId> sessions;  // some of them
  store::TimeRange range = {};             // that they opened in, or ended
  bool range_of_ends = false;
  std::vector<std::pair<std::string, std::string>> query = {};  // with the range: exactly these sessions
  bool exact = true;  // false: nothing asks for just these, for what they lack cannot be asked for
};

// "22 s", "3 min", "5 h"
[[nodiscard]] std::string duration_text(std::uint64_t ns);

// Proxies and the console that came and went within `time`; only that proxy, where one is named.
[[nodiscard]] base::Result<std::vector<Entry>> presences(Api& api, store::TimeRange time, const std::string& instance,
                                                         store::Deadline deadline);

}  // namespace sockeye::console::tape
