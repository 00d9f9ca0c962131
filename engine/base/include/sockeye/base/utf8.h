// Text from peers on its way into formats that demand UTF-8 (protobuf strings, Prometheus labels, JSON).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sockeye::base {

// Length of the longest prefix that is well-formed UTF-8 (Unicode table 3-7: no surrogates, no overlong forms).
[[nodiscard]] std::size_t valid_utf8_prefix(std::string_view text);

// `text` with every ill-formed sequence replaced by U+FFFD, one for each maximal subpart (Unicode §3.9).
[[nodiscard]] std::string repair_utf8(std::string_view text);

// The longest prefix of well-formed `text` that has at most `bytes` bytes and ends at a character boundary.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t bytes);

}  // namespace sockeye::base
