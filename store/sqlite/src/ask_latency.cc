// Hour rows where whole hours are asked for, minute rows where whole minutes are, and the spans themselves for the
// parts of a minute at the ends. A first pass adds up what the order asked for needs, of all operations; the second
// reads whole sketches of the page's alone.
#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <tuple>
#include <unordered_map>

#include "ask.h"
#include "rollup.h"
#include "scan.h"
#include "search.h"
#include "sockeye/store/value_text.h"

namespace sockeye::sqlite::ask {
namespace {

using store::OperationsQuery;
using store::OperationStats;
using Sort = OperationsQuery::Sort;

constexpr std::uint64_t second_ns = 1'000'000'000, minute_ns = 60 * second_ns;
constexpr std::size_t most_points = 30'000;  // some 5 KB each
constexpr std::size_t few = 16;              // so many operations are looked up rather than looked for

struct Part {
  std::int64_t width, from, to;  // seconds, `to` exclusive
};

// The range, taken apart.
struct Parts {
  std::vector<Part> rows;
  std::vector<store::TimeRange> edges;  // of less than a minute
};

Parts parts_of(const store::TimeRange& time, bool hours) {
  Parts out;
  if (time.from_unix_ns >= time.to_unix_ns) return out;
  const std::uint64_t first = (time.from_unix_ns + std::min(minute_ns - 1, UINT64_MAX - time.from_unix_ns)) / minute_ns;
  const std::uint64_t end = time.to_unix_ns == UINT64_MAX ? UINT64_MAX / minute_ns + 1 : time.to_unix_ns / minute_ns;
  if (first > end) {
    out.edges.push_back(time);
    return out;
  }
  if (time.from_unix_ns < first * minute_ns) out.edges.push_back({time.from_unix_ns, first * minute_ns});
  if (time.to_unix_ns != UINT64_MAX && end * minute_ns < time.to_unix_ns)
    out.edges.push_back({end * minute_ns, time.to_unix_ns});
  const auto from = static_cast<std::int64_t>(first) * minute, to = static_cast<std::int64_t>(end) * minute;
  const std::int64_t first_hour = (from + hour - 1) / hour * hour, last_hour = to / hour * hour;
  if (!hours || first_hour >= last_hour) {
    if (from < to) out.rows.push_back({minute, from, to});
    return out;
  }
  if (from < first_hour) out.rows.push_back({minute, from, first_hour});
  out.rows.push_back({hour, first_hour, last_hour});
  if (last_hour < to) out.rows.push_back({minute, last_hour, to});
  return out;
}

void add(OperationStats& to, const SpanRow& span) {
  ++to.count;
  to.errors += span.status == 2 ? 1 : 0;
  to.cancelled += span.figures.status == store::CallStatus::cancelled ? 1 : 0;
  for (std::size_t i = 0; i < to.latency.size(); ++i)
    if (span.figures.values[i] != store::Figures::unknown) to.latency[i].add(span.figures.values[i]);
}

void add(OperationStats& to, const OperationStats& more) {
  to.count += more.count;
  to.errors += more.errors;
  to.cancelled += more.cancelled;
  for (std::size_t i = 0; i < to.latency.size(); ++i) to.latency[i].merge(more.latency[i]);
}

// The spans of the edges, by operation and step.
class EdgeSpans final : public Sink {
 public:
  explicit EdgeSpans(std::uint64_t step_ns) : step_ns_(step_ns) {}
  [[nodiscard]] bool enough(const Place&) const override { return false; }
  void take(const SpanRow& span, std::optional<std::string_view>, std::uint64_t) override {
    const auto start = static_cast<std::uint64_t>(span.start);
    add(stats[{span.operation, step_ns_ == 0 ? 0 : start / step_ns_}], span);
  }
  std::map<std::pair<std::int64_t, std::uint64_t>, OperationStats> stats;

 private:
  const std::uint64_t step_ns_;
};

// One operation in the first pass.
struct Sum {
  std::uint64_t count = 0, errors = 0, cancelled = 0;
  std::uint64_t most = 0;  // of the measure that is sorted by
  store::Sketch sketch;    // of it, where a percentile is asked for
  bool fits = false;
  store::OperationKey name;
};

class Latencies {
 public:
  Latencies(Database& db, const OperationsQuery& query)
      : db_(db),
        query_(query),
        step_(static_cast<std::int64_t>(query.step_ns / second_ns)),
        parts_(parts_of(query.time, step_ % hour == 0)),
        edges_(query.step_ns) {}

