// Latencies by operation and time beside counting by hand: whatever the range is, and wherever it begins and ends.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "world.h"

namespace sockeye::conformance {
namespace {

using store::OperationKey;
using store::OperationPoint;
using store::OperationsQuery;
using store::OperationStats;

constexpr std::uint64_t minute = 60 * second, hour = 60 * minute;

struct Counted {
  std::uint64_t start, duration;
  OperationKey key;
  bool error, cancelled;
  std::int64_t first, last;  // ns; below 0: none
};

std::vector<std::uint64_t> values_of(const Counted& p) {
  std::vector<std::uint64_t> out = {p.duration};
  for (const auto each : {p.first, p.last})
    out.push_back(each < 0 ? store::Figures::unknown : static_cast<std::uint64_t>(each));
  return out;
}

std::vector<Counted> fill_hours(World& world, std::uint64_t count) {
  std::mt19937_64 random(7);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  std::vector<Counted> out;
  for (std::uint64_t id = 1; id <= count;) {
    Batch batch;
    for (int i = 0; i < 200; ++i, ++id) {
      Counted p{
          noon + pick(6 * 3600 * 1000) * second / 1000, 1 + (1ULL << pick(42)) + pick(1000), {}, false, false, -1, -1};
      if (pick(4) == 0) p.start = noon + pick(6 * 60) * minute;  // on the minute itself
      p.key = {"s" + std::to_string(pick(3)), "o" + std::to_string(pick(5))};
      const auto status = static_cast<std::uint8_t>(pick(3));
      p.error = status == 2;
      p.cancelled = pick(9) == 0;
      if (pick(2) == 0) p.first = static_cast<std::int64_t>(pick(1000) * 3'456'789);
      if (p.first >= 0) p.last = p.first * 2;
      Sketch s{.trace = id,
               .id = id,
               .start = p.start,
               .duration = p.duration,
               .service = p.key.service,
               .name = p.key.operation,
               .status = status};
      s.attributes.emplace_back("websocket.invocation.status", text(p.cancelled ? "cancelled" : "ok"));
      if (p.first >= 0)
        s.attributes.emplace_back("websocket.time_to_first_chunk", real(static_cast<double>(p.first) / 1e9));
      if (p.last >= 0)
        s.attributes.emplace_back("websocket.time_to_last_chunk", real(static_cast<double>(p.last) / 1e9));
      add(batch, s);
      out.push_back(std::move(p));
    }
    world.must_write(std::move(batch));
  }
  return out;
}

// A figure is within 1 % of the true one, and the extremes are the true ones.
void expect_true(const store::Sketch& is, std::vector<std::uint64_t> values) {
  ASSERT_EQ(is.count(), values.size());
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  EXPECT_EQ(is.min(), values.front());
  EXPECT_EQ(is.max(), values.back());
  for (const double q : {0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * static_cast<double>(values.size()))));
    const auto truth = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(is.percentile(q)), truth, truth * store::sketch_error + 0.5) << q;
    EXPECT_LE(is.percentile(q), values.back());
  }
}

void compare(World& world, const std::vector<Counted>& all, const OperationsQuery& query) {
  std::map<std::pair<std::uint64_t, OperationKey>, std::vector<const Counted*>> expected;
  for (const auto& p : all) {
    if (p.start < query.time.from_unix_ns || p.start >= query.time.to_unix_ns) continue;
    if (!query.service.empty() && query.service != p.key.service) continue;
    if (!query.operation.empty() && query.operation != p.key.operation) continue;
    const std::uint64_t at = query.step_ns == 0 ? query.time.from_unix_ns : p.start / query.step_ns * query.step_ns;
    expected[{at, p.key}].push_back(&p);
  }
  const auto found = world.store().latency(query, soon());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->complete);
  ASSERT_EQ(found->points.size(), expected.size());
  std::set<OperationKey> operations;
  std::uint64_t count = 0, errors = 0, cancelled = 0;
  for (const auto& point : found->points) {
    const auto& spans = expected.at({point.time_unix_ns, point.stats.key});
    operations.insert(point.stats.key);
    EXPECT_EQ(point.stats.count, spans.size());
    const auto with = [&](bool Counted::*what) {
      return static_cast<std::uint64_t>(
          std::count_if(spans.begin(), spans.end(), [&](const Counted* p) { return p->*what; }));
    };
    EXPECT_EQ(point.stats.errors, with(&Counted::error));
    EXPECT_EQ(point.stats.cancelled, with(&Counted::cancelled));
    count += point.stats.count;
    errors += point.stats.errors;
    cancelled += point.stats.cancelled;
    for (std::size_t m = 0; m < 3; ++m) {
      std::vector<std::uint64_t> values;
      for (const auto* p : spans)
        if (const auto value = values_of(*p)[m]; value != store::Figures::unknown) values.push_back(value);
      expect_true(point.stats.latency[m], values);
    }
  }
  EXPECT_EQ(found->total, operations.size());
  EXPECT_EQ(found->count, count);
  EXPECT_EQ(found->errors, errors);
  EXPECT_EQ(found->cancelled, cancelled);
}

