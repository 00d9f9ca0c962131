#include "sockeye/net/http.h"

#include <algorithm>

#include "sockeye/base/text.h"

namespace sockeye::net {

std::string_view Request::field(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return {};
}

void split_target(std::string_view target, std::string& path, std::string& query) {
  path.clear();
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const auto slash = target.find('/', scheme.size());
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const auto question = std::min(target.find('?'), target.size());
  query = target.substr(std::min(question + 1, target.size()));
  auto decoded = base::percent_decode(target.substr(0, question));
  if (!decoded || decoded->empty() || decoded->front() != '/' || decoded->find('\0') != std::string::npos) return;
  if ((*decoded + "/").find("/../") != std::string::npos) return;
  path = *std::move(decoded);
}

}  // namespace sockeye::net
