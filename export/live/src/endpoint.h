// Where the console is.
#pragma once

#include <string_view>

#include "sockeye/base/address.h"

namespace sockeye::live {

// "http(s)://host[:port][/prefix]" → where reports go, with path and port.
[[nodiscard]] base::Result<base::Url> parse_endpoint(std::string_view endpoint);

}  // namespace sockeye::live
