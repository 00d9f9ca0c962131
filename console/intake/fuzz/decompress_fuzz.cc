// Any bytes in each encoding, with a small limit: never more than that comes out, and the limit changes nothing else.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sockeye/intake/decompress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye::intake;
  constexpr std::size_t small = 1000;
  constexpr std::size_t large = 1U << 20U;
  const auto check = [](bool good) {
    if (!good) std::abort();
  };
  const std::string body(data, data + size);
  for (const char* const encoding : {"gzip", "deflate", "zstd"}) {
    std::string some;
    std::string all;
    const Unpacking bounded = decompress(encoding, body, small, some);
    const Unpacking free = decompress(encoding, body, large, all);
    check(some.size() <= small && all.size() <= large && all.capacity() <= 2 * (large + 4 * size + 4096));
    if (bounded == Unpacking::done) check(free == Unpacking::done && some == all);
    if (bounded == Unpacking::malformed) check(free == Unpacking::malformed && some.empty());
    if (bounded == Unpacking::too_large) check(free != Unpacking::done || all.size() > small);
  }
  return 0;
}
