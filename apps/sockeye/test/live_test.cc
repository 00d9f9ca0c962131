// The program reports its sessions to a console: over a real WebSocket, from a real process, judged by a console
// written by hand.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "program.h"
#include "sockeye/live/messages.h"

namespace sockeye::app::testing {
namespace {

template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

std::string base64(const unsigned char* data, std::size_t size) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < size; i += 3) {
    const std::size_t left = size - i;
    const unsigned word = static_cast<unsigned>(data[i]) << 16U |
                          (left > 1 ? static_cast<unsigned>(data[i + 1]) << 8U : 0U) |
                          (left > 2 ? static_cast<unsigned>(data[i + 2]) : 0U);
    for (unsigned k = 0; k < 4; ++k) out += k <= left ? digits[word >> (18U - 6U * k) & 63U] : '=';
  }
  return out;
}

// One connection after another; answers pings and the Close.
class Console {
 public:
  Console() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this] {
      for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd)) {
        current_ = fd;
        serve(fd);
        current_ = -1;
      }
    });
  }
  ~Console() {
    ::shutdown(listener_, SHUT_RDWR);
    cut();
    thread_.join();
    ::close(listener_);
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void cut() const {
    if (const int fd = current_; fd >= 0) ::shutdown(fd, SHUT_RDWR);
  }
  void ask(const live::Ask& ask) const { send(current_, '\x82', live::encode(ask)); }
  [[nodiscard]] std::vector<live::Report> reports() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  [[nodiscard]] int closed_with() const { return closed_with_; }

 private:
  static void send(int fd, char first, const std::string& payload) {
    const std::string frame = std::string{first, static_cast<char>(payload.size())} + payload;  // all are short
    static_cast<void>(!::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL));
  }
  static bool receive(int fd, std::string& into, std::size_t count) {
    into.resize(count);
    for (std::size_t at = 0; at < count;) {
      const auto got = ::recv(fd, into.data() + at, count - at, 0);
      if (got <= 0) return false;
      at += static_cast<std::size_t>(got);
    }
    return true;
  }

  void serve(int fd) {
    std::string head, byte;
    while (!head.ends_with("\r\n\r\n")) {
      if (!receive(fd, byte, 1)) return;
      head += byte;
    }
    EXPECT_TRUE(head.starts_with("GET /api/v1/live/report HTTP/1.1\r\n")) << head;
    EXPECT_NE(head.find("Sec-WebSocket-Protocol: sockeye-live.v1\r\n"), std::string::npos) << head;
    const auto key_at = head.find("Sec-WebSocket-Key: ") + 19;
    const std::string keyed = head.substr(key_at, 24) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    ::SHA1(reinterpret_cast<const unsigned char*>(keyed.data()), keyed.size(), digest.data());
    const std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
        "sockeye-live.v1\r\nSec-WebSocket-Accept: " +
        base64(digest.data(), digest.size()) + "\r\n\r\n";
    static_cast<void>(!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL));
    std::string message;
    for (std::string start, key, payload; receive(fd, start, 2);) {
      std::size_t length = static_cast<unsigned char>(start[1]) & 0x7fU;
      if (length >= 126) {
        std::string more;
        if (!receive(fd, more, length == 126 ? 2 : 8)) return;
        length = 0;
        for (const char c : more) length = length << 8U | static_cast<unsigned char>(c);
      }
      if (!receive(fd, key, 4) || !receive(fd, payload, length)) return;
      for (std::size_t i = 0; i < length; ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
      const int opcode = start[0] & 0x0f;
      if (opcode == 9) send(fd, '\x8a', payload);
      if (opcode == 8) {
        closed_with_ = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
        send(fd, '\x88', payload.substr(0, 2));
        return;
      }
      if (opcode > 2) continue;
      message += payload;
      if ((start[0] & 0x80) == 0) continue;
      auto report = live::decode_report(base::as_bytes(message));
      EXPECT_TRUE(report) << report.error().message;
      message.clear();
      const std::lock_guard lock(mutex_);
      if (report) reports_.push_back(*std::move(report));
    }
  }

  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> current_{-1}, closed_with_{0};
  mutable std::mutex mutex_;
  std::vector<live::Report> reports_;
  std::thread thread_;
};

// What a console would know after these reports.
struct Known {
  std::map<base::SessionId, model::SessionFacts> opened;
  std::map<base::SessionId, model::SessionFigures> figures;
  std::map<base::SessionId, live::Ended> ended;
  std::map<base::SessionId, live::Detail> details;
  std::vector<live::Hello> hellos;
  live::Summary summary;
  bool all_reported = false;
};
Known know(const std::vector<live::Report>& reports) {
  Known out;
  for (const auto& report : reports) {
    if (report.hello) out.hellos.push_back(*report.hello);
    if (report.hello) out.all_reported = false;
    for (const auto& each : report.opened) out.opened[each.id] = each;
    for (const auto& each : report.changed) {
      EXPECT_TRUE(out.opened.contains(each.id));
      out.figures[each.id] = each.figures;
    }
    for (const auto& each : report.ended) {
      EXPECT_TRUE(out.opened.contains(each.last.id));
      out.ended[each.last.id] = each;
    }
    for (const auto& each : report.details) out.details[each.id] = each;
    for (const auto& each : report.summaries)
      if (each.route == "default") out.summary = each;
    out.all_reported = out.all_reported || report.all_reported;
  }
  return out;
}

