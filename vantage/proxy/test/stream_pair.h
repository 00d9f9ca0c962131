// Two connected streams, to put a transport on each.
#pragma once

#include <sys/socket.h>

#include <stdexcept>
#include <utility>

#include "../src/fd.h"

namespace sockeye::proxy::test {

inline std::pair<Fd, Fd> stream_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
    throw std::runtime_error("socketpair");
  return {Fd(fds[0]), Fd(fds[1])};
}

}  // namespace sockeye::proxy::test
