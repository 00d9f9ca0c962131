// The whole way out: pipeline, encoder, curl and a collector over real sockets, which fails in every way it can. After
// each, every span arrived once and the counts add up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "decode.h"
#include "http_collector.h"
#include "sockeye/otlp/transport.h"
#include "sockeye/pipeline/pipeline.h"

namespace sockeye::otlp {
namespace {

using namespace std::chrono_literals;
using pipeline::ErrorKind;
using pipeline::Pipeline;
using pipeline::SpanCounts;
using test::HttpCollector;
using test::Reply;
using test::Seen;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sockeye-export-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string sub(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

model::Span numbered(std::uint64_t number) {
  model::Span span;
  span.name = "websocket.connection";
  span.trace_id.bytes[0] = 1;
  std::memcpy(span.span_id.bytes.data(), &number, 7);
  span.span_id.bytes[7] = 1;
  span.attributes = {{"websocket.session.id", std::string("0190d2a0-0000-7000-8000-000000000000")},
                     {"sockeye.route", std::string("calls")}};
  return span;
}

std::uint64_t number_of(const std::string& id) {
  std::uint64_t number = 0;
  std::memcpy(&number, id.data(), 7);
  return number;
}

std::vector<std::uint64_t> numbers_in(const Seen& seen) {
  std::vector<std::uint64_t> out;
  for (const auto& span : test::decode(test::gunzip(seen.body)).spans) out.push_back(number_of(span.span_id));
  return out;
}

pipeline::Options quick(const std::string& spool = "") {
  pipeline::Options options;
  options.batch_delay = 10ms;
  options.retry_first = 10ms;
  options.retry_cap = 100ms;
  options.spool.directory = spool;
  return options;
}

std::unique_ptr<Pipeline> begin(const std::string& url, const pipeline::Options& options) {
  Options otlp;
  otlp.endpoint = url;
  auto transport = make_transport(otlp);
  if (!transport) std::abort();
  auto pipeline = pipeline::start(options, std::move(*transport));
  if (!pipeline) std::abort();
  return std::move(*pipeline);
}

bool balanced(const SpanCounts& a) {
  return a.received + a.recovered == a.exported + a.dropped_total() + a.queued + a.spooled;
}

// What one of our collectors took in, told by what it answered.
class Taken {
 public:
  Reply take(const Seen& seen, Reply reply = {}) {
    const auto numbers = numbers_in(seen);
    const std::lock_guard lock(mutex_);
    for (const auto n : numbers) ++times_[n];
    return reply;
  }
  std::map<std::uint64_t, int> times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, int> times_;
};

struct Failure {
  const char* name;
  // What the n-th request gets, from 0; `take` records it.
  std::function<Reply(std::uint64_t, const Seen&, Taken&)> reply;
  ErrorKind kind;
  bool may_repeat;
};

class Export : public testing::TestWithParam<Failure> {};

TEST_P(Export, EverySpanArrivesAndTheCountsAddUp) {
  for (const bool spooled : {false, true}) {
    const Folder folder;
    Taken taken;
    std::atomic<std::uint64_t> requests = 0;
    HttpCollector collector([&](const Seen& seen) { return GetParam().reply(requests++, seen, taken); });
    const auto pipeline = begin(collector.url(), quick(spooled ? folder.sub("spool") : ""));
    constexpr std::uint64_t count = 5000;
    for (std::uint64_t i = 0; i < count; ++i) pipeline->offer(numbered(i));
    ASSERT_TRUE(pipeline->flush(60s));
    const auto a = pipeline->counts();
    EXPECT_TRUE(balanced(a));
    EXPECT_EQ(a.exported, count);
    EXPECT_GT(a.errors[static_cast<std::size_t>(GetParam().kind)], 0U);
    const auto times = taken.times();
    EXPECT_EQ(times.size(), count);
    std::uint64_t extra = 0;
    for (const auto& [number, n] : times) extra += static_cast<std::uint64_t>(n) - 1;
    EXPECT_LE(extra, a.resent);
    if (!GetParam().may_repeat) {
      EXPECT_EQ(a.resent, 0U);
    }
  }
}

bool fails(std::uint64_t request) { return request % 3 == 1; }

INSTANTIATE_TEST_SUITE_P(
    Failures, Export,
    testing::Values(Failure{"SaysNotNow",
                            [](std::uint64_t n, const Seen& seen, Taken& taken) {
                              return fails(n) ? Reply::status("503 No", n == 1 ? "Retry-After: 1\r\n" : "")
                                              : taken.take(seen);
                            },
                            ErrorKind::unavailable, false},
                    Failure{"Throttles",
                            [](std::uint64_t n, const Seen& seen, Taken& taken) {
                              return fails(n) ? Reply::status("429 No") : taken.take(seen);
                            },
                            ErrorKind::throttled, false},
                    Failure{"TakesAndDiesBeforeItsAnswer",
                            [](std::uint64_t n, const Seen& seen, Taken& taken) {
                              return taken.take(seen, fails(n) ? Reply{"", true, true} : Reply{});
                            },
                            ErrorKind::reset, true},
                    Failure{"DiesBeforeTaking",
                            [](std::uint64_t n, const Seen& seen, Taken& taken) {
                              return fails(n) ? Reply{"", true, false} : taken.take(seen);
                            },
                            ErrorKind::reset, true},
                    Failure{"DiesInTheMiddleOfItsAnswer",
                            [](std::uint64_t n, const Seen& seen, Taken& taken) {
                              return taken.take(
                                  seen, fails(n) ? Reply{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x0a", true, true}
                                                 : Reply{});
                            },
                            ErrorKind::response, false}),
    [](const testing::TestParamInfo<Failure>& param) { return param.param.name; });

TEST(ExportOnce, PartialSuccessIsAccountedForAsItSays) {
  auto options = quick();
  options.batch_delay = 1h;  // whole batches: of one of six spans, no more than six can be refused
  std::atomic<std::uint64_t> requests = 0;
  HttpCollector collector(
      [&](const Seen&) { return requests++ % 2 == 0 ? Reply::status("200 OK", "", "\x0a\x02\x08\x07") : Reply{}; });
  const auto pipeline = begin(collector.url(), options);
  for (std::uint64_t i = 0; i < 2048; ++i) pipeline->offer(numbered(i));
  ASSERT_TRUE(pipeline->flush(20s));
  const auto a = pipeline->counts();
  const std::uint64_t refused = (requests + 1) / 2 * 7;
  EXPECT_EQ(a.dropped[static_cast<std::size_t>(pipeline::DropReason::rejected)], refused);
  EXPECT_EQ(a.exported, 2048 - refused);
  EXPECT_TRUE(balanced(a));
}

// A collector in a process of its own: writes every number it takes to `file` before it answers. The process is made
// here, and listens from listen() on, so that all are made before there is a second thread: a child of several threads
// finds the locks of those that it has not (and the sanitizers' among them) as they were.
class CollectorProcess {
 public:
  explicit CollectorProcess(const std::string& file) {
    std::array<int, 2> ask{};
    std::array<int, 2> tell{};
    if (::pipe2(ask.data(), O_CLOEXEC) != 0 || ::pipe2(tell.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ask[1]);
      serve(file, ask[0], tell[1]);
    }
    ::close(ask[0]);
    ::close(tell[1]);
    ask_ = ask[1];
    tell_ = tell[0];
  }
  ~CollectorProcess() {
    kill();
    ::close(ask_);
    ::close(tell_);
  }
  CollectorProcess(const CollectorProcess&) = delete;
  CollectorProcess& operator=(const CollectorProcess&) = delete;

  // On `port`, or on a free one; once. Returns which.
  std::uint16_t listen(std::uint16_t port = 0) const {
    if (::write(ask_, &port, sizeof(port)) != sizeof(port) || ::read(tell_, &port, sizeof(port)) != sizeof(port))
      std::abort();
    return port;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  [[noreturn]] static void serve(const std::string& file, int ask, int tell) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::uint16_t port = 0;
    if (::read(ask, &port, sizeof(port)) != sizeof(port)) ::_exit(1);
    const int out = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
    const HttpCollector collector(
        [out](const Seen& seen) {
          const auto numbers = numbers_in(seen);
          const auto bytes = numbers.size() * sizeof(numbers[0]);
          if (::write(out, numbers.data(), bytes) != static_cast<ssize_t>(bytes)) ::_exit(1);
          return Reply{};
        },
        port);
    port = collector.port();
    if (::write(tell, &port, sizeof(port)) != sizeof(port)) ::_exit(1);
    for (;;) ::pause();
  }

  pid_t pid_ = -1;
  int ask_ = -1;
  int tell_ = -1;
};

// The acceptance test of the spool: kill -9 of the collector under load, and its return. SOCKEYE_OUTAGE_SECONDS sets
// how long it is away.
TEST(ExportOnce, KillOfTheCollectorUnderLoadLosesNothing) {
  const char* const wanted = ::getenv("SOCKEYE_OUTAGE_SECONDS");
  const auto outage = std::chrono::seconds(wanted == nullptr ? 2 : std::atoi(wanted));
  const Folder folder;
  const std::string file = folder.sub("taken");
  CollectorProcess first(file);
  const CollectorProcess second(file);
  const std::uint16_t port = first.listen();
  auto options = quick(folder.sub("spool"));
  if (wanted != nullptr) {
    options.retry_first = 1s;
    options.retry_cap = 30s;
  }
  const auto pipeline = begin("http://127.0.0.1:" + std::to_string(port), options);

  std::atomic<bool> stop = false;
  std::uint64_t offered = 0;
  std::thread load([&] {
    while (!stop) {
      for (int i = 0; i < 20; ++i) pipeline->offer(numbered(offered++));
      std::this_thread::sleep_for(5ms);
    }
  });
  const auto for_a_while = [&](std::chrono::steady_clock::duration length) {
    const auto end = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < end) {
      ASSERT_TRUE(balanced(pipeline->counts()));
      std::this_thread::sleep_for(10ms);
    }
  };
  for_a_while(1s);
  first.kill();
  for_a_while(outage);
  EXPECT_GT(pipeline->counts().spooled, 0U);
  second.listen(port);
  for_a_while(1s);
  stop = true;
  load.join();
  ASSERT_TRUE(pipeline->flush(outage * 2 + 60s));

  const auto a = pipeline->counts();
  EXPECT_TRUE(balanced(a));
  EXPECT_EQ(a.received, offered);
  EXPECT_EQ(a.exported, offered);
  std::ifstream in(file, std::ios::binary);
  std::map<std::uint64_t, int> times;
  std::uint64_t number = 0;
  while (in.read(reinterpret_cast<char*>(&number), sizeof(number))) ++times[number];
  EXPECT_EQ(times.size(), offered);
  std::uint64_t extra = 0;
  for (const auto& [n, count] : times) extra += static_cast<std::uint64_t>(count) - 1;
  // Only what was in flight, whole, at the moment of the kill can be there twice, and then it is counted.
  EXPECT_LE(extra, a.resent);
  EXPECT_LE(a.resent, 512U);
  RecordProperty("spans", std::to_string(offered));
  RecordProperty("twice", std::to_string(extra));
  std::printf("%llu spans, %llu twice, %llu resent\n", static_cast<unsigned long long>(offered),
              static_cast<unsigned long long>(extra), static_cast<unsigned long long>(a.resent));
}

}  // namespace
}  // namespace sockeye::otlp
