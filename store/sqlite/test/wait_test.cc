// What would wait too long for its commit is refused at once, before the queue is full.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "folder.h"
#include "sockeye/sqlite/open.h"

namespace sockeye::sqlite::test {
namespace {

struct Answers {
  std::atomic<int> stored{0}, busy{0}, others{0};
};

// Twenty batches of some megabytes, all at once: faster than any disk takes them.
void flood(store::Store& store, Answers& answers) {
  std::vector<store::Batch> batches;
  for (std::uint64_t i = 0; i < 20; ++i) batches.push_back(some_spans(1 + 2000 * i, 2000, 1000));
  for (auto& batch : batches)
    store.write(std::move(batch), [&](const store::Written& written) {
      ++(written.refusal == store::Refusal::none   ? answers.stored
         : written.refusal == store::Refusal::busy ? answers.busy
                                                   : answers.others);
    });
}

TEST(Wait, WhatWouldWaitTooLongIsRefusedAtOnce) {
  const Folder folder;
  Options options;
  options.directory = folder.path();
  options.queue_bytes = 1U << 30U;
  options.longest_wait = std::chrono::milliseconds(20);
  Answers answers;
  {
    auto store = open(options);
    ASSERT_TRUE(store) << store.error().message;
    flood(**store, answers);
    // What proxies report is not held back by it.
    store::Batch report;
    report.sessions.emplace_back().id = number<base::SessionId>(1);
    EXPECT_EQ(write(**store, std::move(report)).refusal, store::Refusal::none);
    // When they are written there is room again.
    EXPECT_EQ(write(**store, some_spans(1'000'000, 10)).refusal, store::Refusal::none);
  }
  EXPECT_GE(answers.stored, 1);
  EXPECT_GE(answers.busy, 1);
  EXPECT_EQ(answers.stored + answers.busy, 20);
}

TEST(Wait, WithoutABoundTheQueueIsOne) {
  const Folder folder;
  Options options;
  options.directory = folder.path();
  options.queue_bytes = 1U << 30U;
  Answers answers;
  {
    auto store = open(options);
    ASSERT_TRUE(store) << store.error().message;
    flood(**store, answers);
  }
  EXPECT_EQ(answers.stored, 20);
}

}  // namespace
}  // namespace sockeye::sqlite::test
