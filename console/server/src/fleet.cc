#include "fleet.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>

namespace sockeye::console {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t interval_ns = 10 * second;
constexpr std::uint64_t rewrite_ns = 60 * second;  // how old a live session's row in the store may be
constexpr std::uint64_t quiet_ns =
    2'500'000'000;                                // a session not reported for longer does nothing: reports say changes
constexpr std::uint64_t held_up_ns = 5 * second;  // bytes wait for a moment in every healthy session
constexpr std::size_t most_abnormal = 15, most_normal = 5;
constexpr std::size_t most_watched = 16;         // of one proxy: live::Ask's limit
constexpr std::size_t most_unwritten = 200'000;  // ended sessions kept while the store refuses

// Often while a session is young, when a person is most likely to look; then as often as a chart of hours can show.
std::uint64_t point_every(std::uint64_t age_ns) {
  return age_ns < 60 * second ? 2 * second : age_ns < 600 * second ? 10 * second : 30 * second;
}

double per_second(std::uint64_t now, std::uint64_t before, std::uint64_t ns) {
  return now > before && ns > 0 ? static_cast<double>(now - before) * 1e9 / static_cast<double>(ns) : 0;
}

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

bool is_abnormal(const store::Session& session) {
  return session.ended_unix_ns &&
         (session.misses > 0 ||
          (session.end_reason != "normal" && session.end_reason != "idle" && session.end_reason != "drain"));
}

std::size_t Fleet::Hash::operator()(const base::SessionId& id) const {
  std::uint64_t tail = 0;  // a UUIDv7's random half
  std::memcpy(&tail, id.bytes.data() + 8, sizeof tail);
  return static_cast<std::size_t>(tail);
}

base::Result<void> Fleet::apply(Link link, live::Report&& report, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  if (report.hello) {
    if (auto greeted = greet(link, *report.hello, now_ns); !greeted) return tl::unexpected(greeted.error());
  }
  const auto found = links_.find(link);
  if (found == links_.end()) return base::fail("the first report must say hello");
  Proxy& proxy = *found->second;
  for (auto& opened : report.opened) {
    auto& slot = sessions_[opened.id];
    if (!slot) {
      if (sessions_.size() > most_sessions) {
        sessions_.erase(opened.id);
        continue;
      }
      slot = std::make_unique<Live>();
      slot->changed_ns = now_ns;
    }
    slot->now.id = opened.id;
    slot->facts = std::move(opened);
    slot->proxy = &proxy;
    slot->told = proxy.generation;
    slot->dirty = true;
  }
  const std::uint64_t before = proxy.report_ns;
  for (auto& changed : report.changed) change(proxy, std::move(changed), before, now_ns);
  for (auto& ended : report.ended) end(proxy, std::move(ended), now_ns);
  for (auto& summary : report.summaries) summarise(proxy, std::move(summary), report.time_unix_ns);
  for (auto& detail : report.details) {
    const auto watched = watched_.find(detail.id);
    if (watched == watched_.end()) continue;
    watched->second.detail = std::move(detail);
    watched->second.answered = true;
  }
  if (report.all_told) {
    proxy.telling = false;
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto here = at++;
      if (here->second->proxy == &proxy && here->second->told != proxy.generation)
        forget(here, here->second->changed_ns);
    }
  }
  proxy.report_ns = now_ns;
  return {};
}

base::Result<Fleet::Proxy*> Fleet::greet(Link link, const live::Hello& hello, std::uint64_t now_ns) {
  if (hello.instance.empty()) return base::fail("hello names no instance");
  if (const auto had = links_.find(link); had != links_.end() && had->second->now.hello.instance != hello.instance)
    return base::fail("a connection is one proxy's: hello names another instance than before");
  auto& slot = proxies_[hello.instance];
  if (!slot) {
    if (proxies_.size() > most_proxies) {
      proxies_.erase(hello.instance);
      return base::fail("too many proxies report here");
    }
    slot = std::make_unique<Proxy>();
  }
  if (slot->link != 0) links_.erase(slot->link);  // the connection before is dead, we have just not been told yet
  slot->now.hello = hello;
  slot->now.connected = true;
  slot->now.since_unix_ns = now_ns;
  slot->link = link;
  slot->report_ns = now_ns;
  slot->telling = true;
  ++slot->generation;
  slot->asked.clear();
  links_[link] = slot.get();
  return slot.get();
}

