#include "sockeye/live/reporter.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>

#include "console.h"
#include "endpoint.h"
#include "samples.h"
#include "unconfirmed.h"

namespace sockeye::live {
namespace {

using namespace std::chrono_literals;
using test::Console;
using test::eventually;

// Sessions as a proxy would have them.
class Sessions final : public Source {
 public:
  Hello hello() override {
    const std::lock_guard lock(mutex_);
    Hello out;
    out.instance = "i";
    out.open_sessions = open_.size();
    return out;
  }
  Report collect(bool resync, const Ask& ask) override {
    const std::lock_guard lock(mutex_);
    Report out;
    ++collected_;
    for (auto& [id, reported] : open_) {
      if (!resync && reported) continue;
      reported = true;
      model::SessionFacts opened = test::opened(1);
      opened.id = id;
      opened.target = std::string(text_size_, 't');
      out.opened.push_back(std::move(opened));
    }
    for (const auto& id : ended_) {
      model::SessionFacts opened = test::opened(1);
      opened.id = id;
      out.opened.push_back(opened);
      Ended ended = test::ended(1);
      ended.last.id = id;
      out.ended.push_back(ended);
    }
    ended_.clear();
    for (const auto& id : ask.watch) out.details.push_back({id, test::recorder(), {}});
    out.all_reported = resync;
    return out;
  }

  base::SessionId open() {
    const std::lock_guard lock(mutex_);
    base::SessionId id = test::session(1);
    for (std::size_t i = 0; i < 4; ++i) id.bytes[i] = static_cast<std::uint8_t>(next_ >> (8 * i));
    ++next_;
    open_[id] = false;
    return id;
  }
  void end(const base::SessionId& id) {
    const std::lock_guard lock(mutex_);
    open_.erase(id);
    ended_.push_back(id);
  }
  void make_large(std::size_t text_size) {
    const std::lock_guard lock(mutex_);
    text_size_ = text_size;
  }
  void report_again() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, reported] : open_) reported = false;
  }
  [[nodiscard]] int collected() const {
    const std::lock_guard lock(mutex_);
    return collected_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<base::SessionId, bool> open_;  // reported
  std::vector<base::SessionId> ended_;
  std::uint32_t next_ = 1;
  std::size_t text_size_ = 10;
  int collected_ = 0;
};

class Lines {
 public:
  void add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    all_.push_back(line);
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  [[nodiscard]] std::size_t with(std::string_view part) const {
    const auto lines = all();
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const auto& line) { return line.find(part) != std::string::npos; }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

struct Rig {
  Sessions sessions;
  Lines lines;
  std::unique_ptr<Reporter> reporter;

