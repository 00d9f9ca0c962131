// The binary from outside: its command line, its ports, its signals.
#include "program.h"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sockeye::app::testing {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("sockeye_program_test." + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, std::string_view text) const {
    const auto file = path_ / name;
    std::ofstream(file) << text;
    return file;
  }

 private:
  fs::path path_;
};

std::string route(int upstream, const std::string& more = "") {
  return "metrics: {listen: '127.0.0.1:0'}\nthreads: 1\n" + more +
         "routes:\n  - listen: 127.0.0.1:0\n    upstream: ws://127.0.0.1:" + std::to_string(upstream) + "\n";
}

constexpr std::string_view listening = ": 127.0.0.1:";
constexpr std::string_view metrics_at = "metrics http://127.0.0.1:";

TEST(Program, HelpAndVersionGoToStdout) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--help"}, {"-h"}, {"proxy", "--help"}, {"check", "--help"}}) {
    Program program(arguments);
    EXPECT_EQ(program.status(), 0);
    EXPECT_TRUE(program.out().find("Usage: sockeye") != std::string::npos) << program.out();
    EXPECT_EQ(program.err(), "");
  }
  Program version({"--version"});
  EXPECT_EQ(version.status(), 0);
  EXPECT_EQ(version.out(), "sockeye " SOCKEYE_VERSION "\n");
  Program help({"proxy", "--help"});
  EXPECT_EQ(help.status(), 0);
  for (const auto* word : {"--listen", "--upstream", "--metrics", "--threads", "--dialect", "--otlp", "--config",
                           "--log-level", "--log-format", "SIGHUP", "SIGTERM", "/sessions", "Exit status", "Examples"})
    EXPECT_NE(help.out().find(word), std::string::npos) << word;
}

TEST(Program, ACaptureThatCannotBeReadIsFailedWork) {
  Program missing({"tap", "/nonexistent.pcap"});
  EXPECT_EQ(missing.status(), 1);
  EXPECT_NE(missing.err().find("/nonexistent.pcap"), std::string::npos) << missing.err();
  Program no_capture({"tap", SOCKEYE_BINARY});
  EXPECT_EQ(no_capture.status(), 1);
  EXPECT_NE(no_capture.out().find("0 packets"), std::string::npos) << "the total is printed all the same";
}

TEST(Program, BadArgumentsExitWithTwo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "A subcommand is required"},
      {{"agent"}, "unknown command \"agent\"; expected proxy, console, tap, check, dialect, replay or capture"},
      {{"tap"}, "FILE or --interface is required"},
      {{"tap", "x.pcap", "--interface", "lo"}, "excludes"},
      {{"tap", "x.pcap", "--filter", "tcp"}, "--filter requires --interface"},
      {{"tap", "x.pcap", "--dialect", "mqt"}, "--dialect: there is no dialect \"mqt\"; did you mean mqtt?"},
      {{"console", "--listen", "0.0.0.0:0"}, "is not loopback: pass --token-file FILE, or --open"},
      {{"console", "--keep", "soon"}, "--keep: "},
      {{"console", "--token-file", "/nonexistent"},
       "--token-file /nonexistent: cannot be read: No such file or directory"},
      {{"console", "--tls-key", "x"}, "--tls-certificate and --tls-key go together"},
      {{"console", "--log-level", "loud"}, "--log-level"},
      {{"prxy"}, "did you mean proxy?"},
      {{"proxy"}, "--upstream is missing; write e.g. --upstream ws://127.0.0.1:9000"},
      {{"proxy", "--upstream"}, "--upstream"},
      {{"proxy", "--bogus"}, "--bogus"},
      {{"proxy", "--config", "x", "--listen", ":1"}, "excludes"},
      {{"proxy", "--upstream", "ftp://x"}, "--upstream: "},
      {{"proxy", "--upstream", "ws://a:1", "--threads", "many"}, "--threads: \"many\" is not a whole number"},
      {{"proxy", "--upstream", "ws://a:1", "--dialect", "mqt"},
       "--dialect: there is no dialect \"mqt\"; did you mean mqtt?"},
      {{"proxy", "--upstream", "ws://a:1", "--listen", ":9464"}, "is also where a route listens"},
      {{"proxy", "--config", "/nonexistent"}, "/nonexistent: cannot be read: No such file or directory"},
      {{"check"}, "FILE is required"},
      {{"check", "/nonexistent"}, "/nonexistent: cannot be read: No such file or directory"},
      {{"dialect"}, "A subcommand is required"},
      {{"dialect", "show", "mqt"}, "there is no dialect \"mqt\"; did you mean mqtt?"},
      {{"dialect", "test", "/nonexistent.yaml", "-"}, "cannot read /nonexistent.yaml"},
      {{"dialect", "test", "mqtt", "/nonexistent"}, "cannot read /nonexistent"},
      {{"dialect", "test", "mqtt", "/dev/zero"}, "cannot read /dev/zero: not a regular file"},
      {{"console", "--token-file", "/dev/zero"}, "--token-file /dev/zero: cannot be read: not a regular file"},
      {{"proxy", "--config", "/dev/zero"}, "/dev/zero: cannot be read: not a regular file"},
  };
  for (const auto& [arguments, expected] : cases) {
    Program program(arguments);
    EXPECT_EQ(program.status(), 2) << expected;
    EXPECT_NE(program.err().find(expected), std::string::npos) << program.err();
    EXPECT_EQ(program.out(), "");
  }
}

