#include "sockeye/signal/sampling.h"

#include <cstdint>

namespace sockeye::signal {

bool sample(const SamplingPolicy& policy, const base::TraceId& trace, std::optional<bool> parent) {
  if (policy.parent_based && parent) return *parent;
  if (policy.ratio >= 1.0) return true;
  if (!(policy.ratio > 0.0)) return false;  // not a number: none
  // The low 8 bytes, big-endian, top bit dropped, against ratio · 2^63: as OpenTelemetry's SDKs do.
  std::uint64_t low = 0;
  for (std::size_t i = 8; i < 16; ++i) low = low << 8U | trace.bytes[i];
  return (low >> 1U) < static_cast<std::uint64_t>(policy.ratio * 0x1.0p63);
}

}  // namespace sockeye::signal