  ReporterOptions options(const std::string& endpoint) {
    ReporterOptions out;
    out.endpoint = endpoint;
    out.interval = 20ms;
    out.retry_first = 5ms;
    out.retry_cap = 40ms;
    out.log = [this](int, const std::string& line) { lines.add(line); };
    return out;
  }
  void start(const ReporterOptions& with) {
    auto started = Reporter::start(with, sessions);
    ASSERT_TRUE(started) << started.error().message;
    reporter = *std::move(started);
  }
};

std::set<base::SessionId> ids(const std::vector<model::SessionFacts>& list) {
  std::set<base::SessionId> out;
  for (const auto& each : list) out.insert(each.id);
  return out;
}
std::multiset<base::SessionId> ids(const std::vector<Ended>& list) {
  std::multiset<base::SessionId> out;
  for (const auto& each : list) out.insert(each.last.id);
  return out;
}

TEST(LiveReporter, TellsWhoItIsThenWhatIsNewAndSaysGoodbye) {
  Console console;
  Rig rig;
  const auto first = rig.sessions.open();
  rig.start(rig.options(console.url() + "/behind/"));
  ASSERT_TRUE(eventually([&] { return console.received().opened.size() == 1; }));
  const auto second = rig.sessions.open();
  ASSERT_TRUE(eventually([&] { return console.received().opened.size() == 2; }));
  rig.sessions.end(first);
  ASSERT_TRUE(eventually([&] { return console.received().ended.size() == 1; }));
  ASSERT_TRUE(eventually([&] { return rig.reporter->status().unconfirmed == 0; })) << "the pong confirms";
  rig.sessions.end(second);
  rig.reporter->stop(10s);
  ASSERT_TRUE(eventually([&] { return console.conversations().at(0).ended; }));
  const auto talk = console.conversations();
  ASSERT_EQ(talk.size(), 1U);
  EXPECT_EQ(talk[0].target, "/behind/api/v1/live/report");
  EXPECT_EQ(talk[0].closed, 1000);
  ASSERT_TRUE(talk[0].reports.at(0).hello);
  EXPECT_EQ(talk[0].reports[0].hello->open_sessions, 1U);
  EXPECT_TRUE(talk[0].reports[0].all_reported);
  EXPECT_FALSE(talk[0].reports.at(1).hello);
  EXPECT_EQ(ids(console.received().ended), (std::multiset{first, second}));
  EXPECT_EQ(rig.lines.all().size(), 1U) << "that it is connected";
  EXPECT_FALSE(rig.reporter->status().connected);
}

TEST(LiveReporter, AnswersAnAskWithDetail) {
  Console console;
  Rig rig;
  const auto id = rig.sessions.open();
  rig.start(rig.options(console.url()));
  ASSERT_TRUE(eventually([&] { return console.received().opened.size() == 1; }));
  console.send(encode(Ask{{id}}));
  ASSERT_TRUE(eventually([&] { return console.received().details.size() > 3; })) << "for as long as it is watched";
  EXPECT_EQ(console.received().details[0].id, id);
  EXPECT_EQ(console.received().details[0].recorder, test::recorder());
  console.send("\xff\xff");  // no ask: said once, and nothing changes
  ASSERT_TRUE(eventually([&] { return rig.lines.with("not understood") == 1; }));
  console.send(encode(Ask{}));
  ASSERT_TRUE(eventually([&] { return console.conversations()[0].reports.back().details.empty(); }));
  EXPECT_EQ(console.conversations().size(), 1U);
}

TEST(LiveReporter, ComesBackByItselfAndResyncs) {
  auto console = std::make_unique<Console>();
  Console::Options again;
  again.port = console->port();
  Rig rig;
  const auto stays = rig.sessions.open();
  const auto leaves = rig.sessions.open();
  rig.start(rig.options(console->url()));
  ASSERT_TRUE(eventually([&] { return console->received().opened.size() == 2; }));
  console.reset();
  ASSERT_TRUE(eventually([&] { return rig.lines.with("was lost") == 1; }));
  EXPECT_FALSE(rig.reporter->status().connected);
  const int collected = rig.sessions.collected();
  rig.sessions.end(leaves);
  const auto comes = rig.sessions.open();
  // Many a try against a closed port: nothing is collected for nobody, and nothing more is logged.
  Sessions* const sessions = &rig.sessions;
  console = std::make_unique<Console>(again);
  ASSERT_TRUE(eventually([&] { return console->received().all_reported; }));
  EXPECT_GE(sessions->collected(), collected + 1);
  const auto received = console->received();
  EXPECT_TRUE(received.hello);
  EXPECT_EQ(ids(received.opened), (std::set{stays, comes, leaves}));
  EXPECT_EQ(ids(received.ended), (std::multiset{leaves}));
  EXPECT_EQ(rig.lines.all().size(), 3U) << "connected; lost; back";
  EXPECT_EQ(rig.lines.with("is there, after"), 1U);
  EXPECT_EQ(rig.reporter->status().connects, 2U);
}

// What was written to a console that was killed before it read is not lost.
TEST(LiveReporter, EndedSessionsAreReportedUntilConfirmed) {
  Console::Options silent;
  silent.silent = true;
  auto console = std::make_unique<Console>(silent);
  Console::Options again;
  again.port = console->port();
  Rig rig;
  std::multiset<base::SessionId> ended;
  rig.start(rig.options(console->url()));
  ASSERT_TRUE(eventually([&] { return rig.reporter->status().reports > 0; }));
  for (int i = 0; i < 50; ++i) {
    const auto id = rig.sessions.open();
    rig.sessions.end(id);
    ended.insert(id);
  }
  ASSERT_TRUE(eventually([&] { return rig.reporter->status().unconfirmed == 50; }));
  console.reset();
  console = std::make_unique<Console>(again);
  ASSERT_TRUE(eventually([&] { return console->received().ended.size() >= 50; }));
  EXPECT_EQ(ids(console->received().ended), ended);
  for (const auto& id : ended) EXPECT_TRUE(ids(console->received().opened).contains(id));
  ASSERT_TRUE(eventually([&] { return rig.reporter->status().unconfirmed == 0; }));
}

TEST(LiveReporter, KeepsOnlySoManyOfThem) {
  Unconfirmed kept(3);
  Report report;
  for (std::uint8_t i = 1; i <= 5; ++i) {
    report.opened.push_back(test::opened(i));
    report.ended.push_back(test::ended(i));
  }
  kept.keep(report, 7);
  EXPECT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept.lost(), 2U);
  Report next;
  next.opened = {test::opened(9)};
  kept.add_to(next);
  ASSERT_EQ(next.opened.size(), 4U);
  EXPECT_EQ(next.opened[0], test::opened(3));
  EXPECT_EQ(next.opened[3], test::opened(9));
  ASSERT_EQ(next.ended.size(), 3U);
  EXPECT_EQ(next.ended[2], test::ended(5));
  kept.confirm(6);
  EXPECT_EQ(kept.size(), 3U);
  kept.confirm(7);
  EXPECT_EQ(kept.size(), 0U);
}