  base::Result<store::OperationsPage> answer() {
    read_edges();
    if (!query_.service.empty() && !query_.operation.empty()) {
      add_the_one();
    } else {
      for (const Part& part : parts_.rows) add_up(part);
    }
    for (const auto& [key, stats] : edges_.stats) add_edge(key.first, stats);
    if (auto good = choose(); !good) return tl::unexpected(good.error());
    if (page_.size() <= few) {
      for (const Part& part : parts_.rows) look_up(part);
    } else {
      for (const Part& part : parts_.rows) look_for(part);
    }
    for (const auto& [key, stats] : edges_.stats)
      if (const auto place = places_.find(key.first); place != places_.end())
        if (auto* const point = at(place->second, key.second * query_.step_ns / second_ns)) add(point->stats, stats);
    if (points_.size() > most_points)
      return base::fail("so many operations in so many steps are too much for one answer: ask for longer steps");
    for (auto& [key, point] : points_) {
      point.time_unix_ns = step_ == 0 ? query_.time.from_unix_ns : static_cast<std::uint64_t>(key.first) * second_ns;
      point.stats.key = sums_.at(page_[key.second]).name;
      out_.points.push_back(std::move(point));
    }
    out_.complete = out_.complete && !db_.late();
    return std::move(out_);
  }

 private:
  void read_edges() {
    std::int64_t top = 0;
    Query last(db_, "SELECT ifnull(max(id), 0) FROM span");
    if (last.next()) top = last.integer(0);
    for (const auto& edge : parts_.edges) {
      store::SpanQuery spans;
      spans.time = edge;
      spans.service = query_.service;
      spans.operation = query_.operation;
      Matcher matcher(db_, spans);
      out_.complete = Scan(db_, matcher, top, {}).run(edges_).complete && out_.complete;
    }
  }

  Sum& sum_of(std::int64_t operation) {
    const auto [known, fresh] = sums_.try_emplace(operation);
    Sum& sum = known->second;
    if (!fresh) return sum;
    Query row(db_, "SELECT service, name FROM operation WHERE id = ?1", operation);
    if (!row.next()) return sum;
    const auto service = row.text(0), name = row.text(1);
    sum.fits = (query_.service.empty() || service == query_.service) &&
               (query_.operation.empty() || name == query_.operation) &&
               (store::holds_folded(name, query_.search) || store::holds_folded(service, query_.search));
    if (sum.fits) sum.name = {std::string(service), std::string(name)};
    return sum;
  }

  [[nodiscard]] bool by_sketch() const { return query_.sort == Sort::percentile && query_.sort_quantile < 1; }
  [[nodiscard]] std::size_t measure() const {
    return std::min<std::size_t>(2, static_cast<std::size_t>(query_.sort_measure));
  }

  void add_row(Query& row, Sum& sum) {  // operation, spans, errors, cancelled, the measure, scale
    sum.count += row.number(1);
    sum.errors += row.number(2);
    sum.cancelled += row.number(3);
    if (query_.sort != Sort::percentile || row.null(4)) return;
    const auto scale = static_cast<Scale>(row.integer(5));
    if (by_sketch()) {
      decode_sketch(row.bytes(4), scale, sum.sketch);
    } else {
      sum.most = std::max(sum.most, largest_of(row.bytes(4), scale));
      sum.sketch.add(0, 1);  // only so that it is known to have one
    }
  }

  void add_up(const Part& part) {
    static constexpr const char* statements[] = {
        "SELECT operation, spans, errors, cancelled, duration, scale FROM rollup "
        "WHERE width = ?1 AND time >= ?2 AND time < ?3",
        "SELECT operation, spans, errors, cancelled, first_chunk, scale FROM rollup "
        "WHERE width = ?1 AND time >= ?2 AND time < ?3",
        "SELECT operation, spans, errors, cancelled, last_chunk, scale FROM rollup "
        "WHERE width = ?1 AND time >= ?2 AND time < ?3",
        "SELECT operation, spans, errors, cancelled FROM rollup WHERE width = ?1 AND time >= ?2 AND time < ?3"};
    Query rows(db_, statements[query_.sort == Sort::percentile ? measure() : 3], part.width, part.from, part.to);
    while (rows.next())
      if (Sum& sum = sum_of(rows.integer(0)); sum.fits) add_row(rows, sum);
  }

