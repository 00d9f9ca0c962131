#include "../src/transport.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "../src/tls.h"
#include "certificates.h"
#include "stream_pair.h"

namespace sockeye::proxy {
namespace {

using test::stream_pair;
using test::TemporaryDirectory;
using test::TestAuthority;

std::vector<base::Byte> pattern(std::size_t size) {
  std::vector<base::Byte> out(size);
  std::mt19937 random(7);
  for (auto& byte : out) byte = static_cast<base::Byte>(random());
  return out;
}

// Everything the tests ask of a pair of streams must hold for both kinds.
class TransportTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto [a, b] = stream_pair();
    if (!GetParam()) {
      left_ = Transport(std::move(a));
      right_ = Transport(std::move(b));
      return;
    }
    const auto files = authority_.issue("server", "DNS:localhost");
    const auto server = ServerContext::load({files.certificate, files.key, ""});
    ASSERT_TRUE(server) << server.error().message;
    ClientTls options;
    options.ca = authority_.ca_file();
    const auto client = ClientContext::load(options, "localhost");
    ASSERT_TRUE(client) << client.error().message;
    left_ = (*client)->connect(std::move(a));
    right_ = (*server)->accept(std::move(b));
    for (int round = 0; round < 10; ++round) {
      const auto l = left_.handshake();
      const auto r = right_.handshake();
      if (l.state == Io::ok && r.state == Io::ok) return;
      ASSERT_NE(l.state, Io::error) << left_.error();
      ASSERT_NE(r.state, Io::error) << right_.error();
    }
    FAIL() << "the handshake does not end";
  }

  // Reads what is there now.
  static std::vector<base::Byte> drain(Transport& from, Io* last = nullptr, std::size_t buffer_size = 64 * 1024) {
    std::vector<base::Byte> out;
    std::vector<base::Byte> buffer(buffer_size);
    for (;;) {
      const auto result = from.read(buffer);
      out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(result.bytes));
      if (result.state != Io::ok) {
        if (last != nullptr) *last = result.state;
        return out;
      }
    }
  }

  TemporaryDirectory directory_;
  TestAuthority authority_{directory_};
  Transport left_, right_;
};

INSTANTIATE_TEST_SUITE_P(, TransportTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "tls" : "plain"; });

TEST_P(TransportTest, CarriesBytesBothWays) {
  for (auto* ends : {&left_, &right_}) {
    auto& other = ends == &left_ ? right_ : left_;
    const auto sent = pattern(1000);
    const auto result = ends->write(sent);
    EXPECT_EQ(result.state, Io::ok);
    EXPECT_EQ(result.bytes, sent.size());
    Io last = Io::ok;
    EXPECT_EQ(drain(other, &last), sent);
    EXPECT_EQ(last, Io::want_read);
  }
}

TEST_P(TransportTest, FillsAFullSocketAndGoesOnWhereItStopped) {
  const auto sent = pattern(4 << 20);
  std::vector<base::Byte> received;
  std::size_t offset = 0;
  bool blocked = false;
  while (offset < sent.size()) {
    // A copy at another place each time: the buffer may move between a refused write and its retry.
    const std::vector<base::Byte> moved(sent.begin() + static_cast<std::ptrdiff_t>(offset), sent.end());
    const auto result = left_.write(moved);
    offset += result.bytes;
    if (result.state != Io::ok) {
      ASSERT_EQ(result.state, Io::want_write);
      blocked = true;
      EXPECT_GT(left_.unsent(), 0U);
      const auto some = drain(right_);
      received.insert(received.end(), some.begin(), some.end());
    }
  }
  const auto rest = drain(right_);
  received.insert(received.end(), rest.begin(), rest.end());
  EXPECT_TRUE(blocked);
  EXPECT_EQ(received, sent);
}

