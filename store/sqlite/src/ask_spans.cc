#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "ask.h"
#include "load.h"
#include "matcher.h"
#include "scan.h"
#include "search.h"

namespace sockeye::sqlite::ask {
namespace {

// Which order answers are in, as cursors say it.
std::string order_of(const store::SpanQuery& query) {
  return std::to_string(query.sort ? static_cast<int>(*query.sort) + 1 : 0) + (query.ascending ? "a" : "d");
}
constexpr char spans_list = 's', traces_list = 't';

// Whether the latest are found soonest by walking back in time; else columns are scanned.
bool walks(const store::SpanQuery& query) {
  return !query.sort && !query.ascending && !query.measure && query.operation_contains.empty();
}

base::Result<Cursor> start_of(Database& db, const store::SpanQuery& query, char list) {
  if (query.attributes.size() > store::most_wanted) return base::fail("a search has at most 62 attributes");
  if (!query.cursor.empty()) {
    if (const auto cursor = parse_cursor(query.cursor, list, order_of(query))) return *cursor;
    return base::fail(std::string(store::bad_cursor));
  }
  Cursor out;
  Query top(db, "SELECT ifnull(max(id), 0) FROM span");
  if (top.next()) out.top = top.integer(0);
  return out;
}

std::size_t bounded(std::size_t limit) { return std::clamp<std::size_t>(limit, 1, most_answers); }

// The latest `limit` places, and one more that tells whether there is a next page.
class LatestSpans final : public Collector {
 public:
  explicit LatestSpans(std::size_t limit) : limit_(limit + 1) {}
  [[nodiscard]] bool by_trace() const override { return false; }
  void take(const Place& place, const base::TraceId&) override {
    heap_.push_back(place);
    std::push_heap(heap_.begin(), heap_.end(), worst_on_top);
    if (heap_.size() <= limit_) return;
    std::pop_heap(heap_.begin(), heap_.end(), worst_on_top);
    heap_.pop_back();
  }
  [[nodiscard]] bool enough(const Place& next) const override {
    return heap_.size() == limit_ && heap_.front().later_than(next);
  }
  std::vector<Place> sorted() {
    std::sort(heap_.begin(), heap_.end(), [](const Place& a, const Place& b) { return a.later_than(b); });
    return std::move(heap_);
  }

 private:
  static bool worst_on_top(const Place& a, const Place& b) { return a.later_than(b); }
  const std::size_t limit_;
  std::vector<Place> heap_;
};

// Hands on to a collector what a scan finds behind the cursor. Everything is counted where nothing is passed over.
class Ranked final : public Sink {
 public:
  Ranked(Database& db, const Matcher& matcher, const Cursor& from, Collector& to, bool count)
      : db_(db), matcher_(matcher), from_(from), to_(to), counts_(count) {}
  [[nodiscard]] bool enough(const Place& best) const override { return !counts_ && to_.enough(best); }
  void take(const SpanRow& span, std::optional<std::string_view>, std::uint64_t) override {
    ++counted_;
    const Place place = matcher_.place(span);
    if (!from_.after.later_than(place) || to_.enough(place)) return;
    base::TraceId trace;
    if (to_.by_trace()) {
      Query row(db_, "SELECT trace_id FROM span WHERE id = ?1", span.id);
      if (!row.next()) return;
      trace = row.id<base::TraceId>(0);
    }
    to_.take(place, trace);
  }
  [[nodiscard]] std::uint64_t counted() const { return counted_; }

