// The vocabulary of RFC 6455 §5: who sent it, what kind of frame it is.
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::model {

// The peer that sent the bytes. On a proxy, `client` is the downstream leg and `server` the upstream leg.
enum class Side : std::uint8_t { client = 0, server = 1 };

[[nodiscard]] constexpr Side other(Side s) { return s == Side::client ? Side::server : Side::client; }
[[nodiscard]] constexpr std::size_t index(Side s) { return static_cast<std::size_t>(s); }
// Label value of a message's `direction`: "c2s" or "s2c", named by its sender.
[[nodiscard]] constexpr std::string_view direction(Side sender) { return sender == Side::client ? "c2s" : "s2c"; }

// Label value of `leg`, the transport to a peer: "client" or "upstream".
[[nodiscard]] constexpr std::string_view leg_name(Side peer) { return peer == Side::client ? "client" : "upstream"; }

// RFC 6455 §5.2. Other values are reserved and a violation.
enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

[[nodiscard]] constexpr bool is_control(Opcode o) { return static_cast<std::uint8_t>(o) >= 8; }
[[nodiscard]] std::string_view name(Opcode);  // "text", "binary", ...; "reserved" for others

struct FrameHeader {
  std::uint64_t length = 0;  // payload bytes, 0 .. 2^63-1
  std::uint32_t mask = 0;    // the masking key's four bytes in memory order
  Opcode opcode = Opcode::continuation;
  bool fin = false;
  bool masked = false;
  std::uint8_t rsv = 0;   // RSV1 = 4, RSV2 = 2, RSV3 = 1
  std::uint8_t size = 0;  // header bytes on the wire, 2 .. 14
};

}  // namespace sockeye::model
