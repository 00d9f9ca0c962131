#include "sockeye/pipeline/pipeline.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "fake_collector.h"
#include "folder.h"

namespace sockeye::pipeline {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::FakeCollector;
using test::Folder;
using test::numbered;

Options quick() {
  Options options;
  options.batch_delay = 20ms;
  options.retry_first = 5ms;
  options.retry_cap = 40ms;
  options.seed = 1;
  return options;
}

Options spooling(const Folder& folder, std::uint64_t limit = 8U << 20U) {
  Options options = quick();
  options.spool.directory = folder.sub("spool");
  options.spool.limit = limit;
  return options;
}

// Where the test counts on 512 spans in a batch: on a busy machine offering them takes longer than quick()'s delay.
Options whole_batches(Options options) {
  options.batch_delay = 1h;
  return options;
}

std::unique_ptr<Pipeline> begin(const Options& options, FakeCollector& collector) {
  auto pipeline = start(options, collector.transport());
  if (!pipeline) {
    ADD_FAILURE() << pipeline.error().message;
    std::abort();
  }
  return std::move(*pipeline);
}

std::uint64_t drops(const SpanCounts& a, DropReason reason) { return a.dropped[static_cast<std::size_t>(reason)]; }
std::uint64_t errors(const SpanCounts& a, ErrorKind kind) { return a.errors[static_cast<std::size_t>(kind)]; }
bool balanced(const SpanCounts& a) {
  return a.received + a.recovered == a.exported + a.dropped_total() + a.queued + a.spooled;
}

std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> out;
  for (auto i = from; i < to; ++i) out.push_back(i);
  return out;
}

void offer(Pipeline& pipeline, std::uint64_t from, std::uint64_t to) {
  for (auto i = from; i < to; ++i) pipeline.offer(numbered(i));
}

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

TEST(Pipeline, SendsFullBatchesAtOnceAndTheRestInTime) {
  FakeCollector collector;
  Options options = quick();
  {
    options.batch_delay = 1h;
    const auto pipeline = begin(options, collector);
    offer(*pipeline, 0, 1030);
    ASSERT_TRUE(eventually([&] { return pipeline->counts().exported >= 1024; }));
    EXPECT_EQ(pipeline->counts().queued, 6U);
    EXPECT_TRUE(pipeline->flush(20s));
    EXPECT_EQ(collector.batches(), (std::vector<std::uint32_t>{512, 512, 6}));
  }
  options.batch_delay = 300ms;
  const auto pipeline = begin(options, collector);
  const auto before = std::chrono::steady_clock::now();
  offer(*pipeline, 1030, 1031);
  ASSERT_TRUE(eventually([&] { return pipeline->counts().exported == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 300ms);
  EXPECT_EQ(collector.taken(), range(0, 1031));
  EXPECT_TRUE(balanced(pipeline->counts()));
}

TEST(Pipeline, ABatchIsBoundedByBytesToo) {
  FakeCollector collector;
  Options options = quick();
  options.batch_delay = 1h;
  options.batch_bytes = 64U << 10U;
  const auto pipeline = begin(options, collector);
  for (std::uint64_t i = 0; i < 64; ++i) {
    auto span = numbered(i);
    span.name.assign(8000, 'x');
    pipeline->offer(std::move(span));
  }
  ASSERT_TRUE(eventually([&] { return pipeline->counts().exported >= 56; }));
  EXPECT_LE(collector.batches().front(), 9U);
}

TEST(Pipeline, FlushDoesNotWaitForABatchToFill) {
  FakeCollector collector;
  Options options = quick();
  options.batch_delay = 1h;
  const auto pipeline = begin(options, collector);
  offer(*pipeline, 0, 3);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 3));
  collector.answer_with(Answer::away);
  offer(*pipeline, 3, 4);
  EXPECT_FALSE(pipeline->flush(50ms));
}

TEST(Pipeline, OfferNeverWaitsAndWhatDoesNotFitIsCounted) {
  FakeCollector collector;
  collector.hold(true);
  Options options = quick();
  options.queue_spans = 100;
  const auto pipeline = begin(options, collector);
  offer(*pipeline, 0, 150);
  const auto full = pipeline->counts();
  EXPECT_EQ(full.received, 150U);
  EXPECT_EQ(full.queued, 100U);
  EXPECT_EQ(drops(full, DropReason::queue_full), 50U);
  collector.hold(false);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 100));
  EXPECT_TRUE(balanced(pipeline->counts()));
}