  // Its counts come with the second pass.
  void add_the_one() {
    Query row(db_, "SELECT id FROM operation WHERE service = ?1 AND name = ?2", std::string_view(query_.service),
              std::string_view(query_.operation));
    if (!row.next()) return;
    Sum& sum = sum_of(row.integer(0));
    for (const Part& part : parts_.rows)
      each_row(part, row.integer(0), [&](Query& rows, std::int64_t) {
        sum.count += rows.number(0);
        sum.errors += rows.number(1);
        sum.cancelled += rows.number(2);
      });
  }

  void add_edge(std::int64_t operation, const OperationStats& stats) {
    Sum& sum = sum_of(operation);
    if (!sum.fits) return;
    sum.count += stats.count;
    sum.errors += stats.errors;
    sum.cancelled += stats.cancelled;
    const auto& sketch = stats.latency[measure()];
    sum.most = std::max(sum.most, sketch.max());
    if (query_.sort == Sort::percentile) sum.sketch.merge(sketch);
  }

  // What an operation is sorted by: more of it comes first. Those that lack it come last.
  [[nodiscard]] double key_of(const Sum& sum) const {
    const auto share = [](std::uint64_t part, std::uint64_t of) {
      return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
    };
    double out = 0;
    switch (query_.sort) {
      case Sort::count:
        out = static_cast<double>(sum.count);
        break;
      case Sort::errors:
        out = static_cast<double>(sum.errors);
        break;
      case Sort::error_rate:
        out = share(sum.errors, sum.count);
        break;
      case Sort::cancelled:
        out = static_cast<double>(sum.cancelled);
        break;
      case Sort::percentile:
        if (sum.sketch.count() == 0) return -std::numeric_limits<double>::infinity();
        out = static_cast<double>(by_sketch() ? sum.sketch.percentile(query_.sort_quantile) : sum.most);
        break;
      case Sort::operation:
      case Sort::service:
        break;
    }
    return query_.ascending ? -out : out;
  }

  struct Ranked {
    double key;
    std::int64_t id;
    const Sum* sum;
  };
  [[nodiscard]] bool before(const Ranked& a, const Ranked& b) const {
    if (query_.sort == Sort::operation || query_.sort == Sort::service) {
      const auto names = [&](const store::OperationKey& k) {
        return query_.sort == Sort::operation ? std::tie(k.operation, k.service) : std::tie(k.service, k.operation);
      };
      return query_.ascending ? names(a.sum->name) < names(b.sum->name) : names(b.sum->name) < names(a.sum->name);
    }
    return a.key != b.key ? a.key > b.key : a.id < b.id;
  }

  [[nodiscard]] std::string order() const {
    std::string out(query_.ascending ? "a" : "d");
    out += std::to_string(static_cast<int>(query_.sort));
    if (query_.sort == Sort::percentile)
      out += " " + std::to_string(static_cast<int>(query_.sort_measure)) + " " + std::to_string(query_.sort_quantile);
    return out;
  }

