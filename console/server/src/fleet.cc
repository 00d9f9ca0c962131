#include "fleet.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace sockeye::console {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t rewrite_ns = 60 * second;  // how old a live session's row in the store may be
constexpr std::uint64_t quiet_ns =
    2'500'000'000;                             // a session not reported for longer does nothing: reports say changes
constexpr std::uint64_t rate_ns = 3 * second;  // a live rate is of the last one to two of these
constexpr std::size_t most_abnormal = 15, most_normal = 5;
constexpr std::size_t most_asked = 16;  // of one proxy: live::Ask's limit

// Often while a session is young, when a person is most likely to look; then as often as a chart of hours can show.
std::uint64_t point_every(std::uint64_t age_ns) {
  return age_ns < 60 * second ? 2 * second : age_ns < 600 * second ? 10 * second : 30 * second;
}

double per_second(std::uint64_t now, std::uint64_t before, std::uint64_t ns) {
  return now > before && ns > 0 ? static_cast<double>(now - before) * 1e9 / static_cast<double>(ns) : 0;
}

// Of a peer that does not answer, the last answer's says nothing of now.
std::optional<std::uint64_t> rtt_ns(const model::SessionFigures& now, std::size_t leg) {
  return now.misses[leg] == 0 ? now.rtt_ns[leg] : std::nullopt;
}

}  // namespace

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
  const std::uint64_t before = proxy.report_ns;
  full_ = nullptr;
  hear(proxy, now_ns);
  for (auto& opened : report.opened) open(proxy, std::move(opened), before, now_ns);
  for (auto& update : report.changed) change(proxy, std::move(update), before, now_ns);
  for (auto& ended : report.ended) end(proxy, std::move(ended), before, now_ns);
  for (auto& summary : report.summaries) summarise(proxy, std::move(summary), report.time_unix_ns, now_ns);
  proxy.summarised = proxy.summarised || !proxy.routes.empty();
  for (auto& detail : report.details) {
    const auto watched = watched_.find(detail.id);
    if (watched == watched_.end() || held_bytes(detail) > largest_detail) continue;
    watched->second.detail = std::move(detail);
    watched->second.answered = true;
  }
  if (report.all_reported) {
    proxy.resyncing = false;
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto here = at++;
      if (here->second->proxy == &proxy && here->second->reported != proxy.generation) forget(here, "lost", "network");
    }
  }
  return {};
}

base::Result<Fleet::Proxy*> Fleet::greet(Link link, const live::Hello& hello, std::uint64_t now_ns) {
  if (hello.instance.empty()) return base::fail("hello names no instance");
  for (const auto* each : {&hello.instance, &hello.service, &hello.host, &hello.sockeye_version})
    if (each->size() > longest_name)
      return base::fail("hello has a text of more than " + std::to_string(longest_name) + " bytes");
  if (const auto had = links_.find(link); had != links_.end() && had->second->hello.instance != hello.instance)
    return base::fail("a connection is one proxy's: hello names another instance than before");
  const auto known = proxies_.find(hello.instance);
  if (known == proxies_.end() && !make_place()) return base::fail("too many proxies report here");
  if (known != proxies_.end() && known->second->link != link && heard(*known->second, now_ns))
    return base::fail(
        "this instance reports over another connection; it is given up when it has been silent for 4.5 s");
  gone_.erase(hello.instance);
  auto& slot = proxies_[hello.instance];
  if (!slot) slot = std::make_unique<Proxy>();
  for (auto& [id, session] : sessions_)
    if (session->proxy == slot.get() && session->reported == slot->generation) session->heard_ns = slot->report_ns;
  if (slot->link != 0) links_.erase(slot->link);  // the connection before is dead, we just do not know it yet
  slot->hello = hello;
  slot->since_ns = now_ns;
  slot->link = link;
  slot->resyncing = true;
  slot->drained = false;
  ++slot->generation;
  slot->asked.clear();
  links_[link] = slot.get();
  return slot.get();
}

