// Fixed-size identifiers: W3C trace and span ids, UUIDv7 session ids (RFC 9562). Zero means "none".
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/random.h"

namespace sockeye::base {

template <std::size_t N, class Tag>
struct Id {
  std::array<std::uint8_t, N> bytes{};
  [[nodiscard]] constexpr bool is_zero() const {
    for (auto b : bytes)
      if (b != 0) return false;
    return true;
  }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};
using TraceId = Id<16, struct TraceIdTag>;
using SpanId = Id<8, struct SpanIdTag>;
using SessionId = Id<16, struct SessionIdTag>;

[[nodiscard]] TraceId make_trace_id(Random&);
[[nodiscard]] SpanId make_span_id(Random&);
// UUIDv7: 48 bits of Unix milliseconds, then random, so that ids sort by the time the session began.
[[nodiscard]] SessionId make_session_id(Random&, std::uint64_t unix_ms);

// Lowercase hex, no separators.
[[nodiscard]] std::string to_hex(const TraceId&);
[[nodiscard]] std::string to_hex(const SpanId&);
// 8-4-4-4-12, lowercase.
[[nodiscard]] std::string to_uuid(const SessionId&);
// Accepts exactly 2·N lowercase hex digits (W3C Trace Context §3.2.2 forbids upper case); none otherwise.
[[nodiscard]] std::optional<TraceId> parse_trace_id(std::string_view);
[[nodiscard]] std::optional<SpanId> parse_span_id(std::string_view);
[[nodiscard]] std::optional<SessionId> parse_session_id(std::string_view);

}  // namespace sockeye::base
