// The clients of every measurement: one thread, raw epoll, frames masked and laid out before anything is timed.
//
// Modes
//   closed loop   every connection keeps --inflight messages under way; an echo that came back whole sends the next one
//   paced         --rate messages a second over all connections, round robin; latency counts from the time a message
//   was due,
//                 so that a stall is charged to every message it delayed
//   handshakes    open, upgrade, close, again: --inflight of them at any time
//   idle          open all, then pass one message of each --stages size per session; a line on stdout after every stage
//   and
//                 a line on stdin before the next, so that the caller can look at the proxy in between
//
// A message is counted once a direction by the caller; here `echoes` are round trips, a fraction for a message under
// way (bytes received / bytes of an echo). The CPU clocks of --watch processes are read at both ends of the window, so
// that CPU time and messages are of exactly the same window. An echo of another length or kind, or (with --verify)
// content, is an error.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <string_view>
#include <vector>

#include "frames.h"
#include "histogram.h"
#include "sockets.h"

namespace sockeye::bench {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::size_t most_opening = 256;  // below every backlog in the bench
constexpr std::size_t ring = 64;           // messages of one connection under way that are timed

// RFC 6455 §1.3's own example: nonce and its proof.
constexpr std::string_view nonce = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view proof = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct Settings {
  std::string proxy;
  std::size_t connections = 50;
  std::size_t size = 512;
  std::size_t inflight = 1;
  double rate = 0;
  bool handshakes = false;
  std::vector<std::string> stages;
  bool text = false;
  bool media = false;
  bool verify = false;
  unsigned sources = 0;
  double warmup = 0.5;
  double duration = 2;
  std::vector<int> pids;
  int core = -1;
};

struct Connection {
  enum class State : std::uint8_t { none, connecting, upgrading, open };
  int fd = -1;
  State state = State::none;
  bool last_bytes = false;
  bool readable = false;
  bool queued = false;
  // Receiving: a header in progress, then payload.
  std::uint8_t have = 0;
  std::uint8_t header[10]{};
  std::uint8_t opcode = 0;
  std::uint64_t left = 0;
  std::uint64_t offset = 0;
  std::string small;  // the answer's head while upgrading, then control payloads
  // Sending: whole frames owed and bytes of the first that went.
  std::size_t owed = 0;
  std::size_t sent = 0;
  std::string control;  // a pong waiting for a frame boundary
  std::uint32_t began = 0;
  std::uint32_t ended_count = 0;
  std::uint64_t due[ring]{};
};

struct Reading {
  std::uint64_t time = 0;
  std::uint64_t own_cpu = 0;
  std::uint64_t core_busy_ns = 0;
  std::vector<std::uint64_t> cpu;
};

class Load {
 public:
  explicit Load(Settings settings)
      : settings_(std::move(settings)),
        proxy_(parse_address(settings_.proxy)),
        frames_(settings_.size, settings_.text, settings_.media, settings_.inflight, buffer_bytes),
        buffer_(buffer_bytes),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        connections_(settings_.handshakes ? settings_.inflight : settings_.connections) {
    request_ = "GET /bench HTTP/1.1\r\nHost: " + settings_.proxy +
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + std::string(nonce) +
               "\r\nSec-WebSocket-Version: 13\r\nUser-Agent: bench\r\n\r\n";
  }

  int run() {
    if (settings_.handshakes) {
      for (Connection& connection : connections_) open(connection);
    } else {
      open_all();
    }
    if (!settings_.stages.empty()) return run_stages();

    running_ = true;
    started_ = now_ns();
    if (settings_.rate <= 0 && !settings_.handshakes) {
      for (Connection& connection : connections_) {
        for (std::size_t i = 0; i < settings_.inflight; ++i) owe(connection, started_);
        flush(connection);
      }
    }
    loop_until(started_ + static_cast<std::uint64_t>(settings_.warmup * double(second)));
    latency_.clear();
    received_ = handshakes_ = skipped_ = 0;
    const Reading before = read_clocks();
    loop_until(before.time + static_cast<std::uint64_t>(settings_.duration * double(second)));
    const Reading after = read_clocks();
    report(before, after);
    return errors_ == 0 ? 0 : 1;
  }

