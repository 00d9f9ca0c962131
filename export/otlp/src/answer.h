// What a collector's answer means (OTLP specification, "OTLP/HTTP Response").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/time.h"
#include "sockeye/pipeline/transport.h"

namespace sockeye::otlp {

struct Answer {
  int status = 0;         // final HTTP status, >= 200
  bool protobuf = false;  // Content-Type is application/x-protobuf, or there was none
  bool whole = true;      // the body came to its end
  std::string_view body;
  std::optional<base::Duration> retry_after;
};

[[nodiscard]] pipeline::Delivery judge(const Answer& answer, std::uint32_t spans);

// A peer's text made fit for a log line: printable ASCII, at most 160 bytes.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace sockeye::otlp
