// The server behind every proxy: an RFC 6455 echo server that costs the load's core as little as it can. A frame goes
// back as it came except for its header (servers do not mask): the new header is written right before the payload in
// the read buffer, so that an unfragmented read leaves with one send. The load masks binary messages with a key of
// zero, which makes unmasking free; any other key is undone in place.
#include <openssl/evp.h>
#include <sys/uio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "sockets.h"

namespace sockeye::bench {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{128} * 1024;
constexpr std::size_t most_pieces = 256;  // frames answered by one write; the rest of the read follows in the next

struct Connection {
  int fd = -1;
  bool open = false;        // upgraded
  bool last_bytes = false;  // the peer's end was seen
  bool closing = false;     // a close frame was answered: end once everything is written
  bool readable = false;
  std::uint8_t header[14]{};
  std::uint8_t have = 0;  // bytes of a header cut by the end of a read
  std::uint8_t key[4]{};
  std::uint8_t opcode = 0;
  std::uint64_t left = 0;    // payload bytes of the current frame still to come
  std::uint64_t offset = 0;  // payload bytes of it that came
  std::string request;
  std::size_t held_from = 0;
  std::vector<std::uint8_t> held;  // what the peer did not take yet
};

// RFC 6455 §4.2.2.
std::string accept_token(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr);
  unsigned char token[64];
  const int size = EVP_EncodeBlock(token, digest, static_cast<int>(length));
  return {token, token + size};
}

// A field's value, the name in any case; "" when it is not there.
std::string_view field(std::string_view head, std::string_view name) {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string_view::npos) {
    at += 2;
    const auto line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    auto value = line.substr(name.size() + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value;
  }
  return {};
}

void unmask(std::uint8_t* bytes, std::size_t count, const std::uint8_t (&key)[4], std::uint64_t offset) {
  if ((key[0] | key[1] | key[2] | key[3]) == 0) return;
  std::uint8_t turned[8];
  for (std::size_t i = 0; i < 8; ++i) turned[i] = key[(offset + i) & 3U];
  std::uint64_t word = 0;
  std::memcpy(&word, turned, 8);
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t part = 0;
    std::memcpy(&part, bytes + i, 8);
    part ^= word;
    std::memcpy(bytes + i, &part, 8);
  }
  for (; i < count; ++i) bytes[i] ^= turned[i & 7U];
}

