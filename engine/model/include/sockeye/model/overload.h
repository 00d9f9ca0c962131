// What a vantage gives up, step by step, as its process nears what it may use. Never the bytes of an open session.
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::model {

// Each level includes those before it.
enum class Shedding : std::uint8_t {
  nothing,
  message_spans,  // spans of single messages
  inflating,      // compressed messages are counted, not inflated
  reading,        // messages are counted, not read for their dialect
  sessions,       // new ones are refused, with 503
  count_
};
[[nodiscard]] std::string_view name(Shedding);

enum class Strain : std::uint8_t { none, memory, loop_lag, descriptors, count_ };
[[nodiscard]] std::string_view name(Strain);

struct Overload {
  Shedding shedding = Shedding::nothing;
  Strain because = Strain::none;
};

}  // namespace sockeye::model
