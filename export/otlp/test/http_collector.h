// An HTTP collector on blocking sockets, one thread a connection, that answers, or fails, as a test tells it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sockeye::otlp::test {

struct Seen {
  std::string head;  // with its last empty line
  std::string body;
  std::uint64_t connection = 0;  // from 1, in the order of accepting
};

struct Reply {
  std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
  bool close = false;
  bool reset = false;  // with RST
  static Reply status(const std::string& line, const std::string& fields = "", const std::string& body = "") {
    return {"HTTP/1.1 " + line + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
            body};
  }
};

class HttpCollector {
 public:
  // Called with each whole request, from its connection's thread.
  using Handler = std::function<Reply(const Seen&)>;

  // `head_only`: told by the head of a request, end the connection before reading its body.
  explicit HttpCollector(Handler handler, std::uint16_t port = 0) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_loop(); });
  }
  ~HttpCollector() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
  }
  HttpCollector(const HttpCollector&) = delete;
  HttpCollector& operator=(const HttpCollector&) = delete;

  void cut_body_of(std::uint64_t connection) { cut_ = connection; }  // RST after the head of its first request
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint64_t connections() const { return accepted_; }
  [[nodiscard]] std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void accept_loop() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::uint64_t number = ++accepted_;
      const std::lock_guard lock(mutex_);
      open_.insert(fd);
      threads_.emplace_back([this, fd, number] {
        serve(fd, number);
        const std::lock_guard closing(mutex_);
        open_.erase(fd);
        ::close(fd);
      });
    }
  }

  static bool fill(int fd, std::string& buffer) {
    char part[65536];
    const ssize_t n = ::recv(fd, part, sizeof(part), 0);
    if (n <= 0) return false;
    buffer.append(part, static_cast<std::size_t>(n));
    return true;
  }

  static void reset(int fd) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }

  void serve(int fd, std::uint64_t number) {
    std::string buffer;
    for (;;) {
      std::size_t end = 0;
      while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
        if (!fill(fd, buffer)) return;
      Seen seen;
      seen.connection = number;
      seen.head = buffer.substr(0, end + 4);
      if (cut_ == number) return reset(fd);
      const std::size_t field = seen.head.find("Content-Length: ");
      const std::size_t length = field == std::string::npos ? 0 : std::stoul(seen.head.substr(field + 16));
      while (buffer.size() < end + 4 + length)
        if (!fill(fd, buffer)) return;
      seen.body = buffer.substr(end + 4, length);
      buffer.erase(0, end + 4 + length);
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back(seen);
      }
      const Reply reply = handler_(seen);
      ::send(fd, reply.bytes.data(), reply.bytes.size(), MSG_NOSIGNAL);
      if (reply.reset) return reset(fd);
      if (reply.close) return;
    }
  }

  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
  std::atomic<std::uint64_t> accepted_ = 0;
  std::atomic<std::uint64_t> cut_ = 0;
  mutable std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::vector<Seen> seen_;
};

}  // namespace sockeye::otlp::test
