// A client on a plain blocking socket, so that any bytes can be sent.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sockeye::net::test {

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds within = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Connection() { ::close(fd_); }
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  bool send(std::string_view bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  // Up to the end of the connection.
  [[nodiscard]] std::string all() const {
    std::string out;
    std::array<char, 65536> part{};
    for (ssize_t n = 0; (n = ::recv(fd_, part.data(), part.size(), 0)) > 0;)
      out.append(part.data(), static_cast<std::size_t>(n));
    return out;
  }
  // What is there, or comes next; "" at the end.
  [[nodiscard]] std::string some() const {
    std::array<char, 65536> part{};
    const ssize_t n = ::recv(fd_, part.data(), part.size(), 0);
    return {part.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }
  // One answer with a Content-Length.
  [[nodiscard]] std::string one() const {
    std::string out;
    char c = 0;
    while (!out.ends_with("\r\n\r\n")) {
      if (::recv(fd_, &c, 1, 0) != 1) return out;
      out += c;
    }
    const std::size_t at = out.find("Content-Length: ");
    if (at == std::string::npos) return out;
    std::string body(std::stoul(out.substr(at + 16)), '\0');
    if (!body.empty() && ::recv(fd_, body.data(), body.size(), MSG_WAITALL) != static_cast<ssize_t>(body.size()))
      return "short";
    return out + body;
  }
  [[nodiscard]] std::string ask(std::string_view method, std::string_view target, std::string_view body = {}) const {
    send(std::string(method) + " " + std::string(target) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    return one();
  }
  // True when the server ended it, or does within the limit, and said nothing more.
  [[nodiscard]] bool ended(std::chrono::milliseconds limit = std::chrono::seconds(20)) const {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(limit.count())) != 1) return false;
    char c = 0;
    return ::recv(fd_, &c, 1, MSG_DONTWAIT) <= 0;
  }

 private:
  int fd_;
  bool connected_ = false;
};

inline std::string body_of(const std::string& answer) {
  return answer.substr(std::min(answer.find("\r\n\r\n"), answer.size() - 4) + 4);
}
inline int status_of(const std::string& answer) { return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3)); }

}  // namespace sockeye::net::test
