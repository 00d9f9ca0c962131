#include "acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "address.h"
#include "reply.h"
#include "worker.h"

namespace sockeye::proxy {
namespace {

// Connections taken in one turn: a storm of connects must not starve the sessions.
constexpr int burst = 64;

Fd open_reserve() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Acceptor::Acceptor(Worker& worker, Fd fd, ActiveListenerPtr listener)
    : worker_(worker), fd_(std::move(fd)), reserve_(open_reserve()), listener_(std::move(listener)) {}

Acceptor::~Acceptor() { worker_.reactor().forget(*this); }

// Level-triggered: what a burst leaves is signalled again. A Unix listener is one queue for all workers, so only one of
// them is to be woken; for TCP's separate queues EPOLLEXCLUSIVE changes nothing.
bool Acceptor::watch() { return worker_.reactor().add(fd_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this); }

void Acceptor::ready(std::uint32_t) {
  if (!fd_) return;
  for (int i = 0; i < burst && accept_one(); ++i) {
  }
}

bool Acceptor::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  Fd fd(::accept4(fd_.get(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    if (admit(fd)) worker_.accepted(std::move(fd), SocketAddress(address, size), listener_);
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
      out_of_descriptors();
      return take_reserve();
    case ENOBUFS:
    case ENOMEM:
      worker_.warn("memory", "listener " + listener_->text + ": " + errno_text(errno));
      return false;
    default:
      // The connection died in the queue (ECONNABORTED, EPROTO, and the network errors accept(2) lists): take the next.
      if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
        worker_.warn("accept", "listener " + listener_->text + ": " + errno_text(errno));
        return false;
      }
      return true;
  }
}

void Acceptor::out_of_descriptors() {
  worker_.commons().overload.out_of_descriptors(worker_.now());
  worker_.warn("descriptors",
               "listener " + listener_->text + ": out of file descriptors, answering 503; raise the limit (ulimit -n)");
}

// What is left of the descriptors is for the upstreams of those who were let in, the metrics port, and files.
bool Acceptor::admit(Fd& fd) {
  const Overload& overload = worker_.commons().overload;
  if (!overload.spares(fd.get()) && !worker_.evict_idle()) {
    out_of_descriptors();
    turn_away(std::move(fd), "out of file descriptors");
    return false;
  }
  const model::Overload verdict = overload.now();
  if (verdict.shedding == model::Shedding::sessions && verdict.because != model::Strain::descriptors) {
    turn_away(std::move(fd), "overloaded");
    return false;
  }
  return true;
}

bool Acceptor::take_reserve() {
  if (!reserve_) {
    reserve_ = open_reserve();
    if (!reserve_) return false;
  }
  reserve_.reset();
  Fd victim(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool taken = static_cast<bool>(victim);
  if (taken) turn_away(std::move(victim), "out of file descriptors");
  reserve_ = open_reserve();
  return taken;
}

void Acceptor::turn_away(Fd victim, std::string_view why) {
  worker_.metrics(*listener_->unmatched).connections_rejected.add();
  worker_.shed().sessions.add();
  if (listener_->tls) return;
  std::string reply;
  append_reply(reply, 503, why);
  // Read first: closing a socket with unread bytes sends RST, which would overtake the answer.
  const auto scratch = worker_.buffer();
  [[maybe_unused]] const auto got = ::recv(victim.get(), scratch.data(), scratch.size(), 0);
  [[maybe_unused]] const auto sent = ::send(victim.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
  ::shutdown(victim.get(), SHUT_WR);
  [[maybe_unused]] const auto more = ::recv(victim.get(), scratch.data(), scratch.size(), 0);
}

void Acceptor::close() {
  if (!fd_) return;
  while (accept_one()) {
  }
  worker_.reactor().remove(fd_.get());
  fd_.reset();
}

}  // namespace sockeye::proxy
