#include "sockeye/conformance/memory_store.h"

#include <algorithm>
#include <limits>

#include "sockeye/store/match.h"
#include "sockeye/store/session.h"
#include "sockeye/store/summaries.h"
#include "sockeye/store/value_text.h"

namespace sockeye::conformance {
namespace {

using store::Batch;
using store::Cursor;
using store::Deadline;
using store::Page;

bool late(Deadline deadline) { return std::chrono::steady_clock::now() >= deadline; }

std::int64_t place_of(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

std::uint64_t now_unix_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

std::size_t bounded(std::size_t limit) { return std::clamp<std::size_t>(limit, 1, 10'000); }

std::string order_of(const store::SpanQuery& query) {
  return std::to_string(query.sort ? static_cast<int>(*query.sort) + 1 : 0) + (query.ascending ? "a" : "d");
}

base::Error bad_cursor() { return base::Error{std::string(store::bad_cursor)}; }

// Copies records from one batch to another, texts included.
class Copy {
 public:
  Copy(const Batch& from, Batch& to) : from_(from), to_(to) {}

  void span(const store::Span& span) {
    store::Span copied = span;
    copied.origin = origin(span.origin);
    copied.attributes = attributes(span.attributes);
    copied.name = to_.keep(span.name);
    copied.trace_state = to_.keep(span.trace_state);
    copied.status_message = to_.keep(span.status_message);
    copied.events = {static_cast<std::uint32_t>(to_.events.size()), span.events.count};
    for (store::Event event : from_.events_of(span)) {
      event.name = to_.keep(event.name);
      event.attributes = attributes(event.attributes);
      to_.events.push_back(event);
    }
    copied.links = {static_cast<std::uint32_t>(to_.links.size()), span.links.count};
    for (store::Link link : from_.links_of(span)) {
      link.trace_state = to_.keep(link.trace_state);
      link.attributes = attributes(link.attributes);
      to_.links.push_back(link);
    }
    to_.spans.push_back(copied);
  }
  void log(const store::Log& log) {
    store::Log copied = log;
    copied.origin = origin(log.origin);
    copied.attributes = attributes(log.attributes);
    copied.severity_text = to_.keep(log.severity_text);
    copied.event_name = to_.keep(log.event_name);
    copied.body.text = to_.keep(log.body.text);
    to_.logs.push_back(copied);
  }

 private:
  std::uint32_t origin(std::uint32_t place) {
    store::Origin origin = from_.origins[place];
    for (auto* text : {&origin.service, &origin.scope_name, &origin.scope_version, &origin.resource_schema_url,
                       &origin.scope_schema_url})
      *text = to_.keep(*text);
    origin.resource = attributes(origin.resource);
    origin.scope = attributes(origin.scope);
    to_.origins.push_back(origin);
    return static_cast<std::uint32_t>(to_.origins.size() - 1);
  }
  store::Range attributes(store::Range range) {
    const store::Range out{static_cast<std::uint32_t>(to_.attributes.size()), range.count};
    for (store::Attribute each : from_.of(range)) {
      each.key = to_.keep(each.key);
      each.value.text = to_.keep(each.value.text);
      to_.attributes.push_back(each);
    }
    return out;
  }
  const Batch& from_;
  Batch& to_;
};

constexpr auto foremost = [](const auto& a, const auto& b) { return a.place.later_than(b.place); };

// What is sorted by a figure: it comes first where there is more of it (or less), and last where it is not known.
struct Ranked {
  double key;
  std::int64_t id;  // of its first span: so a cursor knows it
};
double key_of(double figure, bool known, bool ascending) {
  return !known ? -std::numeric_limits<double>::infinity() : ascending ? -figure : figure;
}

// Where the page after a cursor begins in an order of things that are known by the id of their first span.
template <class List, class IdOf>
base::Result<std::size_t> first_after(const List& list, const std::string& cursor, char mark, const std::string& order,
                                      IdOf id_of) {
  if (cursor.empty()) return std::size_t{0};
  const auto parsed = store::parse_cursor(cursor, mark, order);
  if (!parsed) return tl::unexpected(bad_cursor());
  const auto at =
      std::find_if(list.begin(), list.end(), [&](const auto& each) { return id_of(each) == parsed->after.id; });
  if (at == list.end()) return tl::unexpected(bad_cursor());
  return static_cast<std::size_t>(at - list.begin()) + 1;
}

}  // namespace

store::Figures MemoryStore::SpanAt::figures() const {
  return store::figures_of(batch().of(span->attributes), span->duration_ns());
}

MemoryStore::MemoryStore(std::chrono::seconds keep_for) : keep_for_(keep_for) { stats_.backend = "memory"; }

void MemoryStore::write(Batch&& batch, store::Done done) {
  store::Written written;
  {
    const std::lock_guard lock(mutex_);
    expire();
    if (!store::sound(batch)) {
      written = {store::Refusal::broken, "the batch refers to what is not in it", 0};
      ++stats_.refused_batches;
    } else if (!batch.empty()) {
      take(batches_.emplace_back(Kept{std::move(batch), Clock::now(), now_unix_ns()}), written);
    }
  }
  if (done) done(written);
}

void MemoryStore::take(Kept& kept, store::Written& written) {
  const Batch& batch = kept.batch;
  for (const auto& span : batch.spans) {
    if (!identities_.emplace(span.trace_id, span.span_id).second) {
      ++written.duplicates;
      continue;
    }
    spans_.push_back({++last_span_, &kept, &span});
    if (const auto known = store::session_of(batch, span)) take_session(*known, kept.arrived);
  }
  stats_.written_spans += batch.spans.size() - written.duplicates;
  stats_.duplicate_spans += written.duplicates;
  for (const auto& session : batch.sessions) take_session(session, kept.arrived);
  points_.insert(points_.end(), batch.points.begin(), batch.points.end());
  for (const auto& each : batch.fleet) fleet_[{each.time_unix_ns, each.instance, each.route}] = each;
  for (const auto& each : batch.totals) {
    auto& to = totals_[{each.instance, each.route}];
    if (each.time_unix_ns >= to.time_unix_ns) to = each;
  }
  for (const auto& each : batch.presences) {
    const auto [at, fresh] = presences_.try_emplace({each.who, each.instance, each.from_unix_ns}, each);
    at->second.until_unix_ns = std::max(at->second.until_unix_ns, each.until_unix_ns);
    at->second.end = each.end;
  }
}

void MemoryStore::take_session(const store::Session& session, Clock::time_point now) {
  auto& to = sessions_[session.id];
  if (to.number == 0) {
    to.number = ++last_session_;
    to.session = session;
  } else {
    to.session = store::merged(to.session, session);
  }
  to.arrived = now;
}

void MemoryStore::expire() {
  if (keep_for_.count() == 0) return;
  const auto old = [&](Clock::time_point arrived) { return arrived < Clock::now() - keep_for_; };
  std::erase_if(sessions_, [&](const auto& each) { return old(each.second.arrived); });
  while (!batches_.empty() && old(batches_.front().arrived)) {
    const Kept& kept = batches_.front();
    const auto gone = [&](const SpanAt& at) { return at.in == &kept; };
    for (const auto& at : spans_)
      if (gone(at)) identities_.erase({at.span->trace_id, at.span->span_id});
    stats_.expired_spans += std::erase_if(spans_, gone);
    stats_.kept_since_unix_ns = kept.arrived_unix_ns + 1;
    batches_.pop_front();
  }
}

base::Result<Batch> MemoryStore::trace(const store::TraceId& id, std::size_t limit, Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  std::vector<const SpanAt*> found;
  for (const auto& at : spans_)
    if (at.span->trace_id == id) found.push_back(&at);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto* a, const auto* b) { return a->span->start_unix_ns < b->span->start_unix_ns; });
  std::vector<std::pair<const Batch*, const store::Log*>> logs;
  for (const auto& kept : batches_)
    for (const auto& log : kept.batch.logs)
      if (log.trace_id == id) logs.emplace_back(&kept.batch, &log);
  std::stable_sort(logs.begin(), logs.end(),
                   [](const auto& a, const auto& b) { return a.second->time_unix_ns < b.second->time_unix_ns; });
  Batch out;
  for (std::size_t i = 0; i < std::min(limit, found.size()); ++i) Copy(found[i]->batch(), out).span(*found[i]->span);
  for (std::size_t i = 0; i < std::min(limit, logs.size()); ++i) Copy(*logs[i].first, out).log(*logs[i].second);
  return out;
}

base::Result<Cursor> MemoryStore::start_of(const store::SpanQuery& query, char list) const {
  if (query.attributes.size() > store::most_wanted) return base::fail("a search has at most 62 attributes");
  if (query.cursor.empty()) return Cursor{{}, last_span_};
  if (const auto cursor = store::parse_cursor(query.cursor, list, order_of(query))) return *cursor;
  return tl::unexpected(bad_cursor());
}

std::vector<MemoryStore::Found> MemoryStore::find(const store::SpanQuery& query, std::int64_t top) const {
  std::vector<Found> out;
  const store::SpanMatch match(query);
  for (const auto& at : spans_) {
    if (at.id > top || !match.fits(at.batch(), *at.span)) continue;
    const auto key = place_of(query.sort ? at.figures().of(*query.sort) : at.span->start_unix_ns);
    out.push_back({{query.ascending ? INT64_MAX - key : key, at.id}, &at});
  }
  return out;
}

base::Result<store::SpanPage> MemoryStore::spans(const store::SpanQuery& query, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  const auto from = start_of(query, 's');
  if (!from) return tl::unexpected(from.error());
  store::SpanPage out;
  out.complete = !late(deadline);
  if (!out.complete) {
    out.cursor = store::to_text(*from, 's', order_of(query));
    return out;
  }
  auto found = find(query, from->top);
  out.total = found.size();
  std::erase_if(found, [&](const Found& each) { return !from->after.later_than(each.place); });
  const std::size_t count = std::min(found.size(), bounded(query.limit));
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(), foremost);
  for (std::size_t i = 0; i < count; ++i) Copy(found[i].at->batch(), out.spans).span(*found[i].at->span);
  if (count < found.size()) out.cursor = store::to_text({found[count - 1].place, from->top}, 's', order_of(query));
  return out;
}

base::Result<Page<store::TraceSummary>> MemoryStore::traces(const store::SpanQuery& query, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  const auto from = start_of(query, 't');
  if (!from) return tl::unexpected(from.error());
  Page<store::TraceSummary> out;
  out.complete = !late(deadline);
  if (!out.complete) {
    out.cursor = store::to_text(*from, 't', order_of(query));
    return out;
  }
  auto found = find(query, from->top);
  std::sort(found.begin(), found.end(), foremost);
  std::set<store::TraceId> listed;
  store::Place last;
  for (const auto& each : found) {
    if (!listed.insert(each.at->span->trace_id).second || !from->after.later_than(each.place)) continue;
    if (out.items.size() == bounded(query.limit)) {
      out.cursor = store::to_text({last, from->top}, 't', order_of(query));
      break;
    }
    last = each.place;
    out.items.push_back(summarize(each.at->span->trace_id, query));
    if (query.sort) {
      const auto key = static_cast<double>(query.ascending ? INT64_MAX - last.start : last.start);
      out.items.back().sorted = key / (*query.sort == store::Measure::chunks ? 1 : 1e9);
    }
  }
  return out;
}

store::TraceSummary MemoryStore::summarize(const store::TraceId& id, const store::SpanQuery& query) const {
  store::TraceSummary out;
  out.trace_id = id;
  out.start_unix_ns = UINT64_MAX;
  const store::SpanMatch match(query);
  const SpanAt *root = nullptr, *earliest = nullptr;
  const auto earlier = [](const SpanAt* now, const SpanAt* then) {
    return then == nullptr || now->span->start_unix_ns < then->span->start_unix_ns ? now : then;
  };
  std::map<std::string, std::uint64_t> services;
  for (const auto& each : spans_) {
    const SpanAt* const at = &each;
    const auto& span = *at->span;
    if (span.trace_id != id) continue;
    ++out.spans;
    out.errors += span.status == 2 ? 1 : 0;
    out.matched += match.fits(at->batch(), span) ? 1 : 0;
    ++services[std::string(at->service())];
    out.start_unix_ns = std::min(out.start_unix_ns, span.start_unix_ns);
    out.end_unix_ns = std::max(out.end_unix_ns, span.start_unix_ns + span.duration_ns());
    earliest = earlier(at, earliest);
    if (span.parent_id.is_zero()) root = earlier(at, root);
    if (!out.session) out.session = span.session;
  }
  out.root_missing = root == nullptr;
  const SpanAt* const shown = root != nullptr ? root : earliest;
  if (shown != nullptr) {
    out.root_service = shown->service();
    out.root_operation = shown->span->name;
  }
  out.services.assign(services.begin(), services.end());
  std::stable_sort(out.services.begin(), out.services.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (out.services.size() > 16) out.services.resize(16);
  return out;
}

base::Result<std::vector<std::string>> MemoryStore::services(Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  std::set<std::string> out;
  for (const auto& at : spans_) out.emplace(at.service());
  return std::vector<std::string>(out.begin(), out.end());
}

base::Result<Page<store::OperationName>> MemoryStore::operations(const store::OperationNamesQuery& query, Deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  struct Named {
    std::int64_t id = 0;  // of its first span
    std::uint8_t kinds = 0;
  };
  std::map<store::OperationKey, Named> all;
  for (const auto& at : spans_) {
    auto& to = all[{std::string(at.service()), std::string(at.span->name)}];
    if (to.id == 0) to.id = at.id;
    to.kinds |= static_cast<std::uint8_t>(1U << at.span->kind);
  }
  const std::vector<std::pair<store::OperationKey, Named>> list(all.begin(), all.end());
  const auto id_of = [](const auto& each) { return each.second.id; };
  const auto first = first_after(list, query.cursor, 'n', "", id_of);
  if (!first) return tl::unexpected(first.error());
  Page<store::OperationName> out;
  std::int64_t last = 0;
  for (std::size_t i = *first; i < list.size(); ++i) {
    const auto& [key, named] = list[i];
    if ((!query.service.empty() && key.service != query.service) ||
        !store::holds_folded(key.operation, query.contains) ||
        (query.kind && named.kinds != 0 && (named.kinds >> *query.kind & 1U) == 0))
      continue;
    if (out.items.size() == std::max<std::size_t>(query.limit, 1)) {
      out.cursor = store::to_text({{0, last}, 0}, 'n', "");
      break;
    }
    last = named.id;
    out.items.push_back({key.service, key.operation, named.kinds});
  }
  return out;
}

base::Result<Page<store::Dependency>> MemoryStore::dependencies(store::TimeRange range, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  std::map<std::pair<store::TraceId, store::SpanId>, std::string_view> owners;
  for (const auto& at : spans_) owners[{at.span->trace_id, at.span->span_id}] = at.service();
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> calls;
  for (const auto& at : spans_) {
    const auto parent = owners.find({at.span->trace_id, at.span->parent_id});
    if (parent != owners.end() && parent->second != at.service() && store::within(at.span->start_unix_ns, range))
      ++calls[{parent->second, at.service()}];
  }
  Page<store::Dependency> out;
  out.complete = !late(deadline);
  for (const auto& [names, count] : calls)
    out.items.push_back({std::string(names.first), std::string(names.second), count});
  return out;
}

namespace {

void count(store::OperationStats& to, const store::Span& span, const store::Figures& figures) {
  ++to.count;
  to.errors += span.status == 2 ? 1 : 0;
  to.cancelled += figures.status == store::CallStatus::cancelled ? 1 : 0;
  for (std::size_t i = 0; i < to.latency.size(); ++i)
    if (figures.values[i] != store::Figures::unknown) to.latency[i].add(figures.values[i]);
}

struct Operation {
  std::int64_t id = 0;  // of its first span
  store::OperationStats stats;
};

// More of it comes first. Names have no key.
double key_of(const store::OperationStats& s, const store::OperationsQuery& q) {
  using Sort = store::OperationsQuery::Sort;
  const auto& sketch = s.latency[std::min<std::size_t>(2, static_cast<std::size_t>(q.sort_measure))];
  const auto figure = [&]() -> double {
    switch (q.sort) {
      case Sort::count:
        return static_cast<double>(s.count);
      case Sort::errors:
        return static_cast<double>(s.errors);
      case Sort::error_rate:
        return static_cast<double>(s.errors) / static_cast<double>(s.count);
      case Sort::cancelled:
        return static_cast<double>(s.cancelled);
      case Sort::percentile:
        return static_cast<double>(sketch.percentile(q.sort_quantile));
      default:
        return 0;
    }
  };
  return key_of(figure(), q.sort != Sort::percentile || sketch.count() > 0, q.ascending);
}

bool before(const Operation& a, const Operation& b, const store::OperationsQuery& q) {
  using Sort = store::OperationsQuery::Sort;
  if (q.sort == Sort::operation || q.sort == Sort::service) {
    const auto names = [&](const Operation& o) {
      const auto& k = o.stats.key;
      return q.sort == Sort::operation ? std::tie(k.operation, k.service) : std::tie(k.service, k.operation);
    };
    return q.ascending ? names(a) < names(b) : names(b) < names(a);
  }
  const double left = key_of(a.stats, q), right = key_of(b.stats, q);
  return left != right ? left > right : a.id < b.id;
}

}  // namespace

base::Result<store::OperationsPage> MemoryStore::latency(const store::OperationsQuery& query, Deadline deadline) {
  if (query.step_ns % 60'000'000'000 != 0) return base::fail("the step of latencies is a multiple of a minute");
  const std::lock_guard lock(mutex_);
  expire();
  store::OperationsPage out;
  out.complete = !late(deadline);
  if (!out.complete) return out;
  std::map<store::OperationKey, Operation> all;
  std::map<std::pair<std::uint64_t, store::OperationKey>, store::OperationStats> steps;
  store::SpanQuery spans;
  spans.time = query.time;
  spans.service = query.service;
  spans.operation = query.operation;
  const store::SpanMatch match(spans);
  for (const auto& at : spans_) {
    if (!match.fits(at.batch(), *at.span)) continue;
    if (!store::holds_folded(at.span->name, query.search) && !store::holds_folded(at.service(), query.search)) continue;
    const store::OperationKey key{std::string(at.service()), std::string(at.span->name)};
    auto& operation = all[key];
    if (operation.id == 0) operation.id = at.id;
    operation.stats.key = key;
    const auto figures = at.figures();
    count(operation.stats, *at.span, figures);
    const std::uint64_t step =
        query.step_ns == 0 ? query.time.from_unix_ns : store::step_of(at.span->start_unix_ns, query.step_ns);
    count(steps[{step, key}], *at.span, figures);
  }
  std::vector<Operation> list;
  for (const auto& [key, operation] : all) {
    list.push_back(operation);
    out.count += operation.stats.count;
    out.errors += operation.stats.errors;
    out.cancelled += operation.stats.cancelled;
  }
  out.total = list.size();
  std::sort(list.begin(), list.end(), [&](const Operation& a, const Operation& b) { return before(a, b, query); });
  const std::string order = std::to_string(static_cast<int>(query.sort)) + (query.ascending ? "a" : "d") +
                            std::to_string(static_cast<int>(query.sort_measure)) + std::to_string(query.sort_quantile);
  const auto first = first_after(list, query.cursor, 'o', order, [](const Operation& o) { return o.id; });
  if (!first) return tl::unexpected(first.error());
  const std::size_t end = std::min(list.size(), *first + bounded(query.limit));
  std::map<store::OperationKey, std::size_t> places;
  for (std::size_t i = *first; i < end; ++i) places[list[i].stats.key] = i;
  if (end < list.size()) out.cursor = store::to_text({{0, list[end - 1].id}, 0}, 'o', order);
  std::map<std::pair<std::uint64_t, std::size_t>, store::OperationPoint> points;
  for (auto& [key, stats] : steps) {
    const auto place = places.find(key.second);
    if (place == places.end()) continue;
    auto& point = points[{key.first, place->second}];
    point.time_unix_ns = key.first;
    point.stats = std::move(stats);
    point.stats.key = key.second;
  }
  for (auto& [key, point] : points) out.points.push_back(std::move(point));
  return out;
}

base::Result<store::GroupPage> MemoryStore::groups(const store::GroupsQuery& query, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  expire();
  store::GroupPage out;
  out.complete = !late(deadline);
  if (!out.complete) return out;
  store::SpanQuery spans = query.spans;
  spans.sort.reset();
  const auto value_of = [&](const SpanAt& at) -> std::optional<std::string> {
    using By = store::Dimension;
    if (query.by == By::service) return std::string(at.service());
    if (query.by == By::operation) return std::string(at.span->name);
    if (query.by == By::status) return std::to_string(at.span->status);
    if (query.by == By::kind) return std::to_string(at.span->kind);
    store::ValueText scratch;
    const auto key = query.by == By::attribute ? std::string_view(query.by_key) : store::attribute_of(query.by);
    const auto text = store::attribute_text(at.batch(), *at.span, key, scratch);
    return text ? std::optional<std::string>(*text) : std::nullopt;
  };
  std::map<std::optional<std::string>, std::pair<std::int64_t, store::Group>> all;
  const store::SpanMatch match(spans);
  for (const auto& at : spans_) {
    if (!match.fits(at.batch(), *at.span)) continue;
    auto& [id, group] = all[value_of(at)];
    if (id == 0) id = at.id;
    ++group.count;
    ++out.counted;
    group.errors += at.span->status == 2 ? 1 : 0;
    const std::uint64_t value =
        query.figure_key.empty()
            ? at.figures().of(query.figure)
            : store::millionths_of(store::find(at.batch().of(at.span->attributes), query.figure_key));
    if (value != store::Figures::unknown) group.figure.add(value);
  }
  out.total = all.size();
  std::vector<std::pair<Ranked, store::Group>> list;
  using Sort = store::GroupsQuery::Sort;
  for (auto& [value, each] : all) {
    auto& group = each.second;
    group.value = value;
    const std::uint64_t figure = query.sort == Sort::count    ? group.count
                                 : query.sort == Sort::errors ? group.errors
                                                              : group.figure.percentile(query.sort_quantile);
    const bool known = query.sort != Sort::percentile || group.figure.count() > 0;
    Ranked place{key_of(static_cast<double>(figure), known, query.ascending), each.first};
    list.emplace_back(place, std::move(group));
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return a.first.key != b.first.key ? a.first.key > b.first.key : a.first.id < b.first.id;
  });
  const std::string order = std::to_string(static_cast<int>(query.sort)) + (query.ascending ? "a" : "d") +
                            std::to_string(static_cast<int>(query.by)) + query.by_key + '\0' + query.figure_key;
  const auto first = first_after(list, query.cursor, 'g', order, [](const auto& each) { return each.first.id; });
  if (!first) return tl::unexpected(first.error());
  const std::size_t end = std::min(list.size(), *first + bounded(query.limit));
  if (end < list.size()) out.cursor = store::to_text({{0, list[end - 1].first.id}, 0}, 'g', order);
  for (std::size_t i = *first; i < end; ++i) out.groups.push_back(std::move(list[i].second));
  return out;
}

store::StoreStats MemoryStore::stats() {
  const std::lock_guard lock(mutex_);
  expire();
  store::StoreStats out = stats_;
  out.spans = spans_.size();
  out.sessions = sessions_.size();
  for (const auto& kept : batches_) out.logs += kept.batch.logs.size();
  if (!batches_.empty()) out.oldest_unix_ns = batches_.front().arrived_unix_ns;
  return out;
}

}  // namespace sockeye::conformance
