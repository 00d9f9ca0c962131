// Calls in any order, over the whole range, and counted by what they have in common; beside sorting a list.
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "world.h"

namespace sockeye::conformance {
namespace {

using store::Dimension;
using store::Figures;
using store::Measure;
using store::SpanQuery;

struct Call {
  Sketch sketch;
  std::string route, client, version, tier;  // tier "": none
  bool call = false;
  std::map<Measure, std::uint64_t> values;

  [[nodiscard]] std::uint64_t of(Measure m) const {
    if (m == Measure::duration) return sketch.duration;
    const auto found = values.find(m);
    return found == values.end() ? Figures::unknown : found->second;
  }
};

void write_calls(World& world, std::vector<Call>& calls, std::uint64_t first, std::uint64_t count,
                 std::uint64_t seed = 3) {
  std::mt19937_64 random(seed + first);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  Batch batch;
  for (std::uint64_t id = first; id < first + count; ++id) {
    Call call;
    Sketch& s = call.sketch;
    s = {.trace = id / 3 + 1, .id = id, .start = noon + pick(86'400) * second + pick(second)};
    s.duration = pick(10) == 0 ? pick(3600) * second : pick(400) * 25'000'000;  // many of one length
    s.service = "service " + std::to_string(pick(3));
    s.name = "Operation/" + std::to_string(pick(7));
    s.status = pick(10) == 0 ? 2 : 1;
    s.kind = static_cast<std::uint8_t>(1 + pick(3));
    call.call = pick(5) != 0;
    call.route = "route-" + std::to_string(pick(4));
    call.client = "10.0.0." + std::to_string(pick(20));
    call.version = "v" + std::to_string(pick(2));
    s.attributes = {{"sockeye.route", text(call.route)}, {"client.address", text(call.client)}};
    if (pick(4) == 0) {
      call.tier = pick(30) == 0 ? "rare" : "gold";
      s.attributes.emplace_back("tier", text(call.tier));
    }
    if (call.call) {
      s.attributes.emplace_back("websocket.invocation.status", text(pick(6) == 0 ? "cancelled" : "ok"));
      if (pick(3) != 0)
        for (const auto m : {Measure::first_chunk, Measure::last_chunk, Measure::longest_pause, Measure::perceived}) {
          if (m == Measure::perceived && pick(2) == 0) continue;
          const std::uint64_t value = pick(200) * 50'000'000;
          call.values[m] = value;
          s.attributes.emplace_back(store::attribute_of(m), real(static_cast<double>(value) / 1e9));
        }
      call.values[Measure::chunks] = pick(40);
      s.attributes.emplace_back(store::attribute_of(Measure::chunks),
                                integer(static_cast<std::int64_t>(call.values[Measure::chunks])));
    }
    s.resource = {{"service.version", text(call.version)}};
    add(batch, s);
    calls.push_back(std::move(call));
  }
  world.must_write(std::move(batch));
}

std::vector<Call> fill_calls(World& world, std::uint64_t count) {
  std::vector<Call> out;
  for (std::uint64_t id = 1; id <= count; id += 250) write_calls(world, out, id, 250);
  return out;
}

bool call_fits(const Call& c, const SpanQuery& q) {
  const Sketch& s = c.sketch;
  if (s.start < q.time.from_unix_ns || s.start >= q.time.to_unix_ns) return false;
  if (!q.service.empty() && q.service != s.service) return false;
  if (!q.operation.empty() && q.operation != s.name) return false;
  if (q.operation_contains == "ION/3" && s.name != "Operation/3") return false;
  if (q.status && *q.status != s.status) return false;
  if (q.calls && !c.call) return false;
  if (!q.route.empty() && q.route != c.route) return false;
  if (s.duration < q.min_duration_ns || s.duration > q.max_duration_ns) return false;
  if (q.measure) {
    const auto value = c.of(*q.measure);
    if (value == Figures::unknown || value < q.least_measure || value >= q.below_measure) return false;
  }
  if (q.sort && c.of(*q.sort) == Figures::unknown) return false;
  if (!q.without.empty() && !c.tier.empty()) return false;
  return q.attributes.empty() || c.tier == q.attributes.front().second;
}

std::uint64_t key_of(const Call& c, const SpanQuery& q) { return q.sort ? c.of(*q.sort) : c.sketch.start; }

void any_order_over_the_whole_range(World& world) {
  const auto all = fill_calls(world, 3000);
  std::mt19937_64 random(11);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  std::map<base::SpanId, const Call*> by_id;
  for (const auto& call : all) by_id[span_id(call.sketch.id)] = &call;
  constexpr std::optional<Measure> sorts[] = {std::nullopt,        Measure::duration,      Measure::first_chunk,
                                              Measure::last_chunk, Measure::longest_pause, Measure::perceived};
  std::uint64_t answered = 0;
  for (std::size_t round = 0; round < 48; ++round) {
    SpanQuery q;
    q.sort = sorts[round % 6];
    q.ascending = round % 12 >= 6;
    const Call& like = all[pick(all.size())];
    if (pick(3) == 0) q.calls = true;
    if (pick(3) == 0) q.route = like.route;
    if (pick(3) == 0) q.service = like.sketch.service;
    if (pick(4) == 0) q.operation = like.sketch.name;
    if (pick(4) == 0) q.operation_contains = "ION/3";
    if (pick(4) == 0) q.status = like.sketch.status;
    if (pick(4) == 0) q.min_duration_ns = like.sketch.duration / 2;
    if (pick(4) == 0) q.attributes = {{"tier", pick(2) == 0 ? "rare" : "gold"}};
    if (q.attributes.empty() && pick(4) == 0) q.without = "tier";
    if (pick(3) == 0) q.time = {like.sketch.start - pick(7200) * second, like.sketch.start + 1 + pick(7200) * second};
    if (pick(3) == 0) {
      q.measure = pick(2) == 0 ? Measure::first_chunk : Measure::duration;
      q.least_measure = pick(5) * second;
      q.below_measure = q.least_measure + pick(9) * second;
    }
    q.limit = 40 + pick(400);
    std::vector<std::pair<std::uint64_t, base::SpanId>> expected, found;
    for (const auto& call : all)
      if (call_fits(call, q)) expected.emplace_back(key_of(call, q), span_id(call.sketch.id));
    const auto first = world.spans(q);
    if (first.total) {
      EXPECT_EQ(*first.total, expected.size()) << "round " << round;
    }
    for (const auto& id : world.all_spans(q)) found.emplace_back(key_of(*by_id.at(id), q), id);
    ASSERT_TRUE(std::is_sorted(
        found.begin(), found.end(),
        [&](const auto& a, const auto& b) { return q.ascending ? a.first < b.first : a.first > b.first; }))
        << "round " << round;
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << "round " << round;
    answered += found.size();
    // Traces come in the order of their foremost span.
    std::map<base::TraceId, std::uint64_t> best;
    for (const auto& [key, id] : expected) {
      const auto [known, fresh] = best.try_emplace(trace_id(by_id.at(id)->sketch.trace), key);
      if (!fresh) known->second = q.ascending ? std::min(known->second, key) : std::max(known->second, key);
    }
    std::vector<std::uint64_t> keys;
    for (const auto& trace : world.all_traces(q)) {
      const auto found_best = best.find(trace.trace_id);
      ASSERT_NE(found_best, best.end()) << "a trace twice, or one that does not fit, round " << round;
      keys.push_back(found_best->second);
      best.erase(found_best);
      EXPECT_EQ(trace.sorted.has_value(), q.sort.has_value());
      if (q.sort) {
        EXPECT_DOUBLE_EQ(*trace.sorted, static_cast<double>(keys.back()) / 1e9);
      }
    }
    EXPECT_TRUE(best.empty()) << "round " << round;
    EXPECT_TRUE(q.ascending ? std::is_sorted(keys.begin(), keys.end()) : std::is_sorted(keys.rbegin(), keys.rend()))
        << "round " << round;
  }
  EXPECT_GT(answered, 2'000U);
}

void sorted_pages_are_whole_while_spans_come(World& world) {
  std::vector<Call> before;
  for (std::uint64_t id = 1; id <= 2500; id += 250) write_calls(world, before, id, 250);
  std::atomic<bool> stop = false;
  std::thread writing([&] {
    std::vector<Call> later;
    for (std::uint64_t id = 10'001; !stop && id < 20'000; id += 50) write_calls(world, later, id, 50);
  });
  for (const auto sort : {Measure::duration, Measure::first_chunk}) {
    SpanQuery query;
    query.sort = sort;
    query.limit = 41;
    std::multiset<base::SpanId> seen;
    for (const auto& id : world.all_spans(query)) seen.insert(id);
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size()) << "one twice";
    for (const auto& call : before)
      ASSERT_EQ(seen.count(span_id(call.sketch.id)), call.of(sort) == Figures::unknown ? 0U : 1U) << call.sketch.id;
  }
  stop = true;
  writing.join();
}

void a_deadline_says_so(World& world) {
  const auto all = fill_calls(world, 1000);
  SpanQuery query;
  query.sort = Measure::duration;
  query.limit = 300;
  const auto late = world.store().spans(query, std::chrono::steady_clock::now() - std::chrono::seconds(1));
  EXPECT_TRUE(!late || !late->complete);
  const auto groups = world.store().groups({}, std::chrono::steady_clock::now() - std::chrono::seconds(1));
  EXPECT_TRUE(!groups || !groups->complete);
  const auto latency = world.store().latency({}, std::chrono::steady_clock::now() - std::chrono::seconds(1));
  EXPECT_TRUE(!latency || !latency->complete);
  EXPECT_EQ(world.all_spans(query).size(), all.size());
  // A cursor of one order is none of another.
  const auto page = world.spans(query);
  query.sort = Measure::first_chunk;
  query.cursor = page.cursor;
  EXPECT_FALSE(world.store().spans(query, soon()));
}

void groups_are_those_of_a_list(World& world) {
  const auto all = fill_calls(world, 2500);
  struct By {
    Dimension dimension;
    std::string key;
    std::function<std::optional<std::string>(const Call&)> value;
  };
  const auto some = [](auto text) { return std::optional<std::string>(text); };
  const std::vector<By> bys = {
      {Dimension::service, "", [&](const Call& c) { return some(c.sketch.service); }},
      {Dimension::operation, "", [&](const Call& c) { return some(c.sketch.name); }},
      {Dimension::route, "", [&](const Call& c) { return some(c.route); }},
      {Dimension::client, "", [&](const Call& c) { return some(c.client); }},
      {Dimension::dialect, "", [](const Call&) { return std::optional<std::string>(); }},
      {Dimension::status, "", [&](const Call& c) { return some(std::to_string(c.sketch.status)); }},
      {Dimension::kind, "", [&](const Call& c) { return some(std::to_string(c.sketch.kind)); }},
      {Dimension::attribute, "tier",
       [](const Call& c) { return c.tier.empty() ? std::optional<std::string>() : std::optional(c.tier); }},
      {Dimension::attribute, "service.version", [&](const Call& c) { return some(c.version); }}};
  for (const auto& by : bys)
    for (const auto figure : {Measure::duration, Measure::first_chunk, Measure::chunks})
      for (const bool filtered : {false, true}) {
        store::GroupsQuery query;
        query.by = by.dimension;
        query.by_key = by.key;
        query.figure = figure;
        query.limit = 3;
        query.sort = filtered ? store::GroupsQuery::Sort::percentile : store::GroupsQuery::Sort::count;
        if (filtered) {
          query.ascending = true;
          query.spans.calls = true;
          query.spans.route = "route-1";
          query.spans.time = {noon + 1000 * second, noon + 50'000 * second};
        }
        std::map<std::optional<std::string>, std::vector<const Call*>> expected;
        std::uint64_t counted = 0;
        for (const auto& call : all)
          if (call_fits(call, query.spans)) {
            expected[by.value(call)].push_back(&call);
            ++counted;
          }
        std::vector<store::Group> found;
        do {
          auto page = world.store().groups(query, soon());
          ASSERT_TRUE(page) << page.error().message;
          EXPECT_TRUE(page->complete);
          EXPECT_EQ(page->total, expected.size()) << by.key;
          EXPECT_EQ(page->counted, counted);
          EXPECT_LE(page->groups.size(), 3U);
          for (auto& group : page->groups) found.push_back(std::move(group));
          query.cursor = page->cursor;
        } while (!query.cursor.empty() && found.size() < 1000);
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
          const auto& group = found[i];
          ASSERT_TRUE(expected.contains(group.value));
          store::Sketch figures;
          std::uint64_t errors = 0;
          for (const auto* call : expected.at(group.value)) {
            errors += call->sketch.status == 2 ? 1 : 0;
            if (call->of(figure) != Figures::unknown) figures.add(call->of(figure));
          }
          EXPECT_EQ(group.count, expected.at(group.value).size());
          EXPECT_EQ(group.errors, errors);
          EXPECT_EQ(group.figure, figures);
          if (i > 0 && !filtered) {
            EXPECT_LE(group.count, found[i - 1].count);
          }
          if (i > 0 && filtered && found[i - 1].figure.count() > 0) {  // ascending; those without come last
            EXPECT_TRUE(group.figure.count() == 0 ||
                        group.figure.percentile(0.95) >= found[i - 1].figure.percentile(0.95));
          }
        }
      }
  // A number of the spans' own, in millionths.
  world.must_write(batch_of({{.id = 90'001, .service = "model", .attributes = {{"tokens", integer(120)}}},
                             {.id = 90'002, .service = "model", .attributes = {{"tokens", real(80.5)}}},
                             {.id = 90'003, .service = "model", .attributes = {{"tokens", text("many")}}}}));
  store::GroupsQuery query;
  query.spans.service = "model";
  query.figure_key = "tokens";
  const auto page = world.store().groups(query, soon());
  ASSERT_TRUE(page);
  ASSERT_EQ(page->groups.size(), 1U);
  EXPECT_EQ(page->groups[0].count, 3U);
  EXPECT_EQ(page->groups[0].figure.count(), 2U);
  EXPECT_EQ(page->groups[0].figure.max(), 120'000'000U);
  EXPECT_EQ(page->groups[0].figure.min(), 80'500'000U);
  query.cursor = "1.1.1.1";
  EXPECT_FALSE(world.store().groups(query, soon()));
}

}  // namespace

std::vector<Case> call_cases() {
  return {{"AnyOrderOverTheWholeRange", any_order_over_the_whole_range},
          {"SortedPagesAreWholeWhileSpansCome", sorted_pages_are_whole_while_spans_come},
          {"ADeadlineSaysSo", a_deadline_says_so},
          {"GroupsAreThoseOfAList", groups_are_those_of_a_list}};
}

}  // namespace sockeye::conformance