void Fleet::lost(Link link, std::uint64_t now_ns, bool goodbye) {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  Proxy& proxy = *found->second;
  proxy.link = 0;
  links_.erase(found);
  if (!goodbye) return unhear(proxy, store::Presence::End::away);
  unhear(proxy, store::Presence::End::stopped);
  proxy.drained = true;
  proxy.since_ns = now_ns;
  // It reported how its sessions ended, but for those it had no time for.
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto here = at++;
    if (here->second->proxy == &proxy) forget(here, "drain", "proxy");
  }
}

void Fleet::open(Proxy& proxy, model::SessionFacts&& facts, std::uint64_t before_ns, std::uint64_t now_ns) {
  auto found = sessions_.find(facts.id);
  const bool known = found != sessions_.end();
  if (known && found->second->proxy != &proxy && heard(*found->second, now_ns)) return;  // another's
  const std::size_t bytes = held_bytes(facts, known ? found->second->now.dialect : std::string());
  const std::size_t had = known && found->second->proxy == &proxy ? found->second->bytes : 0;
  if (bytes > had && ((!known && sessions_.size() >= most_sessions) || !make_room(proxy, bytes - had))) {
    ++not_kept_.sessions;
    return;
  }
  found = sessions_.try_emplace(facts.id).first;
  if (found->second && found->second->proxy != &proxy) {
    // Its proxy has another name now.
    hold(*found->second, 0);
    --found->second->proxy->held;
    found->second->proxy = &proxy;
  }
  auto& slot = found->second;
  if (!slot) {
    slot = std::make_unique<Live>();
    slot->changed_ns = now_ns;
    slot->since.time_ns = slot->lately.time_ns = std::min(now_ns, std::max(before_ns, facts.opened_unix_ns));
  }
  slot->facts = std::move(facts);
  slot->proxy = &proxy;
  slot->reported = proxy.generation;
  slot->dirty = true;
  hold(*slot, bytes);
}

void Fleet::change(Proxy& proxy, model::SessionUpdate&& update, std::uint64_t before_ns, std::uint64_t now_ns) {
  const auto found = sessions_.find(update.id);
  if (found == sessions_.end() || found->second->proxy != &proxy) return;
  Live& session = *found->second;
  auto& changed = update.figures;
  // After a pause, what it did it did since the proxy's last report: a session that did nothing is not in it.
  if (proxy.resyncing || now_ns > session.changed_ns + quiet_ns) {
    const auto& counts = proxy.resyncing ? changed : session.now;
    session.since = session.lately = {proxy.resyncing ? now_ns : before_ns, counts.messages, counts.bytes};
  } else if (now_ns >= session.lately.time_ns + rate_ns) {
    session.since = session.lately;
    session.lately = {now_ns, changed.messages, changed.bytes};
  }
  if (changed.dialect.empty() || changed.dialect.size() > longest_dialect) changed.dialect = session.now.dialect;
  if (changed.dialect != session.now.dialect) session.dirty = true;
  session.now = std::move(changed);
  hold(session, held_bytes(session.facts, session.now.dialect));
  session.changed_ns = now_ns;
  if (session.now.buffered_bytes[0] + session.now.buffered_bytes[1] == 0)
    session.buffered_ns = 0;
  else if (session.buffered_ns == 0)
    session.buffered_ns = now_ns;
}

void Fleet::end(Proxy& proxy, live::Ended&& ended, std::uint64_t before_ns, std::uint64_t now_ns) {
  const auto found = sessions_.find(ended.last.id);
  if (found == sessions_.end() || found->second->proxy != &proxy) return;
  change(proxy, std::move(ended.last), before_ns, now_ns);
  store::Session row = record(*found->second);
  row.end = std::move(ended.end);
  if (!row.ended()) row.end.unix_ns = row.seen_unix_ns;
  row.recorder = live::encode(ended.recorder);
  if (const auto watched = watched_.find(row.id); watched != watched_.end()) {
    watched->second.detail.id = row.id;
    watched->second.detail.recorder = std::move(ended.recorder);
    watched->second.detail.calls.clear();
    watched->second.answered = true;
  }
  drop(found);
  remember(row);
  ++ends_;
  keep_end(std::move(row));
}

