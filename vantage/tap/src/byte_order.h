// Integers out of bytes that came from elsewhere. The caller has made sure that they are there.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "sockeye/base/bytes.h"

namespace sockeye::tap {

// Network byte order.
inline std::uint16_t big16(const base::Byte* at) { return static_cast<std::uint16_t>(at[0] << 8U | at[1]); }
inline std::uint32_t big24(const base::Byte* at) {
  return std::uint32_t{at[0]} << 16U | std::uint32_t{at[1]} << 8U | at[2];
}
inline std::uint32_t big32(const base::Byte* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

// The byte order of the machine that wrote a file.
struct FileOrder {
  bool swapped = false;
  [[nodiscard]] std::uint16_t get16(const base::Byte* at) const {
    std::uint16_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap16(value) : value;
  }
  [[nodiscard]] std::uint32_t get32(const base::Byte* at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap32(value) : value;
  }
  [[nodiscard]] std::uint64_t get64(const base::Byte* at) const {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap64(value) : value;
  }
};
static_assert(std::endian::native == std::endian::little, "big32() swaps");

}  // namespace sockeye::tap