 private:
  // ---- opening

  void open(Connection& connection) {
    connection = Connection{};
    connection.fd = tcp_socket();
    if (settings_.sources > 0) {
      // 127.0.1.1 and up: one address has too few ports for what the bench opens and closes.
      const int on = 1;
      ::setsockopt(connection.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      const unsigned turn = opened_++ % settings_.sources;
      sockaddr_in source{};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr = htonl(0x7f000101U + (turn / 250U << 8U) + turn % 250U);
      if (::bind(connection.fd, generic(source), sizeof source) != 0) fail_errno("bind to a loopback address");
    }
    if (::connect(connection.fd, generic(proxy_), sizeof proxy_) != 0 && errno != EINPROGRESS) fail_errno("connect");
    connection.state = Connection::State::connecting;
    ++opening_;
    epoll_event event{};
    event.events = both_edges;
    event.data.ptr = &connection;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail_errno("epoll_ctl");
  }

  void open_all() {
    const std::uint64_t deadline = now_ns() + 60 * second;
    std::size_t next = 0;
    while (next < connections_.size() || opening_ > 0) {
      while (next < connections_.size() && opening_ < most_opening) open(connections_[next++]);
      poll(now_ns() + second / 10);
      if (errors_ > 0) fail("a connection failed while opening: " + first_error_);
      if (now_ns() > deadline) fail(std::to_string(opening_) + " connections not open after 60 s");
    }
  }

  // ---- the loop

  void loop_until(std::uint64_t end) {
    for (;;) {
      const std::uint64_t now = now_ns();
      if (now >= end) return;
      std::uint64_t wake = end;
      if (settings_.rate > 0) wake = std::min(wake, send_due(now));
      poll(wake);
    }
  }

  // Handles what is ready, waiting for it until `wake` at most.
  void poll(std::uint64_t wake) {
    epoll_event events[512];
    const std::uint64_t now = now_ns();
    const std::uint64_t wait = again_.empty() && wake > now ? wake - now : 0;
    const timespec timeout{static_cast<time_t>(wait / second), static_cast<long>(wait % second)};
    const int count = ::epoll_pwait2(epoll_, events, 512, &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      const std::uint32_t what = events[i].events;
      if ((what & ended) != 0) connection.last_bytes = true;
      if ((what & EPOLLIN) != 0 || connection.last_bytes) connection.readable = true;
      serve(connection);
    }
    std::vector<Connection*> turn;
    turn.swap(again_);
    for (Connection* connection : turn) {
      connection->queued = false;
      serve(*connection);
    }
  }

  // Sends every message that is due; when the next one is.
  std::uint64_t send_due(std::uint64_t now) {
    for (;;) {
      const std::uint64_t due =
          started_ + static_cast<std::uint64_t>(double(sequence_) / settings_.rate * double(second));
      if (due > now) return due;
      Connection& connection = connections_[sequence_++ % connections_.size()];
      if (connection.began - connection.ended_count >= ring) {
        ++skipped_;
        continue;
      }
      owe(connection, due);
      flush(connection);
    }
  }

  void owe(Connection& connection, std::uint64_t due) {
    connection.due[connection.began++ % ring] = due;
    ++connection.owed;
  }

  void serve(Connection& connection) {
    if (connection.state == Connection::State::none) return;
    if (connection.state == Connection::State::connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return lost(connection, std::strerror(error));
      const ssize_t sent = ::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent != static_cast<ssize_t>(request_.size())) return lost(connection, "the request was not taken");
      connection.state = Connection::State::upgrading;
    }
    if (connection.state == Connection::State::open) flush(connection);
    receive(connection);
  }

