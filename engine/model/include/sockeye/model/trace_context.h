// W3C Trace Context as it crosses a handshake.
#pragma once

#include <cstdint>
#include <string>

#include "sockeye/base/ids.h"

namespace sockeye::model {

struct TraceContext {
  base::TraceId trace_id;
  base::SpanId span_id;
  std::uint8_t flags = 0;   // bit 0: sampled
  std::string trace_state;  // at most 512 bytes
  bool remote = false;
  [[nodiscard]] bool valid() const { return !trace_id.is_zero() && !span_id.is_zero(); }
  [[nodiscard]] bool sampled() const { return (flags & 1U) != 0; }
};

}  // namespace sockeye::model
