#include "target.h"

#include "sockeye/base/address.h"
#include "sockeye/live/messages.h"

namespace sockeye::live {

base::Result<Target> parse_target(std::string_view endpoint) {
  const auto bad = [&] {
    return base::fail("the console's endpoint is no URL such as http://127.0.0.1:16686: " +
                      std::string(endpoint.substr(0, 200)));
  };
  const auto url = base::parse_url(endpoint);
  if (url ? !url->user_info.empty() : endpoint.find('@') != std::string_view::npos)
    return base::fail("the console's endpoint holds a user name or password; use a token file");
  if (!url) return bad();
  Target out;
  out.tls = url->scheme == "https";
  if (!out.tls && url->scheme != "http") return bad();
  if (!url->query.empty() || endpoint.find_first_of("?#") != std::string_view::npos || url->port == 0) return bad();
  std::string_view prefix = url->path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  out.host = url->host;
  out.port = std::to_string(url->port.value_or(out.tls ? 443 : 80));
  out.authority = url->authority();
  out.path = std::string(prefix) + std::string(live::path);
  return out;
}

}  // namespace sockeye::live
