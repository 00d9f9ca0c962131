// Sessions, the fleet, and what a word may mean.
#include <algorithm>

#include "sockeye/conformance/memory_store.h"
#include "sockeye/store/match.h"
#include "sockeye/store/session.h"
#include "sockeye/store/summaries.h"

namespace sockeye::conformance {

using store::Deadline;

using store::Session;
using store::SessionQuery;

base::Result<store::Page<Session>> MemoryStore::sessions(const SessionQuery& query, Deadline deadline) {
  const std::string order = std::to_string(static_cast<int>(query.sort)) + (query.ascending ? "a" : "d");
  store::Cursor from;
  std::uint64_t as_of = query.now_unix_ns;
  if (!query.cursor.empty()) {
    const auto cursor = store::parse_cursor(query.cursor, 'c', order);
    if (!cursor) return base::fail(std::string(store::bad_cursor));
    from = *cursor;
    as_of = std::min(as_of, static_cast<std::uint64_t>(from.top));
  }
  from.top = static_cast<std::int64_t>(std::min<std::uint64_t>(as_of, INT64_MAX));
  if (query.attributes.size() > store::most_wanted) return base::fail("a search has at most 62 attributes");
  const std::lock_guard lock(mutex_);
  expire();
  std::set<store::SessionId> with_attributes;
  if (!query.attributes.empty()) {
    store::SpanQuery spans;
    spans.attributes = query.attributes;
    for (const auto& each : find(spans, last_span_))
      if (each.at->span->session) with_attributes.insert(*each.at->span->session);
  }
  std::vector<std::pair<store::Place, Session>> found;
  for (const auto& [id, at] : sessions_) {
    Session session = at.session;
    if (!open_within(session, query.time)) continue;
    if (query.state != SessionQuery::State::any && (query.state == SessionQuery::State::ended) != session.ended())
      continue;
    store::take_latest(session, query, as_of);
    if (!store::fits(session, query) || (!query.attributes.empty() && !with_attributes.contains(id))) continue;
    session.recorder.clear();
    const auto rank =
        static_cast<std::int64_t>(std::min<std::uint64_t>(store::rank_of(session, query.sort), INT64_MAX));
    // What comes first is later, whichever the order.
    found.emplace_back(
        query.ascending ? store::Place{INT64_MAX - rank, INT64_MAX - at.number} : store::Place{rank, at.number},
        std::move(session));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first.later_than(b.first); });
  store::Page<Session> out;
  out.complete = std::chrono::steady_clock::now() < deadline;
  out.total = found.size();
  for (auto& [place, session] : found) {
    if (!query.cursor.empty() && !from.after.later_than(place)) continue;
    if (out.items.size() == std::max<std::size_t>(query.limit, 1)) {
      out.cursor = store::to_text(from, 'c', order);
      break;
    }
    from.after = place;
    out.items.push_back(std::move(session));
  }
  return out;
}

base::Result<std::optional<Session>> MemoryStore::session(const store::SessionId& id, Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? std::nullopt : std::optional(found->second.session);
}

base::Result<std::vector<store::SessionPoint>> MemoryStore::points(const store::SessionId& id, store::TimeRange range,
                                                                   Deadline) {
  const std::lock_guard lock(mutex_);
  std::vector<store::SessionPoint> out;
  for (const auto& point : points_)
    if (point.id == id && store::within(point.time_unix_ns, range)) out.push_back(point);
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.time_unix_ns < b.time_unix_ns; });
  return out;
}

base::Result<std::vector<store::FleetPoint>> MemoryStore::fleet(const store::FleetQuery& query, Deadline) {
  const std::lock_guard lock(mutex_);
  store::FleetSteps steps(query.step_ns);
  for (const auto& [key, point] : fleet_)
    if (store::within(point.time_unix_ns, query.time) && (query.instance.empty() || query.instance == point.instance) &&
        (query.route.empty() || query.route == point.route))
      steps.add(point);
  return steps.points();
}

base::Result<std::vector<store::CloseCount>> MemoryStore::closes(const store::ClosesQuery& query, Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  store::CloseSteps steps(query);
  for (const auto& [id, at] : sessions_) {
    const auto& s = at.session;
    if (s.ended() && store::within(s.end.unix_ns, query.time) && (query.route.empty() || query.route == s.route) &&
        (query.instance.empty() || query.instance == s.instance))
      steps.add(s.end.unix_ns, s.route, s.end.why, s.end.initiator, s.end.code);
  }
  return steps.counts();
}

