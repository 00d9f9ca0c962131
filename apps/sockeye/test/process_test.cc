// What /metrics says of the process, against what the kernel says of it elsewhere.
#include "process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace sockeye::app::process_test {
namespace {

std::map<std::string, double> metrics() {
  std::map<std::string, double> out;
  for (const auto& family : process_families()) out[std::string(family.name)] = family.samples.at(0).value;
  return out;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::size_t entries(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// Threads that only exist.
class Idlers {
 public:
  explicit Idlers(int count) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this] {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return over_; });
      });
  }
  ~Idlers() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  Idlers(const Idlers&) = delete;
  Idlers& operator=(const Idlers&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

TEST(Process, IsMeasuredAsTheKernelDoes) {
  constexpr std::size_t block = 64U << 20U;
  std::vector<char> touched(block, 'x');  // so that resident is not virtual, and neither is small
  const Idlers idlers(5);
  std::ifstream statm("/proc/self/statm");
  double size = 0, resident = 0;
  statm >> size >> resident;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto is = metrics();
  EXPECT_EQ(is.at("process_threads"), static_cast<double>(entries("/proc/self/task")));
  EXPECT_GE(is.at("process_threads"), 6);
  constexpr double slack = 4U << 20U;  // what the test itself takes between the two readings
  EXPECT_NEAR(is.at("process_resident_memory_bytes"), resident * page, slack);
  EXPECT_NEAR(is.at("process_virtual_memory_bytes"), size * page, slack);
  EXPECT_GE(is.at("process_resident_memory_bytes"), block);
  EXPECT_GT(is.at("process_virtual_memory_bytes"), is.at("process_resident_memory_bytes"));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(is.at("process_max_fds"), static_cast<double>(limit.rlim_cur));
}

TEST(Process, CountsWhatIsOpen) {
  const double before = metrics().at("process_open_fds");
  EXPECT_EQ(before + 1, static_cast<double>(entries("/proc/self/fd"))) << "who looks has it open";
  std::vector<int> more;
  for (int i = 0; i < 7; ++i) more.push_back(::dup(2));
  EXPECT_EQ(metrics().at("process_open_fds"), before + 7);
  for (const int fd : more) ::close(fd);
  EXPECT_EQ(metrics().at("process_open_fds"), before);
}

TEST(Process, CpuTimeIsOfUserAndSystem) {
  const double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  while (seconds_of(CLOCK_PROCESS_CPUTIME_ID) < begin + 0.1) {
  }
  const double low = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const double is = metrics().at("process_cpu_seconds_total");
  EXPECT_GE(is, low - 0.02);
  EXPECT_LE(is, seconds_of(CLOCK_PROCESS_CPUTIME_ID) + 0.02);
}

// Through a real program, whose beginning we see.
TEST(Process, BeganWhenItDid) {
  const double before = seconds_of(CLOCK_REALTIME);
  testing::Program program({"proxy", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--upstream",
                            "ws://127.0.0.1:1", "--threads", "3"});
  ASSERT_TRUE(program.logged("metrics http://127.0.0.1:"));
  const double after = seconds_of(CLOCK_REALTIME);
  const std::string page = testing::get(program.port_after("metrics http://127.0.0.1:"), "/metrics");
  const auto value = [&](const std::string& name) {
    const auto at = page.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
  };
  EXPECT_GE(value("process_start_time_seconds"), before - 0.02);  // the kernel counts in hundredths
  EXPECT_LE(value("process_start_time_seconds"), after);
  EXPECT_GE(value("process_threads"), 4);
  EXPECT_LT(value("process_threads"), 40);
}

}  // namespace
}  // namespace sockeye::app::process_test
