// Frames as a peer would write them, right and wrong, for tests.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "sockeye/model/frame.h"

namespace sockeye::wire::test {

struct FrameSpec {
  model::Opcode opcode = model::Opcode::text;
  std::string payload = {};
  bool fin = true;
  unsigned rsv = 0;
  int length_bytes = -1;  // 0, 2 or 8 forces a form; -1: the shortest
  int masked = -1;        // 0 or 1 forces; -1: as its sender must
};

// The key differs from frame to frame, but the same frame always has the same: a fuzzer's finding must replay.
inline std::string frame(model::Side from, const FrameSpec& spec) {
  const bool masked = spec.masked < 0 ? from == model::Side::client : spec.masked == 1;
  const std::size_t n = spec.payload.size();
  const int form = spec.length_bytes >= 0 ? spec.length_bytes : n < 126 ? 0 : n < 65536 ? 2 : 8;
  std::string out;
  out += static_cast<char>((spec.fin ? 0x80U : 0U) | (spec.rsv << 4U) | static_cast<unsigned>(spec.opcode));
  out += static_cast<char>((masked ? 0x80U : 0U) | (form == 0 ? static_cast<unsigned>(n) : form == 2 ? 126U : 127U));
  for (int i = form - 1; i >= 0; --i) out += static_cast<char>(std::uint64_t{n} >> (8U * static_cast<unsigned>(i)));
  if (!masked) return out + spec.payload;
  std::uint32_t key = 0x811c9dc5U ^ static_cast<std::uint32_t>(spec.opcode);
  for (const char c : spec.payload) key = (key ^ static_cast<unsigned char>(c)) * 0x01000193U;
  std::array<char, 4> bytes;
  std::memcpy(bytes.data(), &key, 4);
  out.append(bytes.data(), 4);
  for (std::size_t i = 0; i < n; ++i) out += static_cast<char>(spec.payload[i] ^ bytes[i % 4]);
  return out;
}

inline std::string frame(model::Side from, model::Opcode opcode, std::string payload, bool fin = true) {
  return frame(from, FrameSpec{.opcode = opcode, .payload = std::move(payload), .fin = fin});
}

inline std::string text(model::Side from, std::string payload) {
  return frame(from, model::Opcode::text, std::move(payload));
}

// 1005: without a code.
inline std::string close(model::Side from, int code, std::string_view reason = {}) {
  if (code == 1005) return frame(from, model::Opcode::close, "");
  const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 255)};
  return frame(from, model::Opcode::close, payload + std::string(reason));
}

}  // namespace sockeye::wire::test
