// A real proxy between raw sockets: clients on one side, a backend whose every connection is a script on the other. The
// frames and heads here are written by hand, so that what goes in and out is not judged by the code under test.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sockeye/proxy/proxy.h"

namespace sockeye::proxy::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

inline constexpr auto patience = 60s;  // longer than anything here takes, also under a sanitizer on a busy machine

template <class Condition>
bool eventually(Condition condition, Clock::duration within = patience) {
  const auto end = Clock::now() + within;
  while (!condition()) {
    if (Clock::now() >= end) return false;
    std::this_thread::yield();
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// A blocking socket whose every wait has an end.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {
    if (fd_ < 0) return;
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), seen_(std::move(other.seen_)), taken_(other.taken_) {}
  Socket& operator=(Socket&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    seen_ = std::move(other.seen_);
    taken_ = other.taken_;
    return *this;
  }
  ~Socket() { close(); }

  static Socket to(const Address& address) {
    if (!address.unix_path.empty()) {
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      std::strncpy(name.sun_path, address.unix_path.c_str(), sizeof name.sun_path - 1);
      return to(reinterpret_cast<const sockaddr*>(&name), sizeof name, AF_UNIX);
    }
    if (address.host.find(':') != std::string::npos) {
      sockaddr_in6 name{};
      name.sin6_family = AF_INET6;
      name.sin6_port = htons(address.port);
      ::inet_pton(AF_INET6, address.host.c_str(), &name.sin6_addr);
      return to(reinterpret_cast<const sockaddr*>(&name), sizeof name, AF_INET6);
    }
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.c_str(), &name.sin_addr);
    return to(reinterpret_cast<const sockaddr*>(&name), sizeof name, AF_INET);
  }

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void finish() const { ::shutdown(fd_, SHUT_WR); }
  void receive_buffer(int bytes) const { ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

  // False when the peer is gone, or takes nothing for so long.
  bool send(std::string_view bytes, Clock::duration within = patience) const {
    const auto end = Clock::now() + within;
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno != EAGAIN || !wait(POLLOUT, end)) {
        return false;
      }
    }
    return true;
  }

  // Bytes received, at most `count`; fewer when the peer ends or time is up.
  std::string receive(std::size_t count, Clock::duration within = patience) {
    const auto end = Clock::now() + within;
    while (seen_.size() - taken_ < count && fill(end)) {
    }
    return take(std::min(count, seen_.size() - taken_));
  }
  // Up to and with `mark`; "" when it does not come.
  std::string receive_until(std::string_view mark, Clock::duration within = patience) {
    const auto end = Clock::now() + within;
    for (;;) {
      if (const auto at = seen_.find(mark, taken_); at != seen_.npos) return take(at + mark.size() - taken_);
      if (!fill(end)) return {};
    }
  }
  std::string receive_head() { return receive_until("\r\n\r\n"); }
  // Everything until the peer ends.
  std::string receive_all(Clock::duration within = patience) {
    const auto end = Clock::now() + within;
    while (fill(end)) {
    }
    return take(seen_.size() - taken_);
  }
  enum class End { none, fin, rst };
  // How the peer ends its stream; whatever it sends before is kept for receive().
  End receive_end(Clock::duration within = patience) {
    const auto end = Clock::now() + within;
    while (fill(end)) {
    }
    return end_;
  }

 private:
  static Socket to(const sockaddr* name, socklen_t size, int family) {
    Socket out(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(out.fd_, name, size) != 0) out.close();
    return out;
  }
  bool wait(short events, Clock::time_point end) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd entry{fd_, events, 0};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) > 0;
  }
  bool fill(Clock::time_point end) {
    if (!wait(POLLIN, end)) return false;
    char buffer[65536];
    const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) {
      seen_.append(buffer, static_cast<std::size_t>(n));
      return true;
    }
    end_ = n == 0 ? End::fin : End::rst;
    return false;
  }
  std::string take(std::size_t count) {
    std::string out = seen_.substr(taken_, count);
    taken_ += count;
    if (taken_ == seen_.size() || taken_ > 1'000'000) {
      seen_.erase(0, taken_);
      taken_ = 0;
    }
    return out;
  }

  int fd_ = -1;
  std::string seen_;
  std::size_t taken_ = 0;  // of seen_
  End end_ = End::none;
};

