// What one packet says of a TCP stream.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"

namespace sockeye::tap {

struct Endpoint {
  std::array<base::Byte, 16> address{};  // IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint& a, const Endpoint& b) {  // in line: it is asked of every packet
    std::array<std::uint64_t, 2> x;
    std::array<std::uint64_t, 2> y;
    std::memcpy(x.data(), a.address.data(), sizeof x);
    std::memcpy(y.data(), b.address.data(), sizeof y);
    return a.port == b.port && x[0] == y[0] && x[1] == y[1];
  }
};

// "192.0.2.1" or "2001:db8::1", without the port.
[[nodiscard]] std::string address_text(const Endpoint& endpoint);

namespace tcp {
inline constexpr std::uint8_t fin = 1;
inline constexpr std::uint8_t syn = 2;
inline constexpr std::uint8_t rst = 4;
inline constexpr std::uint8_t ack = 16;
}  // namespace tcp

struct Segment {
  base::Time time{};
  Endpoint source;
  Endpoint destination;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;  // with tcp::ack
  std::uint16_t window = 0;        // as it stands in the header, not scaled
  std::uint8_t flags = 0;
  base::Bytes payload;             // valid as long as the packet
  std::uint32_t not_captured = 0;  // payload bytes behind `payload` that were cut off
};

}  // namespace sockeye::tap