  void receive(Connection& connection) {
    for (int turn = 0; connection.readable && connection.state != Connection::State::none; ++turn) {
      if (turn == 8) {
        if (!connection.queued) again_.push_back(&connection);
        connection.queued = true;
        return;
      }
      const ssize_t got = ::recv(connection.fd, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
          connection.readable = false;
          return;
        }
        return lost(connection, got == 0 ? "closed by the proxy" : std::strerror(errno));
      }
      const auto length = static_cast<std::size_t>(got);
      if (length < buffer_.size() && !connection.last_bytes) connection.readable = false;
      if (connection.state == Connection::State::upgrading) {
        upgraded(connection, {reinterpret_cast<const char*>(buffer_.data()), length});
      } else {
        received_ += length;
        consume(connection, buffer_.data(), length);
      }
    }
  }

  void upgraded(Connection& connection, std::string_view bytes) {
    connection.small.append(bytes);
    const auto end = connection.small.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string head = connection.small.substr(0, end + 2);
    const std::string rest = connection.small.substr(end + 4);
    std::string().swap(connection.small);
    if (!head.starts_with("HTTP/1.1 101") || head.find(proof) == std::string::npos) {
      return lost(connection, "not upgraded: " + head.substr(0, head.find('\r')));
    }
    connection.state = Connection::State::open;
    --opening_;
    if (settings_.handshakes) {
      ++handshakes_;
      ::close(connection.fd);
      return open(connection);
    }
    consume(connection, reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size());
  }

  void lost(Connection& connection, const std::string& why) {
    if (errors_++ == 0) first_error_ = why;
    if (connection.state != Connection::State::open) --opening_;
    ::close(connection.fd);
    connection.state = Connection::State::none;
    // Handshakes go on: one refused among thousands is reported, not fatal.
    if (settings_.handshakes && errors_ < 1000) open(connection);
  }

  // ---- frames

