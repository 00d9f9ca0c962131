// Tells a reconnect from a new session. An abnormal end leaves one credit for its client; the next session of the same
// client, route, path and User-Agent within a minute uses it up. Shared by the workers, since a client that comes back
// may land on another one; touched only when a session opens or ends, never per message.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"

namespace sockeye::proxy {

class Reconnects {
 public:
  static constexpr std::size_t capacity = 16384;  // credits held; the oldest goes first
  static constexpr base::Duration lifetime = std::chrono::seconds(60);

  // Who a session's client is, as far as one can tell without a cookie. The query is left out: it often carries a
  // token that changes from one attempt to the next.
  [[nodiscard]] static std::uint64_t key(std::string_view client_address, std::string_view route,
                                         std::string_view target, std::string_view user_agent);

  void ended(std::uint64_t key, const base::SessionId& id, base::Time now);
  // The session this one follows, if a credit is there; the credit is used up.
  [[nodiscard]] std::optional<base::SessionId> opened(std::uint64_t key, base::Time now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Credit {
    std::uint64_t key;
    base::SessionId id;
    base::Time until;
  };
  void drop_oldest();

  mutable std::mutex mutex_;
  // Every credit lives equally long, so the order of arrival is the order of expiry. `live_` holds the newest position
  // of each key in that order; a used credit stays in `order_` with a zero id until its time comes.
  std::deque<Credit> order_;
  std::uint64_t first_ = 0;                                     // position of order_.front()
  std::unordered_multimap<std::uint64_t, std::uint64_t> live_;  // key → position
};

}  // namespace sockeye::proxy