TEST(Live, AConsoleKnowsExactlyWhatHappened) {
  Console console;
  const Upstream upstream;
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream",
                   "ws://127.0.0.1:" + std::to_string(upstream.port()), "--metrics", "127.0.0.1:0", "--threads", "2",
                   "--console", console.url()});
  ASSERT_TRUE(program.logged("is connected")) << program.err();
  EXPECT_NE(program.err().find("; sessions to " + console.url()), std::string::npos) << program.err();
  const int port = program.port_after(": 127.0.0.1:");

  const auto now = [&] { return know(console.reports()); };
  std::vector<std::unique_ptr<Tcp>> clients;
  const auto open = [&] {
    auto client = std::make_unique<Tcp>(port);
    client->write(upgrade);
    EXPECT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    clients.push_back(std::move(client));
  };
  for (int i = 0; i < 5; ++i) open();
  constexpr std::string_view hi("\x81\x82\0\0\0\0hi", 8);
  for (int i = 0; i < 3; ++i) clients[0]->write(hi);
  ASSERT_TRUE(eventually([&] {
    const auto known = now();
    return known.figures.size() == 5 && known.summary.messages_total[0] == 3;
  }));
  auto known = now();
  ASSERT_EQ(known.hellos.size(), 1U);
  EXPECT_EQ(known.hellos[0].version, 1U);
  EXPECT_EQ(known.hellos[0].sockeye_version, SOCKEYE_VERSION);
  EXPECT_EQ(known.hellos[0].service, "sockeye");
  EXPECT_TRUE(base::parse_session_id(known.hellos[0].instance));
  EXPECT_TRUE(known.all_reported);
  std::map<std::uint64_t, base::SessionId> by_messages;
  for (const auto& [id, each] : known.figures) by_messages[each.messages[0]] = id;
  ASSERT_TRUE(by_messages.contains(3)) << "one said three things";
  const auto talker = by_messages[3];
  EXPECT_EQ(known.figures[talker].bytes[0], 6U);
  EXPECT_EQ(known.opened[talker].target, "/chat?token=REDACTED");
  EXPECT_EQ(known.opened[talker].host, "example.com");
  EXPECT_EQ(known.summary.active, 5U);

  // Somebody looks at it.
  console.ask({{talker}});
  ASSERT_TRUE(eventually([&] { return now().details.contains(talker); }));
  EXPECT_EQ(now().details[talker].recorder.size(), 3U);
  EXPECT_EQ(now().details[talker].recorder[2].length, 2U);

  // The console goes; what happens meanwhile is reported when it is back.
  console.cut();
  ASSERT_TRUE(program.logged("was lost"));
  clients[0].reset();
  open();
  clients.back()->write(hi);
  clients.back().reset();
  ASSERT_TRUE(program.logged("is there, after"));
  ASSERT_TRUE(eventually([&] {
    known = now();
    return known.hellos.size() == 2 && known.all_reported && known.ended.size() == 2;
  }));
  EXPECT_EQ(known.opened.size(), 6U);
  EXPECT_EQ(known.hellos[1].instance, known.hellos[0].instance);
  ASSERT_TRUE(known.ended.contains(talker));
  EXPECT_EQ(known.ended[talker].last.figures.messages[0], 3U);
  EXPECT_GE(known.ended[talker].recorder.size(), 3U);
  EXPECT_EQ(known.ended[talker].end.why, "reset");
  EXPECT_EQ(known.ended[talker].end.initiator, "client");

  // The end: a first signal drains, a second one closes the sessions now; every one of them is reported.
  program.send(SIGTERM);
  ASSERT_TRUE(program.logged("draining"));
  program.send(SIGTERM);
  for (const auto& client : clients) {
    if (!client) continue;
    client->read_until("\x88");
    client->write(std::string_view("\x88\x82\0\0\0\0\x03\xe9", 8));  // a Close for the proxy's own
  }
  EXPECT_EQ(program.status(), 0) << program.err();
  ASSERT_TRUE(eventually([&] { return console.closed_with() != 0; }));
  EXPECT_EQ(console.closed_with(), 1000);
  known = now();
  EXPECT_EQ(known.ended.size(), 6U);
  std::uint64_t messages = 0, drained = 0;
  for (const auto& [id, each] : known.ended) {
    messages += each.last.figures.messages[0];
    drained += each.end.why == "drain" && each.end.code == 1001 ? 1 : 0;
  }
  EXPECT_EQ(messages, 4U);
  EXPECT_EQ(drained, 4U);
  EXPECT_EQ(known.summary.accepted_total, 6U);
  EXPECT_EQ(known.summary.closed_total, 6U);
  EXPECT_EQ(known.summary.messages_total[0], 4U);
  EXPECT_EQ(known.summary.bytes_total[0], 8U);
  EXPECT_EQ(known.summary.active, 0U);
}

TEST(Live, AConsoleThatIsNoUrlEndsTheStart) {
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream", "ws://127.0.0.1:1", "--console", "console"});
  EXPECT_EQ(program.status(), 2);
  EXPECT_NE(program.err().find("--console: \"console\" has no http:// or https://; expected a URL such as "
                               "http://127.0.0.1:16686"),
            std::string::npos)
      << program.err();
}

}  // namespace
}  // namespace sockeye::app::testing
