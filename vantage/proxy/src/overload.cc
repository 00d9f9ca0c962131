#include "overload.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <string>
#include <string_view>
#include <utility>

#include "sockeye/model/names.h"

namespace sockeye::proxy {
namespace {

using model::Shedding;
using model::Strain;

struct Kept {
  int client;
  int upstream;
};

// Of 100,000 descriptors 512 are kept, of 300 an eighth: half for upstreams of clients that were let in, half for the
// metrics port, the exporter and files.
Kept descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {INT_MAX, INT_MAX};
  const auto most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
  const int kept = std::clamp(most / 8, 16, 512);
  return {most - kept, most - kept / 2};
}

std::uint64_t first_number(const char* path, std::size_t nth) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  std::string_view rest(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  for (; nth > 0; --nth) rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  std::uint64_t out = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), out);
  return out;
}

// What a container may use (cgroup v2, v1); 0: as much as there is.
std::uint64_t container_memory() {
  constexpr std::uint64_t none = 1ULL << 60U;  // v1 says so with a number near 2^63
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
    if (const std::uint64_t bytes = first_number(path, 0); bytes != 0 && bytes < none) return bytes;
  return 0;
}

// Of `limit`, in steps up to all of it.
Shedding level(double share, const std::array<double, 4>& steps) {
  std::size_t out = 0;
  while (out < steps.size() && share >= steps[out]) ++out;
  return static_cast<Shedding>(out);
}

constexpr std::array<double, 4> memory_steps{0.80, 0.85, 0.90, 0.95};
constexpr std::array<double, 4> lag_steps{0.05, 0.10, 0.20, 1.0};

}  // namespace

Overload::Overload(unsigned workers) : client_most_(INT_MAX), upstream_most_(INT_MAX), lag_limit_(0) {
  for (unsigned i = 0; i < workers; ++i) {
    lags_.push_back(std::make_unique<std::atomic<std::int64_t>>(0));
    counts_.push_back(std::make_unique<ShedCounts>());
  }
  configure({});
}

void Overload::configure(const OverloadLimits& limits) {
  const Kept kept = descriptors();
  client_most_ = kept.client;
  upstream_most_ = kept.upstream;
  memory_limit_ = limits.memory ? *limits.memory : container_memory();
  lag_limit_ = limits.lag.count();
}

model::Overload Overload::now() const {
  const std::uint16_t verdict = verdict_.load(std::memory_order_relaxed);
  return {static_cast<Shedding>(verdict >> 8U), static_cast<Strain>(verdict & 0xffU)};
}

void Overload::lagged(unsigned worker, base::Duration late, base::Duration busy) {
  counts_[worker]->loop_lag.observe(late);
  auto& lag = *lags_[worker];
  const std::int64_t own = std::max<std::int64_t>(std::min(late, busy).count(), 0);
  const std::int64_t before = lag.load(std::memory_order_relaxed);
  lag.store(before + (own - before) / 5, std::memory_order_relaxed);
}

void Overload::read_memory() {
  resident_ = first_number("/proc/self/statm", 1) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

model::Overload Overload::judge(base::Time now) {
  model::Overload worst;
  const auto raise = [&worst](Shedding what, Strain cause) {
    if (what > worst.shedding) worst = {what, cause};
  };
  if (const auto limit = memory_limit_.load(); limit != 0)
    raise(level(static_cast<double>(resident_) / static_cast<double>(limit), memory_steps), Strain::memory);
  if (const auto limit = lag_limit_.load(); limit != 0) {
    std::int64_t longest = 0;
    for (const auto& each : lags_) longest = std::max(longest, each->load(std::memory_order_relaxed));
    raise(level(static_cast<double>(longest) / static_cast<double>(limit), lag_steps), Strain::loop_lag);
  }
  if (now.time_since_epoch().count() < out_until_.load()) raise(Shedding::sessions, Strain::descriptors);
  return worst;
}

bool Overload::look(base::Time now) {
  if (memory_limit_.load() != 0 && now - read_at_ >= often) {
    read_at_ = now;
    read_memory();
  }
  const model::Overload verdict = judge(now);
  const model::Overload before = this->now();
  if (verdict.shedding >= before.shedding) lower_at_ = now + held;
  if (verdict.shedding < before.shedding && now < lower_at_) return false;
  verdict_ = static_cast<std::uint16_t>(static_cast<unsigned>(verdict.shedding) << 8U |
                                        static_cast<unsigned>(verdict.because));
  return verdict.shedding != before.shedding;
}

namespace {

model::MetricFamily gauge(std::string_view name, std::string_view help, std::string_view unit, double value) {
  model::MetricFamily out{name, help, unit, model::MetricType::gauge, {}};
  out.samples.emplace_back().value = value;
  return out;
}

}  // namespace

std::vector<model::MetricFamily> Overload::families(const observer::Memory& memory) const {
  namespace metric = model::metric;
  using Histogram = model::DurationHistogram;
  std::vector<model::MetricFamily> out;
  model::MetricFamily lag{metric::sockeye_loop_lag_seconds,
                          "How late a worker got to what was due.",
                          "seconds",
                          model::MetricType::histogram,
                          {}};
  model::HistogramValue& histogram = lag.samples.emplace_back().histogram;
  for (std::size_t i = 0; i + 1 < Histogram::buckets; ++i) histogram.bounds.push_back(Histogram::bound(i));
  histogram.counts.assign(Histogram::buckets, 0);
  model::MetricFamily shed{
      metric::sockeye_shed_total, "What was given up so that open sessions go on.", "", model::MetricType::counter, {}};
  const auto add = [&](std::string_view what, model::Counter ShedCounts::*counter) {
    auto& sample = shed.samples.emplace_back();
    sample.labels.emplace_back("what", std::string(what));
    for (const auto& each : counts_) sample.value += static_cast<double>((*each.*counter).value());
  };
  for (const auto& each : counts_) {
    for (std::size_t i = 0; i < Histogram::buckets; ++i) histogram.counts[i] += each->loop_lag.count(i);
    histogram.sum += each->loop_lag.sum();
  }
  add("session", &ShedCounts::sessions);
  add("connection", &ShedCounts::connections);
  add("observation", &ShedCounts::observations);
  out.push_back(std::move(lag));
  out.push_back(gauge(metric::sockeye_overload_level, "What is given up now: 0 nothing to 4 new sessions.", "",
                      static_cast<double>(now().shedding)));
  out.push_back(std::move(shed));
  out.push_back(gauge(metric::sockeye_observation_bytes, "Held for what sessions say and is not complete.", "bytes",
                      static_cast<double>(memory.held())));
  out.push_back(gauge(metric::sockeye_observation_limit_bytes, "Over it, observations are given up.", "bytes",
                      static_cast<double>(memory.budget())));
  return out;
}

std::string Overload::why() const {
  switch (now().because) {
    case Strain::memory:
      return "memory at " + std::to_string(resident_ >> 20U) + " of " + std::to_string(memory_limit_ >> 20U) + " MiB";
    case Strain::loop_lag: {
      std::int64_t longest = 0;
      for (const auto& each : lags_) longest = std::max(longest, each->load(std::memory_order_relaxed));
      return "loop lag of " + std::to_string(longest / 1'000'000) + " ms";
    }
    case Strain::descriptors:
      return "out of file descriptors";
    case Strain::none:
    case Strain::count_:
      break;
  }
  return "it is over";
}

}  // namespace sockeye::proxy