 private:
  Database& db_;
  const Matcher& matcher_;
  const Cursor from_;
  Collector& to_;
  const bool counts_;
  std::uint64_t counted_ = 0;
};

// `total` is set where all that match were counted in passing.
Found find(Database& db, Matcher& matcher, const Cursor& from, Collector& to, std::optional<std::uint64_t>* total) {
  if (walks(matcher.query())) return Search(db, matcher, from).run(to);
  // Counting all costs a look into every block: some 50 µs each. Attributes would be looked up span by span.
  bool count = total != nullptr && !matcher.needs_span();
  if (count) {
    constexpr std::int64_t most_blocks = 2048;
    Query blocks(db, "SELECT count(*) FROM block WHERE min_start <= ?1 AND max_start >= ?2", matcher.until(),
                 matcher.from());
    count = blocks.next() && blocks.integer(0) <= most_blocks;
  }
  Ranked ranked(db, matcher, from, to, count);
  ScanFor what;
  what.in_order = true;
  const auto end = Scan(db, matcher, from.top, what).run(ranked);
  if (count && end.complete) *total = ranked.counted();
  return {end.complete, end.down_to};
}

// What a page says of its end, and how many of `found` are on it. `found` is sorted, and may be one over the limit.
template <class Item, class PlaceOf>
std::size_t close_page(const Found& search, const Cursor& from, const store::SpanQuery& query, char list,
                       std::size_t limit, const std::vector<Item>& found, PlaceOf place_of, std::string& cursor,
                       bool& complete) {
  std::size_t sure = found.size();
  if (!search.complete)
    sure = static_cast<std::size_t>(
        std::partition_point(found.begin(), found.end(),
                             [&](const Item& each) { return !search.down_to.later_than(place_of(each)); }) -
        found.begin());
  if (sure > limit) {
    cursor = to_text({place_of(found[limit - 1]), from.top}, list, order_of(query));
    return limit;
  }
  complete = search.complete;
  if (complete) return sure;
  // A scan that cannot say what is missing gives the best it has seen, and no way on.
  if (sure == 0 && !walks(query) && !found.empty()) return std::min(limit, found.size());
  Place next = search.down_to;
  if (!walks(query)) {  // the foremost that is missing may be exactly there
    next = sure > 0 ? place_of(found[sure - 1]) : Place{next.start, std::min(next.id, INT64_MAX - 1) + 1};
    if (!from.after.later_than(next)) next = from.after;
  }
  cursor = to_text({next, from.top}, list, order_of(query));
  return sure;
}

// The latest matching span of each trace. A trace that an earlier page had is known by a matching span before the
// cursor.
class LatestTraces final : public Collector {
 public:
  LatestTraces(Database& db, Matcher& matcher, const Cursor& from, std::size_t limit)
      : db_(db), matcher_(matcher), from_(from), limit_(limit + 1) {}
  [[nodiscard]] bool by_trace() const override { return true; }

  void take(const Place& place, const base::TraceId& trace) override {
    const auto known = best_.find(trace);
    if (known != best_.end()) {
      if (!place.later_than(known->second)) return;
      order_.erase({known->second, trace});
      known->second = place;
    } else {
      if (answered_before(trace)) return;
      best_.emplace(trace, place);
    }
    order_.insert({place, trace});
    if (order_.size() <= limit_) return;
    const auto worst = std::prev(order_.end());
    best_.erase(worst->second);
    order_.erase(worst);
  }
  [[nodiscard]] bool enough(const Place& next) const override {
    return order_.size() == limit_ && std::prev(order_.end())->first.later_than(next);
  }
  struct Item {
    Place place;
    base::TraceId trace;
  };
  [[nodiscard]] std::vector<Item> sorted() const {
    std::vector<Item> out;
    for (const auto& [place, trace] : order_) out.push_back({place, trace});
    return out;
  }

 private:
  bool answered_before(const base::TraceId& trace) {
    if (from_.after == Place{}) return false;
    const auto [known, fresh] = answered_.try_emplace(trace, false);
    if (!fresh) return known->second;
    Query rows(db_, "SELECT " SOCKEYE_MATCH_COLUMNS " FROM span INDEXED BY span_identity WHERE trace_id = ?1",
               blob(trace));
    while (!known->second && rows.next()) {
      if (rows.integer(0) > from_.top || !matcher_.row(rows)) continue;
      const Place place = matcher_.query().sort || matcher_.query().ascending ? matcher_.place(matcher_.span_of(rows))
                                                                              : Place{rows.integer(1), rows.integer(0)};
      known->second = !from_.after.later_than(place);
    }
    return known->second;
  }
  struct LatestFirst {
    bool operator()(const std::pair<Place, base::TraceId>& a, const std::pair<Place, base::TraceId>& b) const {
      return a.first == b.first ? a.second < b.second : a.first.later_than(b.first);
    }
  };

