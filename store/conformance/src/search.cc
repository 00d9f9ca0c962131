// Every condition of a search, and all of them together beside a search that reads everything.
#include <algorithm>
#include <charconv>
#include <map>
#include <random>

#include "world.h"

namespace sockeye::conformance {
namespace {

using store::SpanQuery;
using Ids = std::vector<base::SpanId>;

Ids ids(std::initializer_list<std::uint64_t> numbers) {
  Ids out;
  for (const auto n : numbers) out.push_back(span_id(n));
  return out;
}

void every_condition(World& world) {
  const auto at = [](std::uint64_t s) { return noon + s * second; };
  world.must_write(batch_of(
      {{.trace = 1, .id = 1, .start = at(1), .duration = 10, .service = "a", .name = "x", .kind = 1, .session = 5},
       {.trace = 1, .id = 2, .start = at(2), .duration = 20, .service = "a", .name = "y", .kind = 2, .status = 2},
       {.trace = 2, .id = 3, .start = at(3), .duration = 30, .service = "b", .name = "x", .status = 1, .session = 5},
       {.trace = 2,
        .id = 4,
        .start = at(4),
        .duration = 40,
        .service = "b",
        .name = "z",
        .kind = 5,
        .status = 2,
        .attributes = {{"http.route", text("/cart")}}},
       {.trace = 3, .id = 5, .start = at(5), .duration = 50, .service = "b", .name = "x", .session = 6}}));
  EXPECT_EQ(world.all_spans({}), ids({5, 4, 3, 2, 1}));
  EXPECT_EQ(world.all_spans({.service = "a"}), ids({2, 1}));
  EXPECT_EQ(world.all_spans({.operation = "x"}), ids({5, 3, 1}));
  EXPECT_EQ(world.all_spans({.service = "b", .operation = "x"}), ids({5, 3}));
  EXPECT_EQ(world.all_spans({.service = "a", .operation = "z"}), ids({}));
  EXPECT_EQ(world.all_spans({.service = "A"}), ids({}));
  EXPECT_EQ(world.all_spans({.status = std::uint8_t{2}}), ids({4, 2}));
  EXPECT_EQ(world.all_spans({.status = std::uint8_t{0}}), ids({5, 1}));
  EXPECT_EQ(world.all_spans({.service = "b", .operation = "z", .status = std::uint8_t{2}}), ids({4}));
  EXPECT_EQ(world.all_spans({.kind = std::uint8_t{5}}), ids({4}));
  EXPECT_EQ(world.all_spans({.min_duration_ns = 30}), ids({5, 4, 3}));
  EXPECT_EQ(world.all_spans({.max_duration_ns = 20}), ids({2, 1}));
  EXPECT_EQ(world.all_spans({.min_duration_ns = 20, .max_duration_ns = 40}), ids({4, 3, 2}));
  EXPECT_EQ(world.all_spans({.service = "b", .min_duration_ns = 40}), ids({5, 4}));
  EXPECT_EQ(world.all_spans({.attributes = {{"http.route", "/cart"}}}), ids({4}));
  EXPECT_EQ(world.all_spans({.session = session_id(5)}), ids({3, 1}));
  EXPECT_EQ(world.all_spans({.status = std::uint8_t{1}, .session = session_id(5)}), ids({3}));
  EXPECT_EQ(world.all_spans({.session = session_id(7)}), ids({}));
  // From inclusive, to exclusive.
  EXPECT_EQ(world.all_spans({.time = {at(2), at(4)}}), ids({3, 2}));
  EXPECT_EQ(world.all_spans({.time = {at(2), at(2)}}), ids({}));
  EXPECT_EQ(world.all_spans({.time = {at(4), at(2)}}), ids({}));
  EXPECT_EQ(world.all_spans({.time = {at(2), at(5)}, .session = session_id(5)}), ids({3}));
}

void attributes_by_their_text(World& world) {
  const Attributes attributes = {{"count", integer(17)},
                                 {"negative", integer(-5)},
                                 {"ratio", real(2.5)},
                                 {"whole", real(3)},
                                 {"tenth", real(0.1)},
                                 {"yes", boolean(true)},
                                 {"no", boolean(false)},
                                 {"text", text("17")},
                                 {"none", Value{}},
                                 {"bytes", of_type(Value::Type::bytes, "ab")},
                                 {"twice", text("one")},
                                 {"twice", text("two")},
                                 {"list", of_type(Value::Type::array, "\x0a\x02\x18\x07")}};
  world.must_write(
      batch_of({{.attributes = attributes, .resource = {{"host.name", text("h1")}}, .scope = {{"lib", integer(3)}}},
                {.trace = 2, .id = 2, .attributes = {{"other", text("h1")}}}}));
  const auto finds = [&](const std::string& key, const std::string& value) {
    return world.all_spans({.attributes = {{key, value}}}) == ids({1});
  };
  EXPECT_TRUE(finds("count", "17"));
  EXPECT_FALSE(finds("count", "17.0"));
  EXPECT_FALSE(finds("count", "1"));
  EXPECT_TRUE(finds("negative", "-5"));
  EXPECT_TRUE(finds("ratio", "2.5"));
  EXPECT_TRUE(finds("whole", "3"));
  EXPECT_TRUE(finds("tenth", "0.1"));
  EXPECT_TRUE(finds("yes", "true"));
  EXPECT_TRUE(finds("no", "false"));
  EXPECT_FALSE(finds("yes", "1"));
  EXPECT_TRUE(finds("text", "17"));
  EXPECT_TRUE(finds("bytes", "ab"));
  EXPECT_TRUE(finds("twice", "one"));
  EXPECT_TRUE(finds("twice", "two"));
  EXPECT_TRUE(finds("host.name", "h1"));
  EXPECT_TRUE(finds("lib", "3"));
  EXPECT_TRUE(finds("service.name", "shop") || world.all_spans({.attributes = {{"service.name", "shop"}}}).size() == 2);
  for (const char* key : {"count", "none", "list", "host.name", "lib"}) EXPECT_TRUE(finds(key, "")) << key;
  EXPECT_EQ(world.all_spans({.attributes = {{"absent", ""}}}), ids({}));
  // Of one span, though some of the resource.
  EXPECT_EQ(world.all_spans({.attributes = {{"count", "17"}, {"host.name", "h1"}, {"lib", ""}}}), ids({1}));
  EXPECT_EQ(world.all_spans({.attributes = {{"count", "17"}, {"other", "h1"}}}), ids({}));
}

// The same spans as a list, and the same question as a loop.
struct Plain {
  Sketch sketch;
  std::map<std::string, std::string> attributes;  // resource and scope, too
};

bool fits(const Plain& p, const SpanQuery& q) {
  const Sketch& s = p.sketch;
  if (s.start < q.time.from_unix_ns || s.start >= q.time.to_unix_ns) return false;
  if (!q.service.empty() && q.service != s.service) return false;
  if (!q.operation.empty() && q.operation != s.name) return false;
  if (q.status && *q.status != s.status) return false;
  if (q.kind && *q.kind != s.kind) return false;
  if (s.duration < q.min_duration_ns || s.duration > q.max_duration_ns) return false;
  if (q.session && (!s.session || session_id(*s.session) != *q.session)) return false;
  return std::all_of(q.attributes.begin(), q.attributes.end(), [&](const auto& wanted) {
    const auto found = p.attributes.find(wanted.first);
    return found != p.attributes.end() && (wanted.second.empty() || found->second == wanted.second);
  });
}

void anything_beside_reading_everything(World& world) {
  std::mt19937_64 random(20240229);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  std::vector<Plain> all;
  constexpr std::uint64_t count = 12'000;
  for (std::uint64_t i = 1; i <= count;) {
    Batch batch;
    for (std::uint64_t k = 0; k < 300; ++k, ++i) {
      Plain plain;
      Sketch& s = plain.sketch;
      s = {.trace = 1 + pick(count / 4), .id = i};
      // Mostly in order of arrival; some spans come hours after they began, some clocks are years ahead.
      s.start = noon + i * second / 10 + pick(20) * second;
      if (pick(20) == 0) s.start -= pick(3600) * second;
      if (pick(500) == 0) s.start += 315'360'000 * second;
      s.duration = std::uint64_t{1} << pick(40);
      s.service = "service " + std::to_string(pick(4));
      s.name = "operation " + std::to_string(pick(40) * pick(5));
      s.kind = static_cast<std::uint8_t>(pick(6));
      s.status = pick(50) == 0 ? 2 : static_cast<std::uint8_t>(pick(2));
      if (pick(3) == 0) s.session = pick(50);
      const auto say = [&](Attributes& where, const std::string& key, const std::string& value) {
        if (!plain.attributes.emplace(key, value).second) return;
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        // The value's text lives in the list until the batch has kept it.
        where.emplace_back(key, error == std::errc() && end == value.data() + value.size()
                                    ? integer(number)
                                    : text(plain.attributes.at(key)));
      };
      say(s.attributes, "http.status_code", std::to_string(200 + pick(4) * 100));
      say(s.attributes, "user", "u" + std::to_string(pick(3000)));
      if (pick(1500) == 0) say(s.attributes, "rare", "yes");
      say(s.resource, "host.name", "host-" + std::to_string(pick(6)));
      say(s.scope, "library", std::to_string(pick(3)));
      plain.attributes.emplace("service.name", s.service);
      add(batch, s);
      all.push_back(std::move(plain));
    }
    world.must_write(std::move(batch));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Plain& a, const Plain& b) { return a.sketch.start > b.sketch.start; });
  std::size_t answered = 0;
  for (int round = 0; round < 150; ++round) {
    SpanQuery q;
    const Plain& like = all[pick(all.size())];
    if (pick(3) == 0) q.service = like.sketch.service;
    if (pick(3) == 0) q.operation = like.sketch.name;
    if (pick(4) == 0) q.status = like.sketch.status;
    if (pick(6) == 0) q.kind = like.sketch.kind;
    if (pick(4) == 0) q.min_duration_ns = like.sketch.duration / (1 + pick(3));
    if (pick(6) == 0) q.max_duration_ns = like.sketch.duration * (1 + pick(3));
    if (pick(6) == 0 && like.sketch.session) q.session = session_id(*like.sketch.session);
    if (pick(3) == 0) q.time = {like.sketch.start - pick(600) * second, like.sketch.start + 1 + pick(600) * second};
    for (const auto& [key, value] : like.attributes)
      if (pick(key == "rare" ? 1 : 6) == 0) q.attributes.emplace_back(key, pick(5) == 0 ? "" : value);
    q.limit = 1 + pick(2000);
    std::vector<std::pair<std::uint64_t, base::SpanId>> expected, found;
    for (const Plain& each : all)
      if (fits(each, q)) expected.emplace_back(each.sketch.start, span_id(each.sketch.id));
    std::map<base::SpanId, std::uint64_t> starts;
    for (const Plain& each : all) starts[span_id(each.sketch.id)] = each.sketch.start;
    for (const auto& id : world.all_spans(q)) found.emplace_back(starts[id], id);
    ASSERT_TRUE(
        std::is_sorted(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; }))
        << "round " << round;
    // Spans that began together may come in any order.
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << "round " << round;
    answered += found.size();
  }
  EXPECT_GT(answered, 10'000U);
}

void traces_by_their_latest_match(World& world) {
  const auto at = [](std::uint64_t s) { return noon + s * second; };
  world.must_write(
      batch_of({{.trace = 1,
                 .id = 1,
                 .start = at(0),
                 .duration = 100 * second,
                 .service = "front",
                 .name = "root",
                 .session = 4},
                {.trace = 1, .id = 2, .parent = 1, .start = at(50), .service = "back", .name = "call", .status = 2},
                {.trace = 1, .id = 3, .parent = 1, .start = at(10), .service = "back", .name = "call"},
                {.trace = 2, .id = 4, .parent = 9, .start = at(20), .service = "back", .name = "call"},
                {.trace = 2, .id = 5, .parent = 4, .start = at(21), .service = "front", .name = "late"},
                {.trace = 3, .id = 6, .start = at(90), .service = "other", .name = "alone"}}));
  const auto found = world.all_traces({.operation = "call"});
  ASSERT_EQ(found.size(), 2U);
  const auto& one = found[0];
  EXPECT_EQ(one.trace_id, trace_id(1));
  EXPECT_EQ(one.root_service, "front");
  EXPECT_EQ(one.root_operation, "root");
  EXPECT_FALSE(one.root_missing);
  EXPECT_EQ(one.start_unix_ns, at(0));
  EXPECT_EQ(one.end_unix_ns, at(100));
  EXPECT_EQ(one.spans, 3U);
  EXPECT_EQ(one.errors, 1U);
  EXPECT_EQ(one.matched, 2U);
  EXPECT_EQ(one.session, session_id(4));
  EXPECT_EQ(one.services, (std::vector<std::pair<std::string, std::uint64_t>>{{"back", 2}, {"front", 1}}));
  const auto& two = found[1];
  EXPECT_EQ(two.trace_id, trace_id(2));
  EXPECT_TRUE(two.root_missing);
  EXPECT_EQ(two.root_operation, "call");
  EXPECT_EQ(two.matched, 1U);
  EXPECT_FALSE(two.session);
  // A trace is listed once, whatever the pages are.
  for (const std::size_t limit : {1U, 2U, 3U}) {
    const auto all = world.all_traces({.limit = limit});
    ASSERT_EQ(all.size(), 3U) << limit;
    EXPECT_EQ(all[0].trace_id, trace_id(3));
    EXPECT_EQ(all[1].trace_id, trace_id(1));
    EXPECT_EQ(all[2].trace_id, trace_id(2));
  }
}

}  // namespace

std::vector<Case> search_cases() {
  return {{"EveryCondition", every_condition},
          {"AttributesByTheirText", attributes_by_their_text},
          {"AnythingBesideReadingEverything", anything_beside_reading_everything},
          {"TracesByTheirLatestMatch", traces_by_their_latest_match}};
}

}  // namespace sockeye::conformance
