// The loopback interface, for real: skipped where capturing is not permitted.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "../src/decode.h"
#include "sockeye/tap/source.h"

namespace sockeye::tap {
namespace {

// Two ends of a TCP connection over 127.0.0.1.
struct Pair {
  int client = -1;
  int server = -1;
  std::uint16_t port = 0;

  Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener, generic, size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, generic, &size), 0);
    port = ntohs(address.sin_port);
    client = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(client, generic, size), 0);
    server = ::accept(listener, nullptr, nullptr);
    ::close(listener);
  }
  ~Pair() {
    ::close(client);
    ::close(server);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
};

TEST(Live, SeesWhatGoesOverTheLoopback) {
  LiveOptions options;
  options.interface = "lo";
  options.wait = std::chrono::milliseconds(20);
  options.immediate = true;
  auto source = open_live(options);
  if (!source && source.error().message.find("not permitted") != std::string::npos)
    GTEST_SKIP() << source.error().message;
  ASSERT_TRUE(source) << source.error().message;
  const Pair pair;
  ASSERT_EQ(::write(pair.client, "over here", 9), 9);
  Decoder decoder;
  bool seen = false;
  bool idled = false;
  base::Time last{};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (Packet packet; !(seen && idled) && std::chrono::steady_clock::now() < deadline;) {
    const auto event = (*source)->next(packet);
    ASSERT_TRUE(event == Source::Event::packet || event == Source::Event::idle) << (*source)->error().message;
    last = packet.time;
    Segment segment;
    idled = idled || event == Source::Event::idle;
    if (event == Source::Event::idle || decoder.decode(packet, segment) != Decoder::Result::segment) continue;
    seen = seen || (segment.destination.port == pair.port && base::as_text(segment.payload) == "over here");
  }
  EXPECT_TRUE(seen && idled);
  EXPECT_NEAR(base::seconds(last.time_since_epoch()), static_cast<double>(::time(nullptr)), 60);
  EXPECT_EQ((*source)->dropped(), 0U);
}

TEST(Live, SaysWhatIsWrong) {
  LiveOptions options;
  options.interface = "no such interface";
  const auto missing = open_live(options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message.find("no such interface: "), 0U) << missing.error().message;
  options.interface = "lo";
  options.filter = "tcp and and";
  const auto wrong = open_live(options);
  ASSERT_FALSE(wrong);
  if (wrong.error().message.find("not permitted") == std::string::npos) {
    EXPECT_EQ(wrong.error().message.find("filter \"tcp and and\": "), 0U) << wrong.error().message;
  }
}

TEST(Live, PrivilegesAreGoneForGood) {
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool dropped = drop_privileges().has_value();
    LiveOptions options;
    options.interface = "lo";
    const bool again = open_live(options).has_value();
    ::_exit(!dropped ? 1 : again ? 2 : ::geteuid() == 0 ? 3 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sockeye::tap