base::Result<std::vector<store::Presence>> MemoryStore::presences(store::TimeRange range, Deadline) {
  const std::lock_guard lock(mutex_);
  std::vector<store::Presence> out;
  for (const auto& [key, each] : presences_)
    if (each.until_unix_ns >= range.from_unix_ns && each.from_unix_ns < range.to_unix_ns) out.push_back(each);
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.from_unix_ns < b.from_unix_ns; });
  return out;
}

base::Result<std::vector<store::RouteTotals>> MemoryStore::totals(Deadline) {
  const std::lock_guard lock(mutex_);
  std::vector<store::RouteTotals> out;
  for (const auto& [key, each] : totals_) out.push_back(each);
  return out;
}

base::Result<store::Lookup> MemoryStore::lookup(const store::LookupQuery& query, Deadline) {
  if (query.text.empty() && query.digits.empty() && !query.network) return store::Lookup{};
  const std::lock_guard lock(mutex_);
  expire();
  store::LookupSum sum(query);
  if (!query.digits.empty()) {
    for (const auto& [id, at] : sessions_) {
      std::string head = base::to_uuid(id);
      std::erase(head, '-');
      if (!head.starts_with(query.digits) && !store::ends_with_digits(id, query.digits)) continue;
      sum.add_session(at.session);
    }
    std::set<store::TraceId> traces;
    for (const auto& at : spans_)
      if (query.digits.size() >= 8 && base::to_hex(at.span->trace_id).starts_with(query.digits))
        traces.insert(at.span->trace_id);
    for (const auto& trace : traces) sum.add_trace(trace);
  }
  if (sum.found_an_id()) return std::move(sum).result();
  for (const auto& [id, at] : sessions_) {
    const auto& s = at.session;
    sum.add_texts({s.client, s.target, s.end.reason, s.end.why, s.route, s.instance, s.end.code, s.opened_unix_ns});
  }
  std::map<store::OperationKey, std::uint64_t> operations;
  for (const auto& at : spans_)
    operations[{std::string(at.service()), std::string(at.span->name)}] = at.in->arrived_unix_ns;
  for (const auto& [key, seen] : operations) sum.add_operation(key.service, key.operation, seen);
  return std::move(sum).result();
}

std::vector<const Session*> MemoryStore::matching(const store::HappeningsQuery& query, bool by_end) const {
  const auto time = [&](const Session& s) { return by_end ? s.end.unix_ns : s.opened_unix_ns; };
  std::vector<const Session*> out;
  for (const auto& [id, at] : sessions_) {
    const auto& s = at.session;
    if ((by_end && !s.ended()) || !store::within(time(s), query.time) ||
        (!query.route.empty() && query.route != s.route) || (!query.instance.empty() && query.instance != s.instance))
      continue;
    out.push_back(&s);
  }
  std::stable_sort(out.begin(), out.end(), [&](const auto* a, const auto* b) { return time(*a) < time(*b); });
  return out;
}

base::Result<store::Page<store::Happening>> MemoryStore::happenings(const store::HappeningsQuery& query,
                                                                    Deadline deadline) {
  if (query.step_ns == 0) return base::fail("a step has a length");
  const std::lock_guard lock(mutex_);
  expire();
  store::HappeningSteps steps(query.step_ns);
  for (const auto* s : matching(query, false))
    steps.opened(s->opened_unix_ns, s->id, s->route, s->instance, s->reconnect_of.has_value());
  for (const auto* s : matching(query, true))
    steps.ended(s->end.unix_ns, s->id, s->route, s->instance, s->end.why, s->end.initiator, s->end.code);
  store::Page<store::Happening> out;
  out.complete = std::chrono::steady_clock::now() < deadline;
  out.items = std::move(steps).all();
  return out;
}

base::Result<std::optional<std::uint64_t>> MemoryStore::happening(const store::HappeningsQuery& query, bool last,
                                                                  Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  std::optional<std::uint64_t> out;
  const auto take = [&](std::uint64_t time) { out = !out ? time : last ? std::max(*out, time) : std::min(*out, time); };
  for (const auto* s : matching(query, false)) take(s->opened_unix_ns);
  for (const auto* s : matching(query, true)) take(s->end.unix_ns);
  return out;
}

}  // namespace sockeye::conformance
