#include "replay_to.h"

#include <netdb.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sockeye/capture/format.h"
#include "sockeye/proxy/config.h"
#include "sockeye/signal/redact.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/frame_writer.h"
#include "sockeye/wire/http.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;
using base::Byte;
using base::Bytes;
using model::Opcode;
using Clock = std::chrono::steady_clock;
using Kind = capture::Event::Kind;

constexpr auto patience = 10s;  // for a connection, the handshake, a server that does not read, and its Close
constexpr auto tail_time = 3s;  // for messages that the recorded server sent and this one has not yet

class Socket {
 public:
  Socket() = default;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  base::Result<void> connect(const proxy::Address& to) {
    const addrinfo hints{.ai_flags = 0,
                         .ai_family = AF_UNSPEC,
                         .ai_socktype = SOCK_STREAM,
                         .ai_protocol = 0,
                         .ai_addrlen = 0,
                         .ai_addr = nullptr,
                         .ai_canonname = nullptr,
                         .ai_next = nullptr};
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found); error != 0)
      return base::fail(to.text() + ": " + ::gai_strerror(error));
    int error = 0;
    const auto deadline = Clock::now() + patience;
    for (const addrinfo* each = found; each != nullptr && fd_ < 0; each = each->ai_next) {
      fd_ = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, each->ai_protocol);
      error = fd_ < 0 ? errno : connect(*each, deadline);
      if (error != 0 && fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    ::freeaddrinfo(found);
    if (fd_ < 0) return base::fail("cannot connect to " + to.text() + ": " + std::strerror(error));
    return {};
  }
  // Nothing more is sent.
  void end() const { ::shutdown(fd_, SHUT_WR); }
  // False: the other side is gone, or takes nothing.
  bool write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
        if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) <= 0) return false;
      } else if (n >= 0 || errno != EINTR) {
        return false;
      }
    }
    return true;
  }
  // What came until `deadline`, at least once looked at: empty when nothing did; none at the end.
  std::optional<Bytes> read(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    const auto wait = std::clamp<std::int64_t>(left.count(), 0, 3'600'000);
    if (::poll(&ready, 1, static_cast<int>(wait)) <= 0) return Bytes{};
    const auto n = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n > 0) return Bytes(buffer_.data(), static_cast<std::size_t>(n));
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Bytes{};
    return std::nullopt;
  }

 private:
  // errno's value, or 0.
  [[nodiscard]] int connect(const addrinfo& to, Clock::time_point deadline) const {
    if (::connect(fd_, to.ai_addr, to.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
  int fd_ = -1;
  std::array<Byte, 65536> buffer_{};
};

// "permessage-deflate; …", or "".
std::string extensions_of(const capture::Session& session) {
  return std::string(session.response.view().value("Sec-WebSocket-Extensions"));
}

std::string random_key() {
  std::array<unsigned char, 16> bytes{};
  static_cast<void>(!::getrandom(bytes.data(), bytes.size(), 0));
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < 15; at += 3) {
    const unsigned bits = static_cast<unsigned>(bytes[at]) << 16U | static_cast<unsigned>(bytes[at + 1]) << 8U |
                          static_cast<unsigned>(bytes[at + 2]);
    for (const unsigned shift : {18U, 12U, 6U, 0U}) out += digits[bits >> shift & 63U];
  }
  out += digits[bytes[15] >> 2U];
  out += digits[(bytes[15] & 3U) << 4U];
  return out + "==";
}

std::string request_for(const capture::Session& session, const proxy::Upstream& to) {
  std::string target = to.path.empty() ? wire::origin_form(session.request.target) : to.path;
  if (target.empty()) target = "/";
  std::string out = "GET " + target + " HTTP/1.1\r\nHost: " + to.address.text() +
                    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: " +
                    random_key() + "\r\n";
  const auto selected = session.response.view().value("Sec-WebSocket-Protocol");
  if (!selected.empty() && selected != signal::redacted)
    out += "Sec-WebSocket-Protocol: " + std::string(selected) + "\r\n";
  if (const auto extensions = extensions_of(session); !extensions.empty())
    out += "Sec-WebSocket-Extensions: " + extensions + "\r\n";
  return out + "\r\n";
}

class Player {
 public:
  Player(const capture::Session& session, double speed)
      : session_(session),
        speed_(speed),
        client_({.sender = model::Side::client}),
        server_({.sender = model::Side::server}),
        recorded_server_({.sender = model::Side::server}),
        last_answer_(session.opened) {}

  base::Result<void> open(const proxy::Upstream& to) {
    if (auto connected = socket_.connect(to.address); !connected) return connected;
    const std::string request = request_for(session_, to);
    if (!socket_.write(request)) return base::fail(to.address.text() + " took no request");
    std::string came;
    wire::HeadParser parser(wire::HeadParser::Kind::response);
    const auto deadline = Clock::now() + patience;
    auto progress = wire::HeadParser::Progress::need_more;
    while (progress == wire::HeadParser::Progress::need_more) {
      const auto bytes = socket_.read(deadline);
      if (!bytes || Clock::now() > deadline) return base::fail(to.address.text() + " did not answer the handshake");
      came += base::as_text(*bytes);
      progress = parser.parse(base::as_bytes(came));
    }
    if (progress == wire::HeadParser::Progress::failed)
      return base::fail(to.address.text() + ": " + std::string(parser.failure().why));
    if (parser.head().status != 101)
      return base::fail(to.address.text() + " answered " + std::to_string(parser.head().status));
    wire::HeadParser asked(wire::HeadParser::Kind::request);
    static_cast<void>(asked.parse(base::as_bytes(request)));
    if (const auto wrong = wire::check_upgrade_response(asked.head(), parser.head()))
      return base::fail(to.address.text() + ": " + std::string(wrong->why));
    if (parser.head().value("Sec-WebSocket-Extensions") != extensions_of(session_))
      return base::fail(
          "the server selected other extensions than the recorded one: the recorded frames are not for it");
    began_ = Clock::now();
    hear(base::as_bytes(std::string_view(came).substr(parser.size())));
    return {};
  }

  void event(const capture::Event& event) {
    if (event.kind != Kind::bytes || over_) return;
    if (event.side == model::Side::server) return expect(event);
    wait_for(event.at);
    if (over_) {
      out_.cut = true;
      return;
    }
    track(event.data);
    if (!socket_.write(base::as_text(event.data))) return stop();
    out_.sent_bytes += event.data.size();
    answer();
  }

  // Behind the last frame: what the server still has to say, its Close, or its end. Where the recorded client sent no
  // Close, one is sent once the server said as much as the recorded one, or had the time to.
  Played finish() {
    if (!closed_) {
      const auto until = std::max(Clock::now(), when(last_answer_)) + tail_time;
      while (!over_ && out_.received < expected_ && Clock::now() < until) listen(until);
      if (!over_) close();
    }
    const auto deadline = Clock::now() + patience;
    while (!over_ && Clock::now() < deadline) listen(deadline);
    return out_;
  }

 private:
  void stop() {
    out_.cut = true;
    over_ = true;
  }
  void listen(Clock::time_point until) {
    const auto bytes = socket_.read(until);
    if (!bytes)
      over_ = true;
    else
      hear(*bytes);
  }
  [[nodiscard]] Clock::time_point when(base::Time at) const {
    if (speed_ <= 0) return Clock::now();
    return began_ + std::chrono::duration_cast<Clock::duration>((at - session_.opened) / speed_);
  }
  void wait_for(base::Time at) {
    const auto until = when(at);
    do listen(until);
    while (!over_ && Clock::now() < until);
  }
  // What the recorded server said, and until when.
  void expect(const capture::Event& event) {
    for (Bytes in = event.data; !in.empty();) {
      const auto piece = recorded_server_.next(in);
      in = in.subspan(piece.used);
      if (!piece.message_done) continue;
      ++expected_;
      last_answer_ = event.at;
    }
  }
  // Inside a frame no Close can be sent.
  void close() {
    if (client_.mid_frame()) return socket_.end();
    closed_ = true;
    if (!socket_.write(base::as_text(wire::close_frame(1000, "", true, 0x5a17c3e9).view()))) over_ = true;
  }
  // What the client says, for its messages and where a pong may go.
  void track(Bytes in) {
    while (!in.empty()) {
      const auto piece = client_.next(in);
      in = in.subspan(piece.used);
      out_.sent += piece.message_done ? 1 : 0;
      closed_ = closed_ || (piece.kind == wire::Piece::Kind::control && client_.header().opcode == Opcode::close);
    }
  }
  void hear(Bytes in) {
    while (!in.empty() && !over_) {
      const auto piece = server_.next(in);
      in = in.subspan(piece.used);
      out_.received += piece.message_done ? 1 : 0;
      if (piece.kind != wire::Piece::Kind::control) continue;
      if (server_.header().opcode == Opcode::ping) pings_.emplace_back(base::as_text(piece.payload));
      if (server_.header().opcode != Opcode::close) continue;
      out_.code =
          piece.payload.size() < 2 ? 1005 : static_cast<std::uint16_t>(piece.payload[0] << 8U | piece.payload[1]);
      over_ = true;
    }
    answer();
  }
  void answer() {
    if (over_ || closed_ || client_.mid_frame()) return;
    for (const auto& ping : std::exchange(pings_, {}))
      if (!socket_.write(
              base::as_text(wire::control_frame(Opcode::pong, base::as_bytes(ping), true, 0x5a17c3e9).view())))
        return stop();
  }

  const capture::Session& session_;
  const double speed_;
  Socket socket_;
  wire::FrameParser client_, server_, recorded_server_;
  std::uint64_t expected_ = 0;      // messages that the recorded server sent,
  base::Time last_answer_;          // the last of them then
  std::vector<std::string> pings_;  // not answered yet
  Clock::time_point began_;
  bool closed_ = false, over_ = false;
  Played out_;
};

}  // namespace

base::Result<Played> play(Bytes file, std::string_view url, double speed) {
  auto to = proxy::parse_upstream(url);
  if (!to) return tl::unexpected(to.error());
  if (to->tls || !to->address.unix_path.empty()) return base::fail("only ws://HOST:PORT can be played to");
  auto reader = capture::Reader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  if (!reader->session().payload) return base::fail("the recording has no payload: there is nothing to send");
  if (reader->session().attached)
    return base::fail("the recording began in the middle of its session: its handshake is not known");
  Player player(reader->session(), speed);
  if (auto opened = player.open(*to); !opened) return tl::unexpected(opened.error());
  for (;;) {
    const auto event = reader->next();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return player.finish();
    player.event(**event);
  }
}

}  // namespace sockeye::app