void figures_of_a_range_are_those_of_its_spans(World& world) {
  const auto all = fill_hours(world, 6000);
  const auto with = [&](const OperationsQuery& query) { compare(world, all, query); };
  with({});
  with({.time = {noon, noon + 6 * hour}});
  with({.time = {noon + 17 * minute, noon + 5 * hour + 3 * minute}});
  with({.time = {noon + 17 * minute, noon + 18 * minute}});
  with({.time = {noon + hour, noon + 2 * hour}, .step_ns = minute});
  with({.time = {noon + 30 * minute, noon + 4 * hour}, .step_ns = hour});
  with({.time = {noon, noon + 6 * hour}, .step_ns = 2 * hour});
  with({.time = {noon, noon + 6 * hour}, .service = "s1"});
  with({.service = "s1", .operation = "o2"});
  with({.service = "s1", .operation = "o2", .step_ns = 30 * minute});
  with({.service = "s1", .operation = "none"});
  // Ranges that begin or end within a minute: within one, over two, over hours, to the nanosecond.
  with({.time = {noon + 90 * second, noon + 100 * second}});
  with({.time = {noon + 100 * second, noon + 130 * second}});
  with({.time = {noon + 3 * minute - 1, noon + 3 * minute + 1}});
  with({.time = {noon + 3 * minute, noon + 3 * minute}});
  with({.time = {noon + 3 * minute + 1, noon + 4 * minute}});
  with({.time = {noon + 1234 * second + 5, noon + 3 * hour + 4321 * second + 7}});
  with({.time = {noon + 1234 * second, noon + 3 * hour + 4321 * second}, .step_ns = 10 * minute});
  with({.time = {noon + 1234 * second, noon + 3 * hour + 4321 * second}, .step_ns = hour});
  with({.time = {noon + 1234 * second, noon + hour}, .service = "s2", .operation = "o0", .step_ns = minute});
  EXPECT_FALSE(world.store().latency({.step_ns = 61 * second}, soon()));
}

void any_order_over_all_operations_page_by_page(World& world) {
  const auto all = fill_hours(world, 3000);
  const store::TimeRange time{noon + 1000 * second, noon + 4 * hour + 1000 * second};
  std::map<OperationKey, std::vector<const Counted*>> by_operation;
  for (const auto& p : all)
    if (p.start >= time.from_unix_ns && p.start < time.to_unix_ns) by_operation[p.key].push_back(&p);
  using Sort = OperationsQuery::Sort;
  const auto key_of = [](const OperationPoint& point, const OperationsQuery& q) {
    const auto& s = point.stats;
    switch (q.sort) {
      case Sort::errors:
        return static_cast<double>(s.errors);
      case Sort::error_rate:
        return static_cast<double>(s.errors) / static_cast<double>(s.count);
      case Sort::cancelled:
        return static_cast<double>(s.cancelled);
      case Sort::percentile:
        return static_cast<double>(s.latency[static_cast<std::size_t>(q.sort_measure)].percentile(q.sort_quantile));
      default:
        return static_cast<double>(s.count);
    }
  };
  for (const bool ascending : {false, true})
    for (const Sort sort : {Sort::count, Sort::errors, Sort::error_rate, Sort::cancelled, Sort::percentile,
                            Sort::operation, Sort::service})
      for (const double quantile : {0.5, 1.0}) {
        OperationsQuery query{.time = time, .sort = sort, .ascending = ascending, .limit = 4};
        query.sort_measure = quantile == 1 ? store::Measure::duration : store::Measure::first_chunk;
        query.sort_quantile = quantile;
        std::vector<OperationPoint> found;
        do {
          auto page = world.store().latency(query, soon());
          ASSERT_TRUE(page) << page.error().message;
          EXPECT_EQ(page->total, by_operation.size());
          EXPECT_LE(page->points.size(), 4U);
          for (auto& point : page->points) found.push_back(std::move(point));
          query.cursor = page->cursor;
        } while (!query.cursor.empty() && found.size() < 1000);
        std::set<OperationKey> keys;
        for (const auto& point : found) keys.insert(point.stats.key);
        ASSERT_EQ(keys.size(), by_operation.size());
        ASSERT_EQ(found.size(), by_operation.size());
        for (std::size_t i = 1; i < found.size(); ++i) {
          const auto& a = found[ascending ? i : i - 1];
          const auto& b = found[ascending ? i - 1 : i];
          if (sort == Sort::operation) {
            EXPECT_GE(a.stats.key.operation, b.stats.key.operation);
          } else if (sort == Sort::service) {
            EXPECT_GE(a.stats.key.service, b.stats.key.service);
          } else {
            EXPECT_GE(key_of(a, query), key_of(b, query));
          }
        }
      }
  const auto searched = world.store().latency({.time = time, .search = "O2", .limit = 1}, soon());
  ASSERT_TRUE(searched);
  EXPECT_EQ(searched->total, 3U);
  EXPECT_EQ(searched->points.size(), 1U);
  std::uint64_t count = 0;
  for (const auto& [key, spans] : by_operation) count += key.operation == "o2" ? spans.size() : 0;
  EXPECT_EQ(searched->count, count) << "of all pages, not of this one";
  EXPECT_FALSE(world.store().latency({.cursor = "nonsense"}, soon()));
}