TEST(Pipeline, TheQueueIsBoundedByBytes) {
  FakeCollector collector;
  collector.hold(true);
  Options options = quick();
  options.queue_bytes = 100'000;
  const auto pipeline = begin(options, collector);
  for (std::uint64_t i = 0; i < 50; ++i) {
    auto span = numbered(i);
    span.attributes.emplace_back("k", std::string(9000, 'v'));
    pipeline->offer(std::move(span));
  }
  const auto full = pipeline->counts();
  EXPECT_GE(full.queued, 5U);
  EXPECT_LE(full.queued, 11U);
  EXPECT_EQ(full.queued + drops(full, DropReason::queue_full), 50U);
  collector.hold(false);
  EXPECT_TRUE(pipeline->flush(20s));
}

TEST(Pipeline, WithoutASpoolAFailureIsRetriedInOrder) {
  FakeCollector collector;
  collector.answer_with([](std::uint64_t attempt) { return attempt < 5 ? Answer::away : Answer::take; });
  const auto pipeline = begin(quick(), collector);
  offer(*pipeline, 0, 2000);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 2000));
  const auto a = pipeline->counts();
  EXPECT_EQ(errors(a, ErrorKind::connect), 5U);
  EXPECT_EQ(a.resent, 0U);
  EXPECT_FALSE(a.collector_away);
  EXPECT_TRUE(balanced(a));
}

TEST(Pipeline, BackoffGrowsToItsCap) {
  FakeCollector collector;
  collector.answer_with(Answer::away);
  Options options = quick();
  options.retry_first = 40ms;
  options.retry_cap = 80ms;
  const auto pipeline = begin(options, collector);
  const auto before = std::chrono::steady_clock::now();
  offer(*pipeline, 0, 1);
  ASSERT_TRUE(collector.wait_attempts(5));
  // [20, 40] + 3 × [40, 80] ms, plus the batch's own 20.
  EXPECT_GE(std::chrono::steady_clock::now() - before, 140ms);
}

TEST(Pipeline, TheCollectorsOwnWishIsHonouredUpToACap) {
  FakeCollector collector;
  collector.answer_with([](std::uint64_t attempt) { return attempt == 0 ? Answer::later : Answer::take; });
  {
    const auto pipeline = begin(quick(), collector);
    const auto before = std::chrono::steady_clock::now();
    offer(*pipeline, 0, 1);
    EXPECT_TRUE(pipeline->flush(20s));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 290ms);
  }
  FakeCollector hostile;
  hostile.wish(1h);
  hostile.answer_with([](std::uint64_t attempt) { return attempt < 3 ? Answer::later : Answer::take; });
  Options options = quick();
  options.retry_after_cap = 1ms;
  const auto pipeline = begin(options, hostile);
  offer(*pipeline, 0, 1);
  EXPECT_TRUE(pipeline->flush(20s));
}

TEST(Pipeline, RefusalsAreDroppedAndCounted) {
  FakeCollector collector;
  collector.answer_with([](std::uint64_t attempt) {
    return attempt == 0 ? Answer::refuse : attempt == 1 ? Answer::refuse_one : Answer::take;
  });
  const auto pipeline = begin(whole_batches(quick()), collector);
  offer(*pipeline, 0, 512 * 3);
  EXPECT_TRUE(pipeline->flush(20s));
  const auto a = pipeline->counts();
  EXPECT_EQ(drops(a, DropReason::rejected), 513U);
  EXPECT_EQ(a.exported, 1023U);
  EXPECT_EQ(errors(a, ErrorKind::refused), 1U);
  EXPECT_EQ(errors(a, ErrorKind::partial), 1U);
  EXPECT_TRUE(balanced(a));
}

