// Full disks, limits of size, and a log that must not grow for ever.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "folder.h"
#include "tuning.h"

namespace sockeye::sqlite::test {
namespace {

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

std::unique_ptr<store::Store> open_in(const Folder& folder, const Tuning& tuning, std::uint64_t keep_bytes = 0) {
  Options options;
  options.directory = folder.path();
  options.keep_bytes = keep_bytes;
  auto store = open_with(options, tuning);
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

// Every span that was acknowledged, and none that was refused.
void expect_exactly(store::Store& store, const std::vector<std::pair<std::uint64_t, bool>>& batches,
                    std::uint64_t each) {
  for (const auto& [first, taken] : batches)
    for (std::uint64_t i = first; i < first + each; i += each / 5) {
      const auto trace = store.trace(number<base::TraceId>(i), 10, soon());
      ASSERT_TRUE(trace) << trace.error().message;
      EXPECT_EQ(trace->spans.size(), taken ? 1U : 0U) << i;
    }
}

TEST(Full, IsRefusedSaidAndMadeGood) {
  const Folder folder;
  std::vector<std::pair<std::uint64_t, bool>> batches;
  std::uint64_t next = 1;
  {
    Tuning tuning;
    tuning.most_pages = 200;
    const auto store = open_in(folder, tuning);
    for (int refused = 0; refused < 3; next += 500) {
      const auto written = write(*store, some_spans(next, 500));
      batches.emplace_back(next, written.refusal == store::Refusal::none);
      if (written.refusal == store::Refusal::none) continue;
      ++refused;
      ASSERT_EQ(written.refusal, store::Refusal::full);
      EXPECT_NE(written.message.find(folder.path()), std::string::npos) << written.message;
      EXPECT_EQ(store->stats().trouble, written.message);
      ASSERT_LT(next, 100'000U);
    }
    EXPECT_GT(batches.size(), 4U);
    EXPECT_EQ(store->stats().refused_batches, 3U);
    expect_exactly(*store, batches, 500);
  }
  const auto store = open_in(folder, {});
  EXPECT_EQ(write(*store, some_spans(next, 500)).refusal, store::Refusal::none);
  batches.emplace_back(next, true);
  EXPECT_EQ(store->stats().trouble, "");
  expect_exactly(*store, batches, 500);
  const auto taken = std::count_if(batches.begin(), batches.end(), [](const auto& b) { return b.second; });
  EXPECT_EQ(store->stats().spans, static_cast<std::uint64_t>(taken) * 500);
}

// The kernel refuses the write itself, in the middle of a transaction; then there is room again.
TEST(Full, RecoversInTheSameProcessWhenRoomReturns) {
  const Folder folder;
  const auto store = open_in(folder, {});
  EXPECT_EQ(write(*store, some_spans(1, 500)).refusal, store::Refusal::none);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = size_of(folder.database() + "-wal") + 300'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::vector<std::pair<std::uint64_t, bool>> batches;
  std::uint64_t next = 1000;
  store::Written written;
  for (int i = 0; i < 100; ++i, next += 500) {
    written = write(*store, some_spans(next, 500));
    batches.emplace_back(next, written.refusal == store::Refusal::none);
    if (batches.size() > 3 && written.refusal != store::Refusal::none) break;
  }
  const auto trouble = store->stats().trouble;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(written.refusal, store::Refusal::full) << written.message;
  EXPECT_EQ(trouble, written.message);
  next += 500;
  for (int i = 0; i < 3; ++i, next += 500) {
    EXPECT_EQ(write(*store, some_spans(next, 500)).refusal, store::Refusal::none);
    batches.emplace_back(next, true);
  }
  EXPECT_EQ(store->stats().trouble, "");
  expect_exactly(*store, batches, 500);
}

TEST(Retention, BySizeWhileItIsWrittenTo) {
  const Folder folder;
  constexpr std::uint64_t limit = 24U << 20U;
  Tuning tuning;
  tuning.checkpoint_pages = 64;
  std::uint64_t largest = 0;
  std::uint64_t next = 1;
  {
    const auto store = open_in(folder, tuning, limit);
    // About four times the limit.
    for (int i = 0; i < 100; ++i, next += 1000) {
      ASSERT_EQ(write(*store, some_spans(next, 1000, 800)).refusal, store::Refusal::none);
      largest = std::max(largest, size_of(folder.database()));
    }
    EXPECT_LT(largest, limit + limit / 8);
    const auto stats = store->stats();
    EXPECT_GT(stats.expired_spans, 50'000U);
    EXPECT_GT(stats.spans, 5'000U);
    EXPECT_EQ(stats.spans + stats.expired_spans, next - 1);
    // The oldest went, the newest are there.
    EXPECT_TRUE(store->trace(number<base::TraceId>(1), 1, soon())->empty());
    EXPECT_EQ(store->trace(number<base::TraceId>(next - 1), 1, soon())->spans.size(), 1U);
    store::SpanQuery query;
    query.attributes = {{"number", std::to_string(next - 500)}};
    EXPECT_EQ(store->spans(query, soon())->spans.spans.size(), 1U);
    query.attributes = {{"number", "5"}};
    EXPECT_EQ(store->spans(query, soon())->spans.spans.size(), 0U);
  }
  const auto store = open_in(folder, tuning, limit);
  EXPECT_GT(store->stats().spans, 5'000U);
}

TEST(Log, StaysShortThoughSomebodyAlwaysReads) {
  const Folder folder;
  Tuning tuning;
  tuning.checkpoint_pages = 32;
  const auto store = open_in(folder, tuning);
  EXPECT_EQ(write(*store, some_spans(1, 1000)).refusal, store::Refusal::none);
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] {
      while (!stop) {
        store::SpanQuery query;
        query.attributes = {{"absent", "value"}};
        ASSERT_TRUE(store->spans(query, soon()));
      }
    });
  std::uint64_t largest = 0;
  for (std::uint64_t next = 2000; next < 62'000; next += 200) {
    ASSERT_EQ(write(*store, some_spans(next, 200)).refusal, store::Refusal::none);
    largest = std::max(largest, size_of(folder.database() + "-wal"));
  }
  stop = true;
  for (auto& each : readers) each.join();
  EXPECT_LT(largest, 32U * 16384U * 16U);
}

}  // namespace
}  // namespace sockeye::sqlite::test
