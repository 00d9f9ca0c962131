#include "program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "sockeye/wire/http.h"

namespace sockeye::app::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(60);

int left(Clock::time_point deadline) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return ms > 0 ? static_cast<int>(ms) : 0;
}

bool readable(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, timeout_ms) > 0;
}

}  // namespace

Program::Program(std::vector<std::string> arguments, std::vector<std::string> environment, void (*prepare)()) {
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) std::abort();
  arguments.insert(arguments.begin(), SOCKEYE_BINARY);
  std::vector<char*> argv, envp;
  for (auto& argument : arguments) argv.push_back(argument.data());
  for (auto& variable : environment) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    if (prepare != nullptr) prepare();
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  stdout_ = out[0];
  stderr_ = err[0];
}

Program::~Program() {
  if (!reaped_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(stdout_);
  ::close(stderr_);
}

bool Program::read_some(int timeout_ms) {
  std::array<pollfd, 2> waiting{{{stdout_, POLLIN, 0}, {stderr_, POLLIN, 0}}};
  if (stdout_ < 0) waiting[0].fd = -1;
  if (::poll(waiting.data(), waiting.size(), timeout_ms) <= 0) return false;
  std::array<char, 65536> buffer{};
  bool open = true;
  if (waiting[0].revents != 0) {
    const ssize_t got = ::read(stdout_, buffer.data(), buffer.size());
    if (got > 0) out_.append(buffer.data(), static_cast<std::size_t>(got));
    if (got <= 0) {
      ::close(stdout_);
      stdout_ = -1;
    }
  }
  if (waiting[1].revents != 0) {
    const ssize_t got = ::read(stderr_, buffer.data(), buffer.size());
    if (got > 0) err_.append(buffer.data(), static_cast<std::size_t>(got));
    open = got > 0;
  }
  return open;
}

bool Program::logged(std::string_view text) {
  const auto deadline = Clock::now() + patience;
  while (err_.find(text) == std::string::npos)
    if (!read_some(left(deadline))) return err_.find(text) != std::string::npos;
  return true;
}

int Program::status() {
  const auto deadline = Clock::now() + patience;
  while (read_some(left(deadline))) {
  }
  while (stdout_ >= 0 && readable(stdout_, left(deadline))) {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(stdout_, buffer.data(), buffer.size());
    if (got <= 0) break;
    out_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (!reaped_ && left(deadline) > 0) {
    reaped_ = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (!reaped_) ::usleep(1000);
  }
  return reaped_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int Program::port_after(std::string_view before) const {
  const auto at = err_.find(before);
  return at == std::string::npos ? 0 : std::atoi(err_.c_str() + at + before.size());
}

Tcp::Tcp(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

Tcp::~Tcp() {
  if (fd_ >= 0) ::close(fd_);
}

void Tcp::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string Tcp::read_until(std::string_view text) {
  const auto deadline = Clock::now() + patience;
  std::string out;
  std::array<char, 65536> buffer{};
  while ((text.empty() || out.find(text) == std::string::npos) && readable(fd_, left(deadline))) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      ended_ = true;
      break;
    }
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return out;
}

std::string get(int port, const std::string& path, const std::string& head) {
  Tcp tcp(port);
  if (!tcp.connected()) return {};
  tcp.write("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + head + "\r\n");
  return tcp.read_until("");
}

Upstream::Upstream(std::string tail) : tail_(std::move(tail)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || ::pipe2(stop_, O_CLOEXEC) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Upstream::~Upstream() {
  ::close(stop_[1]);
  thread_.join();
  ::close(listener_);
  ::close(stop_[0]);
}

namespace {

std::string key_in(const std::string& head) {
  constexpr std::string_view name = "Sec-WebSocket-Key: ";
  const auto at = head.find(name);
  if (at == std::string::npos) return "";
  const auto begin = at + name.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

void Upstream::run() {
  struct Peer {
    int fd;
    std::string head;
  };
  std::vector<Peer> peers;
  for (;;) {
    std::vector<pollfd> waiting{{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& peer : peers) waiting.push_back({peer.fd, POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), -1);
    if (waiting[0].revents != 0) break;
    for (std::size_t i = peers.size(); i-- > 0;) {
      if (waiting[i + 2].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t got = ::recv(peers[i].fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        ::close(peers[i].fd);
        peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      const std::string_view came(buffer.data(), static_cast<std::size_t>(got));
      // A Close is answered, and that is the end: one that came alone, or, with a code, behind others.
      if (came[0] == '\x88' || came.find("\x88\x82") != came.npos) {
        Tcp(peers[i].fd, true).write(tail_ + std::string("\x88\0", 2));
        peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      auto& head = peers[i].head;
      const bool before = head.find("\r\n\r\n") == std::string::npos;
      head.append(buffer.data(), static_cast<std::size_t>(got));
      if (before && head.find("\r\n\r\n") != std::string::npos)
        Tcp(::dup(peers[i].fd), true)
            .write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: " +
                wire::accept_key(key_in(head)) + "\r\n\r\n");
    }
    if (waiting[1].revents != 0) peers.push_back({::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), {}});
  }
  for (const auto& peer : peers) ::close(peer.fd);
}

}  // namespace sockeye::app::testing
