// Content-Encoding of a request: identity, gzip, deflate (zlib), zstd. Bounded: stops at `limit` bytes of output.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sockeye/base/result.h"

namespace sockeye::intake {

enum class Unpacking : unsigned char { done, unknown_encoding, malformed, too_large };

// `out` is replaced. Several encodings, or one twice, are unknown_encoding.
[[nodiscard]] Unpacking decompress(std::string_view encoding, std::string_view body, std::size_t limit,
                                   std::string& out);

}  // namespace sockeye::intake