TEST(Program, ChecksAFile) {
  const Folder folder;
  const auto good = folder.write("good.yaml", "routes: [{listen: ':8080', upstream: 'ws://127.0.0.1:9000/x'}]\n");
  Program fine({"check", good});
  EXPECT_EQ(fine.status(), 0);
  EXPECT_EQ(fine.out(), "ok: 1 route: :8080 → ws://127.0.0.1:9000/x; metrics http://127.0.0.1:9464/metrics\n");
  const auto bad = folder.write("bad.yaml", "routes:\n  - upstraem: ws://a:1\n    upstream: ws://a:1\nthreads: many\n");
  Program wrong({"check", bad});
  EXPECT_EQ(wrong.status(), 2);
  EXPECT_EQ(
      wrong.err(),
      bad + ":2:5: routes[0]: unknown key \"upstraem\"; did you mean upstream?\n" + bad +
          ":4:10: threads: \"many\" is not a whole number; expected a whole number from 0 to 256, in digits only\n");
}

TEST(Program, FlagsAloneAreEnough) {
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0", "--threads", "1"});
  ASSERT_TRUE(program.logged("/metrics")) << program.err();
  const int metrics = program.port_after(metrics_at);
  const int port = program.port_after(listening);
  EXPECT_TRUE(get(metrics, "/healthz").ends_with("\r\n\r\nok\n"));
  EXPECT_TRUE(get(metrics, "/readyz").ends_with("\r\n\r\nready\n"));
  EXPECT_TRUE(get(metrics, "/").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get(metrics, "/nothing").starts_with("HTTP/1.1 404"));

  Tcp client(port);
  client.write(upgrade);
  ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  client.write(std::string_view("\x81\x82\0\0\0\0hi", 8));

  const auto body = [&](const std::string& path) {
    const auto answer = get(metrics, path);
    return answer.substr(answer.find("\r\n\r\n") + 4);
  };
  simdjson::dom::parser parser;
  simdjson::dom::element seen;
  std::string id;
  for (int i = 0; i < 200 && id.empty(); ++i) {  // the message is on its way
    ASSERT_FALSE(parser.parse(body("/sessions")).get(seen));
    if (seen["sessions"].get_array().size() == 1 && std::uint64_t(seen["sessions"].at(0)["messages"]["c2s"]) == 1)
      id = std::string(std::string_view(seen["sessions"].at(0)["id"]));
  }
  ASSERT_FALSE(id.empty());
  EXPECT_EQ(std::string_view(seen["sessions"].at(0)["target"]), "/chat?token=REDACTED");
  ASSERT_FALSE(parser.parse(body("/sessions/" + id)).get(seen));
  EXPECT_EQ(std::string_view(seen["recorder"].at(0)["type"]), "text");
  EXPECT_EQ(std::uint64_t(seen["recorder"].at(0)["length"]), 2U);
  EXPECT_TRUE(get(metrics, "/sessions/0").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(get(metrics, "/sessions/01020304-0506-7008-8000-000000000001").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(get(metrics, "/sessions?sort=luck").starts_with("HTTP/1.1 400"));

  const auto exposition = body("/metrics");
  for (const auto* line : {"websocket_connections_active{route=\"default\"} 1",
                           "websocket_connections_total{route=\"default\",result=\"accept\"} 1",
                           "sockeye_build_info{version=\"" SOCKEYE_VERSION "\"} 1", "\nprocess_resident_memory_bytes ",
                           "\nprocess_open_fds ", "\nprocess_cpu_seconds_total ", "\nprocess_start_time_seconds "})
    EXPECT_NE(exposition.find(line), std::string::npos) << line;
  EXPECT_EQ(exposition.find("sockeye_queue_length"), std::string::npos);  // no collector, no queue

  // One line for the start, none for a session.
  EXPECT_EQ(std::count(program.err().begin(), program.err().end(), '\n'), 1) << program.err();
}

TEST(Program, LoopbackSessionsAreNotForForeignNames) {
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0", "--threads", "1"});
  ASSERT_TRUE(program.logged("/metrics"));
  const auto ask = [&](const std::string& host) {
    Tcp tcp(program.port_after(metrics_at));
    tcp.write("GET /sessions HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    return tcp.read_until("").substr(9, 3);
  };
  EXPECT_EQ(ask("localhost:9464"), "200");
  EXPECT_EQ(ask("[::1]:9464"), "200");
  EXPECT_EQ(ask("rebound.example:9464"), "403");
}

TEST(Program, TermDrainsWithinItsTime) {
  const Folder folder;
  const Upstream upstream;
  Program program({"proxy", "--config", folder.write("c.yaml", route(upstream.port(), "drain: {timeout: 300ms}\n"))});
  ASSERT_TRUE(program.logged("/metrics")) << program.err();
  const int metrics = program.port_after(metrics_at);
  const int port = program.port_after(listening);
  Tcp client(port);
  client.write(upgrade);
  ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  program.send(SIGTERM);
  ASSERT_TRUE(program.logged("draining"));
  EXPECT_TRUE(get(metrics, "/readyz").starts_with("HTTP/1.1 503"));
  EXPECT_TRUE(get(metrics, "/healthz").starts_with("HTTP/1.1 200"));
  const auto close = client.read_until("\x03\xe9");  // 1001
  EXPECT_EQ(close.substr(0, 1), "\x88");
  client.write(std::string_view("\x88\x82\0\0\0\0\x03\xe9", 8));
  EXPECT_EQ(program.status(), 0);
  EXPECT_TRUE(program.err().ends_with("stopped\n")) << program.err();
  EXPECT_FALSE(Tcp(port).connected());
}

TEST(Program, IdleStopsAtOnce) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const Upstream upstream;
    Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                     "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0"});
    ASSERT_TRUE(program.logged("/metrics"));
    program.send(signal);
    EXPECT_EQ(program.status(), 0);
  }
}

