// Time is always an argument: nothing in engine/ reads a clock. `Time` is a point on the vantage's monotonic clock;
// `WallOffset` turns it into Unix time at the edge, where a span is written.
#pragma once

#include <chrono>
#include <cstdint>

namespace sockeye::base {

using Duration = std::chrono::nanoseconds;

// A clock with no now(): only a vantage can make a Time.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic, duration>;
  static constexpr bool is_steady = true;
};
using Time = Monotonic::time_point;

inline constexpr Time never = Time::max();

// Unix time in ns minus monotonic time in ns, as the vantage last measured it.
struct WallOffset {
  std::int64_t ns = 0;
  [[nodiscard]] constexpr std::uint64_t unix_ns(Time t) const {
    return static_cast<std::uint64_t>(t.time_since_epoch().count() + ns);
  }
};

[[nodiscard]] constexpr double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace sockeye::base
