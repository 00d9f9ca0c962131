// Numbers in as many bytes as they need, seven bits each, lowest first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::sqlite {

inline void put_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
}

// Takes one off the front; false: there is none.
inline bool get_varint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

}  // namespace sockeye::sqlite
