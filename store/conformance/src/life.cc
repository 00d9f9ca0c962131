// A store's own life: closed and opened again, a queue that is full, what grows old.
#include <atomic>
#include <thread>

#include "world.h"

namespace sockeye::conformance {
namespace {

void all_of_it_is_there_after_opening_again(World& world) {
  if (!world.can().durable) GTEST_SKIP() << "it keeps nothing";
  // Over several of whatever a backend groups spans by.
  for (std::uint64_t first = 1; first <= 5000; first += 250) {
    Batch batch;
    for (std::uint64_t i = first; i < first + 250; ++i)
      add(batch, {.trace = i,
                  .id = i,
                  .start = noon + i * second,
                  .attributes = {{"n", integer(static_cast<std::int64_t>(i))}}});
    world.must_write(std::move(batch));
    if (first % 1000 == 1) world.reopen();
  }
  const auto before = world.all_spans({.limit = 999});
  ASSERT_EQ(before.size(), 5000U);
  world.reopen();
  EXPECT_EQ(world.all_spans({.limit = 999}), before);
  if (world.can().counts_duplicates) {
    EXPECT_EQ(world.store().stats().spans, 5000U);
  }
  for (const std::uint64_t i : {1U, 1024U, 1025U, 2500U, 4999U, 5000U}) {
    EXPECT_EQ(world.all_spans({.attributes = {{"n", std::to_string(i)}}}), std::vector{span_id(i)});
    EXPECT_EQ(world.trace(i).spans.size(), 1U);
  }
  // Still known as there.
  world.must_write(batch_of({{.trace = 77, .id = 77}}));
  EXPECT_EQ(world.trace(77).spans.size(), 1U);
}

void what_is_queued_is_written_before_it_closes(World& world) {
  std::atomic<int> answers = 0;
  for (std::uint64_t i = 1; i <= 200; ++i)
    world.store().write(batch_of({{.trace = 1, .id = i}}), [&](const store::Written& written) {
      if (written.refusal == store::Refusal::none) ++answers;
    });
  const bool durable = world.can().durable;
  world.close();
  EXPECT_EQ(answers, 200);
  world.open();
  if (durable) {
    EXPECT_EQ(world.trace(1).spans.size(), 200U);
  }
}

void a_full_queue_refuses_and_recovers(World& world) {
  if (!world.can().queues) GTEST_SKIP() << "it has no queue";
  std::atomic<int> taken = 0, refused = 0;
  constexpr int count = 3000;
  for (std::uint64_t i = 1; i <= count; ++i)
    world.store().write(batch_of({{.trace = 1, .id = i, .attributes = {{"load", text(std::string(4000, 'x'))}}}}),
                        [&](const store::Written& written) {
                          if (written.refusal == store::Refusal::none) {
                            ++taken;
                          } else {
                            EXPECT_EQ(written.refusal, store::Refusal::busy);
                            EXPECT_FALSE(written.message.empty());
                            ++refused;
                          }
                        });
  const auto deadline = soon();
  while (taken + refused < count && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(taken + refused, count);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(world.store().stats().refused_batches, static_cast<std::uint64_t>(refused));
  EXPECT_EQ(world.trace(1).spans.size(), static_cast<std::size_t>(taken));
  EXPECT_EQ(world.write(batch_of({{.trace = 2}})).refusal, store::Refusal::none);
  // One that is larger than the queue is not refused for ever.
  Batch large = batch_of({{.trace = 3, .attributes = {{"load", text(std::string(1 << 20, 'x'))}}}});
  EXPECT_EQ(world.write(std::move(large)).refusal, store::Refusal::none);
}

void what_is_old_goes_while_it_runs(World& world) {
  Batch batch;
  for (std::uint64_t i = 1; i <= 3000; ++i) add(batch, {.trace = i, .id = i, .start = noon + i, .session = 1 + i % 9});
  store::Log log;
  log.trace_id = trace_id(1);
  batch.logs.push_back(log);
  store::Session session;
  session.id = session_id(1);
  session.instance = "p";
  batch.sessions.push_back(session);
  world.must_write(std::move(batch));
  EXPECT_EQ(world.store().stats().spans, 3000U);
  const auto deadline = soon();
  const auto gone = [&] {
    const auto stats = world.store().stats();
    return stats.spans == 0 && stats.logs == 0 && stats.sessions == 0;
  };
  std::uint64_t id = 100'000;
  while (!gone() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(gone());
  EXPECT_EQ(world.store().stats().expired_spans, 3000U);
  EXPECT_GT(world.store().stats().kept_since_unix_ns, 0U) << "what it does not keep any more, it says";
  EXPECT_TRUE(world.trace(1).empty());
  EXPECT_TRUE(world.all_spans({}).empty());
  EXPECT_TRUE(world.all_spans({.session = session_id(3)}).empty());
  // And what comes is taken, those that went included.
  world.must_write(batch_of({{.trace = 1, .id = 1}, {.trace = 1, .id = ++id}}));
  EXPECT_EQ(world.trace(1).spans.size(), 2U);
}

}  // namespace

std::vector<Case> life_cases() {
  return {{"AllOfItIsThereAfterOpeningAgain", all_of_it_is_there_after_opening_again},
          {"WhatIsQueuedIsWrittenBeforeItCloses", what_is_queued_is_written_before_it_closes},
          {"AFullQueueRefusesAndRecovers", a_full_queue_refuses_and_recovers, {.queue_bytes = 256 << 10}},
          {"WhatIsOldGoesWhileItRuns", what_is_old_goes_while_it_runs, {.keep_for = std::chrono::seconds(2)}}};
}

}  // namespace sockeye::conformance
