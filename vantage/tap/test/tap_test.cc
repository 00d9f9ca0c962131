#include "sockeye/tap/tap.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "sockeye/base/random.h"
#include "sockeye/model/anomaly.h"
#include "talk.h"
#include "tls_pair.h"

namespace sockeye::tap {
namespace {

using model::Side;
using test::Captured;
using test::close_of;
using test::frame;
using test::Talk;
using test::upgrade_request;
using test::upgrade_response;

struct Observed {
  std::vector<model::SessionRow> rows;
  TapTotals totals;
  std::string anomalies;  // their names
};

TapOptions options_for(Observed& out) {
  TapOptions options;
  options.observation.vantage = "tap";
  options.ended = [&out](const model::SessionRow& row) { out.rows.push_back(row); };
  return options;
}

Observed observe(std::vector<Captured> packets, const std::string& key_log = "") {
  Observed out;
  auto options = options_for(out);
  options.key_log = key_log;
  auto tap = Tap::open(std::move(options));
  EXPECT_TRUE(tap) << tap.error().message;
  test::ListSource source(std::move(packets));
  EXPECT_TRUE((*tap)->run(source));
  (*tap)->finish();
  out.totals = (*tap)->totals();
  const auto& counts = (*tap)->metrics()[0].workers[0]->anomalies;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].value() > 0) out.anomalies += std::string(model::name(static_cast<model::Anomaly>(i))) + " ";
  }
  return out;
}

void expect_counts(const model::SessionRow& row, std::uint64_t client, std::uint64_t server) {
  EXPECT_EQ(row.record.figures.messages[0], client);
  EXPECT_EQ(row.record.figures.messages[1], server);
  EXPECT_EQ(row.record.figures.anomalies, 0U);
}

TEST(Tap, AnUpgradeAfterOtherRequestsOnAnyPort) {
  Talk talk(40'000, 23);
  talk.connect();
  talk.client("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  talk.client("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  talk.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  talk.upgrade("Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: chat\r\n");
  talk.chat(10);
  talk.close();
  const auto out = observe(talk.packets);
  ASSERT_EQ(out.rows.size(), 1U);
  const auto& row = out.rows[0];
  expect_counts(row, 10, 10);
  EXPECT_EQ(row.record.facts.client, "192.0.2.1");
  EXPECT_EQ(row.record.facts.server, "192.0.2.2:23");
  EXPECT_EQ(row.record.facts.target, "/chat");
  EXPECT_EQ(row.record.facts.subprotocol, "chat");
  ASSERT_TRUE(row.record.end);
  EXPECT_EQ(row.record.end->code, 1000);
  EXPECT_EQ(row.record.end->initiator, "client");
  EXPECT_EQ(out.totals.connections, 1U);
  EXPECT_EQ(out.totals.websockets, 1U);
  EXPECT_EQ(out.totals.attached, 0U);
  EXPECT_EQ(out.totals.gaps, 0U);
  EXPECT_EQ(out.totals.open, 0U);
}

TEST(Tap, ThePacketsTimeIsTheSessions) {
  Talk talk;
  talk.step = std::chrono::milliseconds(250);
  talk.connect();
  talk.upgrade();
  talk.server(
      std::string(base::as_text(wire::control_frame(model::Opcode::ping, base::as_bytes("x"), false, 0).view())));
  talk.client(
      std::string(base::as_text(wire::control_frame(model::Opcode::pong, base::as_bytes("x"), true, 5).view())));
  talk.close();
  const auto out = observe(talk.packets);
  ASSERT_EQ(out.rows.size(), 1U);
  const auto& row = out.rows[0];
  EXPECT_EQ(row.record.facts.opened_unix_ns, 1'700'000'001'250'000'000U);
  EXPECT_EQ(row.record.figures.rtt_ns[0], std::optional<std::uint64_t>(500'000'000)) << "of the ping of the server's";
}

TEST(Tap, TheSamePacketsGiveTheSameObservations) {
  Talk talk;
  talk.connect();
  talk.upgrade();
  talk.chat(3);
  talk.close();
  const auto a = observe(talk.packets);
  const auto b = observe(talk.packets);
  ASSERT_EQ(a.rows.size(), 1U);
  EXPECT_EQ(a.rows[0].record.facts, b.rows[0].record.facts);
  EXPECT_EQ(a.rows[0].record.figures, b.rows[0].record.figures);
  auto twice = talk.packets;  // as a loopback or "any" capture has them
  for (std::size_t i = twice.size(); i > 0; --i)
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), twice[i - 1]);
  const auto c = observe(twice);
  EXPECT_EQ(a.rows[0].record.facts, c.rows[0].record.facts);
  EXPECT_EQ(a.rows[0].record.figures, c.rows[0].record.figures);
  EXPECT_EQ(c.rows.size(), 1U);
  auto another = talk.packets;
  for (auto& each : another) each.time += std::chrono::seconds(1);
  const auto d = observe(another);
  EXPECT_NE(a.rows[0].record.facts.id, d.rows[0].record.facts.id);
  EXPECT_NE(a.rows[0].record.facts.trace_id, d.rows[0].record.facts.trace_id);
}

