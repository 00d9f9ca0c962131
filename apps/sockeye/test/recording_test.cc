// Sessions recorded by the binary, as a route asks for or a person; replayed and exported by it.
#include <gtest/gtest.h>
#include <signal.h>
#include <simdjson.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "program.h"

namespace sockeye::app::testing::recording_test {
namespace {

namespace fs = std::filesystem;
namespace dom = simdjson::dom;

constexpr std::string_view hello("\x81\x85\x01\x02\x03\x04igohn", 11);  // "hello", masked
constexpr std::string_view bye("\x88\x82\0\0\0\0\x03\xe8", 8);

class Recorded : public ::testing::Test {
 protected:
  Recorded() : path_(fs::temp_directory_path() / ("sockeye_recording_test." + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Recorded() override { fs::remove_all(path_); }

  void start(const std::string& more, const std::string& of_route, const std::string& of_capture = "",
             void (*prepare)() = nullptr) {
    start_with("capture: {directory: '" + captures().string() + "'" + of_capture + "}\n" + more, of_route, prepare);
  }
  void start_with(const std::string& more, const std::string& of_route, void (*prepare)() = nullptr) {
    const auto file = path_ / "sockeye.yaml";
    std::ofstream(file) << "metrics: {listen: '127.0.0.1:0'}\nthreads: 1\n"
                        << more << "routes:\n  - listen: 127.0.0.1:0\n    upstream: ws://127.0.0.1:" << upstream_.port()
                        << "\n"
                        << of_route;
    proxy_ = std::make_unique<Program>(std::vector<std::string>{"proxy", "--config", file}, std::vector<std::string>{},
                                       prepare);
    ASSERT_TRUE(proxy_->logged("/metrics")) << proxy_->err();
  }
  [[nodiscard]] int port() const { return proxy_->port_after(": 127.0.0.1:"); }
  [[nodiscard]] int metrics() const { return proxy_->port_after("metrics http://127.0.0.1:"); }
  [[nodiscard]] fs::path captures() const { return path_ / "captures"; }

  // The recording, once the proxy has ended and so written it.
  std::string stop() {
    proxy_->send(SIGTERM);
    EXPECT_EQ(proxy_->status(), 0) << proxy_->err();
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(captures())) found.push_back(entry.path());
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? "" : found.front();
  }
  static std::string body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
  // /sessions' only row, live or ended, once it has so many messages; and as text.
  std::string session(const char* list, std::uint64_t messages) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto text = body(get(metrics(), "/sessions"));
      dom::element seen;
      if (parser_.parse(text).get(seen) != simdjson::SUCCESS) continue;
      const dom::array rows = seen[list];
      if (rows.size() != 1 || std::uint64_t(rows.at(0)["messages"]["c2s"]) != messages) continue;
      return std::string(std::string_view(rows.at(0)["id"]));
    }
    return "";
  }

  // The answer to the request that a session be recorded.
  [[nodiscard]] std::string ask(const std::string& path, const std::string& fields = "") const {
    Tcp asker(metrics());
    asker.write("POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "Connection: close\r\n\r\n");
    return asker.read_until("\n\n\n");
  }
  // Once /metrics has that line.
  [[nodiscard]] bool counted(const std::string& line) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline)
      if (get(metrics(), "/metrics").find("\n" + line + "\n") != std::string::npos) return true;
    return false;
  }

  static std::string replay(const std::string& file, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"replay", file});
    Program program(more);
    EXPECT_EQ(program.status(), 0) << program.err();
    return program.out();
  }
  static std::string contents(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path path_;
  Upstream upstream_;
  std::unique_ptr<Program> proxy_;
  dom::parser parser_;
};

