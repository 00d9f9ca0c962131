#include "sockeye/pipeline/spool.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "folder.h"

namespace sockeye::pipeline {
namespace {

using test::Folder;
using test::read_file;
using test::write_file;

SpoolOptions in(const std::string& directory, std::uint64_t limit = 1U << 20U) {
  return {.directory = directory, .limit = limit, .sync = std::chrono::seconds(1)};
}

std::unique_ptr<Spool> open(const SpoolOptions& options) {
  auto spool = Spool::open(options);
  if (!spool) {
    ADD_FAILURE() << spool.error().message;
    std::abort();
  }
  return std::move(*spool);
}

// `number` spelled out, then filler: every body is known by its number.
Batch numbered(std::uint32_t number, std::size_t size = 100) {
  std::string body = std::to_string(number) + ":";
  body.resize(std::max(size, body.size()), static_cast<char>('a' + number % 26));
  return {std::move(body), number % 7 + 1, 1};
}

// Sends all there is; the numbers, or -1 for a body that is none of ours.
std::vector<int> drain(Spool& spool) {
  std::vector<int> out;
  Batch batch;
  std::uint64_t lost = 0;
  for (;;) {
    const auto peeked = spool.peek(batch, lost);
    if (peeked == Spool::Peek::empty) return out;
    if (peeked == Spool::Peek::lost) continue;
    if (peeked == Spool::Peek::failed) return out;
    const auto number = static_cast<std::uint32_t>(std::strtoul(batch.body.c_str(), nullptr, 10));
    const Batch expected = numbered(number, batch.body.size());
    const bool ours =
        batch.body == expected.body && batch.spans == expected.spans && batch.encoding == expected.encoding;
    out.push_back(ours ? static_cast<int>(number) : -1);
    EXPECT_TRUE(spool.pop());
  }
}

std::vector<int> range(int from, int to) {
  std::vector<int> out;
  for (int i = from; i < to; ++i) out.push_back(i);
  return out;
}

void append(Spool& spool, std::uint32_t from, std::uint32_t to, std::size_t size = 100) {
  for (std::uint32_t i = from; i < to; ++i) {
    const auto appended = spool.append(numbered(i, size), false);
    ASSERT_FALSE(appended.error) << appended.error->message;
  }
}

std::uint64_t disk_use(const std::string& directory) {
  std::uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().extension() == ".seg") sum += entry.file_size();
  return sum;
}

TEST(Spool, FirstInFirstOutAndNothingLeftOnDisk) {
  const Folder folder;
  auto spool = open(in(folder.sub("s")));
  append(*spool, 0, 50);
  EXPECT_EQ(spool->records(), 50U);
  EXPECT_EQ(spool->bytes(), disk_use(folder.sub("s")));
  EXPECT_EQ(drain(*spool), range(0, 50));
  EXPECT_TRUE(spool->empty());
  EXPECT_EQ(spool->spans(), 0U);
  EXPECT_EQ(spool->bytes(), 0U);
  EXPECT_EQ(disk_use(folder.sub("s")), 0U);
}

TEST(Spool, ARestartGoesOnBehindTheLastAcknowledged) {
  const Folder folder;
  std::uint64_t spans = 0;
  {
    auto spool = open(in(folder.sub("s")));
    append(*spool, 0, 10);
    Batch batch;
    std::uint64_t lost = 0;
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(spool->peek(batch, lost), Spool::Peek::ready);
      spool->pop();
    }
    spans = spool->spans();
  }
  auto spool = open(in(folder.sub("s")));
  EXPECT_EQ(spool->recovery().records, 6U);
  EXPECT_EQ(spool->recovery().spans, spans);
  EXPECT_EQ(spool->recovery().damaged_bytes, 0U);
  append(*spool, 10, 12);
  EXPECT_EQ(drain(*spool), range(4, 12));
}

TEST(Spool, APositionNeverAppliesToALaterSegment) {
  const Folder folder;
  for (std::uint32_t round = 0; round < 5; ++round) {
    auto spool = open(in(folder.sub("s")));
    EXPECT_TRUE(spool->empty());
    append(*spool, round, round + 3);
    EXPECT_EQ(drain(*spool), range(static_cast<int>(round), static_cast<int>(round) + 3));
  }
}