void Fleet::lost(Link link, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  found->second->link = 0;
  found->second->now.connected = false;
  found->second->now.since_unix_ns = now_ns;
  links_.erase(found);
}

void Fleet::change(Proxy& proxy, live::Changed&& changed, std::uint64_t before_ns, std::uint64_t now_ns) {
  const auto found = sessions_.find(changed.id);
  if (found == sessions_.end() || found->second->proxy != &proxy) return;
  Live& session = *found->second;
  // What it did, it did since the proxy's last report: a session that did nothing is not in it.
  const std::uint64_t elapsed = now_ns > before_ns && !proxy.telling ? now_ns - before_ns : 0;
  for (std::size_t i = 0; i < 2; ++i) {
    session.messages_per_second[i] = per_second(changed.messages[i], session.now.messages[i], elapsed);
    session.bytes_per_second[i] = per_second(changed.bytes[i], session.now.bytes[i], elapsed);
  }
  if (!changed.dialect.empty() && changed.dialect != session.dialect) {
    session.dialect = changed.dialect;
    session.dirty = true;
  }
  session.now = std::move(changed);
  session.changed_ns = now_ns;
  if (session.now.buffered_bytes[0] + session.now.buffered_bytes[1] == 0)
    session.buffered_ns = 0;
  else if (session.buffered_ns == 0)
    session.buffered_ns = now_ns;
}

void Fleet::end(Proxy& proxy, live::Ended&& ended, std::uint64_t now_ns) {
  const auto found = sessions_.find(ended.last.id);
  if (found == sessions_.end() || found->second->proxy != &proxy) return;
  change(proxy, std::move(ended.last), proxy.report_ns, now_ns);
  store::Session row = facts(*found->second, now_ns);
  row.ended_unix_ns = ended.ended_unix_ns;
  row.close_code = ended.code;
  row.end_reason = std::move(ended.why);
  row.initiator = std::move(ended.initiator);
  row.close_reason = std::move(ended.reason);
  row.recorder = live::encode(ended.recorder);
  if (const auto watched = watched_.find(row.id); watched != watched_.end()) {
    watched->second.detail.id = row.id;
    watched->second.detail.recorder = std::move(ended.recorder);
    watched->second.detail.calls.clear();
    watched->second.answered = true;
  }
  sessions_.erase(found);
  remember(row);
  if (unwritten_.size() < most_unwritten) unwritten_.push_back(std::move(row));
}

void Fleet::forget(Sessions::iterator at, std::uint64_t ended_ns) {
  store::Session row = facts(*at->second, ended_ns);
  row.ended_unix_ns = ended_ns;
  row.close_code = 1006;
  row.end_reason = "lost";
  row.initiator = "network";
  sessions_.erase(at);
  remember(row);
  if (unwritten_.size() < most_unwritten) unwritten_.push_back(std::move(row));
}

void Fleet::remember(const store::Session& session) {
  auto& list = is_abnormal(session) ? abnormal_ : normal_;
  // Told again by a proxy that does not know whether it was heard; or known as lost until now.
  for (auto* each : {&abnormal_, &normal_})
    std::erase_if(*each, [&](const store::Session& old) { return old.id == session.id; });
  list.push_front(session);
  list.front().recorder.clear();
  if (list.size() > (&list == &abnormal_ ? most_abnormal : most_normal)) list.pop_back();
}

void Fleet::summarise(Proxy& proxy, live::Summary&& summary, std::uint64_t report_ns) {
  const auto known = proxy.routes.find(summary.route);
  if (known == proxy.routes.end()) {
    if (proxy.routes.size() >= 1000) return;
    Route route;
    // A proxy that began before this console: its counters until now are not of this interval.
    const bool young = report_ns < proxy.now.hello.started_unix_ns + interval_ns;
    if (!young) route.written = summary;
    route.last = summary;
    route.last_ns = report_ns;
    proxy.routes.emplace(summary.route, std::move(route));
    return;
  }
  Route& route = known->second;
  const std::uint64_t elapsed = report_ns > route.last_ns ? report_ns - route.last_ns : 0;
  for (std::size_t i = 0; i < 2; ++i) {
    route.messages_per_second[i] = per_second(summary.messages_total[i], route.last.messages_total[i], elapsed);
    route.bytes_per_second[i] = per_second(summary.bytes_total[i], route.last.bytes_total[i], elapsed);
  }
  route.opened_per_second = per_second(summary.accepted_total, route.last.accepted_total, elapsed);
  route.ended_per_second = per_second(summary.closed_total, route.last.closed_total, elapsed);
  route.last = std::move(summary);
  route.last_ns = report_ns;
}

