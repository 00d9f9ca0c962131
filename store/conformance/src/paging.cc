// Pages, deadlines, and many at once.
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "world.h"

namespace sockeye::conformance {
namespace {

using Ids = std::vector<base::SpanId>;

void fill(World& world, std::uint64_t first, std::uint64_t count, std::uint64_t starts) {
  Batch batch;
  for (std::uint64_t i = first; i < first + count; ++i)
    add(batch, {.trace = i / 3 + 1,
                .id = i,
                .start = noon + (i * 7919 % starts) * second,
                .attributes = {{"even", boolean(i % 2 == 0)}}});
  world.must_write(std::move(batch));
}

void pages_neither_skip_nor_repeat_while_spans_come(World& world) {
  constexpr std::uint64_t before = 3000;
  fill(world, 1, before, 500);  // many begin at the same moment
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> next = before + 1;
  std::thread writing([&] {
    while (!stop && next < 6'000) {
      fill(world, next, 50, 500);
      next += 50;
    }
  });
  for (const bool filtered : {false, true}) {
    std::multiset<base::SpanId> seen;
    store::SpanQuery query{.limit = 37};
    if (filtered) query.attributes = {{"even", "true"}};
    for (const auto& id : world.all_spans(query)) seen.insert(id);
    for (std::uint64_t i = 1; i <= before; ++i)
      ASSERT_EQ(seen.count(span_id(i)), !filtered || i % 2 == 0 ? 1U : 0U) << i;
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size());
    std::multiset<base::TraceId> traces;
    query.limit = 23;
    for (const auto& each : world.all_traces(query)) traces.insert(each.trace_id);
    for (std::uint64_t i = 3; i < before; i += 3) ASSERT_EQ(traces.count(trace_id(i / 3 + 1)), 1U) << i;
    EXPECT_EQ(std::set(traces.begin(), traces.end()).size(), traces.size());
  }
  stop = true;
  writing.join();
  EXPECT_EQ(world.store().stats().spans, next - 1);
}

// A cursor of one list or order is none of another.
void cursors_that_are_none(World& world) {
  fill(world, 1, 10, 10);
  Batch batch;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    store::Session session;
    session.id = session_id(i);
    session.opened_unix_ns = noon + i * second;
    batch.sessions.push_back(session);
  }
  world.must_write(std::move(batch));
  const auto of_spans = world.store().spans({.limit = 2}, soon())->cursor;
  const auto of_traces = world.store().traces({.limit = 1}, soon())->cursor;
  store::SessionQuery by_opening;
  by_opening.limit = 1;
  const auto of_sessions = world.store().sessions(by_opening, soon())->cursor;
  EXPECT_TRUE(world.store().spans({.cursor = of_spans}, soon()));
  EXPECT_TRUE(world.store().traces({.cursor = of_traces}, soon()));
  for (const auto sort :
       {store::SessionQuery::Sort::ended, store::SessionQuery::Sort::duration, store::SessionQuery::Sort::messages}) {
    store::SessionQuery other;
    other.sort = sort;
    other.cursor = of_sessions;
    EXPECT_EQ(world.store().sessions(other, soon()).error().message, store::bad_cursor);
  }
  for (const auto& cursor : {of_traces, of_sessions}) EXPECT_FALSE(world.store().spans({.cursor = cursor}, soon()));
  std::vector<std::string> wrong = {"x", "-1", "'; DROP TABLE span; --", "\xff\xfe", "999999999999999999999999"};
  for (const auto& good : {of_spans, of_traces, of_sessions})
    for (const char* rest : {"", ".", "...", ".2.3", ".2.3.4.5", ".zzzzzzzzzzzzzzzz.1.1", ".-5.1.1"})
      wrong.push_back(good.substr(0, good.find('.')) + rest);
  wrong.push_back(of_spans + std::string(100'000, '1'));
  for (const auto& cursor : wrong) {
    const auto spans = world.store().spans({.cursor = cursor}, soon());
    EXPECT_FALSE(spans) << cursor;
    EXPECT_FALSE(!spans && spans.error().message.empty());
    EXPECT_FALSE(world.store().traces({.cursor = cursor}, soon())) << cursor;
    store::SessionQuery sessions;
    sessions.cursor = cursor;
    EXPECT_FALSE(world.store().sessions(sessions, soon())) << cursor;
  }
}

// However early the deadline is, the pages together are everything, in order.
void a_deadline_ends_early_and_the_cursor_goes_on(World& world) {
  constexpr std::uint64_t count = 5000;
  for (std::uint64_t i = 0; i < count; i += 500) fill(world, i + 1, 500, 4000);
  for (const bool filtered : {false, true}) {
    store::SpanQuery query{.limit = 500};
    if (filtered) query.attributes = {{"even", "false"}};
    const Ids expected = world.all_spans(query);
    Ids found;
    bool early = false;
    for (int i = 0; i < 100'000; ++i) {
      // Mostly past already, sometimes a little ahead: a store may need a moment to get anywhere.
      auto deadline = std::chrono::steady_clock::now();
      deadline += std::chrono::microseconds(i % 4 == 3 ? 2000 : -1000);
      const auto page = world.store().spans(query, deadline);
      ASSERT_TRUE(page) << page.error().message;
      for (const auto& span : page->spans.spans) found.push_back(span.span_id);
      early = early || !page->complete;
      if (!page->complete) {
        ASSERT_FALSE(page->cursor.empty());
      }
      query.cursor = page->cursor;
      if (query.cursor.empty()) break;
    }
    EXPECT_TRUE(early);
    EXPECT_EQ(found, expected);
  }
}

void many_read_while_one_writes(World& world) {
  std::atomic<std::uint64_t> written = 0;
  std::atomic<bool> stop = false;
  constexpr int count = 6;
  std::vector<std::thread> readers;
  readers.reserve(count);
  for (int i = 0; i < count; ++i)
    readers.emplace_back([&, i] {
      std::mt19937_64 random(static_cast<std::uint64_t>(i));
      while (!stop) {
        const std::uint64_t known = written;
        if (known == 0) continue;
        // What was acknowledged before is there.
        const std::uint64_t one = 1 + random() % known;
        const auto trace = world.store().trace(trace_id(one), 10, soon());
        ASSERT_TRUE(trace) << trace.error().message;
        ASSERT_EQ(trace->spans.size(), 1U);
        const auto spans = world.store().spans({.attributes = {{"n", std::to_string(one)}}}, soon());
        ASSERT_TRUE(spans) << spans.error().message;
        ASSERT_EQ(spans->spans.spans.size(), 1U);
        ASSERT_TRUE(world.store().latency({}, soon()));
        ASSERT_TRUE(world.store().sessions({}, soon()));
        ASSERT_GE(world.store().stats().spans, known);
      }
    });
  for (std::uint64_t i = 1; i <= 3000; i += 20) {
    Batch batch;
    for (std::uint64_t k = i; k < i + 20; ++k)
      add(batch,
          {.trace = k, .id = k, .start = noon + k, .attributes = {{"n", integer(static_cast<std::int64_t>(k))}}});
    world.must_write(std::move(batch));
    written = i + 19;
  }
  stop = true;
  for (auto& each : readers) each.join();
}

void writers_at_once(World& world) {
  std::vector<std::thread> writers;
  for (std::uint64_t w = 0; w < 4; ++w)
    writers.emplace_back([&, w] {
      for (std::uint64_t i = 0; i < 100; ++i)
        world.must_write(batch_of({{.trace = 1, .id = w * 1000 + i + 1}, {.trace = 2, .id = i + 1}}));
    });
  for (auto& each : writers) each.join();
  EXPECT_EQ(world.trace(1).spans.size(), 400U);
  EXPECT_EQ(world.trace(2).spans.size(), 100U);
  if (world.can().counts_duplicates) {
    EXPECT_EQ(world.store().stats().duplicate_spans, 300U);
  }
}

}  // namespace

std::vector<Case> paging_cases() {
  return {{"PagesNeitherSkipNorRepeatWhileSpansCome", pages_neither_skip_nor_repeat_while_spans_come},
          {"CursorsThatAreNone", cursors_that_are_none},
          {"ADeadlineEndsEarlyAndTheCursorGoesOn", a_deadline_ends_early_and_the_cursor_goes_on},
          {"ManyReadWhileOneWrites", many_read_while_one_writes},
          {"WritersAtOnce", writers_at_once}};
}

}  // namespace sockeye::conformance