// The reader's window is full: ticks are skipped, not queued; once it reads it gets the present.
TEST(LiveReporter, ASlowConsoleCostsTicksNotMemory) {
  Console::Options silent;
  silent.silent = true;
  Console console(silent);
  Rig rig;
  rig.sessions.make_large(4000);
  for (int i = 0; i < 2000; ++i) rig.sessions.open();  // 8 MB
  auto options = rig.options(console.url());
  options.interval = 1ms;
  rig.start(options);
  ASSERT_TRUE(eventually([&] { return rig.sessions.collected() == 1; }));
  // Two hundred intervals go by; a reporter that queued would have asked for each.
  const auto until = std::chrono::steady_clock::now() + 200ms;
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() >= until; }));
  EXPECT_EQ(rig.sessions.collected(), 1);
  console.read_on();
  ASSERT_TRUE(eventually([&] { return console.received().opened.size() == 2000; }));
  ASSERT_TRUE(eventually([&] { return rig.sessions.collected() > 5; }));
  EXPECT_EQ(console.conversations().size(), 1U);
}

// Its kernel acknowledges, but nobody reads: frozen. A slow reader beside it is not given up.
TEST(LiveReporter, AFrozenConsoleIsGivenUp) {
  Console::Options silent;
  silent.silent = true;
  Console console(silent);
  Rig rig;
  rig.sessions.end(rig.sessions.open());
  auto options = rig.options(console.url());
  options.dead_after = 300ms;
  rig.start(options);
  ASSERT_TRUE(eventually([&] { return rig.lines.with("no sign of life") >= 1; }));
  EXPECT_TRUE(eventually([&] { return console.conversations().size() >= 2; })) << "and tried again";
}

