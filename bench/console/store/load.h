// Spans as a fleet of WebSocket services sends them: 200 operations of 20 services (or as many as asked for), 12
// attributes, errors one in a hundred, sessions of some forty spans, spread over a day (or an hour).
#pragma once

#include <cstdint>

#include "sockeye/base/random.h"
#include "sockeye/store/batch.h"

namespace sockeye::bench {

inline constexpr std::uint64_t second = 1'000'000'000;
inline constexpr std::uint64_t day_begins = 1'789'948'800 * second;
inline constexpr std::uint64_t spans_a_trace = 4, spans_a_session = 40;

class Load {
 public:
  // `total`: how many spans fill the time.
  explicit Load(std::uint64_t total, std::uint64_t operations = 200, std::uint64_t seconds = 86'400)
      : total_(total), operations_(operations), seconds_(seconds) {}
  [[nodiscard]] store::Batch next(std::uint64_t count);
  [[nodiscard]] std::uint64_t made() const { return made_; }

 private:
  const std::uint64_t total_, operations_, seconds_;
  std::uint64_t made_ = 0;
  base::Random random_{42};
};

// The same ids again, by number.
[[nodiscard]] base::TraceId trace_of(std::uint64_t span);
[[nodiscard]] base::SessionId session_of(std::uint64_t span);
[[nodiscard]] std::uint64_t scrambled(std::uint64_t n);

}  // namespace sockeye::bench
