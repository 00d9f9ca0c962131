// Connections to upstreams between two plain requests, of one worker. A connection a request would cost an upstream a
// handshake, and us a port for a minute afterwards: three clients that pipeline used up all of them.
//
// A connection belongs to a route as it was configured when it was made: a route that a reload changed, its
// certificates too, begins with none. It is closed when it says anything while idle (its end, too), is idle too long,
// or too old: a name that now means other addresses is noticed. Requests with a credential of the connection's (NTLM)
// and whatever else may leave it in doubt are kept away by HttpExchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "active_listener.h"
#include "leg.h"
#include "reactor.h"

namespace sockeye::proxy {

class Worker;

// A connection that requests are sent on, one after the other.
struct UpstreamConnection {
  std::unique_ptr<Leg> leg;
  base::Time opened{};
  std::uint32_t requests = 0;  // sent on it before this one
};

class IdleUpstreams {
 public:
  static constexpr std::size_t most_of_a_route = 32;
  static constexpr base::Duration longest_idle = std::chrono::seconds(60);
  static constexpr base::Duration longest_life = std::chrono::minutes(5);
  static constexpr std::uint32_t most_requests = 1000;
  static constexpr base::Duration just_used = std::chrono::seconds(1);
  static constexpr base::Duration proven = std::chrono::milliseconds(100);

  explicit IdleUpstreams(Worker& worker);
  ~IdleUpstreams();
  IdleUpstreams(const IdleUpstreams&) = delete;
  IdleUpstreams& operator=(const IdleUpstreams&) = delete;

  // The one used last, if there is one; its leg has to be owned anew. `for_once`: for a request that cannot be sent
  // again: one that was used a moment ago, so that the upstream is not about to close it for being idle, and that is
  // known to outlive an answer: some upstreams close without saying so.
  [[nodiscard]] std::optional<UpstreamConnection> take(const ActiveRoute& route, bool for_once);
  // `for_long`: what the upstream said it waits for the next request.
  void keep(const ActiveListenerPtr& listener, const ActiveRoute& route, UpstreamConnection connection,
            base::Duration for_long);
  void clear();  // a reload, or the end
  [[nodiscard]] std::size_t size() const;

 private:
  class Idle;
  // It is no use any more, and perhaps is being called.
  void drop(Idle& idle);
  // Has nothing to say, which is what an idle connection does.
  [[nodiscard]] bool quiet(Leg& leg);

  Worker& worker_;
  std::unordered_map<const ActiveRoute*, std::vector<std::unique_ptr<Idle>>> of_route_;  // the one used last is last
};

}  // namespace sockeye::proxy
