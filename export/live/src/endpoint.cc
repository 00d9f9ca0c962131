#include "endpoint.h"

#include "sockeye/base/address.h"
#include "sockeye/live/messages.h"

namespace sockeye::live {

base::Result<base::Url> parse_endpoint(std::string_view endpoint) {
  const auto bad = [&] {
    return base::fail("the console's endpoint is no URL such as http://127.0.0.1:16686: " +
                      std::string(endpoint.substr(0, 200)));
  };
  auto url = base::parse_url(endpoint);
  if (url ? !url->user_info.empty() : endpoint.find('@') != std::string_view::npos)
    return base::fail("the console's endpoint holds a user name or password; use a token file");
  if (!url || (url->scheme != "http" && url->scheme != "https")) return bad();
  if (endpoint.find_first_of("?#") != std::string_view::npos || url->port == 0) return bad();
  while (url->path.ends_with('/')) url->path.pop_back();
  url->path += live::path;
  return url;
}

}  // namespace sockeye::live