store::Session Fleet::facts(const Live& session, std::uint64_t now_ns) const {
  store::Session out;
  const auto& f = session.facts;
  out.id = f.id;
  out.instance = session.proxy->now.hello.instance;
  out.service = session.proxy->now.hello.service;
  out.route = f.route;
  out.dialect = session.dialect;
  out.client = f.client;
  out.target = f.target;
  out.host = f.host;
  out.subprotocol = f.subprotocol;
  out.trace_id = f.trace_id;
  out.opened_unix_ns = f.opened_unix_ns;
  out.seen_unix_ns = session.proxy->now.connected ? now_ns : session.changed_ns;
  out.reconnect_of = f.reconnect_of;
  for (std::size_t i = 0; i < 2; ++i) {
    out.messages[i] = session.now.messages[i];
    out.bytes[i] = session.now.bytes[i];
  }
  out.misses = session.now.missed_total;
  out.anomalies = session.now.anomalies;
  return out;
}

LiveFigures Fleet::figures(const Live& session, std::uint64_t now_ns) const {
  LiveFigures out;
  const auto& now = session.now;
  const bool quiet = now_ns > session.changed_ns + quiet_ns;
  out.closing = now.state != 0;
  for (std::size_t i = 0; i < 2; ++i) {
    out.messages_per_second[i] = quiet ? 0 : session.messages_per_second[i];
    out.bytes_per_second[i] = quiet ? 0 : session.bytes_per_second[i];
    if (now.rtt_ns[i]) out.rtt_seconds[i] = static_cast<double>(*now.rtt_ns[i]) / 1e9;
  }
  out.buffered_bytes = now.buffered_bytes;
  out.buffered_since_unix_ns = session.buffered_ns;
  out.misses_now = now.misses;
  out.invocations_open = now.invocations_open;
  out.last_message_unix_ns = now.last_message_unix_ns;
  return out;
}

store::Batch Fleet::collect(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  store::Batch batch;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto here = at++;
    Live& session = *here->second;
    if (!session.proxy->now.connected && now_ns > session.proxy->now.since_unix_ns + patience_ns) {
      forget(here, session.changed_ns);
      continue;
    }
    const bool stale = session.changed_ns > session.stored_ns && now_ns > session.stored_ns + rewrite_ns;
    // Also of a proxy that is gone before its news were written: somebody will look for these.
    if (session.dirty || (stale && session.proxy->now.connected)) {
      session.dirty = false;
      session.stored_ns = now_ns;
      batch.sessions.push_back(facts(session, now_ns));
    }
  }
  for (auto& ended : unwritten_) {
    handed_.insert_or_assign(ended.id, ended);
    batch.sessions.push_back(std::move(ended));
  }
  unwritten_.clear();
  points(batch, now_ns);
  if (const auto number = now_ns / interval_ns; number != interval_) {
    if (interval_ != 0) fleet_points(batch, number * interval_ns);
    interval_ = number;
  }
  std::erase_if(proxies_, [&](const auto& each) {
    const Proxy& proxy = *each.second;
    return !proxy.now.connected && now_ns > proxy.now.since_unix_ns + 2 * patience_ns;  // none of its sessions is left
  });
  return batch;
}

void Fleet::give_back(const std::vector<base::SessionId>& ids) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : ids) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) found->second->dirty = true;
    const auto ended = handed_.find(id);
    if (ended == handed_.end()) continue;
    if (unwritten_.size() < most_unwritten) unwritten_.push_back(std::move(ended->second));
    handed_.erase(ended);
  }
}

void Fleet::stored(const std::vector<base::SessionId>& ids) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : ids) handed_.erase(id);
}

void Fleet::points(store::Batch& batch, std::uint64_t now_ns) {
  constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
  for (auto& [id, session] : sessions_) {
    if (!session->proxy->now.connected) continue;
    const std::uint64_t age = now_ns > session->facts.opened_unix_ns ? now_ns - session->facts.opened_unix_ns : 0;
    if (now_ns < session->point_ns + point_every(age)) continue;
    const bool changed = session->changed_ns > session->point_ns;
    if (!changed && !session->moving) continue;
    const auto look = figures(*session, now_ns);
    store::SessionPoint point;
    point.id = id;
    point.time_unix_ns = now_ns;
    session->moving = false;
    for (std::size_t i = 0; i < 2; ++i) {
      point.rtt_seconds[i] = look.rtt_seconds[i] ? static_cast<float>(*look.rtt_seconds[i]) : unknown;
      point.buffered_bytes[i] = static_cast<float>(look.buffered_bytes[i]);
      point.messages_per_second[i] = static_cast<float>(look.messages_per_second[i]);
      point.bytes_per_second[i] = static_cast<float>(look.bytes_per_second[i]);
      session->moving = session->moving || look.messages_per_second[i] > 0 || look.buffered_bytes[i] > 0;
    }
    session->point_ns = now_ns;
    batch.points.push_back(point);
  }
}

