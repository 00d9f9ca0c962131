#include "sockeye/recordings/directory.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace sockeye::recordings::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Of the metric, or of its sample with that reason.
double value(const Directory& of, std::string_view family, std::string_view reason = "") {
  for (const auto& each : of.families())
    for (const auto& sample : each.samples)
      if (each.name == family && (reason.empty() || sample.labels.at(0).second == reason)) return sample.value;
  return -1;
}
double cuts(const Directory& of, std::string_view reason) { return value(of, "sockeye_recordings_cut_total", reason); }

// The thread that writes comes to it in its own time.
template <class Holds>
bool eventually(Holds holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

class Recordings : public ::testing::Test {
 protected:
  Recordings() {
    std::string name = fs::temp_directory_path() / "sockeye_recordings.XXXXXX";
    root_ = ::mkdtemp(name.data());
    options_.directory = root_ / "captures";
  }
  ~Recordings() override { fs::remove_all(root_); }

  std::unique_ptr<Directory> start() {
    auto started = Directory::start(options_);
    EXPECT_TRUE(started) << started.error().message;
    return started ? *std::move(started) : nullptr;
  }
  static base::SessionId id(base::Byte last) {
    base::SessionId out;
    out.bytes.back() = last;
    return out;
  }
  [[nodiscard]] fs::path file(base::Byte last) const {
    return fs::path(options_.directory) / (base::to_uuid(id(last)) + ".capture");
  }
  [[nodiscard]] std::string contents(base::Byte last) const {
    std::ifstream in(file(last), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static unsigned mode(const fs::path& of) {
    struct stat about {};
    return ::stat(of.c_str(), &about) == 0 ? about.st_mode & 0777U : 0;
  }

  fs::path root_;
  Options options_;
};

TEST_F(Recordings, AreFilesOfTheirOwnerAlone) {
  options_.payload = true;
  options_.limit = 4711;
  auto to = start();
  EXPECT_TRUE(to->options().payload);
  EXPECT_EQ(to->options().limit, 4711U);
  auto one = to->open(id(1));
  auto two = to->open(id(2));
  EXPECT_TRUE(one->write("abc", false));
  EXPECT_TRUE(two->write("xyz", false));
  EXPECT_TRUE(one->write("def", true));
  EXPECT_TRUE(eventually([&] { return value(*to, "sockeye_recording_bytes_total") == 9; }));
  EXPECT_EQ(value(*to, "sockeye_recordings_total"), 2);
  for (const auto* reason : {"queue_full", "disk_full", "write_error", "limit"}) EXPECT_EQ(cuts(*to, reason), 0);
  two->write("", true);
  to.reset();
  EXPECT_EQ(contents(1), "abcdef");
  EXPECT_EQ(contents(2), "xyz");
  EXPECT_EQ(mode(file(1)), 0600U);
  EXPECT_EQ(mode(options_.directory), 0700U);
}

TEST_F(Recordings, NeedADirectoryThatCanBeWrittenTo) {
  std::ofstream(root_ / "file") << "x";
  options_.directory = root_ / "file";
  EXPECT_EQ(Directory::start(options_).error().message, "cannot make " + options_.directory + ": Not a directory");
  options_.directory = root_ / "file" / "below";
  EXPECT_EQ(Directory::start(options_).error().message, "cannot make " + options_.directory + ": Not a directory");
}

TEST_F(Recordings, AreCutWhereTheDiskDoesNotKeepUp) {
  options_.queued = 10;
  const auto to = start();
  const auto sink = to->open(id(1));
  EXPECT_TRUE(sink->write("begin ", false));
  EXPECT_FALSE(sink->write(std::string(11, 'x'), false));
  EXPECT_EQ(cuts(*to, "queue_full"), 1);
  EXPECT_TRUE(sink->write("cut off here", true)) << "which is said whatever waits";
  EXPECT_TRUE(eventually([&] { return contents(1) == "begin cut off here"; }));
  const auto other = to->open(id(2));
  EXPECT_FALSE(other->write(std::string(11, 'x'), false));
  EXPECT_TRUE(other->write("end", true));
  EXPECT_EQ(cuts(*to, "queue_full"), 2);
  EXPECT_FALSE(fs::exists(file(2))) << "an end without a beginning is no recording";
}

TEST_F(Recordings, OfACaptureWaitForTheDiskAndReplaceThoseOfTheLastTime) {
  options_.queued = 10;
  options_.waits = options_.replaces = true;
  options_.total = 5000;
  options_.least = 1;
  for (int i = 0; i < 3; ++i) {
    const auto to = start();
    const auto sink = to->open(id(1));
    ASSERT_NE(sink, nullptr);
    for (int chunk = 0; chunk < 100; ++chunk) ASSERT_TRUE(sink->write(std::string(20, 'x'), false)) << i;
    EXPECT_TRUE(sink->write("end", true));
    to->flush();
    EXPECT_EQ(contents(1), std::string(2000, 'x') + "end");
    EXPECT_EQ(to->lost(), 0U);
  }
}

TEST_F(Recordings, AreCutAndRefusedOnceTheDirectoryIsFull) {
  options_.total = 100;
  options_.least = 1;
  fs::create_directory(options_.directory);
  std::ofstream(file(9)) << std::string(20, 'x');
  std::ofstream(fs::path(options_.directory) / "notes.txt") << std::string(1000, 'x');  // none of ours
  const auto to = start();
  const auto one = to->open(id(1));
  EXPECT_TRUE(one->write(std::string(60, 'x'), false));
  const auto two = to->open(id(2));
  ASSERT_NE(two, nullptr) << "there is room yet";
  EXPECT_TRUE(two->write("begin ", false));
  EXPECT_FALSE(two->write(std::string(15, 'x'), false));
  EXPECT_EQ(cuts(*to, "disk_full"), 1);
  EXPECT_TRUE(one->write(std::string(14, 'x'), false));
  EXPECT_EQ(to->open(id(3)), nullptr);
  EXPECT_EQ(value(*to, "sockeye_recordings_refused_total"), 1);
  EXPECT_EQ(value(*to, "sockeye_recordings_total"), 2);
  EXPECT_EQ(to->lost(), 2U) << "cut, and refused";
  EXPECT_TRUE(two->write("end", true));
  EXPECT_TRUE(eventually([&] { return contents(2) == "begin end"; }));
}

TEST_F(Recordings, ThatReachedTheirLimitAreCountedAsThatAndNotAsLost) {
  auto to = start();
  const auto sink = to->open(id(1));
  EXPECT_TRUE(sink->write("begin ", false));
  sink->limited();
  EXPECT_TRUE(sink->write("end", true));
  EXPECT_EQ(cuts(*to, "limit"), 1);
  EXPECT_EQ(to->limited(), 1U);
  EXPECT_EQ(to->lost(), 0U);
  to.reset();
  EXPECT_EQ(contents(1), "begin end");
}

TEST_F(Recordings, AreBegunAgainOnceFilesWereDeleted) {
  options_.total = 200'000;
  fs::create_directory(options_.directory);
  std::ofstream(file(9)) << std::string(100'000, 'x');
  const auto to = start();
  const auto one = to->open(id(1));
  ASSERT_NE(one, nullptr);
  EXPECT_TRUE(one->write(std::string(50'000, 'x'), false));
  to->flush();
  EXPECT_EQ(to->open(id(2)), nullptr) << "50 kB would be no more than a stub";
  EXPECT_EQ(value(*to, "sockeye_recordings_total"), 1);
  fs::remove(file(9));
  std::unique_ptr<capture::Sink> two;
  EXPECT_TRUE(eventually([&] { return (two = to->open(id(2))) != nullptr; }));
  ASSERT_NE(two, nullptr);
  EXPECT_TRUE(one->write(std::string(50'000, 'x'), false));
  EXPECT_TRUE(two->write(std::string(90'000, 'x'), false)) << "and both have the room";
  EXPECT_FALSE(two->write(std::string(20'000, 'x'), false));
}

// No file of this process may be longer than that, as `ulimit -f` has it.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(::rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const ::rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  ::rlimit before_{};
  ::sighandler_t handler_;
};

TEST_F(Recordings, AreCutWhereTheFileCannotBeWritten) {
  const FileSizeLimit limit(4096);
  options_.total = 10'000;
  options_.least = 1;
  auto to = start();
  const auto sink = to->open(id(1));
  EXPECT_TRUE(sink->write(std::string(6000, 'x'), false)) << "it is not known yet";
  EXPECT_TRUE(eventually([&] { return cuts(*to, "write_error") == 1; }));
  EXPECT_FALSE(sink->write("more", false));
  EXPECT_TRUE(sink->write("end", true));
  EXPECT_EQ(cuts(*to, "write_error"), 1) << "once a recording";
  EXPECT_EQ(value(*to, "sockeye_recording_bytes_total"), 4096);
  const auto other = to->open(id(2));
  EXPECT_TRUE(eventually([&] { return other->write(std::string(4000, 'x'), false); }))
      << "what was not written is free";
  to.reset();
  EXPECT_EQ(contents(1).size(), 4096U);
}

TEST_F(Recordings, AreNeverPutIntoWhatIsThere) {
  fs::create_directory(options_.directory);
  std::ofstream(root_ / "elsewhere") << "kept";
  fs::create_symlink(root_ / "elsewhere", file(1));
  const auto to = start();
  const auto sink = to->open(id(1));
  EXPECT_TRUE(sink->write("x", false));
  EXPECT_TRUE(eventually([&] { return cuts(*to, "write_error") == 1; }));
  EXPECT_EQ(contents(1), "kept");
}

// This user is root in a namespace of its own.
bool own_namespace() {
  const auto user = std::to_string(::geteuid());
  const auto group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  const auto put = [](const char* file, const std::string& text) {
    return bool(std::ofstream(file) << text << std::flush);
  };
  return put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", "0 " + user + " 1") &&
         put("/proc/self/gid_map", "0 " + group + " 1");
}

// A file system of 64 KiB, where this user may mount one in a namespace of its own. 77: it may not.
int on_a_small_disk(const Options& options, int (*look)(const Options&)) {
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::mkdir(options.directory.c_str(), 0700);
    const bool own = own_namespace() && ::mount("none", options.directory.c_str(), "tmpfs", 0, "size=64k") == 0;
    ::_exit(own ? look(options) : 77);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Recordings, AreCutWhereTheDiskIsFull) {
  const int outcome = on_a_small_disk(options_, [](const Options& options) {
    auto to = Directory::start(options);
    if (!to) return 1;
    const auto sink = (*to)->open(id(1));
    if (!sink->write(std::string(100'000, 'x'), false)) return 2;
    if (!eventually([&] { return cuts(**to, "disk_full") == 1; })) return 3;
    return cuts(**to, "write_error") == 0 && !sink->write("more", false) ? 0 : 4;
  });
  if (outcome == 77) GTEST_SKIP() << "no file system may be mounted here";
  EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace sockeye::recordings::testing
