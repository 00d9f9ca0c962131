// Writes the frames Sockeye itself sends: pings and Closes, and messages that are passed on with something put in.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"

namespace sockeye::wire {

inline constexpr std::size_t max_control_frame = 2 + 4 + 125;

// A control frame in a buffer of its own; view() is valid while the object is.
struct ControlFrame {
  std::array<base::Byte, max_control_frame> bytes;
  std::uint8_t size = 0;
  [[nodiscard]] base::Bytes view() const { return {bytes.data(), size}; }
};

// `mask` is used when `masked` (a client's frame, RFC 6455 §5.3). `payload` is cut at 125 bytes.
[[nodiscard]] ControlFrame control_frame(model::Opcode opcode, base::Bytes payload, bool masked, std::uint32_t mask);
// code 1005 writes an empty payload; `reason` is cut at 123 bytes on a code-point boundary.
[[nodiscard]] ControlFrame close_frame(std::uint16_t code, std::string_view reason, bool masked, std::uint32_t mask);

// Appends a data frame (§5.2): `compressed` sets RSV1 (RFC 7692 §6), which only a message's first frame may have.
// Lengths are written in their shortest form.
void append_data_frame(std::vector<base::Byte>& out, model::Opcode opcode, bool fin, bool compressed,
                       base::Bytes payload, bool masked, std::uint32_t mask);

}  // namespace sockeye::wire