TEST(Program, ASecondSignalDoesNotWait) {
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0"});
  ASSERT_TRUE(program.logged("/metrics"));
  Tcp client(program.port_after(listening));
  client.write(upgrade);
  ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  program.send(SIGTERM);
  ASSERT_TRUE(program.logged("draining"));
  program.send(SIGTERM);  // the drain's own time is 30 s, beyond this test's patience
  EXPECT_EQ(client.read_until("\x03\xe9").substr(0, 1), "\x88");  // even so a Close comes first, with 1001
  client.write(std::string_view("\x88\x82\0\0\0\0\x03\xe9", 8));
  EXPECT_EQ(program.status(), 0);
}

TEST(Program, HupReadsTheFileAgain) {
  const Folder folder;
  const Upstream upstream;
  const auto file = folder.write("c.yaml", route(upstream.port()));
  Program program({"proxy", "--config", file});
  ASSERT_TRUE(program.logged("/metrics")) << program.err();
  const int port = program.port_after(listening);
  Tcp client(port);
  client.write(upgrade);
  ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));

  folder.write("c.yaml", "routes:\n  - listen: nowhere\n");
  program.send(SIGHUP);
  ASSERT_TRUE(program.logged("stays in force")) << program.err();
  EXPECT_NE(program.err().find(file + ":2:5: routes[0]: upstream is missing"), std::string::npos) << program.err();
  EXPECT_NE(program.err().find(file + ":2:13: routes[0].listen: \"nowhere\""), std::string::npos) << program.err();
  EXPECT_TRUE(Tcp(port).connected());

  // Plain HTTP is refused from now on, and the name of the route is another; the session that lives keeps on living.
  auto text =
      route(upstream.port(), "service: other\nlog: {level: debug}\n") + "    plain_http: refuse\n    name: again\n";
  folder.write("c.yaml", text);
  program.send(SIGHUP);
  ASSERT_TRUE(program.logged("configuration reloaded")) << program.err();
  ASSERT_TRUE(program.logged("changes to service take effect at the next start")) << program.err();
  EXPECT_TRUE(get(port, "/").starts_with("HTTP/1.1 426"));
  client.write(std::string_view("\x89\x80\0\0\0\0", 6));
  const auto sessions = get(program.port_after(metrics_at), "/sessions");
  EXPECT_NE(sessions.find("\"total\":1,"), std::string::npos) << sessions;
  program.send(SIGTERM);
  ASSERT_TRUE(program.logged("draining"));
  program.send(SIGTERM);
  EXPECT_EQ(program.status(), 0);
}