  void consume(Connection& connection, const std::uint8_t* bytes, std::size_t length) {
    while (length > 0) {
      if (connection.left == 0) {
        const std::size_t taken = take_header(connection, bytes, length);
        bytes += taken;
        length -= taken;
        if (connection.have > 0) return;  // not whole yet
        if (connection.state == Connection::State::none) return;
      }
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(connection.left, length));
      if (connection.opcode >= 8) {
        connection.small.append(bytes, bytes + part);
      } else if (settings_.verify && std::memcmp(bytes, frames_.payload.data() + connection.offset, part) != 0) {
        return lost(connection, "an echo has other bytes than were sent");
      }
      connection.offset += part;
      connection.left -= part;
      bytes += part;
      length -= part;
      if (connection.left == 0) finish_frame(connection);
    }
    flush(connection);
  }

  // Server frames carry no mask; leaves have == 0 when the header is whole.
  std::size_t take_header(Connection& connection, const std::uint8_t* bytes, std::size_t length) {
    std::size_t taken = 0;
    std::size_t need = 2;
    for (;;) {
      while (connection.have < need && taken < length) connection.header[connection.have++] = bytes[taken++];
      if (connection.have < need) return taken;
      const std::size_t whole = connection.header[1] == 126 ? 4 : connection.header[1] == 127 ? 10 : 2;
      if (need == whole) break;
      need = whole;
    }
    connection.have = 0;
    connection.opcode = connection.header[0] & 0x0fU;
    connection.offset = 0;
    connection.left = need == 2 ? connection.header[1] : 0;
    for (std::size_t i = 2; i < need; ++i) connection.left = connection.left << 8U | connection.header[i];
    const bool masked = need == 2 && (connection.header[1] & 0x80U) != 0;
    const bool control = connection.opcode >= 8;
    const std::uint8_t expected = settings_.text ? 0x81 : 0x82;
    if (masked || (control ? connection.left > 125
                           : connection.header[0] != expected || connection.left != frames_.payload.size())) {
      lost(connection, "an echo of another length or kind");
    }
    return taken;
  }

  void finish_frame(Connection& connection) {
    if (connection.opcode >= 8) {
      if (connection.opcode == 9) {
        // RFC 6455 §5.5.3: a pong carries the ping's bytes; masked with a zero key.
        connection.control = "\x8a";
        connection.control += static_cast<char>(0x80U | connection.small.size());
        connection.control.append(4, '\0');
        connection.control += connection.small;
      }
      received_ -= connection.small.size() + 2;
      std::string().swap(connection.small);
      return;
    }
    const std::uint64_t now = now_ns();
    latency_.add(now - connection.due[connection.ended_count++ % ring]);
    ++echoes_;
    if (running_ && settings_.rate <= 0) owe(connection, now);
  }

  void flush(Connection& connection) {
    if (connection.state != Connection::State::open) return;
    for (;;) {
      if (connection.sent == 0 && !connection.control.empty()) {
        // Small enough to go whole or not at all, but for a full socket: then it waits for the next OUT edge.
        const ssize_t sent = ::send(connection.fd, connection.control.data(), connection.control.size(), MSG_NOSIGNAL);
        if (sent < 0) return;
        connection.control.erase(0, static_cast<std::size_t>(sent));
        if (!connection.control.empty()) return;
      }
      if (connection.owed == 0) return;
      // A pong waits for the end of the frame under way, not of everything owed.
      const std::size_t batch = connection.control.empty() ? std::min(connection.owed, frames_.count) : 1;
      const std::size_t length = batch * frames_.frame - connection.sent;
      const ssize_t sent = ::send(connection.fd, frames_.bytes.data() + connection.sent, length, MSG_NOSIGNAL);
      if (sent < 0) return;  // full; an error shows as an event
      connection.sent += static_cast<std::size_t>(sent);
      connection.owed -= connection.sent / frames_.frame;
      connection.sent %= frames_.frame;
      if (static_cast<std::size_t>(sent) < length) return;
    }
  }

  // ---- idle sessions

  int run_stages() {
    for (const std::string& stage : settings_.stages) {
      const auto by = stage.find('x');
      settings_.size = static_cast<std::size_t>(std::atoll(stage.c_str()));
      const int count = by == std::string::npos ? 1 : std::atoi(stage.c_str() + by + 1);
      if (settings_.size > 0) {
        frames_ = Frames(settings_.size, settings_.text, settings_.media, 1, buffer_bytes);
        for (int i = 0; i < count; ++i) pass_one_each();
      }
      std::printf("{\"stage\": \"%s\", \"errors\": %llu}\n", stage.c_str(), static_cast<unsigned long long>(errors_));
      std::fflush(stdout);
      wait_for_line();
    }
    if (errors_ > 0) std::fprintf(stderr, "load: %s\n", first_error_.c_str());
    return errors_ == 0 ? 0 : 1;
  }

  // At most 64 under way: what is asked is what a session keeps, not how many can burst at once.
  void pass_one_each() {
    const std::uint64_t goal = echoes_ + connections_.size();
    const std::uint64_t deadline = now_ns() + 120 * second;
    std::size_t next = 0;
    std::uint64_t begun = echoes_;
    while (echoes_ < goal && errors_ == 0) {
      while (next < connections_.size() && begun - echoes_ < 64) {
        owe(connections_[next], now_ns());
        flush(connections_[next++]);
        ++begun;
      }
      poll(now_ns() + second / 10);
      if (now_ns() > deadline) fail("idle sessions did not echo within 120 s");
    }
  }

  // Pings are answered meanwhile. An end of input is as good as a line.
  void wait_for_line() {
    const int keep = ::fcntl(STDIN_FILENO, F_GETFL);
    ::fcntl(STDIN_FILENO, F_SETFL, keep | O_NONBLOCK);
    for (;;) {
      char letter = 0;
      const ssize_t got = ::read(STDIN_FILENO, &letter, 1);
      if (got == 0 || (got == 1 && letter == '\n')) break;
      if (got < 0) poll(now_ns() + second / 50);
    }
    ::fcntl(STDIN_FILENO, F_SETFL, keep);
  }

  // ---- measurement

  [[nodiscard]] Reading read_clocks() const {
    Reading reading;
    for (const int pid : settings_.pids) {
      // The kernel's clock id of another process (clock_getcpuclockid): all its threads, in nanoseconds.
      reading.cpu.push_back(clock_ns((~static_cast<clockid_t>(pid)) << 3 | 2));
    }
    reading.own_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (settings_.core >= 0) reading.core_busy_ns = core_busy_ns();
    reading.time = now_ns();
    return reading;
  }

  // user + nice + system + irq + softirq + steal of one core, in ticks of 10 ms: to see that the proxy had it alone.
  [[nodiscard]] std::uint64_t core_busy_ns() const {
    std::ifstream file("/proc/stat");
    std::string word;
    const std::string name = "cpu" + std::to_string(settings_.core);
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      fields >> word;
      if (word != name) continue;
      std::uint64_t value[8]{};
      for (std::uint64_t& each : value) fields >> each;
      return (value[0] + value[1] + value[2] + value[5] + value[6] + value[7]) *
             (second / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
    }
    return 0;
  }

  void report(const Reading& before, const Reading& after) const {
    const double seconds = double(after.time - before.time) / double(second);
    const std::size_t head = settings_.size < 126 ? 2 : settings_.size < 65536 ? 4 : 10;
    const double echoes =
        settings_.handshakes ? double(handshakes_) : double(received_) / double(head + settings_.size);
    std::string cpu;
    for (std::size_t i = 0; i < before.cpu.size(); ++i) {
      cpu += (i > 0 ? ", " : "") + std::to_string(double(after.cpu[i] - before.cpu[i]) / double(second));
    }
    std::printf(
        "{\"seconds\": %.6f, \"echoes\": %.2f, \"cpu\": [%s], \"load_cpu\": %.6f, \"core_busy\": %.3f, \"p50_us\": "
        "%.1f, "
        "\"p99_us\": %.1f, \"skipped\": %llu, \"errors\": %llu}\n",
        seconds, echoes, cpu.c_str(), double(after.own_cpu - before.own_cpu) / double(second),
        double(after.core_busy_ns - before.core_busy_ns) / double(second), double(latency_.quantile(0.5)) / 1000,
        double(latency_.quantile(0.99)) / 1000, static_cast<unsigned long long>(skipped_),
        static_cast<unsigned long long>(errors_));
    if (errors_ > 0) std::fprintf(stderr, "load: %s\n", first_error_.c_str());
  }

  Settings settings_;
  sockaddr_in proxy_;
  Frames frames_;
  std::vector<std::uint8_t> buffer_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<Connection*> again_;
  std::string request_;
  Histogram latency_;
  bool running_ = false;
  std::uint64_t started_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t handshakes_ = 0;
  std::uint64_t echoes_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t errors_ = 0;
  std::string first_error_;
  std::size_t opening_ = 0;
  unsigned opened_ = 0;
};

}  // namespace
}  // namespace sockeye::bench

