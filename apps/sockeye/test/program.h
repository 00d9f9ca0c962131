// The real binary in a child process, and small blocking clients for its ports. Nothing here waits longer than its
// deadline, and nothing sleeps for a state.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sockeye::app::testing {

class Program {
 public:
  // `prepare` runs in the child before the program.
  explicit Program(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                   void (*prepare)() = nullptr);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Reads stderr until it holds `text`; false after 20 s or when the program ended first.
  bool logged(std::string_view text);
  // Reads to the end and returns the exit status; -1 after 20 s or by a signal.
  int status();
  void send(int signal) const { ::kill(pid_, signal); }
  [[nodiscard]] ::pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }
  // The digits that follow `before` on stderr.
  [[nodiscard]] int port_after(std::string_view before) const;

 private:
  bool read_some(int timeout_ms);
  ::pid_t pid_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
  bool reaped_ = false;
  int status_ = -1;
  std::string out_, err_;
};

// A connected TCP socket to 127.0.0.1; closes itself.
class Tcp {
 public:
  explicit Tcp(int port);
  explicit Tcp(int fd, bool) : fd_(fd) {}
  ~Tcp();
  Tcp(const Tcp&) = delete;
  Tcp& operator=(const Tcp&) = delete;
  void write(std::string_view bytes) const;
  // Until `text` was seen, EOF or 20 s.
  std::string read_until(std::string_view text);
  [[nodiscard]] bool connected() const { return fd_ >= 0; }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  int fd_ = -1;
  bool ended_ = false;
};

// Status line, head and body of one request.
std::string get(int port, const std::string& path, const std::string& head = "");

// A WebSocket server that accepts any upgrade, answers a Close and nothing else; with `tail` (frames) before it.
class Upstream {
 public:
  explicit Upstream(std::string tail = "");
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  void run();
  const std::string tail_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  int port_ = 0;
  std::thread thread_;
};

// RFC 6455 §1.3's own example: its accept value is s3pPLMBiTxaQ9kYGzzhZRbK+xOo=.
inline constexpr std::string_view upgrade =
    "GET /chat?token=abc HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

}  // namespace sockeye::app::testing
