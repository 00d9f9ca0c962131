// Borrowed bytes. A Bytes never owns: whoever hands one out states how long it lives.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sockeye::base {

using Byte = std::uint8_t;
using Bytes = std::span<const Byte>;
using MutableBytes = std::span<Byte>;

[[nodiscard]] inline std::string_view as_text(Bytes b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
[[nodiscard]] inline Bytes as_bytes(std::string_view s) { return {reinterpret_cast<const Byte*>(s.data()), s.size()}; }

}  // namespace sockeye::base