  Database& db_;
  Matcher& matcher_;
  const Cursor from_;
  const std::size_t limit_;
  std::map<base::TraceId, Place> best_;
  std::map<base::TraceId, bool> answered_;
  std::set<std::pair<Place, base::TraceId>, LatestFirst> order_;
};

// False: late, and `out` is not whole.
bool summarize(Database& db, Matcher& matcher, store::TraceSummary& out) {
  struct Seen {
    std::int64_t start = INT64_MAX, operation = 0;
    bool there = false;
  };
  Seen root, earliest;
  std::unordered_map<std::int64_t, std::uint64_t> operations;
  out.start_unix_ns = UINT64_MAX;
  Query rows(db, "SELECT " SOCKEYE_MATCH_COLUMNS ", parent_id FROM span INDEXED BY span_identity WHERE trace_id = ?1",
             blob(out.trace_id));
  while (rows.next()) {
    const std::int64_t start = rows.integer(1), operation = rows.integer(5);
    ++out.spans;
    if (rows.integer(4) == 2) ++out.errors;
    if (matcher.row(rows)) ++out.matched;
    ++operations[operation];
    out.start_unix_ns = std::min(out.start_unix_ns, rows.number(1));
    out.end_unix_ns = std::max(out.end_unix_ns, rows.number(1) + duration_of(rows.number(1), rows.number(2)));
    if (!earliest.there || start < earliest.start) earliest = {start, operation, true};
    if (rows.null(10) && (!root.there || start < root.start)) root = {start, operation, true};
    if (!out.session && !rows.null(7)) out.session = rows.id<base::SessionId>(7);
  }
  out.root_missing = !root.there;
  const std::int64_t shown = root.there ? root.operation : earliest.operation;
  std::map<std::string, std::uint64_t> services;
  for (const auto& [operation, count] : operations) {
    Query row(db, "SELECT service, name FROM operation WHERE id = ?1", operation);
    if (!row.next()) continue;
    services[std::string(row.text(0))] += count;
    if (operation == shown) {
      out.root_service = row.text(0);
      out.root_operation = row.text(1);
    }
  }
  out.services.assign(services.begin(), services.end());
  std::stable_sort(out.services.begin(), out.services.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  constexpr std::size_t most_services = 16;
  if (out.services.size() > most_services) out.services.resize(most_services);
  return !db.late();
}

}  // namespace

base::Result<store::Batch> trace(Database& db, const base::TraceId& id, std::size_t limit) {
  std::vector<Place> places;
  {
    Query rows(db, "SELECT start, id FROM span INDEXED BY span_identity WHERE trace_id = ?1", blob(id));
    while (rows.next()) places.push_back({rows.integer(0), rows.integer(1)});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return b.later_than(a); });
  if (places.size() > limit) places.resize(limit);
  store::Batch out;
  Load load(db, out);
  for (const auto& place : places)
    if (!load.span(place.id)) return out;
  std::vector<std::int64_t> logs;
  {
    Query rows(db, "SELECT id FROM log INDEXED BY log_trace WHERE trace_id = ?1 ORDER BY time, id LIMIT ?2", blob(id),
               static_cast<std::int64_t>(std::min<std::size_t>(limit, INT32_MAX)));
    while (rows.next()) logs.push_back(rows.integer(0));
  }
  for (const auto log : logs)
    if (!load.log(log)) break;
  return out;
}

base::Result<store::SpanPage> spans(Database& db, const store::SpanQuery& query) {
  const auto from = start_of(db, query, spans_list);
  if (!from) return tl::unexpected(from.error());
  const std::size_t limit = bounded(query.limit);
  Matcher matcher(db, query);
  LatestSpans latest(limit);
  store::SpanPage out;
  const Found search = find(db, matcher, *from, latest, &out.total);
  const auto found = latest.sorted();
  const std::size_t count = close_page(
      search, *from, query, spans_list, limit, found, [](const Place& p) { return p; }, out.cursor, out.complete);
  Load load(db, out.spans);
  for (std::size_t i = 0; i < count; ++i) {
    if (load.span(found[i].id)) continue;
    out.complete = false;
    out.cursor = to_text({i == 0 ? from->after : found[i - 1], from->top}, spans_list, order_of(query));
    break;
  }
  return out;
}

base::Result<store::Page<store::TraceSummary>> traces(Database& db, const store::SpanQuery& query) {
  const auto from = start_of(db, query, traces_list);
  if (!from) return tl::unexpected(from.error());
  const std::size_t limit = bounded(query.limit);
  Matcher matcher(db, query);
  LatestTraces latest(db, matcher, *from, limit);
  const Found search = find(db, matcher, *from, latest, nullptr);
  const auto found = latest.sorted();
  store::Page<store::TraceSummary> out;
  const std::size_t count = close_page(
      search, *from, query, traces_list, limit, found, [](const LatestTraces::Item& i) { return i.place; }, out.cursor,
      out.complete);
  for (std::size_t i = 0; i < count; ++i) {
    store::TraceSummary summary;
    summary.trace_id = found[i].trace;
    if (query.sort) {
      const std::int64_t key = found[i].place.start;
      summary.sorted = static_cast<double>(query.ascending ? INT64_MAX - key : key) /
                       (*query.sort == store::Measure::chunks ? 1 : 1e9);
    }
    if (!summarize(db, matcher, summary)) {
      // The first is given as far as it was read: a page must bring the asker on.
      out.complete = false;
      out.cursor = to_text({found[i == 0 ? 0 : i - 1].place, from->top}, traces_list, order_of(query));
      if (i == 0) out.items.push_back(std::move(summary));
      break;
    }
    out.items.push_back(std::move(summary));
  }
  return out;
}

}  // namespace sockeye::sqlite::ask