void Fleet::fleet_points(store::Batch& batch, std::uint64_t end_ns) {
  const auto since = [](std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; };
  const auto rtt = [](const std::optional<std::uint64_t>& ns) {
    return ns ? static_cast<float>(static_cast<double>(*ns) / 1e9) : std::numeric_limits<float>::quiet_NaN();
  };
  for (auto& [instance, proxy] : proxies_) {
    if (!proxy->now.connected) continue;
    for (auto& [name, route] : proxy->routes) {
      store::FleetPoint point;
      const auto& now = route.last;
      const auto& before = route.written;
      point.time_unix_ns = end_ns - interval_ns;
      point.instance = instance;
      point.route = name;
      point.active = now.active;
      point.opened = since(now.accepted_total, before.accepted_total);
      point.ended = since(now.closed_total, before.closed_total);
      point.reconnects = since(now.reconnects_total, before.reconnects_total);
      point.refused = since(now.rejected_total, before.rejected_total);
      point.misses = since(now.missed_total, before.missed_total);
      point.stuck = now.stuck;
      point.buffered_sessions = now.buffered_sessions;
      point.buffered_bytes = now.buffered_bytes;
      point.invocations_open = now.invocations_open;
      for (std::size_t i = 0; i < 2; ++i) {
        point.messages[i] = since(now.messages_total[i], before.messages_total[i]);
        point.bytes[i] = since(now.bytes_total[i], before.bytes_total[i]);
        point.rtt_p50_seconds[i] = rtt(now.rtt_p50_ns[i]);
        point.rtt_p99_seconds[i] = rtt(now.rtt_p99_ns[i]);
      }
      route.written = now;
      batch.fleet.push_back(std::move(point));
    }
  }
}

std::vector<ProxyNow> Fleet::proxies() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProxyNow> out;
  for (const auto& [instance, proxy] : proxies_) {
    out.push_back(proxy->now);
    for (const auto& [name, route] : proxy->routes) out.back().sessions += route.last.active;
  }
  std::sort(out.begin(), out.end(), [](const ProxyNow& a, const ProxyNow& b) {
    return std::tie(a.hello.service, a.hello.host, a.hello.instance) <
           std::tie(b.hello.service, b.hello.host, b.hello.instance);
  });
  return out;
}

std::vector<RouteNow> Fleet::routes() const {
  const std::lock_guard lock(mutex_);
  std::vector<RouteNow> out;
  for (const auto& [instance, proxy] : proxies_) {
    if (!proxy->now.connected) continue;
    for (const auto& [name, route] : proxy->routes)
      out.push_back({instance, route.last, route.messages_per_second, route.bytes_per_second, route.opened_per_second,
                     route.ended_per_second});
  }
  std::sort(out.begin(), out.end(), [](const RouteNow& a, const RouteNow& b) {
    return std::tie(a.summary.route, a.instance) < std::tie(b.summary.route, b.instance);
  });
  return out;
}

std::vector<SessionNow> Fleet::ended_lately() const {
  const std::lock_guard lock(mutex_);
  std::vector<SessionNow> out;
  for (const auto* list : {&abnormal_, &normal_})
    for (const auto& session : *list) out.push_back({session, std::nullopt});
  std::sort(out.begin(), out.end(), [](const SessionNow& a, const SessionNow& b) {
    return a.facts.ended_unix_ns.value_or(0) > b.facts.ended_unix_ns.value_or(0);
  });
  return out;
}

bool Fleet::knows(const base::SessionId& id) const {
  const std::lock_guard lock(mutex_);
  return sessions_.contains(id);
}

std::optional<SessionNow> Fleet::session(const base::SessionId& id, std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return std::nullopt;
  const Live& session = *found->second;
  SessionNow out{facts(session, now_ns), std::nullopt};
  if (session.proxy->now.connected) out.live = figures(session, now_ns);
  return out;
}

