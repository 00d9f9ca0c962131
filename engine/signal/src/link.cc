#include "sockeye/signal/link.h"

namespace sockeye::signal {

std::string hop_link(const base::TraceId& trace, const base::SpanId& named, model::Side sender, std::uint64_t message) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; };
  for (const std::uint8_t byte : trace.bytes) add(byte);
  for (const std::uint8_t byte : named.bytes) add(byte);
  add(static_cast<std::uint8_t>(model::index(sender)));
  for (int shift = 56; shift >= 0; shift -= 8) add(static_cast<std::uint8_t>(message >> shift));
  base::SpanId out;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[i] = static_cast<std::uint8_t>(hash >> (56 - 8 * i));
  return base::to_hex(out);
}

}  // namespace sockeye::signal