TEST(Spool, ManySegmentsKeepTheirOrderOverARestart) {
  const Folder folder;
  {
    auto spool = open(in(folder.sub("s"), 1U << 20U));  // segments of 128 KiB
    append(*spool, 0, 90, 10'000);
  }
  auto spool = open(in(folder.sub("s"), 1U << 20U));
  append(*spool, 90, 95, 10'000);
  EXPECT_EQ(drain(*spool), range(0, 95));
}

TEST(Spool, WhenFullTheOldestGoAndAreCounted) {
  const Folder folder;
  constexpr std::uint64_t limit = 64U << 10U;
  auto spool = open(in(folder.sub("s"), limit));
  std::uint64_t offered = 0;
  std::uint64_t dropped = 0;
  for (std::uint32_t i = 0; i < 500; ++i) {
    const Batch batch = numbered(i, 1000);
    const auto appended = spool->append(batch, false);
    ASSERT_FALSE(appended.error);
    offered += batch.spans;
    dropped += appended.dropped_spans;
    ASSERT_LE(spool->bytes(), limit);
    ASSERT_EQ(spool->bytes(), disk_use(folder.sub("s")));
    ASSERT_EQ(offered, dropped + spool->spans());
  }
  const auto left = drain(*spool);
  ASSERT_GT(left.size(), 40U);  // a segment, an eighth, goes at a time
  EXPECT_EQ(left, range(500 - static_cast<int>(left.size()), 500));
}

TEST(Spool, APinnedHeadIsReportedWhenItMakesRoom) {
  const Folder folder;
  auto spool = open(in(folder.sub("s"), 64U << 10U));
  append(*spool, 0, 10, 1000);
  Batch head;
  std::uint64_t lost = 0;
  ASSERT_EQ(spool->peek(head, lost), Spool::Peek::ready);
  std::uint64_t offered = spool->spans();
  std::uint64_t dropped = 0;
  std::uint32_t unpinned = 0;
  for (std::uint32_t i = 10; i < 100; ++i) {
    const Batch batch = numbered(i, 1000);
    offered += batch.spans;
    const auto appended = spool->append(batch, unpinned == 0);
    dropped += appended.dropped_spans;
    unpinned += appended.unpinned_spans;
  }
  EXPECT_EQ(unpinned, head.spans);
  EXPECT_EQ(offered, dropped + unpinned + spool->spans());
}

TEST(Spool, ABatchOverTheLimitIsRefusedAndCostsNothing) {
  const Folder folder;
  auto spool = open(in(folder.sub("s"), 64U << 10U));
  append(*spool, 0, 3);
  EXPECT_FALSE(spool->fits(64U << 10U));
  EXPECT_TRUE(spool->append(numbered(9, 64U << 10U), false).error);
  EXPECT_EQ(drain(*spool), range(0, 3));
}

TEST(Spool, OneProcessADirectory) {
  const Folder folder;
  const auto first = open(in(folder.sub("s")));
  const auto second = Spool::open(in(folder.sub("s")));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use by another process (pid " + std::to_string(::getpid()) + ")"),
            std::string::npos)
      << second.error().message;
}

TEST(Spool, ADirectoryThatCannotBeIsAnError) {
  const Folder folder;
  write_file(folder.path() / "file", "x");
  EXPECT_FALSE(Spool::open(in(folder.sub("file"))));
  EXPECT_FALSE(Spool::open(in(folder.sub("file/below"))));
  EXPECT_FALSE(Spool::open(in(folder.sub("s"), 1000)));  // a limit under 64 KiB
  EXPECT_TRUE(Spool::open(in(folder.sub("a/b/c"))));
}

TEST(Spool, OtherFilesAreLeftAlone) {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "s");
  write_file(folder.path() / "s" / "notes.txt", "mine");
  auto spool = open(in(folder.sub("s"), 64U << 10U));
  append(*spool, 0, 200, 1000);
  drain(*spool);
  EXPECT_EQ(read_file(folder.path() / "s" / "notes.txt"), "mine");
}

struct Sample {
  std::string segment;   // four records
  std::string position;  // the first of them acknowledged
};