void Fleet::forget(Sessions::iterator at, const char* why, const char* initiator) {
  store::Session row = record(*at->second);
  row.end = {row.seen_unix_ns, 1006, why, initiator, ""};
  drop(at);
  remember(row);
  keep_end(std::move(row));
}

void Fleet::remember(const store::Session& session) {
  auto& list = store::abnormal(session).empty() ? normal_ : abnormal_;
  // Reported again by a proxy that does not know whether it was heard; or known as lost until now.
  for (auto* each : {&abnormal_, &normal_})
    std::erase_if(*each, [&](const store::Session& old) { return old.id == session.id; });
  list.push_front(session);
  list.front().recorder.clear();
  if (list.size() > (&list == &abnormal_ ? most_abnormal : most_normal)) list.pop_back();
}

store::Session Fleet::record(const Live& session) const {
  store::Session out;
  static_cast<model::SessionFacts&>(out) = session.facts;
  static_cast<model::SessionFigures&>(out) = session.now;
  out.instance = session.proxy->hello.instance;
  out.service = session.proxy->hello.service;
  out.seen_unix_ns = heard_ns(session);
  return out;
}

LiveRates Fleet::rates(const Live& session, std::uint64_t now_ns) const {
  LiveRates out;
  const auto& now = session.now;
  const bool quiet = now_ns > session.changed_ns + quiet_ns;
  const std::uint64_t elapsed = now_ns - std::min(now_ns, session.since.time_ns);
  for (std::size_t i = 0; i < 2; ++i) {
    out.messages_per_second[i] = quiet ? 0 : per_second(now.messages[i], session.since.messages[i], elapsed);
    out.bytes_per_second[i] = quiet ? 0 : per_second(now.bytes[i], session.since.bytes[i], elapsed);
  }
  out.buffered_since_unix_ns = session.buffered_ns;
  return out;
}

store::Batch Fleet::collect_ends(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  store::Batch batch;
  hand_ends(batch);
  // Who stores an end is there: killed before the next tick, it must not seem to have been away by then.
  if (!batch.empty() && tick_ns_ != 0 && now_ns <= tick_ns_ + silence_ns) {
    console_.until_unix_ns = std::max(console_.until_unix_ns, now_ns);
    batch.presences.push_back(console_);
  }
  return batch;
}

std::uint64_t Fleet::ends() const {
  const std::lock_guard lock(mutex_);
  return ends_;
}
std::uint64_t Fleet::ends_collected() const {
  const std::lock_guard lock(mutex_);
  return ends_collected_;
}

store::Batch Fleet::collect(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  wake(now_ns);
  store::Batch batch;
  std::size_t bytes = 0;  // what does not fit in this batch is for the next
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto here = at++;
    Live& session = *here->second;
    if (state(*session.proxy, now_ns) == State::lost) {
      forget(here, "lost", "network");
      continue;
    }
    const bool stale = session.changed_ns > session.stored_ns && now_ns > session.stored_ns + rewrite_ns;
    // Also of a proxy that is gone before its news were written: somebody will look for these.
    if (bytes < most_collected_bytes && batch.sessions.size() < most_collected &&
        (session.dirty || (stale && heard(session, now_ns)))) {
      bytes += session.bytes;
      session.dirty = false;
      session.stored_ns = now_ns;
      batch.sessions.push_back(record(session));
    }
  }
  hand_ends(batch);
  points(batch, now_ns);
  if (const auto number = now_ns / interval_ns; number != interval_) {
    if (interval_ != 0) fleet_points(batch, number * interval_ns);
    interval_ = number;
  }
  give_up(now_ns);
  batch.presences = std::move(ended_presences_);
  ended_presences_.clear();
  if (!batch.empty() || now_ns > console_written_ns_ + interval_ns || console_.end != store::Presence::End::none) {
    batch.presences.push_back(console_);
    console_written_ns_ = now_ns;
  }
  return batch;
}

