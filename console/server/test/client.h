// HTTP and WebSocket by hand, over a blocking socket: what it sends is what a test wrote, however wrong.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sockeye::console::test {

struct Answer {
  int status = 0;  // 0: the connection ended, or nothing came for ten seconds
  std::string head, body;

  [[nodiscard]] std::string field(std::string_view name) const {
    const std::string start = "\r\n" + std::string(name) + ": ";
    const auto at = head.find(start);
    if (at == std::string::npos) return "";
    return head.substr(at + start.size(), head.find("\r\n", at + 2) - at - start.size());
  }
};

class Client {
 public:
  explicit Client(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // The other side has ended the connection, and said nothing more.
  [[nodiscard]] bool ended() { return !more() && over_ && buffer_.empty(); }

  Answer answer(bool has_body = true) {
    Answer out;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return out;
    out.head = take(end + 4);
    out.status = std::atoi(out.head.c_str() + 9);
    const std::size_t length = has_body && out.status >= 200 && out.status != 204
                                   ? static_cast<std::size_t>(std::atoll(out.field("Content-Length").c_str()))
                                   : 0;
    while (buffer_.size() < length)
      if (!more()) return {};
    out.body = take(length);
    return out;
  }
  // One whole request. `fields`: "Name: value\r\n"…
  Answer ask(std::string_view method, std::string_view target, std::string_view fields = "",
             std::string_view body = "") {
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
    text += fields;
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(text + "\r\n" + std::string(body));
    return answer(method != "HEAD");
  }
  Answer get(std::string_view target, std::string_view fields = "") { return ask("GET", target, fields); }

  Answer upgrade(std::string_view target, std::string_view subprotocol, std::string_view fields = "") {
    std::string more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    more += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    if (!subprotocol.empty()) more += "Sec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n";
    return get(target, more + std::string(fields));
  }
  void frame(std::uint8_t opcode, std::string_view payload) {
    std::string out(1, static_cast<char>(0x80U | opcode));
    if (payload.size() < 126) {
      out += static_cast<char>(0x80U | payload.size());
    } else {
      out += '\xFE';
      out += static_cast<char>(payload.size() >> 8U);
      out += static_cast<char>(payload.size() & 255U);
    }
    send(out + std::string(4, '\0') + std::string(payload));  // masked with zeros
  }
  // Nothing has come, nor comes within this time.
  [[nodiscard]] bool silent(std::chrono::milliseconds within) const {
    pollfd one{socket_, POLLIN, 0};
    return buffer_.empty() && ::poll(&one, 1, static_cast<int>(within.count())) == 0;
  }
  struct Frame {
    std::uint8_t opcode = 0;
    std::string payload;
  };
  std::optional<Frame> frame() {
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(buffer_[i])}; };
    for (;;) {
      std::size_t head = 2;
      if (buffer_.size() >= head) {
        std::size_t length = byte(1);
        const std::size_t more_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
        head += more_bytes;
        if (buffer_.size() >= head) {
          if (more_bytes > 0) length = 0;
          for (std::size_t i = 0; i < more_bytes; ++i) length = length << 8U | byte(2 + i);
          if (buffer_.size() >= head + length) {
            const auto opcode = static_cast<std::uint8_t>(byte(0) & 15U);
            take(head);
            return Frame{opcode, take(length)};
          }
        }
      }
      if (!more()) return std::nullopt;
    }
  }

 private:
  bool more() {
    char bytes[16384];
    const auto n = ::recv(socket_, bytes, sizeof bytes, 0);
    over_ = n == 0 || (n < 0 && errno == ECONNRESET);
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  std::string take(std::size_t n) {
    std::string out = buffer_.substr(0, n);
    buffer_.erase(0, n);
    return out;
  }

  int socket_;
  bool connected_ = false, over_ = false;
  std::string buffer_;
};

}  // namespace sockeye::console::test
