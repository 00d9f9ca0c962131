// The one place where the console reads the time of day.
#pragma once

#include <chrono>
#include <cstdint>

namespace sockeye::console {

inline constexpr std::uint64_t second_ns = 1'000'000'000;

[[nodiscard]] inline std::uint64_t unix_now_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace sockeye::console
