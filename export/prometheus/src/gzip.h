// RFC 1952 in one call, for bodies that a client asked to have compressed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sockeye::prometheus {

[[nodiscard]] std::optional<std::string> gzip(std::string_view in);
// True when Accept-Encoding lists gzip (or *) with a weight over 0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

}  // namespace sockeye::prometheus