TEST_F(Recorded, ReplaysTheSameTwiceAndExports) {
  start("privacy: {payload: capture}\n", "    capture: all\n");
  {
    Tcp client(port());
    client.write(upgrade);
    ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    client.write(hello);
    client.write(bye);
    client.read_until("\x88");
  }
  const std::string id = session("ended", 1);
  ASSERT_NE(id, "");
  const auto counted = body(get(metrics(), "/metrics"));
  EXPECT_NE(counted.find("sockeye_recordings_total 1"), std::string::npos);
  const std::string file = stop();
  EXPECT_EQ(fs::path(file).filename(), id + ".capture");
  struct stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(captures().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
  EXPECT_EQ(contents(file).find("abc"), std::string::npos);  // the token of the query

  const auto first = replay(file, {"--format", "json"});
  EXPECT_EQ(replay(file, {"--format", "json"}), first);
  const dom::element again = parser_.parse(first);
  EXPECT_EQ(std::string_view(again["session"]["id"]), id);
  EXPECT_EQ(std::uint64_t(again["session"]["messages"]["c2s"]), 1U);
  EXPECT_FALSE(bool(again["incomplete"]));
  EXPECT_EQ(std::string_view(again["spans"].at(0)["name"]), "websocket.handshake");
  // The replay has the families that the proxy has; that their values are the same is capture_test's to show.
  std::size_t compared = 0;
  for (const dom::element sample : again["metrics"].get_array()) {
    const auto name = std::string_view(sample["name"]);
    if (sample["value"].error() != simdjson::SUCCESS || name == "websocket_connections_active") continue;
    ++compared;
    EXPECT_NE(counted.find(std::string(name) + "{"), std::string::npos) << name;
  }
  EXPECT_GE(compared, 4U);
  EXPECT_NE(replay(file).find("session " + id), std::string::npos);

  Program exported({"capture", "export", file});
  EXPECT_EQ(exported.status(), 0) << exported.err();
  const dom::element har = parser_.parse(exported.out());
  const dom::element message = har["log"]["entries"].at(0)["_webSocketMessages"].at(0);
  EXPECT_EQ(std::string_view(message["data"]), "hello");
  EXPECT_EQ(std::string_view(message["type"]), "send");
}

// The client's half, played through the proxy again: it counts the same.
TEST_F(Recorded, PlaysTheClientToAServer) {
  start("privacy: {payload: capture}\n", "    capture: all\n");
  {
    Tcp client(port());
    client.write(upgrade);
    ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    for (int i = 0; i < 3; ++i) client.write(hello);
    client.write(bye);
    client.read_until("\x88");
  }
  ASSERT_NE(session("ended", 3), "");
  const std::string file = stop();
  const Upstream server;
  const std::string url = "ws://127.0.0.1:" + std::to_string(server.port());
  const auto said = replay(file, {"--to", url, "--speed", "1000"});
  EXPECT_EQ(said, "sent 3 messages (41 bytes of frames), received 0; closed with 1005\n");
  Program nobody({"replay", file, "--to", "ws://127.0.0.1:1"});
  EXPECT_EQ(nobody.status(), 1);
  EXPECT_NE(nobody.err().find("cannot connect to 127.0.0.1:1"), std::string::npos) << nobody.err();
  Program tls({"replay", file, "--to", "wss://127.0.0.1:1"});
  EXPECT_EQ(tls.status(), 1);
}

// A client that just went away is played with a Close of its own, so that nothing the server says is lost.
TEST_F(Recorded, PlaysAClientThatSentNoCloseUntilTheServerHasClosed) {
  start("privacy: {payload: capture}\n", "    capture: all\n");
  {
    Tcp client(port());
    client.write(upgrade);
    ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    client.write(hello);
    ASSERT_NE(session("sessions", 1), "");
  }
  ASSERT_NE(session("ended", 1), "");
  const std::string file = stop();
  std::string tail;
  for (int i = 0; i < 1000; ++i) tail += std::string("\x82\x7e\x01\x00", 4) + std::string(256, 'x');
  const Upstream server(tail);
  const auto said = replay(file, {"--to", "ws://127.0.0.1:" + std::to_string(server.port()), "--speed", "0"});
  EXPECT_EQ(said, "sent 1 messages (11 bytes of frames), received 1000; closed with 1005\n");
}

TEST_F(Recorded, BeginsWhenAskedForAndKeepsNoPayload) {
  start("", "");
  std::optional<Tcp> client(port());
  client->write(upgrade);
  ASSERT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  client->write(hello);
  const std::string id = session("sessions", 1);
  ASSERT_NE(id, "");
  EXPECT_TRUE(ask("/sessions/" + id + "/capture", "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(ask("/sessions/" + id + "/capture").starts_with("HTTP/1.1 202"));
  EXPECT_TRUE(ask("/sessions/" + id + "/capture").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask("/sessions/" + std::string(36, '0') + "/capture").starts_with("HTTP/1.1 40"));
  EXPECT_TRUE(ask("/sessions/" + id).starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(get(metrics(), "/sessions/" + id + "/capture").starts_with("HTTP/1.1 405"));
  client->write(hello);
  client->write(hello);
  client->write(bye);
  client->read_until("\x88");
  client.reset();  // the proxy need not wait for it
  ASSERT_NE(session("ended", 3), "");
  const std::string file = stop();
  EXPECT_EQ(contents(file).find("igohn"), std::string::npos);
  Program unplayable({"replay", file, "--to", "ws://127.0.0.1:1"});
  EXPECT_EQ(unplayable.status(), 1);
  EXPECT_NE(unplayable.err().find("has no payload"), std::string::npos) << unplayable.err();
  const dom::element again = parser_.parse(replay(file, {"--format", "json"}));
  EXPECT_EQ(std::uint64_t(again["session"]["messages"]["c2s"]), 2U);
  EXPECT_EQ(std::uint64_t(again["session"]["bytes"]["c2s"]), 10U);
}

TEST_F(Recorded, BeginsWithTheFirstAnomaly) {
  start("privacy: {payload: capture}\n", "    conformance: forward\n    capture: {when: [anomaly]}\n");
  std::optional<Tcp> client(port());
  client->write(upgrade);
  ASSERT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  client->write(hello);
  ASSERT_NE(session("sessions", 1), "");
  EXPECT_TRUE(counted("sockeye_recordings_total 0"));
  client->write(std::string_view("\x81\x01x", 3));  // not masked
  EXPECT_TRUE(counted("sockeye_recordings_total 1"));
  client->write(hello);
  client->write(std::string_view("\x81\x01x", 3));
  client->write(bye);
  client->read_until("\x88");
  client.reset();  // the proxy need not wait for it
  ASSERT_NE(session("ended", 4), "");
  const dom::element again = parser_.parse(replay(stop(), {"--format", "json"}));
  EXPECT_EQ(std::uint64_t(again["session"]["messages"]["c2s"]), 2U);
  EXPECT_EQ(std::uint64_t(again["session"]["anomalies"]), 1U);
}

TEST_F(Recorded, BeginsWhenAPongIsMissed) {
  start("",
        "    capture: {when: [missed_pong]}\n    heartbeat: {interval: 20ms, timeout: 20ms, misses: 100, upstream: "
        "false}\n");
  std::optional<Tcp> client(port());
  client->write(upgrade);
  ASSERT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  EXPECT_TRUE(counted("sockeye_recordings_total 1")) << "it answers no ping";
  client->write(hello);
  client->write(bye);
  client->read_until("\x88");
  client.reset();  // the proxy need not wait for it
  ASSERT_NE(session("ended", 1), "");
  const dom::element again = parser_.parse(replay(stop(), {"--format", "json"}));
  EXPECT_EQ(std::uint64_t(again["session"]["messages"]["c2s"]), 1U);
}

TEST_F(Recorded, NothingIsWithoutADirectoryOrRoomInIt) {
  start_with("", "    capture: all\n");
  {
    Tcp client(port());
    client.write(upgrade);
    ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    const auto answer = ask("/sessions/" + session("sessions", 0) + "/capture");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 409")) << answer;
    EXPECT_NE(proxy_->err().find("no capture.directory: nothing is recorded"), std::string::npos) << proxy_->err();
  }
  fs::create_directory(captures());
  std::ofstream(captures() / "earlier.capture") << std::string(65536, 'x');
  start("", "    capture: all\n", ", total: 64KiB");
  Tcp client(port());
  client.write(upgrade);
  ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  EXPECT_TRUE(counted("sockeye_recordings_refused_total 1"));
  const auto answer = ask("/sessions/" + session("sessions", 0) + "/capture");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 507")) << answer;
  EXPECT_TRUE(counted("sockeye_recordings_refused_total 2"));
  EXPECT_TRUE(counted("sockeye_recordings_total 0"));
  client.write(hello);
  EXPECT_NE(session("sessions", 1), "") << "the session goes on all the same";
}

// As `ulimit -f` has it; a write over it fails instead of ending the process.
void small_files() {
  const ::rlimit limit{65536, 65536};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, SIG_IGN);
}

TEST_F(Recorded, EndsWhereItCannotBeWrittenAndTheSessionGoesOn) {
  start("privacy: {payload: capture}\n", "    capture: all\n", "", small_files);
  std::optional<Tcp> client(port());
  client->write(upgrade);
  ASSERT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  const std::string large = std::string("\x82\xff\0\0\0\0\0\1\0\0\0\0\0\0", 14) + std::string(65536, 'x');
  client->write(large);
  EXPECT_TRUE(counted("sockeye_recordings_cut_total{reason=\"write_error\"} 1"));
  client->write(hello);
  client->write(bye);
  client->read_until("\x88");
  client.reset();  // the proxy need not wait for it
  ASSERT_NE(session("ended", 2), "");
  const std::string file = stop();
  EXPECT_EQ(fs::file_size(file), 65536U);
  const dom::element again = parser_.parse(replay(file, {"--format", "json"}));
  EXPECT_TRUE(bool(again["incomplete"])) << "which a replay says";
}

TEST_F(Recorded, EndsAtItsLimitAndSaysSo) {
  start("privacy: {payload: capture}\n", "    capture: all\n", ", limit: 64KiB");
  std::optional<Tcp> client(port());
  client->write(upgrade);
  ASSERT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  client->write(hello);
  const std::string large = std::string("\x82\xff\0\0\0\0\0\1\0\0\0\0\0\0", 14) + std::string(65536, 'x');
  client->write(large);
  EXPECT_TRUE(counted("sockeye_recordings_cut_total{reason=\"limit\"} 1"));
  client->write(bye);
  client->read_until("\x88");
  client.reset();  // the proxy need not wait for it
  ASSERT_NE(session("ended", 2), "");
  const std::string file = stop();
  const dom::element again = parser_.parse(replay(file, {"--format", "json"}));
  EXPECT_TRUE(bool(again["truncated"]));
  EXPECT_EQ(std::string_view(again["session"]["state"]), "open") << "how it ended is not in the recording";
  EXPECT_NE(replay(file).find("the recording was ended before the session was"), std::string::npos);
}

TEST_F(Recorded, ByATapNeedsADirectoryAndRoom) {
  const auto file = path_ / "packets.pcap";
  std::ofstream(file) << std::string("\xd4\xc3\xb2\xa1\2\0\4\0", 8);
  for (const auto& [arguments, why] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"tap", "--record", "", file}, "--record: "},
           {{"tap", "--record", captures(), "--record-limit", "63KiB", file}, "--record-limit: must be at least 64KiB"},
           {{"tap", "--record", captures(), "--record-total", "1", file}, "--record-total: must be at least 64KiB"}}) {
    Program program(arguments);
    EXPECT_EQ(program.status(), 2);
    EXPECT_NE(program.err().find(why), std::string::npos) << program.err();
  }
}

TEST_F(Recorded, WhatIsNoCaptureIsRefused) {
  const auto file = path_ / "none";
  std::ofstream(file) << "nothing";
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"replay", file}, {"capture", "export", file}}) {
    Program program(arguments);
    EXPECT_EQ(program.status(), 2);
    EXPECT_NE(program.err().find("this is no capture"), std::string::npos) << program.err();
  }
  const auto packets = path_ / "packets.pcap";
  std::ofstream(packets) << std::string("\xd4\xc3\xb2\xa1\2\0\4\0", 8);
  Program tapped({"replay", packets});
  EXPECT_EQ(tapped.status(), 2);
  EXPECT_NE(tapped.err().find("which `sockeye tap " + packets.string() + "` reads"), std::string::npos) << tapped.err();
  Program missing({"replay", path_ / "absent"});
  EXPECT_EQ(missing.status(), 2);
  EXPECT_NE(missing.err().find("absent: No such file or directory"), std::string::npos) << missing.err();
  Program directory({"replay", path_});
  EXPECT_EQ(directory.status(), 2);
}

}  // namespace
}  // namespace sockeye::app::testing::recording_test