// --- WebSocket by hand ---

inline constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 §1.3
inline constexpr std::string_view sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
inline constexpr unsigned char text = 0x81, binary = 0x82, close_op = 0x88, ping = 0x89, pong = 0x8a;

inline std::string upgrade_request(std::string_view path = "/", std::string_view fields = "") {
  std::string out = "GET ";
  out.append(path).append(
      " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
  out.append(sample_key).append("\r\nSec-WebSocket-Version: 13\r\n").append(fields).append("\r\n");
  return out;
}
inline std::string upgrade_response(std::string_view fields = "") {
  std::string out =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
  out.append(sample_accept).append("\r\n").append(fields).append("\r\n");
  return out;
}

inline std::string frame(unsigned char first, std::string_view payload, bool masked) {
  std::string out(1, static_cast<char>(first));
  const int mask_bit = masked ? 0x80 : 0;
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(mask_bit | static_cast<int>(payload.size())));
  } else if (payload.size() < 65536) {
    out.push_back(static_cast<char>(mask_bit | 126));
    for (int shift = 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(payload.size() >> shift));
  } else {
    out.push_back(static_cast<char>(mask_bit | 127));
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(payload.size() >> shift));
  }
  if (!masked) return out.append(payload);
  const char key[4] = {0x11, 0x22, 0x33, 0x44};
  out.append(key, 4);
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  return out;
}
inline std::string client_frame(unsigned char first, std::string_view payload) { return frame(first, payload, true); }
inline std::string server_frame(unsigned char first, std::string_view payload) { return frame(first, payload, false); }
inline std::string close_payload(int code, std::string_view reason = "") {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code)};
  return out.append(reason);
}

struct Frame {
  int first = -1;  // -1: none came
  std::string payload;
  [[nodiscard]] int close_code() const {
    return payload.size() < 2 ? 1005
                              : static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
  }
};

inline Frame receive_frame(Socket& socket, Clock::duration within = patience) {
  const auto byte = [](const std::string& s, std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const std::string head = socket.receive(2, within);
  if (head.size() < 2) return {};
  std::uint64_t length = byte(head, 1) & 0x7fU;
  const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (more > 0) {
    const std::string extended = socket.receive(more, within);
    length = 0;
    for (std::size_t i = 0; i < extended.size(); ++i) length = length << 8U | byte(extended, i);
  }
  std::string key;
  if ((byte(head, 1) & 0x80U) != 0) key = socket.receive(4, within);
  Frame out{byte(head, 0), socket.receive(length, within)};
  for (std::size_t i = 0; i < out.payload.size() && !key.empty(); ++i)
    out.payload[i] = static_cast<char>(out.payload[i] ^ key[i % 4]);
  return out;
}

inline void talk(Socket& client, const std::string& words) {
  ASSERT_TRUE(client.send(client_frame(text, words)));
  EXPECT_EQ(receive_frame(client).payload, words);
}

// --- the server behind the proxy ---

class Backend {
 public:
  using Script = std::function<void(Socket&)>;

  explicit Backend(Script script, const Address& address = {.host = "127.0.0.1", .port = 0, .unix_path = ""})
      : script_(std::move(script)), address_(address) {
    if (!address.unix_path.empty()) {
      fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      std::strncpy(name.sun_path, address.unix_path.c_str(), sizeof name.sun_path - 1);
      EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    } else {
      fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in name{};
      name.sin_family = AF_INET;
      name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof name;
      EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&name), size), 0);
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size);
      address_.port = ntohs(name.sin_port);
    }
    EXPECT_EQ(::listen(fd_, 4096), 0);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~Backend() {
    ::shutdown(fd_, SHUT_RDWR);
    acceptor_.join();
    ::close(fd_);
    for (auto& each : connections_) each.join();
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] int accepted() const { return accepted_; }

 private:
  void accept() {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++accepted_;
      connections_.emplace_back([this, fd] {
        Socket socket(fd);
        script_(socket);
      });
    }
  }

  Script script_;
  Address address_;
  int fd_ = -1;
  std::atomic<int> accepted_{0};
  std::thread acceptor_;
  std::vector<std::thread> connections_;
};