Fleet::Receipt Fleet::receipt(const store::Batch& batch) {
  Receipt out{{}, batch.totals, batch.presences};
  for (const auto& session : batch.sessions) out.sessions.push_back(session.id);
  return out;
}

void Fleet::give_back(const Receipt& receipt) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : receipt.sessions) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) found->second->dirty = true;
    answered(id, false);
  }
  for (const auto& each : receipt.totals)
    if (auto* route = find(each)) {
      route->figures.refused(each);
      proxies_.at(each.instance)->news = true;
    }
  for (const auto& each : receipt.presences)
    if (each.who == store::Presence::Who::proxy) keep_presence(each);
}

void Fleet::stored(const Receipt& receipt) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : receipt.sessions) answered(id, true);
  for (const auto& each : receipt.totals)
    if (auto* route = find(each)) route->figures.stored(each);
}

void Fleet::points(store::Batch& batch, std::uint64_t now_ns) {
  constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
  for (auto& [id, session] : sessions_) {
    if (!heard(*session, now_ns)) continue;
    const std::uint64_t age = now_ns > session->facts.opened_unix_ns ? now_ns - session->facts.opened_unix_ns : 0;
    if (now_ns < session->point_ns + point_every(age)) continue;
    const bool changed = session->changed_ns > session->point_ns;
    auto& before = session->counted;
    if (!changed && !session->moving) {
      before = {now_ns, session->now.messages, session->now.bytes};
      continue;
    }
    const auto& now = session->now;
    const auto rate = rates(*session, now_ns);
    store::SessionPoint point;
    point.id = id;
    point.time_unix_ns = now_ns;
    session->moving = false;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto rtt = rtt_ns(now, i);
      point.rtt_seconds[i] = rtt ? static_cast<float>(static_cast<double>(*rtt) / 1e9) : unknown;
      point.buffered_bytes[i] = static_cast<float>(now.buffered_bytes[i]);
      // The mean since the last point, not what the last report happened to hold.
      const std::uint64_t elapsed = before.time_ns == 0 ? 0 : now_ns - before.time_ns;
      const double messages =
          elapsed == 0 ? rate.messages_per_second[i] : per_second(now.messages[i], before.messages[i], elapsed);
      point.messages_per_second[i] = static_cast<float>(messages);
      point.bytes_per_second[i] = static_cast<float>(elapsed == 0 ? rate.bytes_per_second[i]
                                                                  : per_second(now.bytes[i], before.bytes[i], elapsed));
      session->moving = session->moving || messages > 0 || now.buffered_bytes[i] > 0;
    }
    before = {now_ns, session->now.messages, session->now.bytes};
    session->point_ns = now_ns;
    batch.points.push_back(point);
  }
}

std::vector<SessionNow> Fleet::ended_lately() const {
  const std::lock_guard lock(mutex_);
  std::vector<SessionNow> out;
  for (const auto* list : {&abnormal_, &normal_})
    for (const auto& session : *list) out.push_back({session, std::nullopt});
  std::sort(out.begin(), out.end(),
            [](const SessionNow& a, const SessionNow& b) { return a.session.end.unix_ns > b.session.end.unix_ns; });
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
  return look(*found->second, now_ns);
}

SessionNow Fleet::look(const Live& session, std::uint64_t now_ns) const {
  SessionNow out{record(session), std::nullopt};
  for (std::size_t i = 0; i < 2; ++i) out.session.rtt_ns[i] = rtt_ns(session.now, i);
  if (heard(session, now_ns)) out.live = rates(session, now_ns);
  return out;
}

std::optional<store::Latest> Fleet::latest(const base::SessionId& id, std::uint64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return std::nullopt;
  const Live& session = *found->second;
  store::Latest out;
  out.seen_unix_ns = heard(session, now_ns) ? now_ns : heard_ns(session);
  out.figures = session.now;
  return out;
}

void Fleet::watch(const base::SessionId& id, std::uint64_t until_ns) {
  const std::lock_guard lock(mutex_);
  if (watched_.size() >= most_watched && !watched_.contains(id)) return;
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
    if (list.size() < most_asked) list.push_back(id);
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