TEST_P(TransportTest, GathersPiecesOfEverySizeInOrder) {
  std::mt19937 random(11);
  const auto sent = pattern(3 << 20);
  std::vector<std::size_t> cuts;
  for (std::size_t at = 0; at < sent.size();) {
    const std::size_t size = random() % 4 == 0 ? random() % 50000 : random() % 200;  // 0 included
    cuts.push_back(std::min(size, sent.size() - at));
    at += cuts.back();
  }
  std::vector<base::Byte> received;
  std::size_t offset = 0;
  while (offset < sent.size()) {
    // The pieces from `offset` on, cut as before but for the first.
    std::vector<iovec> pieces;
    std::size_t at = 0;
    for (const auto size : cuts) {
      const std::size_t skip = offset > at ? std::min(offset - at, size) : 0;
      if (at + size > offset || size == 0)
        pieces.push_back({const_cast<base::Byte*>(sent.data() + at + skip), size - skip});
      at += size;
    }
    const auto result = left_.writev(pieces);
    ASSERT_NE(result.state, Io::error) << left_.error();
    offset += result.bytes;
    const auto some = drain(right_);
    received.insert(received.end(), some.begin(), some.end());
  }
  EXPECT_EQ(received, sent);
}

TEST_P(TransportTest, AShortReadWithNothingPendingHasDrainedTheSocket) {
  const auto sent = pattern(100'000);
  std::size_t offset = 0;
  std::vector<base::Byte> received;
  std::vector<base::Byte> buffer(7000);  // smaller than a record
  while (received.size() < sent.size()) {
    if (offset < sent.size()) offset += left_.write(base::Bytes(sent).subspan(offset)).bytes;
    IoResult result;
    do {
      result = right_.read(buffer);
      received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(result.bytes));
    } while (result.state == Io::ok && (result.bytes == buffer.size() || right_.pending()));
    pollfd ready{right_.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 0), 0);
  }
  EXPECT_EQ(received, sent);
}

TEST_P(TransportTest, HalfCloseIsAnEndInOrderAndTheOtherDirectionGoesOn) {
  const auto sent = pattern(100);
  ASSERT_EQ(left_.write(sent).state, Io::ok);
  ASSERT_EQ(left_.shutdown_write().state, Io::ok);
  Io last = Io::ok;
  EXPECT_EQ(drain(right_, &last), sent);
  EXPECT_EQ(last, Io::eof);
  EXPECT_FALSE(right_.truncated());
  ASSERT_EQ(right_.write(sent).state, Io::ok);
  EXPECT_EQ(drain(left_), sent);
  base::Byte byte = 0;
  EXPECT_EQ(right_.read({&byte, 1}).state, Io::eof);  // stays
}

TEST_P(TransportTest, AnEndWithoutCloseNotifyIsToldAsTruncated) {
  ASSERT_EQ(left_.write(pattern(10)).state, Io::ok);
  ::shutdown(left_.fd(), SHUT_WR);
  Io last = Io::ok;
  EXPECT_EQ(drain(right_, &last).size(), 10U);
  EXPECT_EQ(last, Io::eof);
  EXPECT_EQ(right_.truncated(), GetParam());
  // The other direction goes on all the same.
  ASSERT_EQ(right_.write(pattern(20)).state, Io::ok);
  EXPECT_EQ(drain(left_).size(), 20U);
}

TEST_P(TransportTest, AnEndReadAlongWithBytesIsPending) {
  ASSERT_EQ(left_.write(pattern(10)).state, Io::ok);
  ASSERT_EQ(left_.shutdown_write().state, Io::ok);
  std::vector<base::Byte> buffer(1000);
  const auto first = right_.read(buffer);
  EXPECT_EQ(first.state, Io::ok);
  EXPECT_EQ(first.bytes, 10U);
  EXPECT_EQ(right_.pending(), GetParam());
  EXPECT_EQ(right_.read(buffer).state, Io::eof);
}

TEST_P(TransportTest, AGonePeerIsAnErrorAndNoSignal) {
  struct sigaction old {
  }, fatal{};
  static bool raised;
  raised = false;
  fatal.sa_handler = [](int) { raised = true; };
  ASSERT_EQ(::sigaction(SIGPIPE, &fatal, &old), 0);
  right_.close();
  const auto sent = pattern(100);
  auto result = left_.write(sent);
  if (result.state != Io::error) result = left_.write(sent);
  EXPECT_EQ(result.state, Io::error);
  EXPECT_EQ(left_.error(), "broken pipe");
  left_.shutdown_write();
  ::sigaction(SIGPIPE, &old, nullptr);
  EXPECT_FALSE(raised);
}

TEST_P(TransportTest, MovesAsAValue) {
  Transport moved = std::move(left_);
  EXPECT_FALSE(left_);
  EXPECT_TRUE(moved);
  EXPECT_EQ(moved.is_tls(), GetParam());
  const auto sent = pattern(20);
  ASSERT_EQ(moved.write(sent).state, Io::ok);
  EXPECT_EQ(drain(right_), sent);
  left_ = std::move(moved);
  left_.close();
  left_.close();
  EXPECT_FALSE(left_);
  EXPECT_EQ(left_.unsent(), 0U);
}