class Backend {
 public:
  explicit Backend(const sockaddr_in& listen)
      : buffer_(buffer_bytes + 16), epoll_(::epoll_create1(EPOLL_CLOEXEC)), listener_(listen_on(listen)) {
    watch(epoll_, listener_, EPOLLIN, 0);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), again_.empty() ? -1 : 0);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == 0) {
          accept_some();
          continue;
        }
        auto& connection = *static_cast<Connection*>(event.data.ptr);
        if ((event.events & ended) != 0) connection.last_bytes = true;
        if ((event.events & EPOLLIN) != 0 || connection.last_bytes) connection.readable = true;
        serve(connection);
      }
      std::vector<Connection*> turn;
      turn.swap(again_);
      for (Connection* connection : turn) serve(*connection);
    }
  }

 private:
  void accept_some() {
    for (int i = 0; i < 64; ++i) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      no_delay(fd);
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      epoll_event event{};
      event.events = both_edges;
      event.data.ptr = connection.get();
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail_errno("epoll_ctl");
      (void)connection.release();
    }
  }

  // The only place that frees: a connection appears at most once in events or again_ before it is served.
  void serve(Connection& connection) {
    const Next next = flush(connection) ? read(connection) : Next::end;
    if (next == Next::end) {
      ::close(connection.fd);
      std::erase(again_, &connection);
      delete &connection;
    } else if (next == Next::again && std::find(again_.begin(), again_.end(), &connection) == again_.end()) {
      again_.push_back(&connection);
    }
  }

  enum class Next : std::uint8_t { wait, again, end };

  // False: the connection is over.
  static bool flush(Connection& connection) {
    if (connection.held.empty()) return true;
    const ssize_t sent = ::send(connection.fd, connection.held.data() + connection.held_from,
                                connection.held.size() - connection.held_from, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    connection.held_from += static_cast<std::size_t>(sent);
    if (connection.held_from == connection.held.size()) std::vector<std::uint8_t>().swap(connection.held);
    return true;
  }

  Next read(Connection& connection) {
    for (int turn = 0; turn < 8; ++turn) {
      if (!connection.held.empty()) return Next::wait;
      if (connection.closing) return Next::end;
      if (!connection.readable) return Next::wait;
      // 16 bytes in front for the header that grows into them.
      std::uint8_t* const start = buffer_.data() + 16;
      const ssize_t got = ::recv(connection.fd, start, buffer_bytes, 0);
      if (got <= 0) {
        if (got == 0 || errno != EAGAIN) return Next::end;
        connection.readable = false;
        return Next::wait;
      }
      const auto length = static_cast<std::size_t>(got);
      if (length < buffer_bytes && !connection.last_bytes) connection.readable = false;
      const bool good = connection.open ? echo(connection, start, length) : upgrade(connection, start, length);
      if (!good) return Next::end;
      if (connection.closing && connection.held.empty()) return Next::end;
    }
    return Next::again;
  }

  bool upgrade(Connection& connection, std::uint8_t* bytes, std::size_t length) {
    connection.request.append(bytes, bytes + length);
    const auto end = connection.request.find("\r\n\r\n");
    if (end == std::string::npos) return connection.request.size() < 65536;
    const auto key = field(std::string_view(connection.request).substr(0, end + 2), "sec-websocket-key");
    if (key.empty()) {
      put(connection, std::string_view("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
      return false;
    }
    const std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
        accept_token(key) + "\r\n\r\n";
    std::string rest = connection.request.substr(end + 4);
    connection.open = true;
    std::string().swap(connection.request);
    if (!put(connection, answer)) return false;
    if (rest.empty()) return true;
    std::memcpy(bytes, rest.data(), rest.size());
    return echo(connection, bytes, rest.size());
  }

  // Turns what was read into what goes back and writes it. `bytes` has 16 free bytes in front.
  bool echo(Connection& connection, std::uint8_t* bytes, std::size_t length) {
    std::size_t at = 0;
    iovec pieces[most_pieces];
    std::size_t count = 0;
    std::size_t total = 0;
    std::uint8_t early[14];  // the header of a frame whose own began in an earlier read
    while (at < length && !connection.closing) {
      std::size_t header_bytes = 0;
      std::uint8_t* from = bytes + at;
      if (connection.left == 0) {
        const bool cut = connection.have > 0;
        const std::size_t taken = take_header(connection, bytes + at, length - at);
        if (taken == 0) break;  // not whole yet
        at += taken;
        std::uint8_t answer[10];
        header_bytes = write_header(connection, answer);
        if (cut) {
          // Its first bytes are gone from the buffer; the payload starts too near the front to hold the new header.
          std::memcpy(early, answer, header_bytes);
          pieces[count++] = {early, header_bytes};
          total += header_bytes;
          header_bytes = 0;
          from = bytes + at;
        } else {
          from = bytes + at - header_bytes;
          std::memcpy(from, answer, header_bytes);
        }
      }
      const std::size_t payload = static_cast<std::size_t>(std::min<std::uint64_t>(connection.left, length - at));
      unmask(bytes + at, payload, connection.key, connection.offset);
      connection.offset += payload;
      connection.left -= payload;
      at += payload;
      if (header_bytes + payload > 0) pieces[count++] = {from, header_bytes + payload};
      total += header_bytes + payload;
      if (connection.opcode == 8 && connection.left == 0) connection.closing = true;
      if (count + 2 > most_pieces) {
        if (!write(connection, pieces, count, total)) return false;
        count = total = 0;
      }
    }
    return count == 0 || write(connection, pieces, count, total);
  }

  // Bytes of `bytes` that complete the header, or 0 when it is not whole (they are kept then).
  static std::size_t take_header(Connection& connection, const std::uint8_t* bytes, std::size_t length) {
    const std::size_t kept = connection.have;
    std::size_t taken = 0;
    std::size_t need = 2;
    for (;;) {
      while (connection.have < need && taken < length) connection.header[connection.have++] = bytes[taken++];
      if (connection.have < need) return 0;
      const unsigned low = connection.header[1] & 0x7fU;
      const std::size_t whole = 2U +
                                (low == 126   ? 2U
                                 : low == 127 ? 8U
                                              : 0U) +
                                ((connection.header[1] & 0x80U) != 0 ? 4U : 0U);
      if (connection.have == whole && need == whole) break;
      need = whole;
    }
    const unsigned low = connection.header[1] & 0x7fU;
    connection.left = low;
    if (low >= 126) {
      connection.left = 0;
      for (std::size_t i = 0; i < (low == 126 ? 2U : 8U); ++i)
        connection.left = connection.left << 8U | connection.header[2 + i];
    }
    std::memset(connection.key, 0, 4);
    if ((connection.header[1] & 0x80U) != 0) std::memcpy(connection.key, connection.header + need - 4, 4);
    connection.opcode = connection.header[0] & 0x0fU;
    connection.offset = 0;
    connection.have = 0;
    return need - kept;
  }

  // A ping's answer is a pong, anything else comes back as it is (RFC 6455 §5.5.3); 2, 4 or 10 bytes.
  static std::size_t write_header(const Connection& connection, std::uint8_t (&out)[10]) {
    out[0] = connection.opcode == 9 ? std::uint8_t{0x8a} : connection.header[0];
    out[1] = connection.header[1] & 0x7fU;
    const std::size_t extra = out[1] == 126 ? 2U : out[1] == 127 ? 8U : 0U;
    std::memcpy(out + 2, connection.header + 2, extra);
    return 2 + extra;
  }

  static bool write(Connection& connection, iovec* pieces, std::size_t count, std::size_t total) {
    std::size_t sent = 0;
    if (connection.held.empty()) {
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = count;
      const ssize_t result = count == 1 ? ::send(connection.fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
                                        : ::sendmsg(connection.fd, &message, MSG_NOSIGNAL);
      if (result < 0 && errno != EAGAIN) return false;
      sent = result < 0 ? 0 : static_cast<std::size_t>(result);
      if (sent == total) return true;
      connection.held_from = 0;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto* from = static_cast<const std::uint8_t*>(pieces[i].iov_base);
      const std::size_t skip = std::min(sent, pieces[i].iov_len);
      connection.held.insert(connection.held.end(), from + skip, from + pieces[i].iov_len);
      sent -= skip;
    }
    return true;
  }

  static bool put(Connection& connection, std::string_view text) {
    iovec piece{const_cast<char*>(text.data()), text.size()};
    return write(connection, &piece, 1, text.size());
  }

  std::vector<std::uint8_t> buffer_;
  int epoll_;
  int listener_;
  std::vector<Connection*> again_;
};

}  // namespace
}  // namespace sockeye::bench

int main(int argc, char** argv) {
  CLI::App app{"A WebSocket echo server for benchmarks"};
  std::string listen;
  app.add_option("--listen", listen, "address to listen on")->required();
  CLI11_PARSE(app, argc, argv);
  using namespace sockeye::bench;
  raise_descriptor_limit();
  Backend(parse_address(listen)).run();
}
