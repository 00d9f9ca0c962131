// "host:port" as EndpointOptions::address is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sockeye::prometheus {

struct HostPort {
  std::string host;  // numeric; "" = all interfaces
  std::uint16_t port = 0;
};

[[nodiscard]] std::optional<HostPort> parse_address(std::string_view text);

}  // namespace sockeye::prometheus