TEST(Pipeline, WhatMayBeThereTwiceIsCounted) {
  FakeCollector collector;
  // Lost answer, then certainly away, then taken: there twice. The next batch is taken at once.
  collector.answer_with([](std::uint64_t attempt) {
    return attempt == 0 ? Answer::lose_answer : attempt == 1 ? Answer::away : Answer::take;
  });
  const auto pipeline = begin(whole_batches(quick()), collector);
  offer(*pipeline, 0, 1000);
  EXPECT_TRUE(pipeline->flush(20s));
  std::uint64_t twice = 0;
  for (const auto& [number, times] : collector.times()) twice += times == 2 ? 1 : 0;
  EXPECT_EQ(collector.times().size(), 1000U);
  EXPECT_EQ(twice, 512U);
  EXPECT_EQ(pipeline->counts().resent, 512U);
}

TEST(Pipeline, TheSpoolTakesOverWhileTheCollectorIsAwayAndReplaysInOrder) {
  const Folder folder;
  FakeCollector collector;
  std::atomic<bool> away = false;
  collector.answer_with([&](std::uint64_t) { return away ? Answer::away : Answer::take; });
  Options options = spooling(folder);
  options.queue_spans = 2000;
  const auto pipeline = begin(options, collector);
  offer(*pipeline, 0, 600);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(pipeline->counts().spool_bytes, 0U);  // a healthy collector never sees the disk touched
  away = true;
  for (std::uint64_t n = 600; n < 12'600; n += 1000) {  // many times what the queue holds
    offer(*pipeline, n, n + 1000);
    ASSERT_TRUE(eventually([&] { return pipeline->counts().queued == 0; }));
  }
  const auto gone = pipeline->counts();
  EXPECT_EQ(gone.spooled, 12'000U);
  EXPECT_GT(gone.spool_bytes, 12'000U * 8);
  EXPECT_TRUE(gone.collector_away);
  EXPECT_TRUE(balanced(gone));
  away = false;
  offer(*pipeline, 12'600, 13'000);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 13'000));
  const auto back = pipeline->counts();
  EXPECT_EQ(back.exported, 13'000U);
  EXPECT_EQ(back.dropped_total(), 0U);
  EXPECT_EQ(back.spool_bytes, 0U);
  EXPECT_FALSE(back.collector_away);
}

TEST(Pipeline, ASlowCollectorIsHelpedByTheSpoolBeforeTheQueueOverflows) {
  const Folder folder;
  FakeCollector collector;
  collector.hold(true);
  Options options = spooling(folder);
  options.queue_spans = 1024;
  options.batch_spans = 64;
  const auto pipeline = begin(options, collector);
  for (std::uint64_t n = 0; n < 10'000; n += 100) {
    offer(*pipeline, n, n + 100);
    ASSERT_TRUE(eventually([&] { return pipeline->counts().queued < 600; }));
  }
  EXPECT_GT(pipeline->counts().spooled, 9000U);  // the batch in flight is among them, and is still sent once
  collector.hold(false);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 10'000));
  EXPECT_EQ(pipeline->counts().exported, 10'000U);
}

TEST(Pipeline, AnOrderlyRestartSendsEverythingOnceAndInOrder) {
  const Folder folder;
  FakeCollector collector;
  collector.answer_with(Answer::away);
  {
    const auto pipeline = begin(spooling(folder), collector);
    offer(*pipeline, 0, 1500);
    ASSERT_TRUE(collector.wait_attempts(1));
    offer(*pipeline, 1500, 1700);
    pipeline->stop(10s);
    const auto a = pipeline->counts();
    EXPECT_EQ(a.spooled, 1700U);
    EXPECT_EQ(a.queued, 0U);
    EXPECT_TRUE(balanced(a));
    pipeline->offer(numbered(9));
    EXPECT_EQ(drops(pipeline->counts(), DropReason::shutdown), 1U);
  }
  collector.answer_with(Answer::take);
  const auto pipeline = begin(spooling(folder), collector);
  EXPECT_EQ(pipeline->counts().recovered, 1700U);
  offer(*pipeline, 1700, 1800);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 1800));
  EXPECT_TRUE(balanced(pipeline->counts()));
}

TEST(Pipeline, StopGivesUpAtItsDeadlineAndAbortsTheAttempt) {
  FakeCollector collector;
  collector.hold(true);
  const auto pipeline = begin(quick(), collector);
  offer(*pipeline, 0, 1000);
  ASSERT_TRUE(collector.wait_attempts(1));
  const auto before = std::chrono::steady_clock::now();
  pipeline->stop(100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  const auto a = pipeline->counts();
  EXPECT_EQ(drops(a, DropReason::shutdown), 1000U);
  EXPECT_TRUE(balanced(a));
  pipeline->stop(1s);
}

TEST(Pipeline, StopSendsWhatIsQueuedToAHealthyCollector) {
  FakeCollector collector;
  Options options = quick();
  options.batch_delay = 1h;
  const auto pipeline = begin(options, collector);
  offer(*pipeline, 0, 700);
  pipeline->stop(20s);
  EXPECT_EQ(collector.taken(), range(0, 700));
  EXPECT_EQ(pipeline->counts().exported, 700U);
}

TEST(Pipeline, AFullSpoolDropsTheOldestAndSendsTheRestInOrder) {
  const Folder folder;
  FakeCollector collector;
  collector.answer_with(Answer::away);
  const auto pipeline = begin(spooling(folder, 64U << 10U), collector);
  for (std::uint64_t n = 0; n < 40'000; n += 1000) {  // 320 KB of ids
    offer(*pipeline, n, n + 1000);
    ASSERT_TRUE(eventually([&] { return pipeline->counts().queued <= 512; }));
    ASSERT_LE(pipeline->counts().spool_bytes, 64U << 10U);
  }
  collector.answer_with(Answer::take);
  EXPECT_TRUE(pipeline->flush(20s));
  const auto a = pipeline->counts();
  EXPECT_GT(drops(a, DropReason::spool_full), 30'000U);
  EXPECT_EQ(a.exported + drops(a, DropReason::spool_full), 40'000U);
  EXPECT_EQ(collector.taken(), range(40'000 - a.exported, 40'000));
}

TEST(Pipeline, ABatchInFlightThatMakesRoomIsStillJudgedByItsOutcome) {
  for (const Answer end : {Answer::take, Answer::away}) {
    const Folder folder;
    FakeCollector collector;
    collector.answer_with(Answer::away);
    const auto pipeline = begin(spooling(folder, 64U << 10U), collector);
    offer(*pipeline, 0, 1000);
    ASSERT_TRUE(collector.wait_attempts(2));
    collector.hold(true);
    ASSERT_TRUE(collector.wait_attempts(collector.attempts() + 1));  // the head is in flight …
    for (std::uint64_t n = 1000; n < 20'000; n += 1000) {            // … while the spool turns over
      offer(*pipeline, n, n + 1000);
      ASSERT_TRUE(eventually([&] { return pipeline->counts().queued <= 512; }));
    }
    EXPECT_TRUE(balanced(pipeline->counts()));
    const auto attempts = collector.attempts();
    collector.answer_with([&](std::uint64_t attempt) { return attempt < attempts ? end : Answer::take; });
    collector.hold(false);
    EXPECT_TRUE(pipeline->flush(20s));
    const auto a = pipeline->counts();
    EXPECT_TRUE(balanced(a));
    const auto times = collector.times();
    EXPECT_EQ(times.size(), a.exported);
    for (const auto& [number, count] : times) ASSERT_EQ(count, 1) << number;
    EXPECT_EQ(times.count(0), end == Answer::take ? 1U : 0U);
  }
}

TEST(Pipeline, ADirectoryInUseIsAnErrorAtTheStart) {
  const Folder folder;
  FakeCollector collector;
  const auto first = begin(spooling(folder), collector);
  const auto second = start(spooling(folder), collector.transport());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use by another process"), std::string::npos);
}

TEST(Pipeline, ASpoolThatCannotBeWrittenLeavesTheQueue) {
  const Folder folder;
  FakeCollector collector;
  collector.answer_with(Answer::away);
  Options options = spooling(folder);
  options.queue_spans = 1000;
  const auto pipeline = begin(options, collector);
  std::filesystem::remove_all(folder.path() / "spool");  // no segment can be made in a directory that is gone
  offer(*pipeline, 0, 900);
  ASSERT_TRUE(eventually([&] { return errors(pipeline->counts(), ErrorKind::spool_write) > 0; }));
  offer(*pipeline, 900, 1200);
  const auto a = pipeline->counts();
  EXPECT_EQ(a.queued, 1000U);
  EXPECT_EQ(drops(a, DropReason::queue_full), 200U);
  collector.answer_with(Answer::take);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(0, 1000));
  EXPECT_TRUE(balanced(pipeline->counts()));
}

TEST(Pipeline, LogsTheGoingAndTheComingOnce) {
  const Folder folder;
  FakeCollector collector;
  std::mutex mutex;
  std::vector<std::string> lines;
  Options options = spooling(folder);
  options.log = [&](int, const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  };
  collector.answer_with([](std::uint64_t attempt) { return attempt < 6 ? Answer::away : Answer::take; });
  const auto pipeline = begin(options, collector);
  offer(*pipeline, 0, 2000);
  EXPECT_TRUE(pipeline->flush(20s));
  pipeline->stop(1s);
  const std::lock_guard lock(mutex);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("is away"), std::string::npos);
  EXPECT_NE(lines[1].find("is back"), std::string::npos);
}

// Several producers, a collector with every mood, a full spool now and then, and someone who reads the counts all the
// time.
TEST(Pipeline, TheCountsAddUpAtAnyTime) {
  const Folder folder;
  FakeCollector collector;
  std::atomic<std::uint64_t> mood = 0;
  collector.answer_with([&](std::uint64_t attempt) {
    if (mood == 0) return Answer::take;
    if (mood == 1) return Answer::away;
    constexpr std::array moods{Answer::take, Answer::away, Answer::refuse, Answer::lose_answer, Answer::refuse_one};
    return moods[attempt % moods.size()];
  });
  Options options = spooling(folder, 64U << 10U);
  options.queue_spans = 3000;
  options.batch_spans = 100;
  options.retry_first = options.retry_cap = 1ms;
  options.spool.sync = 5ms;
  const auto pipeline = begin(options, collector);
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> readings = 0;
  std::thread reader([&] {
    while (!done) {
      EXPECT_TRUE(balanced(pipeline->counts()));
      ++readings;
      std::this_thread::yield();
    }
  });
  constexpr std::uint64_t each = 15'000;
  std::vector<std::thread> producers;
  for (std::uint64_t p = 0; p < 4; ++p)
    producers.emplace_back([&, p] {
      for (std::uint64_t i = 0; i < each; ++i) {
        pipeline->offer(numbered(p * each + i));
        if (i % 500 == 499) {
          if (p == 0) {
            mood = (i / 500) % 3;
            // In every mood the counts are read at least once, however busy the machine is.
            for (const auto before = readings.load(); readings == before;) std::this_thread::yield();
          }
          std::this_thread::sleep_for(2ms);
        }
      }
    });
  for (auto& producer : producers) producer.join();
  mood = 0;
  EXPECT_TRUE(pipeline->flush(60s));
  done = true;
  reader.join();
  const auto a = pipeline->counts();
  EXPECT_EQ(a.received, 4 * each);
  EXPECT_TRUE(balanced(a));
  EXPECT_GE(readings, each / 500);
  std::uint64_t extra = 0;
  const auto times = collector.times();
  for (const auto& [number, count] : times) extra += static_cast<std::uint64_t>(count) - 1;
  EXPECT_LE(extra, a.resent);
  EXPECT_GE(times.size(), a.exported);  // more only for what was given up after a lost answer
}

// kill -9 of ourselves while the collector is away: what was spooled is sent by the next process, once.
TEST(Pipeline, ACrashLosesNoSpooledSpan) {
  const Folder folder;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    FakeCollector collector;
    collector.answer_with([](std::uint64_t attempt) { return attempt == 4 ? Answer::take : Answer::away; });
    const auto pipeline = begin(whole_batches(spooling(folder)), collector);
    offer(*pipeline, 0, 5120);
    // The batch taken is acknowledged in the spool; then the crash.
    while (pipeline->counts().exported != 512 || pipeline->counts().spooled != 5120 - 512) ::usleep(1000);
    if (::write(pipe[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(pipe[1]);
  char byte = 0;
  ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
  ::close(pipe[0]);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);

  FakeCollector collector;
  const auto pipeline = begin(spooling(folder), collector);
  EXPECT_EQ(pipeline->counts().recovered, 5120U - 512);
  EXPECT_TRUE(pipeline->flush(20s));
  EXPECT_EQ(collector.taken(), range(512, 5120));
}

}  // namespace
}  // namespace sockeye::pipeline