// The cells of a heat map: the spans in a bucket's bounds are exactly those that it counts, values on a bound too.
void a_bucket_leads_to_its_spans(World& world) {
  Batch batch;
  std::uint64_t id = 0;
  for (std::size_t bucket = 0; bucket < store::bucket_count(); bucket += 23)
    for (const std::uint64_t value : {store::bucket_low(bucket), store::bucket_high(bucket) - 1}) {
      if (value > 1'000'000 * second) continue;
      ++id;
      Sketch s{.trace = id, .id = id, .start = noon + id * second / 3, .duration = value};
      s.attributes.emplace_back("websocket.invocation.status", text("ok"));
      s.attributes.emplace_back("websocket.time_to_first_chunk", real(static_cast<double>(value) / 1e9));
      add(batch, s);
    }
  world.must_write(std::move(batch));
  const store::TimeRange time{noon + 7 * second, noon + 47 * second};
  const auto found = world.store().latency({.time = time}, soon());
  ASSERT_TRUE(found);
  ASSERT_EQ(found->points.size(), 1U);
  for (const auto measure : {store::Measure::duration, store::Measure::first_chunk}) {
    std::uint64_t cells = 0, spans = 0;
    found->points[0].stats.latency[static_cast<std::size_t>(measure)].each(
        [&](std::size_t bucket, std::uint32_t count) {
          store::SpanQuery query{.time = time};
          query.calls = true;
          query.measure = measure;
          query.least_measure = store::bucket_low(bucket);
          query.below_measure = store::bucket_high(bucket);
          query.limit = 3;
          EXPECT_EQ(world.all_spans(query).size(), count) << bucket;
          ++cells;
          spans += count;
        });
    EXPECT_GT(cells, 10U);
    EXPECT_EQ(spans, found->points[0].stats.count);
  }
}

void measures_that_are_no_numbers(World& world) {
  world.must_write(batch_of({{.attributes = {{"websocket.time_to_first_chunk", text("soon")},
                                             {"websocket.time_to_last_chunk", real(-1)},
                                             {"websocket.invocation.status", integer(1)}}},
                             {.id = 2,
                              .attributes = {{"websocket.time_to_first_chunk", integer(2)},
                                             {"websocket.time_to_last_chunk", real(1e300)}}}}));
  const auto found = world.store().latency({}, soon());
  ASSERT_TRUE(found);
  ASSERT_EQ(found->points.size(), 1U);
  const auto& stats = found->points.front().stats;
  EXPECT_EQ(stats.count, 2U);
  EXPECT_EQ(stats.cancelled, 0U);
  EXPECT_EQ(stats.latency[1].count(), 1U);
  EXPECT_EQ(stats.latency[1].max(), 2 * second);
  EXPECT_EQ(stats.latency[2].count(), 1U);
  EXPECT_GT(stats.latency[2].max(), 9'000'000'000 * second / 1000 * 999);
}

}  // namespace

std::vector<Case> latency_cases() {
  return {{"FiguresOfARangeAreThoseOfItsSpans", figures_of_a_range_are_those_of_its_spans},
          {"AnyOrderOverAllOperationsPageByPage", any_order_over_all_operations_page_by_page},
          {"ABucketLeadsToItsSpans", a_bucket_leads_to_its_spans},
          {"MeasuresThatAreNoNumbers", measures_that_are_no_numbers}};
}

}  // namespace sockeye::conformance
