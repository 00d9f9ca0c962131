// Hints to the processor: memory that will be touched soon.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sockeye::base {

// Asks for the line that `at` lies in. Nothing is read; any address will do.
inline void prefetch(const void* at) {
  __builtin_prefetch(at);
  // GCC 12 takes a function that does nothing else for one without effects, and drops the calls of it.
  asm volatile("");
}

// The lines that `size` bytes from `from` on lie in.
inline void prefetch(const void* from, std::size_t size) {
  constexpr std::size_t line = 64;
  const auto begin = reinterpret_cast<std::uintptr_t>(from);
  for (std::size_t at = 0; at < size; at += line) prefetch(reinterpret_cast<const void*>(begin + at));
}

}  // namespace sockeye::base
