// Latencies by operation and time beside counting by hand.
#include <map>
#include <random>

#include "world.h"

namespace sockeye::conformance {
namespace {

using store::OperationStats;

void add_up(OperationStats& to, std::uint64_t duration, std::uint8_t status, bool cancelled, double first,
            double last) {
  ++to.count;
  to.errors += status == 2 ? 1 : 0;
  to.cancelled += cancelled ? 1 : 0;
  ++to.latency[0][store::latency_bucket(static_cast<double>(duration) * 1e-9)];
  if (first >= 0) ++to.latency[1][store::latency_bucket(first)];
  if (last >= 0) ++to.latency[2][store::latency_bucket(last)];
}

void counts_are_those_of_the_spans(World& world) {
  std::mt19937_64 random(7);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  constexpr std::uint64_t minute = 60 * second, hour = 60 * minute;
  using Key = std::pair<std::uint64_t, store::OperationKey>;  // minute
  std::map<Key, OperationStats> by_minute;
  for (std::uint64_t id = 1; id <= 6000;) {
    Batch batch;
    for (int i = 0; i < 200; ++i, ++id) {
      Sketch s{.trace = id, .id = id, .start = noon + pick(6 * 3600) * second, .duration = 1ULL << pick(42)};
      s.service = "s" + std::to_string(pick(3));
      s.name = "o" + std::to_string(pick(5));
      s.status = static_cast<std::uint8_t>(pick(3));
      const bool cancelled = pick(9) == 0;
      const double first = pick(2) == 0 ? static_cast<double>(pick(1000)) / 300 : -1;
      const double last = first >= 0 ? first * 2 : -1;
      s.attributes.emplace_back("websocket.invocation.status", text(cancelled ? "cancelled" : "ok"));
      if (first >= 0) s.attributes.emplace_back("websocket.time_to_first_chunk", real(first));
      if (last >= 0) s.attributes.emplace_back("websocket.time_to_last_chunk", real(last));
      add(batch, s);
      add_up(by_minute[{s.start / minute * minute, {s.service, s.name}}], s.duration, s.status, cancelled, first, last);
    }
    world.must_write(std::move(batch));
  }
  const auto compare = [&](const store::OperationsQuery& query) {
    std::map<Key, OperationStats> expected;
    for (const auto& [key, stats] : by_minute) {
      if (key.first < query.time.from_unix_ns / minute * minute || key.first >= query.time.to_unix_ns) continue;
      if (!query.service.empty() && query.service != key.second.service) continue;
      if (!query.operation.empty() && query.operation != key.second.operation) continue;
      const std::uint64_t at = query.step_ns == 0 ? query.time.from_unix_ns : key.first / query.step_ns * query.step_ns;
      auto& to = expected[{at, key.second}];
      to.count += stats.count;
      to.errors += stats.errors;
      to.cancelled += stats.cancelled;
      for (std::size_t m = 0; m < 3; ++m)
        for (std::size_t b = 0; b < store::latency_buckets; ++b) to.latency[m][b] += stats.latency[m][b];
    }
    const auto found = world.store().latency(query, soon());
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), expected.size());
    ASSERT_FALSE(found->empty());
    for (const auto& point : *found) {
      const auto& wanted = expected.at({point.time_unix_ns, point.stats.key});
      EXPECT_EQ(point.stats.count, wanted.count);
      EXPECT_EQ(point.stats.errors, wanted.errors);
      EXPECT_EQ(point.stats.cancelled, wanted.cancelled);
      EXPECT_EQ(point.stats.latency, wanted.latency);
    }
  };
  compare({});
  compare({.time = {noon, noon + 6 * hour}});
  compare({.time = {noon + 17 * minute, noon + 5 * hour + 3 * minute}});
  compare({.time = {noon + 17 * minute, noon + 18 * minute}});
  compare({.time = {noon + hour, noon + 2 * hour}, .step_ns = minute});
  compare({.time = {noon + 30 * minute, noon + 4 * hour}, .step_ns = hour});
  compare({.time = {noon, noon + 6 * hour}, .step_ns = 2 * hour});
  compare({.time = {noon, noon + 6 * hour}, .service = "s1"});
  compare({.service = "s1", .operation = "o2", .step_ns = 30 * minute});
  // Those with most spans, and no others.
  const auto most = world.store().latency({.limit = 2}, soon());
  const auto all = world.store().latency({}, soon());
  ASSERT_TRUE(most && all);
  ASSERT_EQ(most->size(), 2U);
  std::vector<std::uint64_t> counts;
  for (const auto& point : *all) counts.push_back(point.stats.count);
  std::sort(counts.rbegin(), counts.rend());
  EXPECT_EQ((*most)[0].stats.count, counts[0]);
  EXPECT_EQ((*most)[1].stats.count, counts[1]);
  EXPECT_FALSE(world.store().latency({.step_ns = 61 * second}, soon()));
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
  ASSERT_EQ(found->size(), 1U);
  const auto& stats = found->front().stats;
  EXPECT_EQ(stats.count, 2U);
  EXPECT_EQ(stats.cancelled, 0U);
  EXPECT_EQ(stats.latency[1][store::latency_bucket(2)], 1U);
  EXPECT_EQ(stats.latency[2][store::latency_buckets - 1], 1U);
}

}  // namespace

std::vector<Case> latency_cases() {
  return {{"CountsAreThoseOfTheSpans", counts_are_those_of_the_spans},
          {"MeasuresThatAreNoNumbers", measures_that_are_no_numbers}};
}

}  // namespace sockeye::conformance
