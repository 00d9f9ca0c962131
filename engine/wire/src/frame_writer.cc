#include "sockeye/wire/frame_writer.h"

#include <algorithm>
#include <cstring>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {

ControlFrame control_frame(model::Opcode opcode, base::Bytes payload, bool masked, std::uint32_t mask) {
  payload = payload.first(std::min<std::size_t>(payload.size(), 125));
  ControlFrame frame;
  frame.bytes[0] = static_cast<base::Byte>(0x80U | static_cast<unsigned>(opcode));
  frame.bytes[1] = static_cast<base::Byte>((masked ? 0x80U : 0U) | payload.size());
  std::size_t at = 2;
  if (masked) {
    std::memcpy(frame.bytes.data() + at, &mask, 4);
    at += 4;
  }
  unmask(payload, masked ? mask : 0, 0, frame.bytes.data() + at);
  frame.size = static_cast<std::uint8_t>(at + payload.size());
  return frame;
}

ControlFrame close_frame(std::uint16_t code, std::string_view reason, bool masked, std::uint32_t mask) {
  if (code == 1005) return control_frame(model::Opcode::close, {}, masked, mask);
  std::size_t end = std::min<std::size_t>(reason.size(), 123);
  if (end < reason.size())
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0U) == 0x80U) --end;
  std::array<base::Byte, 125> payload;
  payload[0] = static_cast<base::Byte>(code >> 8U);
  payload[1] = static_cast<base::Byte>(code & 0xffU);
  std::copy(reason.begin(), reason.begin() + static_cast<std::ptrdiff_t>(end), payload.begin() + 2);
  return control_frame(model::Opcode::close, {payload.data(), 2 + end}, masked, mask);
}

void append_data_frame(std::vector<base::Byte>& out, model::Opcode opcode, bool fin, bool compressed,
                       base::Bytes payload, bool masked, std::uint32_t mask) {
  const std::uint64_t size = payload.size();
  const auto byte = [&](std::uint64_t value) { out.push_back(static_cast<base::Byte>(value & 0xffU)); };
  byte((fin ? 0x80U : 0U) | (compressed ? 0x40U : 0U) | static_cast<unsigned>(opcode));
  const unsigned mask_bit = masked ? 0x80U : 0U;
  unsigned extended = 0;  // bytes
  if (size < 126) {
    byte(mask_bit | size);
  } else {
    extended = size <= 0xffff ? 2 : 8;
    byte(mask_bit | (extended == 2 ? 126U : 127U));
  }
  for (unsigned i = extended; i-- > 0;) byte(size >> (8 * i));
  const std::size_t at = out.size() + (masked ? 4 : 0);
  out.resize(at + payload.size());
  if (masked) std::memcpy(out.data() + at - 4, &mask, 4);
  unmask(payload, masked ? mask : 0, 0, out.data() + at);
}

}  // namespace sockeye::wire