TEST(LiveReporter, StopsInTimeWhateverTheConsoleDoes) {
  Console::Options silent;
  silent.silent = true;
  Console console(silent);
  Rig rig;
  rig.sessions.make_large(4000);
  for (int i = 0; i < 2000; ++i) rig.sessions.open();
  rig.start(rig.options(console.url()));
  ASSERT_TRUE(eventually([&] { return rig.sessions.collected() == 1; }));
  const auto begun = std::chrono::steady_clock::now();
  rig.reporter->stop(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  rig.reporter->stop(200ms);  // once more is nothing
}

TEST(LiveReporter, StopsWhileNobodyListens) {
  std::string url;
  {
    const Console gone;
    url = gone.url();
  }
  Rig rig;
  rig.start(rig.options(url));
  ASSERT_TRUE(eventually([&] { return rig.lines.with("cannot be reached") == 1; }));
  rig.reporter->stop(5s);
  EXPECT_EQ(rig.sessions.collected(), 0);
}

TEST(LiveReporter, TokenIsReadAtEveryConnect) {
  Console::Options guarded;
  guarded.token = "s3cret";
  Console console(guarded);
  std::string folder = (std::filesystem::temp_directory_path() / "sockeye-live-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/token";
  const auto write = [](const std::string& to, const std::string& token) {
    std::ofstream(to) << token;
    std::filesystem::permissions(to, std::filesystem::perms(0600));
  };
  write(file, "wrong\n");
  Rig rig;
  auto options = rig.options(console.url());
  options.token_file = file;
  rig.start(options);
  ASSERT_TRUE(eventually([&] { return rig.lines.with("answers 401") == 1; }));
  write(file + ".new", "  s3cret \nnot this\n");
  std::filesystem::rename(file + ".new", file);
  EXPECT_TRUE(eventually([&] { return console.received().all_reported; }));
  EXPECT_EQ(rig.lines.with("answers 401"), 1U) << "once";
  for (const auto& line : rig.lines.all()) EXPECT_EQ(line.find("s3cret"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(LiveReporter, WhoDoesNotSpeakTheSubprotocolGetsNoReports) {
  Console::Options other;
  other.speaks = false;
  Console console(other);
  Rig rig;
  rig.start(rig.options(console.url()));
  ASSERT_TRUE(eventually([&] { return rig.lines.with("does not speak sockeye-live.v1") == 1; }));
  EXPECT_EQ(rig.sessions.collected(), 0);
}

// --- TLS ---

class Certificate {
 public:
  Certificate() {
    folder_ = (std::filesystem::temp_directory_path() / "sockeye-live-XXXXXX").string();
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=console -addext "
        "subjectAltName=IP:127.0.0.1 -keyout " +
        key() + " -out " + file() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) std::abort();
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  [[nodiscard]] std::string file() const { return folder_ + "/cert.pem"; }
  [[nodiscard]] std::string key() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

TEST(LiveReporter, TellsOverTls) {
  const Certificate certificate;
  Console::Options options;
  options.tls = net::ServerTls{certificate.file(), certificate.key()};
  Console console(options);
  Rig rig;
  auto with = rig.options(console.url("https"));
  with.ca = certificate.file();
  rig.start(with);
  EXPECT_TRUE(eventually([&] { return console.received().all_reported; }))
      << (rig.lines.all().empty() ? "" : rig.lines.all()[0]);
  rig.reporter->stop(10s);
  EXPECT_TRUE(eventually([&] { return console.conversations().at(0).closed == 1000; }));
  // Another CA: nothing is reported.
  const Certificate stranger;
  Rig wary;
  with = wary.options(console.url("https"));
  with.ca = stranger.file();
  wary.start(with);
  EXPECT_TRUE(eventually([&] { return wary.lines.with("TLS:") == 1; }));
  EXPECT_EQ(wary.sessions.collected(), 0);
}

// --- what start() refuses ---

TEST(LiveReporter, RefusesWhatCannotWork) {
  Rig rig;
  for (const char* endpoint : {"", "console", "ws://x", "http://", "http://:80", "http://x:0", "http://x:65536",
                               "http://x:1a", "http://x/a b", "http://user@x", "http://x/?a"})
    EXPECT_FALSE(Reporter::start(rig.options(endpoint), rig.sessions)) << endpoint;
  auto options = rig.options("http://127.0.0.1:1");
  options.token_file = "/nonexistent/token";
  const auto no_token = Reporter::start(options, rig.sessions);
  ASSERT_FALSE(no_token);
  EXPECT_NE(no_token.error().message.find("/nonexistent/token: cannot be read"), std::string::npos);
  options = rig.options("https://127.0.0.1:1");
  options.ca = "/nonexistent/ca.pem";
  EXPECT_FALSE(Reporter::start(options, rig.sessions));
}

TEST(LiveReporter, ReadsEndpoints) {
  const auto v6 = parse_endpoint("https://[::1]:16686/console/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->scheme, "https");
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 16'686);
  EXPECT_EQ(v6->authority(), "[::1]:16686");
  EXPECT_EQ(v6->path, "/console/api/v1/live/report");
  EXPECT_FALSE(parse_endpoint("http://console.example")->port);
}

}  // namespace
}  // namespace sockeye::live
