// Where the console is and what opens its door.
#pragma once

#include <string>
#include <string_view>

#include "sockeye/base/result.h"

namespace sockeye::live {

struct Target {
  bool tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string authority;  // for Host
  std::string path;       // with the endpoint's prefix
};
// "http(s)://host[:port][/prefix]".
[[nodiscard]] base::Result<Target> parse_target(std::string_view endpoint);

}  // namespace sockeye::live