std::optional<LiveFigures> Fleet::figures(const base::SessionId& id, std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || !found->second->proxy->now.connected) return std::nullopt;
  return figures(*found->second, now_ns);
}

Window Fleet::window(const Subscription::Sessions& ask, std::uint64_t now_ns) const {
  using Sort = Subscription::Sessions::Sort;
  const std::lock_guard lock(mutex_);
  struct Entry {
    double rank;
    const Live* session;
  };
  std::vector<Entry> list;
  const auto rank = [&](const Live& s) -> double {
    const auto& n = s.now;
    switch (ask.sort) {
      case Sort::opened:
        return static_cast<double>(s.facts.opened_unix_ns);
      case Sort::messages:
        return static_cast<double>(n.messages[0] + n.messages[1]);
      case Sort::bytes:
        return static_cast<double>(n.bytes[0] + n.bytes[1]);
      case Sort::rtt:
        return static_cast<double>(std::max(n.rtt_ns[0].value_or(0), n.rtt_ns[1].value_or(0)));
      case Sort::misses:
        return static_cast<double>(n.missed_total);
      case Sort::buffered:
        return static_cast<double>(n.buffered_bytes[0] + n.buffered_bytes[1]);
      case Sort::silence:
        return -static_cast<double>(
            std::max({n.last_message_unix_ns[0], n.last_message_unix_ns[1], s.facts.opened_unix_ns}));
    }
    return 0;
  };
  const store::ClientFilter client(ask.client);
  for (const auto& [id, session] : sessions_) {
    const auto& f = session->facts;
    const auto& n = session->now;
    if (!ask.route.empty() && f.route != ask.route) continue;
    if (!ask.instance.empty() && session->proxy->now.hello.instance != ask.instance) continue;
    if (!ask.dialect.empty() && session->dialect != ask.dialect) continue;
    if (!client.fits(f.client)) continue;
    if (!ask.text.empty() && !contains(f.target, ask.text) && !contains(f.host, ask.text) &&
        !contains(f.subprotocol, ask.text))
      continue;
    const bool held_up = session->buffered_ns != 0 && now_ns >= session->buffered_ns + held_up_ns;
    if (ask.trouble && n.misses[0] + n.misses[1] == 0 && !held_up) continue;
    list.push_back({rank(*session), session.get()});
  }
  Window out;
  out.total = sessions_.size();
  out.matched = list.size();
  const auto before = [&](const Entry& a, const Entry& b) {
    if (a.rank != b.rank) return ask.ascending ? a.rank < b.rank : a.rank > b.rank;
    return a.session->facts.id < b.session->facts.id;
  };
  const std::size_t begin = std::min(ask.offset, list.size());
  const std::size_t end = std::min(begin + ask.limit, list.size());
  std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(end), list.end(), before);
  for (std::size_t i = begin; i < end; ++i) {
    const Live& session = *list[i].session;
    out.sessions.push_back({facts(session, now_ns), std::nullopt});
    if (session.proxy->now.connected) out.sessions.back().live = figures(session, now_ns);
  }
  return out;
}

void Fleet::watch(const base::SessionId& id, std::uint64_t until_ns) {
  const std::lock_guard lock(mutex_);
  if (watched_.size() >= 1024 && !watched_.contains(id)) return;
  auto& watched = watched_[id];
  watched.until_ns = std::max(watched.until_ns, until_ns);
}

std::optional<live::Detail> Fleet::detail(const base::SessionId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(id);
  return found != watched_.end() && found->second.answered ? std::optional(found->second.detail) : std::nullopt;
}

std::vector<std::pair<Fleet::Link, live::Ask>> Fleet::asks(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  std::erase_if(watched_, [&](const auto& each) { return each.second.until_ns < now_ns; });
  std::unordered_map<Proxy*, std::vector<base::SessionId>> wanted;
  for (const auto& [id, watched] : watched_) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) continue;
    auto& list = wanted[found->second->proxy];
    if (list.size() < most_watched) list.push_back(id);
  }
  std::vector<std::pair<Link, live::Ask>> out;
  for (auto& [instance, proxy] : proxies_) {
    if (proxy->link == 0) continue;
    auto& list = wanted[proxy.get()];
    std::sort(list.begin(), list.end());
    if (list == proxy->asked) continue;
    proxy->asked = list;
    out.emplace_back(proxy->link, live::Ask{list});
  }
  return out;
}

}  // namespace sockeye::console
