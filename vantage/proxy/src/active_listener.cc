#include "active_listener.h"

#include <algorithm>
#include <utility>

namespace sockeye::proxy {

base::Result<ActiveListenerPtr> ActiveListener::compile(const Listener& configured, const Config& config,
                                                        RouteStatsTable& stats, std::vector<std::string>& warnings) {
  auto active = std::make_shared<ActiveListener>();
  active->address = configured.address;
  active->text = configured.address.text();
  if (configured.tls) {
    auto context = ServerContext::load(*configured.tls);
    if (!context) return base::fail("listener " + active->text + ": " + context.error().message);
    active->tls = std::move(*context);
  }
  auto table = RouteTable::compile(configured.routes);
  if (!table) return base::fail("listener " + active->text + ": " + table.error().message);
  active->table = std::move(*table);
  active->handshake_timeout =
      configured.routes.empty() ? base::Duration(std::chrono::seconds(10)) : base::Duration::zero();
  for (const auto& route : configured.routes) {
    ActiveRoute active_route{&stats.of(route.name), nullptr};
    if (route.upstream_tls) {
      auto context = ClientContext::load(route.client_tls, route.upstream.host);
      if (!context) return base::fail("route " + route.name + ": " + context.error().message);
      if (!(*context)->warning().empty()) warnings.push_back("route " + route.name + ": " + (*context)->warning());
      active_route.tls = std::move(*context);
    }
    active->routes.push_back(std::move(active_route));
    active->handshake_timeout = std::max(active->handshake_timeout, route.limits.handshake_timeout);
  }
  const std::string unmatched(unmatched_route);
  active->unmatched = &stats.of(unmatched);
  active->unmatched_options.route = unmatched;
  active->http = {.head = config.header_limit, .fields = config.header_fields};
  return active;
}

}  // namespace sockeye::proxy
