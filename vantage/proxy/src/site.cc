#include "site.h"

#include <algorithm>
#include <utility>

namespace sockeye::proxy {

RouteAccount::RouteAccount(unsigned workers) {
  for (unsigned i = 0; i < workers; ++i) shards.push_back(std::make_unique<model::RouteMetrics>());
}

RouteAccount& Accounts::of(const std::string& route) {
  const std::lock_guard lock(mutex_);
  auto& account = accounts_[route];
  if (!account) account = std::make_unique<RouteAccount>(workers_);
  return *account;
}

std::vector<model::RouteCounters> Accounts::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::RouteCounters> out;
  out.reserve(accounts_.size());
  for (const auto& [name, account] : accounts_) {
    model::RouteCounters shard{name, {}};
    for (const auto& metrics : account->shards) shard.workers.push_back(metrics.get());
    out.push_back(std::move(shard));
  }
  return out;
}

SessionSlot SessionSlot::take(RouteAccount& account, std::uint32_t limit) {
  if (account.sessions.fetch_add(1, std::memory_order_relaxed) < limit) return SessionSlot(&account);
  account.sessions.fetch_sub(1, std::memory_order_relaxed);
  return {};
}

base::Result<SitePtr> Site::compile(const Listener& listener, const Config& config, Accounts& accounts,
                                    std::vector<std::string>& warnings) {
  auto site = std::make_shared<Site>();
  site->address = listener.address;
  site->text = listener.address.text();
  if (listener.tls) {
    auto context = ServerContext::load(*listener.tls);
    if (!context) return base::fail("listener " + site->text + ": " + context.error().message);
    site->tls = std::move(*context);
  }
  auto table = RouteTable::compile(listener.routes);
  if (!table) return base::fail("listener " + site->text + ": " + table.error().message);
  site->table = std::move(*table);
  site->handshake_timeout = listener.routes.empty() ? base::Duration(std::chrono::seconds(10)) : base::Duration::zero();
  for (const auto& route : listener.routes) {
    Lane lane{&accounts.of(route.name), nullptr};
    if (route.upstream_tls) {
      auto context = ClientContext::load(route.client_tls, route.upstream.host);
      if (!context) return base::fail("route " + route.name + ": " + context.error().message);
      if (!(*context)->warning().empty()) warnings.push_back("route " + route.name + ": " + (*context)->warning());
      lane.tls = std::move(*context);
    }
    site->lanes.push_back(std::move(lane));
    site->handshake_timeout = std::max(site->handshake_timeout, route.limits.handshake_timeout);
  }
  const std::string unmatched(unmatched_route);
  site->unmatched = &accounts.of(unmatched);
  site->unmatched_options.route = unmatched;
  site->http = {.head = config.header_limit, .fields = config.header_fields};
  return site;
}

}  // namespace sockeye::proxy