int main(int argc, char** argv) {
  using namespace sockeye::bench;
  Settings settings;
  CLI::App app{"WebSocket clients for benchmarks; the result is one line of JSON"};
  app.add_option("--proxy", settings.proxy, "address of the proxy")->required();
  app.add_option("--connections", settings.connections)->check(CLI::Range(1, 19900));
  app.add_option("--size", settings.size, "payload bytes of a message")->check(CLI::Range(1, 64 << 20));
  app.add_option("--inflight", settings.inflight, "messages under way a connection; opening ones with --handshakes")
      ->check(CLI::Range(1, 64));
  app.add_option("--rate", settings.rate, "messages a second over all connections; 0 = closed loop");
  app.add_flag("--handshakes", settings.handshakes, "open, upgrade, close, again");
  app.add_option("--stages", settings.stages, "idle sessions: messages passed, SIZE or SIZExCOUNT, 0 = none")
      ->delimiter(',');
  app.add_flag("--text", settings.text, "text messages (ASCII), masked with a key that is not zero");
  app.add_flag("--media", settings.media, "with --text: each is a media message of Twilio's")->needs("--text");
  app.add_flag("--verify", settings.verify, "compare every byte that comes back");
  app.add_option("--sources", settings.sources, "loopback addresses to connect from");
  app.add_option("--warmup", settings.warmup, "seconds");
  app.add_option("--duration", settings.duration, "seconds");
  app.add_option("--watch", settings.pids, "processes whose CPU time is read")->delimiter(',');
  app.add_option("--core", settings.core, "the proxy's core");
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  return std::make_unique<Load>(settings)->run();
}