// Upgrades, then echoes messages and answers pings, until a Close, which it answers, or the end.
inline void echo(Socket& socket) {
  if (socket.receive_head().empty()) return;
  socket.send(upgrade_response());
  for (;;) {
    const Frame got = receive_frame(socket);
    if (got.first < 0) return;
    if (got.first == pong) continue;
    const int first = got.first == ping ? pong : got.first;
    if (!socket.send(server_frame(static_cast<unsigned char>(first), got.payload))) return;
    if (got.first == close_op) return;
  }
}

// --- the proxy ---

class CollectedSpans final : public model::SpanSink {
 public:
  void offer(model::Span&& span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<model::Span> all() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<model::Span> spans_;
};

class TestProxy {
 public:
  explicit TestProxy(Config config, bool traced = true) {
    auto started = Proxy::start(config, traced ? &spans : nullptr, [this](int level, const std::string& line) {
      const std::lock_guard lock(mutex_);
      if (level >= 3) warnings_.push_back(line);
    });
    if (!started) throw std::runtime_error(started.error().message);
    proxy_ = std::move(*started);
  }
  explicit TestProxy(const Backend& backend, const std::function<void(Route&)>& change = {})
      : TestProxy(config(backend, change)) {}

  // One listener, one route to the backend, two workers, no heartbeats.
  static Config config(const Backend& backend, const std::function<void(Route&)>& change = {}) {
    Route route;
    route.upstream = backend.address();
    route.carry.heartbeat.client = false;
    route.carry.heartbeat.upstream = false;
    if (change) change(route);
    Config out;
    out.threads = 2;
    out.listeners.push_back(
        {.address = {.host = "127.0.0.1", .port = 0, .unix_path = ""}, .tls = {}, .routes = {route}});
    return out;
  }

  Proxy* operator->() const { return proxy_.get(); }
  [[nodiscard]] Address address() const { return proxy_->addresses().front(); }
  [[nodiscard]] Socket connect() const { return Socket::to(address()); }
  // A WebSocket, the 101 read.
  [[nodiscard]] Socket open(std::string_view path = "/", std::string_view fields = "") const {
    Socket out = connect();
    EXPECT_TRUE(out.send(upgrade_request(path, fields)));
    EXPECT_TRUE(out.receive_head().starts_with("HTTP/1.1 101 "));
    return out;
  }
  // Sum over the workers of what `read` gives for one route.
  template <class Read>
  std::uint64_t count(Read read, std::string_view route = "default") const {
    std::uint64_t sum = 0;
    for (const auto& shard : proxy_->metrics())
      if (shard.route == route)
        for (const auto* worker : shard.workers) sum += static_cast<std::uint64_t>(read(*worker));
    return sum;
  }
  [[nodiscard]] std::uint64_t active() const {
    return count([](const auto& m) { return m.connections_active.value(); });
  }
  [[nodiscard]] std::uint64_t rejected(std::string_view route = "default") const {
    return count([](const auto& m) { return m.connections_rejected.value(); }, route);
  }
  [[nodiscard]] std::uint64_t anomalies(model::Anomaly kind, std::string_view route = "default") const {
    return count([kind](const auto& m) { return m.anomalies[static_cast<std::size_t>(kind)].value(); }, route);
  }
  [[nodiscard]] std::vector<std::string> warnings() const {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }
  void stop() { proxy_.reset(); }

  CollectedSpans spans;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Proxy> proxy_;
};

inline std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

}  // namespace sockeye::proxy::test
