// What a span's attributes say of a call and its streamed reply, as docs/signals.md names them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "sockeye/model/names.h"
#include "sockeye/store/batch.h"

namespace sockeye::store {

// What of a span can be sorted, filtered and summed up. All but the last are nanoseconds.
enum class Measure : std::uint8_t {
  duration,
  first_chunk,    // websocket.time_to_first_chunk
  last_chunk,     // websocket.time_to_last_chunk
  longest_pause,  // websocket.chunk.interval.max
  perceived,      // websocket.time_to_first_chunk.perceived
  chunks          // websocket.chunk.count
};
inline constexpr std::size_t measures = 6;
// The attribute it is read from; "" for the duration.
[[nodiscard]] std::string_view attribute_of(Measure);

enum class CallStatus : std::uint8_t { none, ok, error, cancelled, incomplete, other };  // none: it is no call

struct Figures {
  static constexpr std::uint64_t unknown = UINT64_MAX;
  CallStatus status = CallStatus::none;  // websocket.invocation.status
  std::array<std::uint64_t, measures> values{unknown, unknown, unknown, unknown, unknown, unknown};  // by Measure

  [[nodiscard]] std::uint64_t of(Measure m) const { return values[static_cast<std::size_t>(m)]; }
};

inline constexpr std::string_view call_attribute = model::attribute::websocket_invocation_status;

// `duration_ns` is the span's. What is no number, not finite or below 0 is unknown.
[[nodiscard]] Figures figures_of(std::span<const Attribute> attributes, std::uint64_t duration_ns);
// Seconds as they stand in an attribute → nanoseconds, rounded; Figures::unknown for what is no such number.
[[nodiscard]] std::uint64_t nanoseconds_of(const Value& seconds);

// What spans are told apart by. The first four are attributes, of the span or else of its resource or scope.
enum class Dimension : std::uint8_t {
  route,    // sockeye.route
  target,   // url.path
  client,   // client.address
  dialect,  // sockeye.dialect
  service,
  operation,
  status,  // "0" … "2", as Span::status
  kind,    // "0" … "5", as Span::kind
  attribute
};
inline constexpr std::size_t attribute_dimensions = 4;
[[nodiscard]] std::string_view attribute_of(Dimension);  // of the first four

}  // namespace sockeye::store
