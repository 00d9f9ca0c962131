// Proxies: which of them are heard, and what their routes count.
#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "fleet.h"

namespace sockeye::console {
namespace {

using store::Presence;

constexpr std::size_t most_routes = 1000;       // of one proxy
constexpr std::size_t most_totals = 20'000;     // of proxies that are gone
constexpr std::size_t most_presences = 20'000;  // kept while the store refuses

double rate_of(std::uint64_t now, std::uint64_t before, std::uint64_t ns) {
  return now > before && ns > 0 ? static_cast<double>(now - before) * 1e9 / static_cast<double>(ns) : 0;
}

}  // namespace

Fleet::Fleet(std::string version, std::size_t bytes) : limit_(bytes) { console_.version = std::move(version); }

void Fleet::resume(std::vector<Presence> presences, std::vector<store::RouteTotals> totals,
                   const std::vector<store::Session>& open, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  wake(now_ns);
  resumed_ns_ = now_ns;
  std::sort(presences.begin(), presences.end(),
            [](const Presence& a, const Presence& b) { return a.from_unix_ns < b.from_unix_ns; });
  std::vector<const Presence*> runs;
  for (auto& each : presences) {
    if (each.who == Presence::Who::console) {
      runs.push_back(&each);
      known_since_ns_ = std::min(known_since_ns_, each.from_unix_ns);
      continue;
    }
    // Heard for as long as the console was there that reported it.
    std::uint64_t until = each.until_unix_ns;
    if (each.end == Presence::End::none && !runs.empty()) until = std::max(until, runs.back()->until_unix_ns);
    each.until_unix_ns = until;
    gone_.erase(each.instance);
    if (each.end == Presence::End::stopped || each.end == Presence::End::lost) {
      proxies_.erase(each.instance);
      live::Hello was;
      was.instance = each.instance;
      was.service = each.service;
      was.host = each.host;
      was.sockeye_version = each.version;
      was.started_unix_ns = each.started_unix_ns;
      if (each.end == Presence::End::lost && now_ns < until + lost_kept_ns) keep_lost(was, until);
      continue;
    }
    if (each.end == Presence::End::none) each.end = Presence::End::away;
    auto& proxy = known_before(each.instance);
    proxy.hello.service = each.service;
    proxy.hello.host = each.host;
    proxy.hello.sockeye_version = each.version;
    proxy.hello.started_unix_ns = each.started_unix_ns;
    proxy.report_ns = until;
    proxy.before = each;
  }
  for (auto& each : totals) totals_[{each.instance, each.route}] = std::move(each);
  for (const auto& each : open) {
    const std::size_t bytes = held_bytes(each, each.dialect);
    if (sessions_.size() >= most_sessions || bytes_ + bytes > limit_ || each.instance.empty() ||
        sessions_.contains(each.id))
      continue;
    auto& proxy = known_before(each.instance);
    if (proxy.hello.service.empty()) proxy.hello.service = each.service;
    proxy.report_ns = std::max(proxy.report_ns, each.seen_unix_ns);
    ++proxy.kept;
    auto session = std::make_unique<Live>();
    session->proxy = &proxy;
    session->dirty = false;
    session->stored_ns = session->changed_ns = each.seen_unix_ns;
    session->facts = static_cast<const model::SessionFacts&>(each);
    session->now = static_cast<const model::SessionFigures&>(each);
    hold(*session, bytes);
    sessions_[each.id] = std::move(session);
  }
}

Fleet::Proxy& Fleet::known_before(const std::string& instance) {
  auto& slot = proxies_[instance];
  if (!slot) {
    slot = std::make_unique<Proxy>();
    slot->hello.instance = instance;
  }
  return *slot;
}

bool Fleet::heard(const Proxy& proxy, std::uint64_t now_ns) const {
  return proxy.link != 0 && now_ns <= std::max(proxy.report_ns, resumed_ns_) + silence_ns;
}
bool Fleet::heard(const Live& session, std::uint64_t now_ns) const {
  return session.reported == session.proxy->generation && heard(*session.proxy, now_ns);
}
std::uint64_t Fleet::heard_ns(const Live& session) {
  return session.reported == session.proxy->generation ? session.proxy->report_ns : session.heard_ns;
}

ProxyNow::State Fleet::state(const Proxy& proxy, std::uint64_t now_ns) const {
  if (proxy.drained) return State::drained;
  if (heard(proxy, now_ns)) return State::connected;
  return now_ns > std::max(proxy.report_ns, resumed_ns_) + patience_ns ? State::lost : State::unheard;
}

void Fleet::tick(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  wake(now_ns);
}

void Fleet::wake(std::uint64_t now_ns) {
  if (tick_ns_ == 0) {
    console_.started_unix_ns = console_.from_unix_ns = now_ns;
    known_since_ns_ = std::min(known_since_ns_, now_ns);
  } else if (now_ns > tick_ns_ + silence_ns) {
    // This process stood still: nobody was heard, and nobody is to blame.
    resumed_ns_ = now_ns;
    for (auto& [instance, proxy] : proxies_) unhear(*proxy, Presence::End::away);
    auto& run = ended_presences_.emplace_back(console_);
    run.end = Presence::End::away;
    console_.from_unix_ns = now_ns;
  }
  tick_ns_ = console_.until_unix_ns = now_ns;
  for (auto& [instance, proxy] : proxies_)
    if (!heard(*proxy, now_ns)) unhear(*proxy, Presence::End::away);
}

void Fleet::stopping(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  wake(now_ns);
  console_.end = Presence::End::stopped;
}

void Fleet::hear(Proxy& proxy, std::uint64_t now_ns) {
  if (proxy.presence && now_ns > proxy.report_ns + silence_ns) unhear(proxy, Presence::End::away);
  if (!proxy.presence) {
    const auto& hello = proxy.hello;
    auto& now = proxy.presence.emplace();
    now.who = Presence::Who::proxy;
    now.instance = hello.instance;
    now.service = hello.service;
    now.host = hello.host;
    now.version = hello.sockeye_version;
    now.started_unix_ns = hello.started_unix_ns;
    now.from_unix_ns = now.until_unix_ns = now_ns;
    keep_presence(now);
  }
  proxy.report_ns = now_ns;
  proxy.news = true;
}

void Fleet::unhear(Proxy& proxy, Presence::End end) {
  if (!proxy.presence) return;
  auto& was = *proxy.presence;
  was.until_unix_ns = std::max(was.from_unix_ns, proxy.report_ns);
  was.end = end;
  const std::uint64_t from = std::max(was.from_unix_ns, interval_ * interval_ns);
  if (was.until_unix_ns > from) proxy.covered_ns += was.until_unix_ns - from;
  keep_presence(was);
  proxy.before = std::move(was);
  proxy.presence.reset();
}

// Of proxies that stayed away too long, what is kept is what they had counted: they may be back all the same.
void Fleet::give_up(std::uint64_t now_ns) {
  for (auto at = proxies_.begin(); at != proxies_.end();) {
    Proxy& proxy = *at->second;
    const auto here = at++;
    if (state(proxy, now_ns) == State::lost && proxy.before && proxy.before->end == Presence::End::away) {
      proxy.before->end = Presence::End::lost;
      keep_presence(*proxy.before);
    }
    if (proxy.link != 0 || now_ns <= std::max(proxy.report_ns, resumed_ns_) + 2 * patience_ns) continue;
    for (const auto& [name, route] : proxy.routes) {
      if (totals_.size() >= most_totals) break;
      auto& kept = totals_[{here->first, name}];
      kept = route.figures.written();
      kept.instance = here->first;
      kept.route = name;
    }
    if (!proxy.drained) keep_lost(proxy.hello, proxy.report_ns);
    bytes_ -= proxy.bytes;  // of its routes: none of its sessions is left
    proxies_.erase(here);
  }
  std::erase_if(gone_, [&](const auto& each) { return now_ns > each.second.heard_unix_ns + lost_kept_ns; });
}

void Fleet::keep_presence(const Presence& presence) {
  if (ended_presences_.size() < most_presences) ended_presences_.push_back(presence);
}

void Fleet::keep_lost(const live::Hello& hello, std::uint64_t heard_ns) {
  if (hello.service.empty() || gone_.size() >= most_proxies) return;
  auto& to = gone_[hello.instance];
  to.hello = hello;
  to.state = State::lost;
  to.since_unix_ns = to.heard_unix_ns = heard_ns;
}

Fleet::Route* Fleet::find(const store::RouteTotals& totals) {
  const auto proxy = proxies_.find(totals.instance);
  if (proxy == proxies_.end()) return nullptr;
  const auto route = proxy->second->routes.find(totals.route);
  return route == proxy->second->routes.end() ? nullptr : &route->second;
}

Fleet::Route Fleet::route_of(const Proxy& proxy, const live::Summary& first, std::uint64_t now_ns) {
  const auto counts = counts_of(first);
  if (const auto known = totals_.find({proxy.hello.instance, first.route}); known != totals_.end()) {
    Route out(known->second.counts, known->second.time_unix_ns);
    out.heard_ns = known->second.time_unix_ns;
    totals_.erase(known);
    return out;
  }
  if (proxy.summarised) return {{}, now_ns};  // it was not there a second ago
  const std::uint64_t started = std::min(proxy.hello.started_unix_ns, now_ns);
  // What a proxy counted before there was a console is of no time that can be asked for.
  if (started < known_since_ns_ && started + interval_ns < now_ns) return {counts, now_ns};
  Route out({}, started);
  out.heard_ns = started;
  return out;
}

void Fleet::summarise(Proxy& proxy, live::Summary&& summary, std::uint64_t report_ns, std::uint64_t now_ns) {
  auto found = proxy.routes.find(summary.route);
  const bool first = found == proxy.routes.end();
  if (first) {
    const std::size_t bytes = held_bytes(summary);
    if (proxy.routes.size() >= most_routes || !make_room(proxy, bytes)) {
      ++not_kept_.routes;
      return;
    }
    proxy.bytes += bytes;
    bytes_ += bytes;
    found = proxy.routes.emplace(summary.route, route_of(proxy, summary, now_ns)).first;
  }
  Route& route = found->second;
  if (!first) {
    const std::uint64_t elapsed = report_ns > route.last_ns ? report_ns - route.last_ns : 0;
    for (std::size_t i = 0; i < 2; ++i) {
      route.messages_per_second[i] = rate_of(summary.messages_total[i], route.last.messages_total[i], elapsed);
      route.bytes_per_second[i] = rate_of(summary.bytes_total[i], route.last.bytes_total[i], elapsed);
    }
    route.opened_per_second = rate_of(summary.accepted_total, route.last.accepted_total, elapsed);
    route.ended_per_second = rate_of(summary.closed_total, route.last.closed_total, elapsed);
  }
  const bool after_gap = route.heard_ns != 0 && now_ns > route.heard_ns + silence_ns;
  route.figures.heard(counts_of(summary), now_ns, after_gap);
  route.last = std::move(summary);
  route.last_ns = report_ns;
  route.heard_ns = now_ns;
}

void Fleet::fleet_points(store::Batch& batch, std::uint64_t end_ns) {
  const auto rtt = [](const std::optional<std::uint64_t>& ns) {
    return ns ? static_cast<float>(static_cast<double>(*ns) / 1e9) : std::numeric_limits<float>::quiet_NaN();
  };
  for (auto& [instance, proxy] : proxies_) {
    std::uint64_t covered = std::exchange(proxy->covered_ns, 0);
    if (proxy->presence) {
      const std::uint64_t from = std::max(proxy->presence->from_unix_ns, end_ns - interval_ns);
      covered += end_ns > from ? end_ns - from : 0;
    }
    // Not heard in it: what was counted comes when it is back. Heard a single time, it may never be.
    const bool later = proxy->presence && proxy->presence->from_unix_ns >= end_ns;
    if (covered == 0 && (later || !proxy->news)) continue;
    proxy->news = false;
    for (auto& [name, route] : proxy->routes) {
      store::FleetPoint point;
      const auto& now = route.last;
      point.instance = instance;
      point.route = name;
      point.covered_ms = static_cast<std::uint32_t>(std::min(covered, interval_ns) / 1'000'000);
      point.active = now.active;
      point.missing_pongs = now.missing_pongs;
      point.buffered_sessions = now.buffered_sessions;
      point.buffered_bytes = now.buffered_bytes;
      point.invocations_open = now.invocations_open;
      for (std::size_t i = 0; i < 2; ++i) {
        point.rtt_p50_seconds[i] = rtt(now.rtt_p50_ns[i]);
        point.rtt_p99_seconds[i] = rtt(now.rtt_p99_ns[i]);
      }
      if (!route.figures.points(point, end_ns, batch.fleet)) continue;
      auto& totals = batch.totals.emplace_back(route.figures.written());
      totals.instance = instance;
      totals.route = name;
    }
  }
}

std::vector<ProxyNow> Fleet::proxies(std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  std::vector<ProxyNow> out;
  for (const auto& [instance, proxy] : proxies_) {
    auto& to = out.emplace_back();
    to.hello = proxy->hello;
    to.state = state(*proxy, now_ns);
    to.heard_unix_ns = proxy->report_ns;
    to.since_unix_ns = to.state == State::connected || to.state == State::drained ? proxy->since_ns : proxy->report_ns;
    if (to.state == State::drained || to.state == State::lost) continue;
    if (proxy->routes.empty()) to.sessions = proxy->kept;
    for (const auto& [name, route] : proxy->routes) to.sessions += route.last.active;
  }
  for (const auto& [instance, proxy] : gone_) out.push_back(proxy);
  // A lost one in whose place another runs has a successor: nobody waits for it.
  std::set<std::pair<std::string, std::string>> filled;
  for (const auto& each : out)
    if (each.state == State::connected) filled.emplace(each.hello.service, each.hello.host);
  std::erase_if(out, [&](const ProxyNow& each) {
    return each.state == State::lost && filled.contains({each.hello.service, each.hello.host});
  });
  std::sort(out.begin(), out.end(), [](const ProxyNow& a, const ProxyNow& b) {
    return std::tie(a.hello.service, a.hello.host, a.hello.instance) <
           std::tie(b.hello.service, b.hello.host, b.hello.instance);
  });
  return out;
}

std::vector<RouteNow> Fleet::routes(std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  std::vector<RouteNow> out;
  for (const auto& [instance, proxy] : proxies_) {
    if (!heard(*proxy, now_ns)) continue;
    for (const auto& [name, route] : proxy->routes)
      out.push_back({instance, route.last, route.messages_per_second, route.bytes_per_second, route.opened_per_second,
                     route.ended_per_second});
  }
  std::sort(out.begin(), out.end(), [](const RouteNow& a, const RouteNow& b) {
    return std::tie(a.summary.route, a.instance) < std::tie(b.summary.route, b.instance);
  });
  return out;
}

std::optional<Unheard> Fleet::unheard(std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  Unheard out;
  out.of = sessions_.size();
  for (const auto& [id, session] : sessions_) {
    if (heard(*session, now_ns)) continue;
    const std::uint64_t since = heard_ns(*session);
    out.since_unix_ns = out.sessions == 0 ? since : std::min(out.since_unix_ns, since);
    ++out.sessions;
  }
  return out.sessions == 0 ? std::nullopt : std::optional(out);
}

std::vector<Presence> Fleet::presences(std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  std::vector<Presence> out = ended_presences_;
  for (const auto& [instance, proxy] : proxies_) {
    if (!proxy->presence) continue;
    auto& now = out.emplace_back(*proxy->presence);
    now.until_unix_ns = proxy->report_ns;
    if (!heard(*proxy, now_ns)) now.end = Presence::End::away;
  }
  if (tick_ns_ != 0) out.push_back(console_);
  return out;
}

}  // namespace sockeye::console
