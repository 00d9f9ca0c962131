#include "process.h"
#include "sockeye/model/names.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sockeye::app {
namespace {

using model::MetricFamily;
using model::MetricType;

// Small files of /proc: one read gives all.
std::string slurp(const char* path) {
  std::array<char, 4096> buffer{};
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

// Field `index` (from 3, as proc(5) numbers them) of /proc/self/stat. The second may hold spaces and brackets.
std::optional<double> stat_field(std::string_view stat, unsigned index) {
  const auto bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(bracket + 1);
  for (unsigned at = 3; at < index; ++at) {
    const auto space = stat.find(' ', 1);
    if (space == std::string_view::npos) return std::nullopt;
    stat.remove_prefix(space);
  }
  stat.remove_prefix(1);
  double value = 0;
  if (std::from_chars(stat.data(), stat.data() + stat.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

double clock_seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::optional<double> open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  double count = 0;
  while (const dirent* entry = ::readdir(folder))  // NOLINT(concurrency-mt-unsafe): one stream, one thread
    if (entry->d_name[0] != '.') ++count;
  ::closedir(folder);
  return count - 1;  // the folder's own
}

void add(std::vector<MetricFamily>& out, std::string_view name, std::string_view help, std::string_view unit,
         MetricType type, std::optional<double> value) {
  if (!value) return;
  MetricFamily family{name, help, unit, type, {}};
  family.samples.emplace_back().value = *value;
  out.push_back(std::move(family));
}

}  // namespace

std::vector<MetricFamily> process_families() {
  std::vector<MetricFamily> out;
  const std::string stat = slurp("/proc/self/stat");
  const auto hertz = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto scaled = [](std::optional<double> value, double factor) {
    return value ? std::optional(*value * factor) : value;
  };
  rusage usage{};
  std::optional<double> cpu;
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  // Once: when the clock is set later, the process does not begin at another time.
  static const double booted = clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME);
  const auto started = scaled(stat_field(stat, 22), 1 / hertz);
  rlimit limit{};
  std::optional<double> most;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) most = static_cast<double>(limit.rlim_cur);

  add(out, model::metric::process_cpu_seconds_total, "User and system CPU time spent.", "seconds", MetricType::counter,
      cpu);
  add(out, model::metric::process_resident_memory_bytes, "Resident memory.", "bytes", MetricType::gauge,
      scaled(stat_field(stat, 24), page));
  add(out, model::metric::process_virtual_memory_bytes, "Virtual memory.", "bytes", MetricType::gauge,
      stat_field(stat, 23));
  add(out, model::metric::process_open_fds, "Open file descriptors.", "", MetricType::gauge, open_descriptors());
  add(out, model::metric::process_max_fds, "Most file descriptors that may be open.", "", MetricType::gauge, most);
  add(out, model::metric::process_threads, "Threads.", "", MetricType::gauge, stat_field(stat, 20));
  if (started)
    add(out, model::metric::process_start_time_seconds, "Unix time at which the process began.", "seconds",
        MetricType::gauge, booted + *started);
  return out;
}

MetricFamily build_info() {
  MetricFamily family{model::metric::sockeye_build_info, "What is running; always 1.", "", MetricType::gauge, {}};
  auto& sample = family.samples.emplace_back();
  sample.labels.emplace_back("version", SOCKEYE_VERSION);
  sample.value = 1;
  return family;
}

void return_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

unsigned long long raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

}  // namespace sockeye::app
