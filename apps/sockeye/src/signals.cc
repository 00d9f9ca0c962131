#include "signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>

namespace sockeye::app {

Signals::Signals() {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a peer that left is an errno
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  done_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

Signals::~Signals() {
  ::close(signals_);
  ::close(done_);
}

void Signals::done() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(done_, &one, sizeof one));
}

int Signals::wait(std::chrono::milliseconds timeout) const {
  for (;;) {
    std::array<pollfd, 2> waiting{{{signals_, POLLIN, 0}, {done_, POLLIN, 0}}};
    const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(timeout.count()));
    if (ready == 0) return -1;
    if (ready < 0) continue;
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      return static_cast<int>(info.ssi_signo);
    std::uint64_t count = 0;
    if (::read(done_, &count, sizeof count) == static_cast<ssize_t>(sizeof count)) return 0;
  }
}

}  // namespace sockeye::app