  // The page's operations, and what is said of all of them.
  base::Result<void> choose() {
    std::vector<Ranked> all;
    for (const auto& [id, sum] : sums_) {
      if (!sum.fits || sum.count == 0) continue;
      all.push_back({key_of(sum), id, &sum});
      out_.count += sum.count;
      out_.errors += sum.errors;
      out_.cancelled += sum.cancelled;
    }
    out_.total = all.size();
    std::sort(all.begin(), all.end(), [&](const Ranked& a, const Ranked& b) { return before(a, b); });
    std::size_t first = 0;
    if (!query_.cursor.empty()) {
      // Behind the last one listed: by its key, or by its name, as it was then.
      const auto cursor = parse_cursor(query_.cursor, 'o', order());
      if (!cursor) return base::fail(std::string(store::bad_cursor));
      const Ranked last{key_in(*cursor), cursor->after.id, &sum_of(cursor->after.id)};
      first = static_cast<std::size_t>(
          std::partition_point(all.begin(), all.end(), [&](const Ranked& r) { return !before(last, r); }) -
          all.begin());
    }
    const std::size_t limit = std::clamp<std::size_t>(query_.limit, 1, most_answers);
    const std::size_t end = std::min(all.size(), first + limit);
    for (std::size_t i = first; i < end; ++i) {
      places_.emplace(all[i].id, page_.size());
      page_.push_back(all[i].id);
    }
    if (end < all.size()) out_.cursor = to_text(cursor_of(all[end - 1]), 'o', order());
    return {};
  }
  // A key's 64 bits in numbers of 63.
  [[nodiscard]] static Cursor cursor_of(const Ranked& last) {
    const auto bits = std::bit_cast<std::uint64_t>(last.key);
    return {{static_cast<std::int64_t>(bits >> 1U), last.id}, static_cast<std::int64_t>(bits & 1U)};
  }
  [[nodiscard]] static double key_in(const Cursor& cursor) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(cursor.after.start) << 1U |
                                 (static_cast<std::uint64_t>(cursor.top) & 1U));
  }

  // Null: there are too many already.
  store::OperationPoint* at(std::size_t place, std::uint64_t seconds) {
    const auto time = static_cast<std::int64_t>(seconds);
    if (points_.size() > most_points) return nullptr;
    return &points_[{step_ == 0 ? 0 : time / step_ * step_, place}];
  }

  void add_row(Query& rows, std::size_t place, std::int64_t time) {  // spans, errors, cancelled, measures, scale
    auto* const point = at(place, static_cast<std::uint64_t>(time));
    if (point == nullptr) return;
    point->stats.count += rows.number(0);
    point->stats.errors += rows.number(1);
    point->stats.cancelled += rows.number(2);
    for (std::size_t i = 0; i < rolled_up; ++i)
      decode_sketch(rows.bytes(3 + static_cast<int>(i)), static_cast<Scale>(rows.integer(6)), point->stats.latency[i]);
  }

  void look_for(const Part& part) {
    Query rows(db_,
               "SELECT spans, errors, cancelled, duration, first_chunk, last_chunk, scale, time, operation FROM rollup "
               "WHERE width = ?1 AND time >= ?2 AND time < ?3",
               part.width, part.from, part.to);
    while (rows.next())
      if (const auto known = places_.find(rows.integer(8)); known != places_.end())
        add_row(rows, known->second, rows.integer(7));
  }

  void look_up(const Part& part) {
    for (std::size_t i = 0; i < page_.size(); ++i)
      each_row(part, page_[i], [&](Query& rows, std::int64_t time) { add_row(rows, i, time); });
  }

  // The rows of one operation, from one time that there is to the next: the table is ordered by time first.
  template <class Take>
  void each_row(const Part& part, std::int64_t operation, Take take) {
    std::int64_t time = part.from;
    while (!db_.late()) {
      {
        Query next(db_, "SELECT time FROM rollup WHERE width = ?1 AND time >= ?2 AND time < ?3 ORDER BY time LIMIT 1",
                   part.width, time, part.to);
        if (!next.next()) return;
        time = next.integer(0);
      }
      Query row(db_,
                "SELECT spans, errors, cancelled, duration, first_chunk, last_chunk, scale FROM rollup "
                "WHERE width = ?1 AND time = ?2 AND operation = ?3",
                part.width, time, operation);
      if (row.next()) take(row, time);
      ++time;
    }
  }

  Database& db_;
  const OperationsQuery& query_;
  const std::int64_t step_;
  const Parts parts_;
  EdgeSpans edges_;
  std::unordered_map<std::int64_t, Sum> sums_;  // by operation
  std::vector<std::int64_t> page_;
  std::unordered_map<std::int64_t, std::size_t> places_;                          // in page_
  std::map<std::pair<std::int64_t, std::size_t>, store::OperationPoint> points_;  // by step, then place
  store::OperationsPage out_;
};

}  // namespace

base::Result<store::OperationsPage> latency(Database& db, const OperationsQuery& query) {
  if (query.step_ns % minute_ns != 0) return base::fail("the step of latencies is a multiple of a minute");
  return Latencies(db, query).answer();
}

}  // namespace sockeye::sqlite::ask
