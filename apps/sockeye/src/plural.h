// Counts in words: "1 route", "2 routes".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::app {

inline std::string plural(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + ' ' + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace sockeye::app
