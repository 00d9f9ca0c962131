// The link layers that are understood, by their LINKTYPE_ values (https://www.tcpdump.org/linktypes.html).
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::tap::link_type {

inline constexpr std::uint32_t null = 0;  // BSD loopback: the address family in the capturing machine's byte order
inline constexpr std::uint32_t ethernet = 1;
inline constexpr std::uint32_t raw_bsd = 12;  // what DLT_RAW is on most systems, found in old files
inline constexpr std::uint32_t raw_openbsd = 14;
inline constexpr std::uint32_t raw = 101;   // an IP packet, of either version
inline constexpr std::uint32_t loop = 108;  // OpenBSD loopback: the family in network byte order
inline constexpr std::uint32_t linux_cooked = 113;
inline constexpr std::uint32_t ipv4 = 228;
inline constexpr std::uint32_t ipv6 = 229;
inline constexpr std::uint32_t linux_cooked_v2 = 276;

constexpr bool understood(std::uint32_t type) {
  for (const auto known : {null, ethernet, raw_bsd, raw_openbsd, raw, loop, linux_cooked, ipv4, ipv6, linux_cooked_v2})
    if (type == known) return true;
  return false;
}
inline constexpr std::string_view understood_names = "Ethernet, loopback, Linux cooked (v1, v2) and raw IP";

}  // namespace sockeye::tap::link_type
