// A listener of the configuration as the workers use it: files read, patterns compiled, counters attached. Immutable,
// and kept alive by every connection that began under it (hence shared_ptr: those live on several workers), so a reload
// is a swap of pointers and touches new connections only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "route_stats.h"
#include "routing.h"
#include "sockeye/base/result.h"
#include "sockeye/proxy/config.h"
#include "sockeye/proxy/proxy.h"
#include "sockeye/wire/http.h"
#include "tls.h"

namespace sockeye::proxy {

// The name under which requests are counted that took no route: "unmatched".
inline constexpr std::string_view unmatched_route = "unmatched";

// What a route has beyond what matching needs.
struct ActiveRoute {
  RouteStats* stats;
  std::shared_ptr<const ClientContext> tls;  // null: plain
};

struct ActiveListener {
  // Errors name the listener or route and the file. `warnings` gets lines a person should see at every load.
  static base::Result<std::shared_ptr<const ActiveListener>> compile(const Listener& configured, const Config& config,
                                                                     RouteStatsTable& stats,
                                                                     std::vector<std::string>& warnings);

  Address address;  // as configured
  std::string text;
  std::shared_ptr<const ServerContext> tls;  // null: plain
  RouteTable table;
  std::vector<ActiveRoute> routes;  // by index into table
  RouteStats* unmatched;
  observer::Options unmatched_options;
  base::Duration
      handshake_timeout;  // the longest of the routes': which one a request takes is not known before its head
  wire::HttpLimits http;
};
using ActiveListenerPtr = std::shared_ptr<const ActiveListener>;

}  // namespace sockeye::proxy