TEST(Transport, GarbageInATlsStreamIsAnErrorWithAReason) {
  TemporaryDirectory directory;
  TestAuthority authority(directory);
  const auto files = authority.issue("server", "DNS:localhost");
  const auto server = ServerContext::load({files.certificate, files.key, ""});
  ASSERT_TRUE(server);
  for (const auto& [bytes, why] :
       {std::pair<std::string, std::string>{"GET / HTTP/1.1\r\n\r\n", "plain HTTP sent to a TLS port"},
        {std::string(100, '\x81'), "not TLS (wrong version number)"}}) {
    auto [a, b] = stream_pair();
    Transport peer(std::move(a));
    Transport tls = (*server)->accept(std::move(b));
    EXPECT_EQ(tls.handshake().state, Io::want_read);
    ASSERT_EQ(peer.write(base::as_bytes(bytes)).state, Io::ok);
    EXPECT_EQ(tls.handshake().state, Io::error);
    EXPECT_EQ(tls.error(), why);
    EXPECT_EQ(tls.handshake().state, Io::error);  // dead for good
    base::Byte byte = 0;
    EXPECT_EQ(tls.read({&byte, 1}).state, Io::error);
    EXPECT_EQ(tls.write({&byte, 1}).state, Io::error);
  }
}

TEST(Transport, APeerThatLeavesDuringTheHandshakeIsAnError) {
  TemporaryDirectory directory;
  TestAuthority authority(directory);
  const auto files = authority.issue("server", "DNS:localhost");
  const auto server = ServerContext::load({files.certificate, files.key, ""});
  ASSERT_TRUE(server);
  auto [a, b] = stream_pair();
  Transport tls = (*server)->accept(std::move(b));
  EXPECT_EQ(tls.handshake().state, Io::want_read);
  a.reset();
  EXPECT_EQ(tls.handshake().state, Io::error);
  EXPECT_EQ(tls.error(), "peer closed during the TLS handshake");
}

TEST(Transport, ATamperedRecordEndsTheStream) {
  TemporaryDirectory directory;
  TestAuthority authority(directory);
  const auto files = authority.issue("server", "DNS:localhost");
  const auto server = ServerContext::load({files.certificate, files.key, ""});
  ASSERT_TRUE(server);
  ClientTls options;
  options.ca = authority.ca_file();
  const auto client = ClientContext::load(options, "localhost");
  ASSERT_TRUE(client);
  // client ── outer ≈ middle ≈ inner ── server, the middle flips a bit after the handshake.
  auto [client_end, near] = stream_pair();
  auto [far, server_end] = stream_pair();
  Transport left = (*client)->connect(std::move(client_end));
  Transport right = (*server)->accept(std::move(server_end));
  const auto pass = [](const Fd& from, const Fd& to, bool tamper) {
    base::Byte buffer[32 * 1024];
    const ssize_t n = ::recv(from.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return;
    if (tamper) buffer[n - 1] ^= 1;
    ASSERT_EQ(::send(to.get(), buffer, static_cast<std::size_t>(n), 0), n);
  };
  bool done = false;
  for (int round = 0; round < 20 && !done; ++round) {
    const auto l = left.handshake();
    pass(near, far, false);
    const auto r = right.handshake();
    pass(far, near, false);
    done = l.state == Io::ok && r.state == Io::ok;
  }
  ASSERT_TRUE(done);
  ASSERT_EQ(left.write(base::as_bytes("payload")).state, Io::ok);
  pass(near, far, true);
  base::Byte buffer[100];
  EXPECT_EQ(right.read(buffer).state, Io::error);
  EXPECT_EQ(right.error(), "decryption failed or bad record mac");
}

TEST(Transport, ACloseWithResetIsSeenAsAReset) {
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Fd guard(listener);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
  Transport left(std::move(fd));
  Transport right(Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)));
  ASSERT_TRUE(right);
  left.close(true);
  base::Byte byte = 0;
  EXPECT_EQ(right.read({&byte, 1}).state, Io::error);
  EXPECT_EQ(right.error(), "connection reset by peer");
}

}  // namespace
}  // namespace sockeye::proxy