Sample sample() {
  const Folder folder;
  {
    auto spool = open(in(folder.sub("s")));
    append(*spool, 0, 4, 40);
    Batch batch;
    std::uint64_t lost = 0;
    EXPECT_EQ(spool->peek(batch, lost), Spool::Peek::ready);
    spool->pop();
  }
  return {read_file(folder.path() / "s" / "0000000000000001.seg"), read_file(folder.path() / "s" / "position")};
}

void lay(const std::string& directory, const std::string& segment, const std::string& position) {
  std::filesystem::create_directories(directory);
  write_file(std::filesystem::path(directory) / "0000000000000001.seg", segment);
  write_file(std::filesystem::path(directory) / "position", position);
}

TEST(Spool, TruncatedAtEveryByteKeepsEveryWholeRecord) {
  const Sample whole = sample();
  const std::size_t record = (whole.segment.size() - spool_format::segment_header_size) / 4;
  for (std::size_t length = 0; length <= whole.segment.size(); ++length) {
    const Folder folder;
    lay(folder.sub("s"), whole.segment.substr(0, length), "");
    auto spool = open(in(folder.sub("s")));
    const std::size_t header = std::min(length, spool_format::segment_header_size);
    const int kept = length < spool_format::segment_header_size ? 0 : static_cast<int>((length - header) / record);
    EXPECT_EQ(static_cast<int>(spool->records()), kept) << length;
    append(*spool, 4, 5, 40);
    auto expected = range(0, kept);
    expected.push_back(4);
    EXPECT_EQ(drain(*spool), expected) << length;
  }
}

TEST(Spool, APositionTruncatedAtEveryByteMayRepeatButNeverLoses) {
  const Sample whole = sample();
  for (std::size_t length = 0; length <= whole.position.size(); ++length) {
    const Folder folder;
    lay(folder.sub("s"), whole.segment, whole.position.substr(0, length));
    auto spool = open(in(folder.sub("s")));
    const auto sent = drain(*spool);
    EXPECT_TRUE(sent == range(1, 4) || sent == range(0, 4)) << length;
    if (length == whole.position.size()) {
      EXPECT_EQ(sent, range(1, 4));
    }
  }
}

TEST(Spool, AnyFlippedByteLosesAtMostWhatItTouchesAndInventsNothing) {
  const Sample whole = sample();
  const std::size_t record = (whole.segment.size() - spool_format::segment_header_size) / 4;
  for (std::size_t at = 0; at < whole.segment.size(); ++at) {
    const Folder folder;
    std::string damaged = whole.segment;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    lay(folder.sub("s"), damaged, "");
    auto spool = open(in(folder.sub("s")));
    std::vector<int> expected;
    if (at >= spool_format::segment_header_size) {
      const std::size_t in_record = (at - spool_format::segment_header_size) % record;
      const int which = static_cast<int>((at - spool_format::segment_header_size) / record);
      expected = range(0, which);
      // A body's damage costs that record; a header's all behind it, for nothing says where they begin.
      if (in_record >= spool_format::record_header_size)
        for (int i = which + 1; i < 4; ++i) expected.push_back(i);
    }
    EXPECT_EQ(drain(*spool), expected) << at;
  }
}

TEST(Spool, ADamagedSegmentDoesNotHideLaterOnes) {
  const Folder folder;
  {
    auto spool = open(in(folder.sub("s")));
    append(*spool, 0, 3);
  }
  {
    auto spool = open(in(folder.sub("s")));
    append(*spool, 3, 6);
  }
  const auto first = folder.path() / "s" / "0000000000000001.seg";
  std::string bytes = read_file(first);
  bytes[spool_format::segment_header_size] ^= 1;
  write_file(first, bytes);
  auto spool = open(in(folder.sub("s")));
  EXPECT_GT(spool->recovery().damaged_bytes, 0U);
  EXPECT_EQ(drain(*spool), range(3, 6));
}

TEST(Spool, AFileThatVanishesIsCountedLost) {
  const Folder folder;
  auto spool = open(in(folder.sub("s")));
  append(*spool, 0, 3);
  const auto spans = spool->spans();
  std::filesystem::remove(folder.path() / "s" / "0000000000000001.seg");
  Batch batch;
  std::uint64_t lost = 0;
  EXPECT_EQ(spool->peek(batch, lost), Spool::Peek::lost);
  EXPECT_EQ(lost, spans);
  EXPECT_TRUE(spool->empty());
  append(*spool, 3, 5);
  EXPECT_EQ(drain(*spool), range(3, 5));
}

