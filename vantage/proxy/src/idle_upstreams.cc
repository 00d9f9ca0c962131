#include "idle_upstreams.h"

#include <algorithm>
#include <array>
#include <utility>

#include "worker.h"

namespace sockeye::proxy {

class IdleUpstreams::Idle final : public Deletable, public LegOwner, public Timer {
 public:
  Idle(IdleUpstreams& all, ActiveListenerPtr listener, const ActiveRoute& route, UpstreamConnection connection)
      : all_(all),
        listener_(std::move(listener)),
        route_(&route),
        connection_(std::move(connection)),
        since_(all.worker_.now()) {
    connection_.leg->own(*this);
  }
  ~Idle() override { all_.worker_.timers().disarm(*this); }

  [[nodiscard]] UpstreamConnection& connection() { return connection_; }
  [[nodiscard]] base::Time since() const { return since_; }
  [[nodiscard]] const ActiveRoute& route() const { return *route_; }

  void leg_ready(Leg& leg, std::uint32_t) override {
    if (!leg.readable() || all_.quiet(leg)) return;
    all_.drop(*this);
  }
  void leg_fault(Leg&) noexcept override { all_.drop(*this); }
  void expired(base::Time) override { all_.drop(*this); }
  void timer_fault() noexcept override { all_.drop(*this); }

 private:
  IdleUpstreams& all_;
  ActiveListenerPtr listener_;  // keeps the route
  const ActiveRoute* route_;
  UpstreamConnection connection_;
  base::Time since_;
};

IdleUpstreams::IdleUpstreams(Worker& worker) : worker_(worker) {}
IdleUpstreams::~IdleUpstreams() = default;

bool IdleUpstreams::quiet(Leg& leg) {
  std::array<base::Byte, 1> byte{};
  return leg.read(byte).state == Io::want_read;
}

std::optional<UpstreamConnection> IdleUpstreams::take(const ActiveRoute& route, bool for_once) {
  const auto at = of_route_.find(&route);
  if (at == of_route_.end()) return std::nullopt;
  auto& all = at->second;
  const auto fits = [&](const auto& each) {
    const auto idle_for = worker_.now() - each->since();
    return !for_once || (idle_for <= just_used && (each->connection().requests > 1 || idle_for >= proven));
  };
  std::optional<UpstreamConnection> out;
  for (std::size_t i = all.size(); i-- > 0 && !out;) {
    if (!fits(all[i])) continue;
    auto one = std::move(all[i]);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
    // Its end may be among the events that this turn has not come to.
    if (quiet(*one->connection().leg))
      out = std::move(one->connection());
    else
      one->connection().leg->close(false);
    worker_.reactor().delete_later(std::move(one));
  }
  if (all.empty()) of_route_.erase(at);
  return out;
}

void IdleUpstreams::keep(const ActiveListenerPtr& listener, const ActiveRoute& route, UpstreamConnection connection,
                         base::Duration for_long) {
  const auto now = worker_.now();
  const base::Time until = std::min(now + std::min(for_long, longest_idle), connection.opened + longest_life);
  Leg& leg = *connection.leg;
  ++connection.requests;
  const bool good = leg.open() && !leg.blocked() && !leg.hung_up() && until > now &&
                    connection.requests < most_requests && !worker_.draining() && quiet(leg);
  if (!good) {
    leg.close(false);
    worker_.reactor().delete_later(std::move(connection.leg));
    return;
  }
  auto& idle = of_route_[&route];
  if (idle.size() >= most_of_a_route) drop(*idle.front());
  of_route_[&route].push_back(std::make_unique<Idle>(*this, listener, route, std::move(connection)));
  worker_.timers().arm(*of_route_[&route].back(), until);
}

void IdleUpstreams::drop(Idle& idle) {
  const auto at = of_route_.find(&idle.route());
  if (at == of_route_.end()) return;
  auto& all = at->second;
  const auto one = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.get() == &idle; });
  if (one == all.end()) return;
  auto gone = std::move(*one);
  all.erase(one);
  if (all.empty()) of_route_.erase(at);
  gone->connection().leg->close(false);
  worker_.timers().disarm(*gone);
  worker_.reactor().delete_later(std::move(gone));
}

void IdleUpstreams::clear() {
  while (!of_route_.empty()) drop(*of_route_.begin()->second.front());
}

std::size_t IdleUpstreams::size() const {
  std::size_t out = 0;
  for (const auto& [route, idle] : of_route_) out += idle.size();
  return out;
}

}  // namespace sockeye::proxy