TEST(Program, HupWithoutAFileIsAWarning) {
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0", "--log-format",
                   "json"});
  ASSERT_TRUE(program.logged("/metrics"));
  program.send(SIGHUP);
  ASSERT_TRUE(program.logged("nothing to read again"));
  program.send(SIGINT);
  EXPECT_EQ(program.status(), 0);
  simdjson::dom::parser parser;
  std::istringstream lines(program.err());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    simdjson::dom::element out;
    ASSERT_FALSE(parser.parse(line).get(out)) << line;
    EXPECT_TRUE(out["level"].is_string() && out["message"].is_string() && out["time"].is_string());
  }
  EXPECT_GE(count, 3U);
}

TEST(Program, ATakenPortExitsWithOne) {
  const Upstream taken;
  const auto address = "127.0.0.1:" + std::to_string(taken.port());
  Program traffic({"proxy", "--listen", address, "--upstream", "ws://127.0.0.1:1", "--metrics", "127.0.0.1:0"});
  EXPECT_EQ(traffic.status(), 1);
  EXPECT_NE(traffic.err().find(address), std::string::npos) << traffic.err();
  Program metrics({"proxy", "--listen", "127.0.0.1:0", "--upstream", "ws://127.0.0.1:1", "--metrics", address});
  EXPECT_EQ(metrics.status(), 1);
  EXPECT_NE(metrics.err().find(address), std::string::npos) << metrics.err();
}

TEST(Program, RaisesItsDescriptorLimit) {
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0"},
                  {}, [] {
                    const rlimit limit{256, 1024};
                    ::setrlimit(RLIMIT_NOFILE, &limit);
                  });
  ASSERT_TRUE(program.logged("/metrics"));
  EXPECT_NE(get(program.port_after(metrics_at), "/metrics").find("process_max_fds 1024\n"), std::string::npos);
}

TEST(Program, AnAbsentCollectorHoldsNothingUp) {
  const Upstream upstream;
  int closed = 0;
  { closed = Upstream().port(); }
  Program program(
      {"proxy", "--listen", "127.0.0.1:0", "--upstream", "ws://127.0.0.1:" + std::to_string(upstream.port()),
       "--metrics", "127.0.0.1:0", "--otlp", "http://127.0.0.1:" + std::to_string(closed)},
      {"OTEL_TRACES_SAMPLER=jaeger_remote"});
  ASSERT_TRUE(program.logged("/v1/traces")) << program.err();
  EXPECT_NE(program.err().find("warn  OTEL_TRACES_SAMPLER is ignored"), std::string::npos) << program.err();
  EXPECT_NE(get(program.port_after(metrics_at), "/metrics").find("\nsockeye_queue_length 0\n"), std::string::npos);
  {
    Tcp client(program.port_after(listening));
    client.write(upgrade);
    ASSERT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  }
  program.send(SIGTERM);
  EXPECT_EQ(program.status(), 0) << program.err();
}

TEST(Program, ExportThatCannotWorkExitsWithOne) {
  const Folder folder;
  const auto file = folder.write("c.yaml", route(1, "export: {otlp: {spool: {directory: /dev/null/spool}}}\n"));
  Program program({"proxy", "--config", file});
  EXPECT_EQ(program.status(), 1);
  EXPECT_NE(program.err().find("error export.otlp: "), std::string::npos) << program.err();
}

}  // namespace
}  // namespace sockeye::app::testing