TEST(Tap, OpenAtTheCapturesEnd) {
  Talk talk;
  talk.connect();
  talk.upgrade();
  talk.chat(3);
  const auto out = observe(talk.packets);
  ASSERT_EQ(out.rows.size(), 1U);
  expect_counts(out.rows[0], 3, 3);
  EXPECT_FALSE(out.rows[0].record.end);
  EXPECT_EQ(out.rows[0].record.figures.state, model::SessionState::open);
}

TEST(Tap, WhatIsNoWebSocketIsLeftAlone) {
  Talk ssh(40'001, 22);
  ssh.connect();
  ssh.server("SSH-2.0-OpenSSH_9.2\r\n");
  ssh.client("SSH-2.0-OpenSSH_9.2\r\n");
  Talk http(40'002, 80);
  http.connect();
  http.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  http.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  Talk refused(40'003, 80);
  refused.connect();
  refused.client(upgrade_request());
  refused.server("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  auto packets = ssh.packets;
  for (const auto& each : {http.packets, refused.packets}) packets.insert(packets.end(), each.begin(), each.end());
  const auto out = observe(packets);
  EXPECT_TRUE(out.rows.empty());
  EXPECT_EQ(out.totals.connections, 3U);
  EXPECT_EQ(out.totals.websockets, 0U);
}

TEST(Tap, BegunInItsMidst) {
  for (const auto server_port : {std::uint16_t{8765}, std::uint16_t{50'000}}) {  // the second: ports say the contrary
    Talk talk(40'000, server_port);
    talk.connect();
    talk.upgrade();
    const auto begin = talk.packets.size();
    talk.chat(20);
    talk.close();
    const auto out = observe({talk.packets.begin() + static_cast<std::ptrdiff_t>(begin), talk.packets.end()});
    ASSERT_EQ(out.rows.size(), 1U);
    expect_counts(out.rows[0], 20, 20);
    EXPECT_EQ(out.rows[0].record.facts.server, "192.0.2.2:" + std::to_string(server_port));
    EXPECT_EQ(out.totals.attached, 1U);
    EXPECT_EQ(out.totals.begun_before, 1U);
    ASSERT_TRUE(out.rows[0].record.end);
    EXPECT_EQ(out.rows[0].record.end->code, 1000);
  }
}

TEST(Tap, UpgradedOnAConnectionThatWasThereBefore) {
  Talk talk(40'000, 50'000);
  talk.connect();
  talk.client("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  talk.upgrade();
  talk.chat(5);
  const auto out = observe({talk.packets.begin() + 5, talk.packets.end()});  // from the 200 on
  ASSERT_EQ(out.rows.size(), 1U);
  expect_counts(out.rows[0], 5, 5);
  EXPECT_EQ(out.rows[0].record.facts.target, "/chat");
  EXPECT_EQ(out.rows[0].record.facts.server, "192.0.2.2:50000");
  EXPECT_EQ(out.totals.attached, 0U);
}

TEST(Tap, WithoutTheAnswerItIsFoundByItsFrames) {
  Talk talk;
  talk.connect();
  talk.client(upgrade_request());
  const auto lost = talk.packets.size();
  talk.server(upgrade_response());
  talk.chat(20);
  auto packets = talk.packets;
  packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(lost));
  const auto out = observe(packets);
  ASSERT_EQ(out.rows.size(), 1U);
  EXPECT_GE(out.rows[0].record.figures.messages[1], 18U);
  EXPECT_EQ(out.rows[0].record.figures.anomalies, 0U);
  EXPECT_EQ(out.totals.attached, 1U);
}

TEST(Tap, WhatTheCaptureLostIsSaidAndNobodyBlamed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Random random(seed);
    Talk talk;
    talk.connect();
    talk.upgrade();
    const auto begin = talk.packets.size();
    talk.chat(200, 20 + random() % 3000);
    talk.close();
    std::vector<Captured> packets;
    std::size_t lost = 0;
    for (std::size_t i = 0; i < talk.packets.size(); ++i) {
      if (i >= begin && i + 10 < talk.packets.size() && random() % 50 == 0) {
        lost += talk.packets[i].payload ? 1U : 0U;
        continue;
      }
      packets.push_back(talk.packets[i]);
    }
    const auto out = observe(packets);
    ASSERT_EQ(out.rows.size(), 1U) << seed;
    const auto& figures = out.rows[0].record.figures;
    EXPECT_EQ(out.anomalies, "") << seed;
    for (const auto side : {0, 1}) {
      EXPECT_LE(figures.messages[static_cast<std::size_t>(side)], 200U) << seed;
      EXPECT_GE(figures.messages[static_cast<std::size_t>(side)], 150U) << seed;
    }
    EXPECT_TRUE(lost == 0 || out.totals.gaps > 0) << seed;
    ASSERT_TRUE(out.rows[0].record.end);
    EXPECT_EQ(out.rows[0].record.end->code, 1000);
  }
}

// A conversation inside TLS, as packets.
struct Secret {
  Talk talk{40'000, 443};
  std::string key_log;

  explicit Secret(int version, int messages = 10) {
    test::TlsPair pair({version, "", "", true, false, 0});
    EXPECT_TRUE(pair.shake_hands());
    pair.send(Side::client, upgrade_request("/secret"));
    pair.send(Side::server, upgrade_response());
    for (int i = 0; i < messages; ++i) {
      pair.send(Side::client, frame("question " + std::to_string(i), true));
      pair.send(Side::server, frame("answer " + std::to_string(i), false));
    }
    talk.connect();
    for (const auto& flight : pair.flights) talk.say(flight.from, base::as_text(flight.bytes));
    key_log = pair.key_log;
  }
};

TEST(Tap, InsideTls) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Secret secret(version);
    const std::string path = ::testing::TempDir() + "tap_test_keys_" + std::to_string(::getpid());
    std::ofstream(path) << secret.key_log;
    const auto out = observe(secret.talk.packets, path);
    ::unlink(path.c_str());
    ASSERT_EQ(out.rows.size(), 1U);
    expect_counts(out.rows[0], 10, 10);
    EXPECT_EQ(out.rows[0].record.facts.target, "/secret");
    EXPECT_EQ(out.totals.tls, 1U);
    EXPECT_EQ(out.totals.tls_decrypted, 1U);

    const auto none = observe(secret.talk.packets);
    EXPECT_TRUE(none.rows.empty());
    EXPECT_EQ(none.totals.tls, 1U);
    EXPECT_EQ(none.totals.tls_without_secrets, 1U);
  }
}

TEST(Tap, SecretsInTheCapture) {
  const Secret secret(TLS1_3_VERSION);
  std::string path = ::testing::TempDir() + "tap_testXXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  test::PcapngWriter writer;
  writer.interface(1, 9);
  writer.secrets(0x544c534b, base::as_bytes(secret.key_log));
  for (const auto& each : secret.talk.packets) {
    writer.enhanced(0, static_cast<std::uint64_t>(each.time.time_since_epoch().count()), each.bytes);
  }
  const auto size = static_cast<ssize_t>(writer.bytes().size());
  ASSERT_EQ(::write(fd, writer.bytes().data(), writer.bytes().size()), size);
  ::close(fd);
  Observed out;
  auto tap = Tap::open(options_for(out));
  ASSERT_TRUE(tap);
  auto source = open_capture(path);
  ASSERT_TRUE(source);
  EXPECT_TRUE((*tap)->run(**source));
  (*tap)->finish();
  ::unlink(path.c_str());
  ASSERT_EQ(out.rows.size(), 1U);
  expect_counts(out.rows[0], 10, 10);
  EXPECT_FALSE(Tap::open({.observation = {},
                          .key_log = "/nonexistent/keys",
                          .spans = nullptr,
                          .record = {},
                          .ended = {},
                          .progress = {}}));
}

TEST(Tap, ManyTinyStreamsInBoundedMemory) {
  Observed out;
  auto options = options_for(out);
  options.streams = 500;
  auto tap = Tap::open(std::move(options));
  ASSERT_TRUE(tap);
  Talk session(9, 80);
  session.connect();
  session.upgrade();
  session.chat(1);
  test::ListSource first(session.packets);
  ASSERT_TRUE((*tap)->run(first));
  auto time = session.time;
  for (int i = 0; i < 20'000; ++i) {
    Talk tiny(static_cast<std::uint16_t>(1000 + i), 80);
    tiny.time = time;
    tiny.connect();
    tiny.client("GET / HTTP/1.1\r\n");
    time = tiny.time;
    test::ListSource source(tiny.packets);
    ASSERT_TRUE((*tap)->run(source));
  }
  EXPECT_EQ((*tap)->totals().connections, 20'001U);
  EXPECT_EQ((*tap)->totals().evicted, 20'001U - 500U);
  EXPECT_EQ((*tap)->totals().open, 1U) << "a WebSocket goes last";
  (*tap)->finish();
}

TEST(Tap, HeadsThatNeverEndInBoundedMemory) {
  Observed out;
  auto options = options_for(out);
  options.held = 100'000;
  auto tap = Tap::open(std::move(options));
  ASSERT_TRUE(tap);
  const std::string endless = "GET /" + std::string(29'995, 'a');
  for (int i = 0; i < 10; ++i) {
    Talk one(static_cast<std::uint16_t>(1000 + i), 80);
    one.connect();
    one.client(endless);
    test::ListSource source(one.packets);
    ASSERT_TRUE((*tap)->run(source));
  }
  EXPECT_EQ((*tap)->totals().given_up, 7U) << "three of them fit";
  Talk session(9, 80);
  session.connect();
  session.upgrade();
  session.chat(1);
  test::ListSource last(session.packets);
  ASSERT_TRUE((*tap)->run(last));
  EXPECT_EQ((*tap)->totals().open, 1U) << "what is small still finds room";
  (*tap)->finish();
}

TEST(Tap, OthersAskWhileItRuns) {
  // Gives the same conversation's packets until the tap is stopped.
  class Endless final : public Source {
   public:
    explicit Endless(std::vector<Captured> packets) : packets_(std::move(packets)) {}
    Event next(Packet& packet) override {
      const auto& each = packets_[at_ < packets_.size() ? at_++ : packets_.size() - 1];
      packet = {each.time, each.bytes, static_cast<std::uint32_t>(each.bytes.size()), 1};
      return Event::packet;
    }
    [[nodiscard]] const base::Error& error() const override { return error_; }
    [[nodiscard]] const std::string& truncation() const override { return error_.message; }

   private:
    std::vector<Captured> packets_;
    std::size_t at_ = 0;
    base::Error error_;
  };
  Talk talk;
  talk.connect();
  talk.upgrade();
  talk.chat(3);
  Observed out;
  auto tap = Tap::open(options_for(out));
  ASSERT_TRUE(tap);
  (*tap)->follow(10);
  std::thread runner([&] {
    Endless source(talk.packets);
    EXPECT_TRUE((*tap)->run(source));
    (*tap)->finish();
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::vector<model::SessionRow> rows;
  while ((rows.empty() || rows[0].record.figures.messages[1] < 3) && std::chrono::steady_clock::now() < deadline) {
    rows = (*tap)->sessions();
  }
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE((*tap)->session(rows[0].record.facts.id));
  EXPECT_FALSE((*tap)->session({}));
  auto deltas = (*tap)->changes({.resync = true, .watch = {rows[0].record.facts.id}});
  ASSERT_EQ(deltas.workers.size(), 1U);
  EXPECT_TRUE(deltas.complete);
  EXPECT_EQ(deltas.workers[0].opened.size(), 1U);
  EXPECT_EQ(deltas.workers[0].changed.size(), 1U);
  EXPECT_EQ(deltas.workers[0].watched.size(), 1U);
  deltas = (*tap)->changes({});
  EXPECT_TRUE(deltas.workers[0].opened.empty());
  EXPECT_TRUE(deltas.workers[0].changed.empty());
  EXPECT_GT((*tap)->totals().packets, 0U);
  EXPECT_EQ((*tap)->metrics().size(), 1U);
  (*tap)->stop();
  runner.join();
  EXPECT_TRUE((*tap)->draining());
  EXPECT_TRUE((*tap)->sessions().empty());
  EXPECT_EQ((*tap)->ended().size(), 1U);
  EXPECT_EQ((*tap)->changes({}).workers[0].ended.size(), 1U);
}

// A source that is not in a hurry: what changed meanwhile, and nobody waited for, comes with the next delta.
TEST(Tap, ADeltaThatComesTooLateIsNotLost) {
  class Slow final : public Source {
   public:
    explicit Slow(std::vector<Captured> packets) : packets_(std::move(packets)) {}
    std::atomic<bool> asked = false;
    std::atomic<bool> go_on = false;
    Event next(Packet& packet) override {
      if (at_ == packets_.size()) {
        asked = true;
        while (!go_on) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        packet.time = packets_.back().time;
        return Event::idle;
      }
      const auto& each = packets_[at_++];
      packet = {each.time, each.bytes, static_cast<std::uint32_t>(each.bytes.size()), 1};
      return Event::packet;
    }
    [[nodiscard]] const base::Error& error() const override { return error_; }
    [[nodiscard]] const std::string& truncation() const override { return error_.message; }

   private:
    std::vector<Captured> packets_;
    std::size_t at_ = 0;
    base::Error error_;
  };
  Talk talk;
  talk.connect();
  talk.upgrade();
  talk.chat(3);
  Observed out;
  auto tap = Tap::open(options_for(out));
  ASSERT_TRUE(tap);
  Slow source(talk.packets);
  std::thread runner([&] { EXPECT_TRUE((*tap)->run(source)); });
  while (!source.asked) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE((*tap)->changes({.resync = true, .watch = {}}).workers.empty());
  source.go_on = true;
  std::size_t opened = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (opened == 0 && std::chrono::steady_clock::now() < deadline) {
    for (const auto& each : (*tap)->changes({}).workers) opened += each.opened.size();
  }
  EXPECT_EQ(opened, 1U);
  (*tap)->stop();
  runner.join();
}

}  // namespace
}  // namespace sockeye::tap
