// Hints to the processor: memory that will be touched soon.
#pragma once

#include <cstddef>

namespace sockeye::base {

// Asks for the lines that `size` bytes from `from` on lie in. Nothing is read; any address will do.
inline void fetch(const void* from, std::size_t size) {
  constexpr std::size_t line = 64;
  const char* const begin = static_cast<const char*>(from);
  for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(begin + at);
}

}  // namespace sockeye::base
