// What is written comes back as it was, once.
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "world.h"

namespace sockeye::conformance {
namespace {

using Type = Value::Type;

void expect_same(const Value& a, const Value& b) {
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.truncated, b.truncated);
  switch (a.type) {
    case Type::empty:
      return;
    case Type::boolean:
      EXPECT_EQ(a.boolean, b.boolean);
      return;
    case Type::integer:
      EXPECT_EQ(a.integer, b.integer);
      return;
    case Type::real:
      EXPECT_TRUE(a.real == b.real || (std::isnan(a.real) && std::isnan(b.real)));
      return;
    default:
      EXPECT_EQ(a.text, b.text);
  }
}

void expect_same(const Batch& of_a, store::Range a, const Batch& of_b, store::Range b) {
  ASSERT_EQ(a.count, b.count);
  for (std::uint32_t i = 0; i < a.count; ++i) {
    EXPECT_EQ(of_a.of(a)[i].key, of_b.of(b)[i].key);
    expect_same(of_a.of(a)[i].value, of_b.of(b)[i].value);
  }
}

void every_type_of_value(World& world) {
  // array_value {string "a", int 7}; kvlist_value {"k": true}: serialized as OTLP has them.
  const std::string array("\x0a\x03\x0a\x01\x61\x0a\x02\x18\x07", 9), map("\x0a\x07\x0a\x01k\x12\x02\x10\x01", 9);
  const std::string long_text(store::longest_value, 'x');
  Value cut = text("cut short");
  cut.truncated = true;
  const Attributes attributes = {{"text", text("grüße 🐟")},
                                 {"empty text", text("")},
                                 {"nothing", Value{}},
                                 {"true", boolean(true)},
                                 {"false", boolean(false)},
                                 {"zero", integer(0)},
                                 {"least", integer(INT64_MIN)},
                                 {"most", integer(INT64_MAX)},
                                 {"half", real(0.5)},
                                 {"nan", real(std::nan(""))},
                                 {"infinite", real(-std::numeric_limits<double>::infinity())},
                                 {"bytes", of_type(Type::bytes, std::string_view("\0\xff\x01", 3))},
                                 {"array", of_type(Type::array, array)},
                                 {"map", of_type(Type::map, map)},
                                 {"cut", cut},
                                 {"", text("a key of no length")},
                                 {"twice", integer(1)},
                                 {"twice", integer(2)},
                                 {"long", text(long_text)}};
  const auto make = [&] { return batch_of({{.attributes = attributes, .resource = attributes, .scope = attributes}}); };
  world.must_write(make());
  const Batch is = world.trace(1), was = make();
  ASSERT_EQ(is.spans.size(), 1U);
  expect_same(is, is.spans[0].attributes, was, was.spans[0].attributes);
  const auto& origin = is.origins[is.spans[0].origin];
  expect_same(is, origin.resource, was, was.origins[0].resource);
  expect_same(is, origin.scope, was, was.origins[0].scope);
}

void everything_of_a_span(World& world) {
  Batch batch;
  auto& span = add(batch, {.trace = 7, .id = 8, .parent = 9, .kind = 4, .status = 2, .session = 3});
  span.flags = 0x301;
  span.trace_state = "vendor=1,other=2";
  span.status_message = "it broke";
  span.dropped_attributes = 1;
  span.dropped_events = 2;
  span.dropped_links = UINT32_MAX;
  batch.origins[0].scope_name = "scope";
  batch.origins[0].scope_version = "1.2.3";
  batch.origins[0].resource_schema_url = "https://opentelemetry.io/schemas/1.30.0";
  batch.origins[0].scope_schema_url = "https://opentelemetry.io/schemas/1.31.0";
  store::Event event{.time_unix_ns = UINT64_MAX, .name = "first_chunk", .attributes = {}, .dropped_attributes = 5};
  event.attributes = add_attributes(batch, {{"lane", text("audio")}, {"n", integer(2)}});
  batch.events = {{.time_unix_ns = 0, .name = "", .attributes = {}, .dropped_attributes = 0}, event};
  batch.spans[0].events = {0, 2};
  store::Link link{.trace_id = trace_id(70),
                   .span_id = span_id(80),
                   .trace_state = "l=1",
                   .flags = 0x100,
                   .attributes = {},
                   .dropped_attributes = 6};
  link.attributes = add_attributes(batch, {{"websocket.link", text("connection")}});
  batch.links = {link};
  batch.spans[0].links = {0, 1};
  world.must_write(std::move(batch));

  const Batch is = world.trace(7);
  ASSERT_EQ(is.spans.size(), 1U);
  const auto& got = is.spans[0];
  EXPECT_EQ(got.trace_id, trace_id(7));
  EXPECT_EQ(got.span_id, span_id(8));
  EXPECT_EQ(got.parent_id, span_id(9));
  EXPECT_EQ(got.kind, 4);
  EXPECT_EQ(got.status, 2);
  EXPECT_EQ(got.flags, 0x301U);
  EXPECT_EQ(got.name, "buy");
  EXPECT_EQ(got.trace_state, "vendor=1,other=2");
  EXPECT_EQ(got.status_message, "it broke");
  EXPECT_EQ(got.start_unix_ns, noon);
  EXPECT_EQ(got.end_unix_ns, noon + second / 100);
  EXPECT_EQ(got.session, session_id(3));
  EXPECT_EQ(got.dropped_attributes, 1U);
  EXPECT_EQ(got.dropped_events, 2U);
  EXPECT_EQ(got.dropped_links, UINT32_MAX);
  EXPECT_EQ(is.origins[got.origin].service, "shop");
  EXPECT_EQ(is.origins[got.origin].scope_name, "scope");
  EXPECT_EQ(is.origins[got.origin].scope_version, "1.2.3");
  EXPECT_EQ(is.origins[got.origin].resource_schema_url, "https://opentelemetry.io/schemas/1.30.0");
  EXPECT_EQ(is.origins[got.origin].scope_schema_url, "https://opentelemetry.io/schemas/1.31.0");
  ASSERT_EQ(is.events_of(got).size(), 2U);
  EXPECT_EQ(is.events_of(got)[0].time_unix_ns, 0U);
  EXPECT_EQ(is.events_of(got)[1].time_unix_ns, UINT64_MAX);
  EXPECT_EQ(is.events_of(got)[1].name, "first_chunk");
  EXPECT_EQ(is.events_of(got)[1].dropped_attributes, 5U);
  ASSERT_EQ(is.events_of(got)[1].attributes.count, 2U);
  EXPECT_EQ(is.of(is.events_of(got)[1].attributes)[0].value.text, "audio");
  EXPECT_EQ(is.of(is.events_of(got)[1].attributes)[1].value.integer, 2);
  ASSERT_EQ(is.links_of(got).size(), 1U);
  const auto& back = is.links_of(got)[0];
  EXPECT_EQ(back.trace_id, trace_id(70));
  EXPECT_EQ(back.span_id, span_id(80));
  EXPECT_EQ(back.trace_state, "l=1");
  EXPECT_EQ(back.flags, 0x100U);
  EXPECT_EQ(back.dropped_attributes, 6U);
  ASSERT_EQ(back.attributes.count, 1U);
  EXPECT_EQ(is.of(back.attributes)[0].value.text, "connection");
}

void times_at_their_extremes(World& world) {
  constexpr std::uint64_t in_2262 = INT64_MAX;
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> times = {{0, 0},
                                                                      {0, 1},
                                                                      {1, 0},
                                                                      {noon, noon - 5 * second},
                                                                      {0, UINT64_MAX},
                                                                      {UINT64_MAX, 0},
                                                                      {noon, noon},
                                                                      {in_2262, in_2262},
                                                                      {in_2262 + 1, in_2262 + 9},
                                                                      {UINT64_MAX, UINT64_MAX},
                                                                      {UINT64_MAX - 1, UINT64_MAX}};
  Batch batch;
  for (std::size_t i = 0; i < times.size(); ++i) {
    auto& span = add(batch, {.id = i + 1});
    span.start_unix_ns = times[i].first;
    span.end_unix_ns = times[i].second;
  }
  world.must_write(std::move(batch));
  const Batch is = world.trace(1);
  ASSERT_EQ(is.spans.size(), times.size());
  for (const auto& span : is.spans) {
    const auto& [start, end] = times[span.span_id.bytes[7] - 1U];
    EXPECT_EQ(span.start_unix_ns, start) << int{span.span_id.bytes[7]};
    EXPECT_EQ(span.end_unix_ns, end) << int{span.span_id.bytes[7]};
  }
  EXPECT_EQ(world.all_spans({.limit = 3}).size(), times.size());
  // An end before the start is no duration.
  EXPECT_EQ(world.all_spans({.min_duration_ns = 1}).size(), 4U);
  EXPECT_EQ(world.all_spans({.max_duration_ns = 0}).size(), 7U);
  EXPECT_EQ(world.all_spans({.time = {0, 1}}).size(), 3U);
}

void strings_that_mean_something_elsewhere(World& world) {
  const std::vector<std::string> strings = {"<script>alert(1)</script>",
                                            "'; DROP TABLE span; --",
                                            "a\" OR \"1\"=\"1",
                                            std::string("nul\0inside", 10),
                                            "%_*?[a-z]",
                                            "\xF0\x9F\x90\x9F",
                                            "\r\n\t\x1b[31m",
                                            std::string(10'000, 'n')};
  Batch batch;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    Attributes attributes = {{strings[i], text(strings[i])}};
    add(batch, {.trace = i + 1, .id = i + 1, .service = strings[i], .name = strings[i], .attributes = attributes});
  }
  world.must_write(std::move(batch));
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const Batch is = world.trace(i + 1);
    ASSERT_EQ(is.spans.size(), 1U);
    EXPECT_EQ(is.spans[0].name, strings[i]);
    EXPECT_EQ(is.origins[is.spans[0].origin].service, strings[i]);
    ASSERT_EQ(is.spans[0].attributes.count, 1U);
    EXPECT_EQ(is.of(is.spans[0].attributes)[0].key, strings[i]);
    EXPECT_EQ(is.of(is.spans[0].attributes)[0].value.text, strings[i]);
    const auto only = std::vector{span_id(i + 1)};
    EXPECT_EQ(world.all_spans({.service = strings[i]}), only);
    EXPECT_EQ(world.all_spans({.operation = strings[i]}), only);
    EXPECT_EQ(world.all_spans({.attributes = {{strings[i], strings[i]}}}), only);
    const auto operations = world.store().operations({.service = strings[i]}, soon());
    ASSERT_TRUE(operations);
    ASSERT_EQ(operations->items.size(), 1U);
    EXPECT_EQ(operations->items[0].operation, strings[i]);
  }
}

void a_span_twice_is_there_once(World& world) {
  world.must_write(batch_of({{.name = "first"}, {.name = "second"}}));
  world.must_write(batch_of({{.name = "third", .status = 2}, {.id = 2, .name = "new"}}));
  // The same span id in another trace is another span.
  world.must_write(batch_of({{.trace = 2}}));
  const Batch is = world.trace(1);
  ASSERT_EQ(is.spans.size(), 2U);
  EXPECT_EQ(is.spans[0].name, "first");
  EXPECT_EQ(world.all_spans({.status = std::uint8_t{2}}).size(), 0U);
  EXPECT_EQ(world.all_traces({}).size(), 2U);
  // A duplicate counts nowhere.
  const auto latency = world.store().latency({}, soon());
  ASSERT_TRUE(latency);
  std::uint64_t count = 0, errors = 0;
  for (const auto& point : latency->points) {
    count += point.stats.count;
    errors += point.stats.errors;
  }
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(errors, 0U);
}

void duplicates_are_counted(World& world) {
  if (!world.can().counts_duplicates) GTEST_SKIP() << "it does not count duplicates";
  EXPECT_EQ(world.write(batch_of({{.name = "first"}, {.name = "second"}})).duplicates, 1U);
  EXPECT_EQ(world.write(batch_of({{.name = "third"}, {.id = 2, .name = "new"}})).duplicates, 1U);
  EXPECT_EQ(world.write(batch_of({{.trace = 2}})).duplicates, 0U);
  const auto stats = world.store().stats();
  EXPECT_EQ(stats.spans, 3U);
  EXPECT_EQ(stats.written_spans, 3U);
  EXPECT_EQ(stats.duplicate_spans, 2U);
}

void a_batch_is_seen_whole_or_not_at_all(World& world) {
  if (!world.can().atomic_batches) GTEST_SKIP() << "parts of a batch may be seen";
  constexpr std::uint64_t batches = 60, spans = 40;
  std::atomic<bool> stop = false;
  std::thread reading([&] {
    while (!stop) {
      const auto found = world.store().spans({.limit = 10'000}, soon());
      ASSERT_TRUE(found);
      EXPECT_EQ(found->spans.spans.size() % spans, 0U);
    }
  });
  for (std::uint64_t i = 0; i < batches; ++i) {
    Batch batch;  // over days, that a backend may keep apart
    for (std::uint64_t k = 1; k <= spans; ++k)
      add(batch, {.trace = i + 1, .id = k, .start = noon + k * 86'400 * second});
    world.must_write(std::move(batch));
  }
  stop = true;
  reading.join();
  EXPECT_EQ(world.all_spans({.limit = 10'000}).size(), batches * spans);
}

void parents_missing_and_in_circles(World& world) {
  world.must_write(
      batch_of({{.id = 1, .parent = 99}, {.id = 2, .parent = 3}, {.id = 3, .parent = 2}, {.id = 4, .parent = 4}}));
  const Batch is = world.trace(1);
  ASSERT_EQ(is.spans.size(), 4U);
  for (const auto& span : is.spans) {
    const std::uint8_t parents[] = {0, 99, 3, 2, 4};
    EXPECT_EQ(span.parent_id, span_id(parents[span.span_id.bytes[7]]));
  }
  const auto traces = world.all_traces({});
  ASSERT_EQ(traces.size(), 1U);
  EXPECT_TRUE(traces[0].root_missing);
  EXPECT_EQ(traces[0].spans, 4U);
}

void a_trace_by_start_and_at_most_so_many(World& world) {
  Batch batch;
  for (std::uint64_t i = 0; i < 50; ++i) add(batch, {.id = i + 1, .start = noon + (i * 37 % 50) * second});
  add(batch, {.trace = 2, .id = 51});
  world.must_write(std::move(batch));
  const Batch all = world.trace(1);
  ASSERT_EQ(all.spans.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(all.spans[i].start_unix_ns, noon + i * second);
  const Batch some = world.trace(1, 7);
  ASSERT_EQ(some.spans.size(), 7U);
  EXPECT_EQ(some.spans.back().start_unix_ns, noon + 6 * second);
  EXPECT_TRUE(world.trace(77).empty());
}

void logs_with_their_trace(World& world) {
  Batch batch = batch_of({{.trace = 1}});
  const auto log = [&](std::uint64_t trace, std::uint64_t time, const Value& body) {
    store::Log out;
    out.time_unix_ns = time;
    if (trace != 0) out.trace_id = trace_id(trace);
    out.span_id = span_id(1);
    out.severity = 17;
    out.severity_text = "ERROR";
    out.event_name = "device.app.lifecycle";
    out.body = body;
    out.body.truncated = true;
    out.attributes = add_attributes(batch, {{"k", integer(5)}});
    out.dropped_attributes = 3;
    batch.logs.push_back(out);
  };
  log(1, noon + 2, text("later"));
  log(1, noon + 1, integer(42));
  log(2, noon, text("of another trace"));
  log(0, UINT64_MAX, Value{});
  world.must_write(std::move(batch));
  const Batch is = world.trace(1);
  EXPECT_EQ(is.spans.size(), 1U);
  ASSERT_EQ(is.logs.size(), 2U);
  EXPECT_EQ(is.logs[0].time_unix_ns, noon + 1);
  expect_same(is.logs[0].body, [] {
    Value out = integer(42);
    out.truncated = true;
    return out;
  }());
  EXPECT_EQ(is.logs[1].body.text, "later");
  EXPECT_EQ(is.logs[1].severity, 17);
  EXPECT_EQ(is.logs[1].severity_text, "ERROR");
  EXPECT_EQ(is.logs[1].event_name, "device.app.lifecycle");
  EXPECT_EQ(is.logs[1].span_id, span_id(1));
  EXPECT_EQ(is.logs[1].dropped_attributes, 3U);
  EXPECT_EQ(is.origins[is.logs[1].origin].service, "shop");
  ASSERT_EQ(is.logs[1].attributes.count, 1U);
  EXPECT_EQ(is.of(is.logs[1].attributes)[0].value.integer, 5);
  EXPECT_EQ(world.trace(2).logs.size(), 1U);
  EXPECT_EQ(world.store().stats().logs, 4U);
}

void what_is_not_whole_is_refused_whole(World& world) {
  Batch nothing;
  EXPECT_EQ(world.write(std::move(nothing)).refusal, store::Refusal::none);
  Batch bad = batch_of({{.id = 1}, {.id = 2}});
  bad.spans[1].attributes = {0, 1000};
  EXPECT_EQ(world.write(std::move(bad)).refusal, store::Refusal::broken);
  Batch worse = batch_of({{.id = 1}});
  worse.spans[0].origin = 5;
  EXPECT_EQ(world.write(std::move(worse)).refusal, store::Refusal::broken);
  EXPECT_TRUE(world.trace(1).empty());
  EXPECT_EQ(world.store().stats().spans, 0U);
}

}  // namespace

std::vector<Case> span_cases() {
  return {{"EveryTypeOfValue", every_type_of_value},
          {"EverythingOfASpan", everything_of_a_span},
          {"TimesAtTheirExtremes", times_at_their_extremes},
          {"StringsThatMeanSomethingElsewhere", strings_that_mean_something_elsewhere},
          {"ASpanTwiceIsThereOnce", a_span_twice_is_there_once},
          {"DuplicatesAreCounted", duplicates_are_counted},
          {"ABatchIsSeenWholeOrNotAtAll", a_batch_is_seen_whole_or_not_at_all},
          {"ParentsMissingAndInCircles", parents_missing_and_in_circles},
          {"ATraceByStartAndAtMostSoMany", a_trace_by_start_and_at_most_so_many},
          {"LogsWithTheirTrace", logs_with_their_trace},
          {"WhatIsNotWholeIsRefusedWhole", what_is_not_whole_is_refused_whole}};
}

}  // namespace sockeye::conformance
