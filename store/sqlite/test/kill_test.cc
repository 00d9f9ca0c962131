// kill -9 at any moment: what was acknowledged is there, once, and the roll-ups say the same as the spans.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "folder.h"
#include "sockeye/sqlite/open.h"

namespace sockeye::sqlite::test {
namespace {

constexpr std::uint64_t per_batch = 40;

// Runs in a child until it is killed: writes batches from `first` on, several under way, and says which are
// acknowledged. Some spans come twice.
[[noreturn]] void child(const std::string& directory, std::uint64_t first, int to) {
  Options options;
  options.directory = directory;
  auto store = open(options);
  if (!store) ::_exit(1);
  std::atomic<int> under_way = 0;
  for (std::uint64_t next = first;; next += per_batch) {
    ++under_way;
    (*store)->write(some_spans(next, per_batch), [&under_way, next, to](const store::Written& written) {
      if (written.refusal != store::Refusal::none || ::write(to, &next, sizeof next) != sizeof next) ::_exit(2);
      --under_way;
    });
    if (next > first && next / per_batch % 7 == 0) (*store)->write(some_spans(next - per_batch / 2, per_batch / 2), {});
    while (under_way > 6) std::this_thread::yield();
  }
}

TEST(Kill, LosesNothingAcknowledgedAndRepeatsNothing) {
  const Folder folder;
  std::mt19937_64 random(std::random_device{}());
  std::set<std::uint64_t> acknowledged;
  std::uint64_t next = per_batch;  // number 0 is no id
  constexpr int rounds = 8;
  for (int round = 0; round < rounds; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::close(ends[0]);
      child(folder.path(), next, ends[1]);
    }
    ::close(ends[1]);
    // At a random moment of its work: after so many acknowledgements, and a little.
    const std::uint64_t patience = random() % 60 + (round == 0 ? 20 : 0);
    std::uint64_t one = 0;
    for (std::uint64_t i = 0; i < patience && ::read(ends[0], &one, sizeof one) == sizeof one; ++i)
      acknowledged.insert(one);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    ::kill(pid, SIGKILL);
    while (::read(ends[0], &one, sizeof one) == sizeof one) acknowledged.insert(one);
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    // From the start again: what was not acknowledged may be there, and comes again.
    next = acknowledged.empty() ? per_batch : *acknowledged.rbegin() + per_batch;
  }
  ASSERT_GT(acknowledged.size(), 20U);

  Options options;
  options.directory = folder.path();
  const auto opened = open(options);
  ASSERT_TRUE(opened) << opened.error().message;
  store::Store& store = **opened;
  std::map<std::uint64_t, int> found;  // by number; each once
  store::SpanQuery query;
  query.limit = 5000;
  do {
    const auto page = store.spans(query, soon());
    ASSERT_TRUE(page) << page.error().message;
    for (const auto& span : page->spans.spans) {
      std::uint64_t n = 0;
      for (const auto byte : span.span_id.bytes) n = n << 8U | byte;
      ++found[n];
    }
    query.cursor = page->cursor;
  } while (!query.cursor.empty());
  for (const auto first : acknowledged)
    for (std::uint64_t i = first; i < first + per_batch; ++i) ASSERT_EQ(found[i], 1) << i;
  for (const auto& [n, times] : found) ASSERT_EQ(times, 1) << n;
  EXPECT_EQ(store.stats().spans, found.size());
  const auto latency = store.latency({}, soon());
  ASSERT_TRUE(latency);
  std::uint64_t counted = 0, measured = 0;
  for (const auto& point : latency->points) {
    counted += point.stats.count;
    point.stats.latency[0].each([&](std::size_t, std::uint32_t count) { measured += count; });
  }
  EXPECT_EQ(counted, found.size());
  EXPECT_EQ(measured, found.size());
  // What is searched for is found in blocks of before and after a kill alike.
  for (const auto first : acknowledged) {
    store::SpanQuery one;
    one.attributes = {{"number", std::to_string(first + 1)}};
    const auto page = store.spans(one, soon());
    ASSERT_TRUE(page);
    ASSERT_EQ(page->spans.spans.size(), 1U) << first;
  }
}

}  // namespace
}  // namespace sockeye::sqlite::test
