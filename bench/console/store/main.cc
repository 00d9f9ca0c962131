// What the store takes in and how fast it answers.
//
//   bench_console_store --directory DIR [--spans N] [--rounds R] [--operations N]
//
// First R rounds, each in fresh files: some spans through Store::write, acknowledged, beside the same rows by a plain
// loop; in turns, so that both meet the same machine. Then N spans are stored, and questions are asked. With
// --operations that many operations are called within one hour instead, and only what is asked of operations is. Prints
// JSON.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "load.h"
#include "plain.h"
#include "sockeye/sqlite/open.h"

namespace {

using namespace sockeye;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t batch_size = 512;       // an exporter's usual batch
constexpr std::uint64_t batches_a_commit = 16;  // what the group commit comes to with that many under way

double since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }
double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
std::uint64_t memory_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

std::unique_ptr<store::Store> open_in(const std::string& directory) {
  sqlite::Options options;
  options.directory = directory;
  options.keep_for = std::chrono::seconds(0);
  options.keep_bytes = 0;
  auto store = sqlite::open(options);
  if (store) return std::move(*store);
  std::fprintf(stderr, "bench: %s\n", store.error().message.c_str());
  std::exit(1);
}

// Keeps some batches under way, until all are acknowledged.
void ingest(store::Store& store, bench::Load& load, std::uint64_t count, std::vector<store::Batch>* made) {
  std::atomic<std::uint64_t> under_way = 0;
  for (std::uint64_t done = 0, at = 0; done < count; done += batch_size, ++at) {
    while (under_way >= 2 * batches_a_commit) std::this_thread::sleep_for(std::chrono::microseconds(200));
    ++under_way;
    store.write(made != nullptr ? std::move((*made)[at]) : load.next(batch_size), [&](const store::Written& written) {
      if (written.refusal != store::Refusal::none || written.duplicates != 0) {
        std::fprintf(stderr, "bench: refused: %s\n", written.message.c_str());
        std::exit(1);
      }
      --under_way;
    });
  }
  while (under_way > 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

struct Rate {
  double wall, cpu;  // spans a second, and a CPU second
};

Rate ours(const std::string& directory, std::uint64_t count) {
  bench::Load load(1'000'000);
  std::vector<store::Batch> batches;
  for (std::uint64_t i = 0; i < count; i += batch_size) batches.push_back(load.next(batch_size));
  const auto store = open_in(directory);
  const auto begun = Clock::now();
  const double cpu = cpu_seconds();
  ingest(*store, load, count, &batches);
  return {static_cast<double>(count) / since(begun), static_cast<double>(count) / (cpu_seconds() - cpu)};
}

Rate plain(const std::string& directory, std::uint64_t count) {
  std::filesystem::create_directories(directory);
  bench::Load load(1'000'000);
  std::vector<store::Batch> batches;
  for (std::uint64_t i = 0; i < count; i += batch_size) batches.push_back(load.next(batch_size));
  bench::Plain loop(directory + "/plain.db");
  const auto begun = Clock::now();
  const double cpu = cpu_seconds();
  for (std::size_t i = 0; i < batches.size(); i += batches_a_commit) {
    loop.begin();
    for (std::size_t k = i; k < std::min<std::size_t>(batches.size(), i + batches_a_commit); ++k) loop.add(batches[k]);
    loop.commit();
  }
  return {static_cast<double>(count) / since(begun), static_cast<double>(count) / (cpu_seconds() - cpu)};
}

void question(const char* name, int times, const std::function<std::size_t(std::uint64_t)>& ask) {
  std::vector<double> ms;
  std::size_t answers = 0;
  base::Random random(7);
  const double cpu = cpu_seconds();
  for (int i = 0; i < times; ++i) {
    const std::uint64_t which = random();
    const auto begun = Clock::now();
    answers += ask(which);
    ms.push_back(since(begun) * 1e3);
  }
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double q) { return ms[static_cast<std::size_t>(q * static_cast<double>(ms.size() - 1))]; };
  std::printf(",\n  {\"question\": \"%s\", \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"cpu_ms\": %.2f, \"answers\": %.1f}",
              name, at(0.5), at(0.99), (cpu_seconds() - cpu) * 1e3 / times, static_cast<double>(answers) / times);
  std::fflush(stdout);
}

template <class T>
T must(base::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench: %s\n", result.error().message.c_str());
  std::exit(1);
}

void ask_all(store::Store& store, std::uint64_t stored) {
  const auto never = [] { return Clock::now() + std::chrono::seconds(30); };
  const auto operation = [](std::uint64_t n) {
    return std::pair{"service-" + std::to_string(n % 20), "operation/" + std::to_string(n / 20 % 10)};
  };
  question("trace by id", 1000, [&](std::uint64_t n) {
    return must(store.trace(bench::trace_of(n % stored), 10'000, never())).spans.size();
  });
  question("a session's spans", 500, [&](std::uint64_t n) {
    store::SpanQuery query;
    query.session = bench::session_of(n % stored);
    query.limit = 100;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("service, operation, error", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    std::tie(query.service, query.operation) = operation(n);
    query.status = 2;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("the same at a random hour", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    std::tie(query.service, query.operation) = operation(n);
    query.status = 2;
    query.time.from_unix_ns = bench::day_begins + n % 23 * 3600 * bench::second;
    query.time.to_unix_ns = query.time.from_unix_ns + 3600 * bench::second;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("rare attribute", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    query.attributes = {{"customer.tier", "rare-" + std::to_string(n % 4)}};
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("absent attribute", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    query.attributes = {{"customer.tier", "none-" + std::to_string(n)}};
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("operation slower than 2 s", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    std::tie(query.service, query.operation) = operation(n);
    query.min_duration_ns = 2 * bench::second;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("traces of a service", 300, [&](std::uint64_t n) {
    store::SpanQuery query;
    query.service = operation(n).first;
    return must(store.traces(query, never())).items.size();
  });
  question("200 operations over 24 h", 30, [&](std::uint64_t) {
    store::OperationsQuery query;
    query.time = {bench::day_begins, bench::day_begins + 86400 * bench::second};
    return must(store.latency(query, never())).points.size();
  });
  question("200 operations over 24 h by hour", 30, [&](std::uint64_t) {
    store::OperationsQuery query;
    query.time = {bench::day_begins, bench::day_begins + 86400 * bench::second};
    query.step_ns = 3600 * bench::second;
    return must(store.latency(query, never())).points.size();
  });
}

void ask_of_calls(store::Store& store) {
  const auto never = [] { return Clock::now() + std::chrono::seconds(30); };
  const store::TimeRange day{bench::day_begins, bench::day_begins + 86400 * bench::second};
  const auto calls = [&](std::uint64_t n, bool of_one) {
    store::SpanQuery query;
    query.time = day;
    query.calls = true;
    query.limit = 50;
    if (of_one) {
      query.service = "service-" + std::to_string(n % 20);
      query.operation = "operation/" + std::to_string(n / 20 % 10);
    }
    return query;
  };
  question("50 slowest first chunks over 24 h", 30, [&](std::uint64_t n) {
    auto query = calls(n, false);
    query.sort = store::Measure::first_chunk;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("the same of one operation", 30, [&](std::uint64_t n) {
    auto query = calls(n, true);
    query.sort = store::Measure::first_chunk;
    return must(store.spans(query, never())).spans.spans.size();
  });
  question("calls of a heat map's cell", 30, [&](std::uint64_t n) {
    auto query = calls(n, true);
    query.time.from_unix_ns += n % 24 * 3600 * bench::second;
    query.time.to_unix_ns = query.time.from_unix_ns + 3600 * bench::second;
    query.measure = store::Measure::first_chunk;
    query.least_measure = 5'000'000;
    query.below_measure = 5'100'000;
    return must(store.spans(query, never())).spans.spans.size();
  });
  for (const auto& [name, by] : {std::pair{"first chunk by route over 24 h", store::Dimension::route},
                                 {"first chunk by client over 24 h", store::Dimension::client}})
    question(name, 10, [&, dimension = by](std::uint64_t n) {
      store::GroupsQuery query;
      query.spans = calls(n, false);
      query.by = dimension;
      query.figure = store::Measure::first_chunk;
      return must(store.groups(query, never())).groups.size();
    });
}

void ask_of_operations(store::Store& store) {
  const auto never = [] { return Clock::now() + std::chrono::seconds(30); };
  for (const auto& [name, sort] :
       {std::pair{"200 of the operations of 60 min, by calls", store::OperationsQuery::Sort::count},
        {"the same by p95 of the first chunk", store::OperationsQuery::Sort::percentile}})
    question(name, 10, [&, by = sort](std::uint64_t) {
      store::OperationsQuery query;
      // Neither whole hours nor whole minutes.
      query.time.from_unix_ns = bench::day_begins - 1234 * bench::second;
      query.time.to_unix_ns = query.time.from_unix_ns + 3600 * bench::second;
      query.sort = by;
      query.sort_measure = store::Measure::first_chunk;
      return must(store.latency(query, never())).total;
    });
  question("one of them by minute", 30, [&](std::uint64_t n) {
    store::OperationsQuery query;
    query.time = {bench::day_begins, bench::day_begins + 3600 * bench::second};
    query.service = "service-" + std::to_string(n % 20);
    query.operation = "operation/0";
    query.step_ns = 60 * bench::second;
    return must(store.latency(query, never())).points.size();
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory;
  std::uint64_t spans = 1'000'000;
  int rounds = 3;
  std::uint64_t operations = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--directory") directory = argv[i + 1];
    if (flag == "--spans") spans = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--operations") operations = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--rounds") rounds = std::atoi(argv[i + 1]);
  }
  if (directory.empty() || spans < batch_size) {
    std::fprintf(stderr, "usage: %s --directory DIR [--spans N] [--rounds R] [--operations N]\n", argv[0]);
    return 2;
  }
  constexpr std::uint64_t sample = 200 * batch_size * 2;
  std::printf("[{\"spans\": %llu}", static_cast<unsigned long long>(spans));
  for (int round = 0; round < rounds; ++round) {
    Rate rates[2] = {};
    for (int turn = 0; turn < 2; ++turn) {
      const bool our_turn = (turn + round) % 2 == 0;
      const std::string where = directory + "/round";
      rates[our_turn ? 0 : 1] = our_turn ? ours(where, sample) : plain(where, sample);
      std::filesystem::remove_all(where);
    }
    std::printf(",\n  {\"round\": %d, \"ours\": %.0f, \"plain\": %.0f, \"ours_cpu\": %.0f, \"plain_cpu\": %.0f}", round,
                rates[0].wall, rates[1].wall, rates[0].cpu, rates[1].cpu);
    std::fflush(stdout);
  }
  {
    const auto store = open_in(directory + "/stored");
    auto load = operations == 0 ? bench::Load(spans) : bench::Load(spans, operations, 3600);
    std::uint64_t most_kb = 0;
    const auto begun = Clock::now();
    while (load.made() < spans) {
      ingest(*store, load, std::min<std::uint64_t>(50 * batch_size, spans - load.made()), nullptr);
      most_kb = std::max(most_kb, memory_kb());
    }
    std::printf(",\n  {\"stored\": %llu, \"seconds\": %.1f, \"bytes\": %llu, \"rss_kb\": %llu}",
                static_cast<unsigned long long>(load.made()), since(begun),
                static_cast<unsigned long long>(store->stats().bytes), static_cast<unsigned long long>(most_kb));
    std::fflush(stdout);
    if (operations == 0) {
      ask_all(*store, load.made());
      ask_of_calls(*store);
    } else {
      ask_of_operations(*store);
    }
    std::printf(",\n  {\"rss_kb\": %llu}]\n", static_cast<unsigned long long>(memory_kb()));
  }
  std::filesystem::remove_all(directory + "/stored");
  return 0;
}
