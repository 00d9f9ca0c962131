#include "address.h"

#include <charconv>

namespace sockeye::prometheus {

std::optional<HostPort> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view port = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  HostPort out;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (port.empty() || parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size()) return {};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return {};
  } else if (host.find(':') != std::string_view::npos) {
    return {};  // an IPv6 address needs its brackets
  }
  out.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  return out;
}

}  // namespace sockeye::prometheus