TEST(Spool, SyncIsDueAfterAWriteOnly) {
  const Folder folder;
  auto spool = open(in(folder.sub("s")));
  EXPECT_FALSE(spool->sync_due());
  append(*spool, 0, 1);
  EXPECT_TRUE(spool->sync_due());
  EXPECT_TRUE(spool->sync());
  EXPECT_FALSE(spool->sync_due());
}

// A process with a file size limit is a disk that takes the first half of a write.
TEST(Spool, AFullDiskCostsTheBatchAndNothingElse) {
  const Folder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{5000, 5000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto spool = open(in(folder.sub("s")));
    for (std::uint32_t i = 0; i < 4; ++i)
      if (spool->append(numbered(i, 1000), false).error) ::_exit(1);
    if (!spool->append(numbered(4, 1000), false).error) ::_exit(2);  // 16 + 5 × 1,024 > 5,000
    if (spool->append(numbered(5, 100), false).error) ::_exit(3);    // a smaller one still fits behind
    if (!spool->append(numbered(6, 6000), false).error) ::_exit(4);  // nor does this one in a new file
    if (spool->records() != 5 || spool->bytes() != disk_use(folder.sub("s"))) ::_exit(5);
    ::_exit(drain(*spool) == std::vector<int>{0, 1, 2, 3, 5} ? 0 : 6);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// kill -9 at any moment of appending and acknowledging: what append() returned for is there, in order, once.
TEST(Spool, SurvivesKillWhileAppendingAndAcknowledging) {
  const Folder folder;
  std::uint32_t next = 0;          // the first number not known to be appended
  std::uint32_t acknowledged = 0;  // the first number not known to be acknowledged
  for (int round = 0; round < 12; ++round) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      auto spool = open(in(folder.sub("s"), 8U << 20U));
      Batch batch;
      std::uint64_t lost = 0;
      const auto say = [&](char what) {
        if (::write(pipe[1], &what, 1) != 1) ::_exit(1);
      };
      for (std::uint32_t i = next;; ++i) {
        if (spool->append(numbered(i, 3000), false).error) ::_exit(2);
        say('+');
        if (i % 3 != 0) continue;
        if (spool->peek(batch, lost) != Spool::Peek::ready) ::_exit(3);
        spool->pop();
        say('-');
      }
    }
    ::close(pipe[1]);
    std::string said(4096, '\0');
    std::size_t plus = 0;
    std::size_t minus = 0;
    const auto count = [&](ssize_t n) {
      for (ssize_t i = 0; i < n; ++i) ++(said[static_cast<std::size_t>(i)] == '+' ? plus : minus);
    };
    while (plus < 20U + static_cast<unsigned>(round) * 7U) {
      const ssize_t n = ::read(pipe[0], said.data(), 1);
      ASSERT_EQ(n, 1);
      count(n);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (ssize_t n = 0; (n = ::read(pipe[0], said.data(), said.size())) > 0;) count(n);
    ::close(pipe[0]);

    auto spool = open(in(folder.sub("s"), 8U << 20U));
    Batch head;
    std::uint64_t lost = 0;
    ASSERT_EQ(spool->peek(head, lost), Spool::Peek::ready);
    const auto first = static_cast<std::uint32_t>(std::stoul(head.body));
    const std::uint32_t known_acknowledged = acknowledged + static_cast<std::uint32_t>(minus);
    EXPECT_GE(first, known_acknowledged);
    EXPECT_LE(first, known_acknowledged + 1);  // one acknowledged and not yet said
    const std::uint32_t end = first + static_cast<std::uint32_t>(spool->records());
    const std::uint32_t known_appended = next + static_cast<std::uint32_t>(plus);
    EXPECT_GE(end, known_appended);
    EXPECT_LE(end, known_appended + 1);
    acknowledged = first;
    next = end;
    if (round % 4 == 3) {
      EXPECT_EQ(drain(*spool), range(static_cast<int>(first), static_cast<int>(end)));
      acknowledged = next;
    }
  }
}

}  // namespace
}  // namespace sockeye::pipeline
