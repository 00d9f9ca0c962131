// A configuration as the workers use it: files read, patterns compiled, counters attached. Immutable, and kept alive by
// every connection that began under it (hence shared_ptr: those live on several workers), so a reload is a swap of
// pointers and touches new connections only.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "routing.h"
#include "sockeye/base/result.h"
#include "sockeye/model/metrics.h"
#include "sockeye/proxy/config.h"
#include "sockeye/proxy/proxy.h"
#include "sockeye/wire/http.h"
#include "tls.h"

namespace sockeye::proxy {

// What is counted under one route name. Lives as long as the proxy, whatever reloads say: counters never go back.
struct RouteAccount {
  explicit RouteAccount(unsigned workers);
  std::vector<std::unique_ptr<model::RouteMetrics>> shards;  // by worker
  std::atomic<std::uint32_t> sessions{0};                    // open or being opened, all workers
};

class Accounts {
 public:
  explicit Accounts(unsigned workers) : workers_(workers) {}
  // Thread-safe; the same account for the same name.
  RouteAccount& of(const std::string& route);
  [[nodiscard]] std::vector<model::RouteCounters> all() const;

 private:
  unsigned workers_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<RouteAccount>> accounts_;
};

// A place among the sessions a route allows; gives it back when destroyed.
class SessionSlot {
 public:
  SessionSlot() = default;
  // Empty when the route is full.
  static SessionSlot take(RouteAccount& account, std::uint32_t limit);
  SessionSlot(SessionSlot&& other) noexcept : account_(std::exchange(other.account_, nullptr)) {}
  SessionSlot& operator=(SessionSlot&& other) noexcept {
    std::swap(account_, other.account_);
    return *this;
  }
  ~SessionSlot() {
    if (account_ != nullptr) account_->sessions.fetch_sub(1, std::memory_order_relaxed);
  }
  [[nodiscard]] explicit operator bool() const { return account_ != nullptr; }

 private:
  explicit SessionSlot(RouteAccount* account) : account_(account) {}
  RouteAccount* account_ = nullptr;
};

// The name under which requests are counted that took no route: "unmatched".
inline constexpr std::string_view unmatched_route = "unmatched";

// One listener.
struct Site {
  // Errors name the listener or route and the file. `warnings` gets lines a person should see at every load.
  static base::Result<std::shared_ptr<const Site>> compile(const Listener& listener, const Config& config,
                                                           Accounts& accounts, std::vector<std::string>& warnings);

  Address address;  // as configured
  std::string text;
  std::shared_ptr<const ServerContext> tls;  // null: plain
  RouteTable table;
  struct Lane {
    RouteAccount* account;
    std::shared_ptr<const ClientContext> tls;  // null: plain
  };
  std::vector<Lane> lanes;  // by index into table
  RouteAccount* unmatched;
  observer::Options unmatched_options;
  base::Duration
      handshake_timeout;  // the longest of the routes': which one a request takes is not known before its head
  wire::HttpLimits http;
};
using SitePtr = std::shared_ptr<const Site>;

}  // namespace sockeye::proxy
