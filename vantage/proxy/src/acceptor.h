// A worker's listening socket. Out of descriptors, it goes on: one is kept in reserve to accept a connection, say 503
// and close it, so that clients get an answer instead of a hanging connect and the loop does not spin on a queue it
// cannot take from.
#pragma once

#include "active_listener.h"
#include "fd.h"
#include "reactor.h"

namespace sockeye::proxy {

class Worker;

class Acceptor final : public Handler {
 public:
  Acceptor(Worker& worker, Fd fd, ActiveListenerPtr listener);
  ~Acceptor() override;
  [[nodiscard]] bool watch();
  void change(ActiveListenerPtr listener) { listener_ = std::move(listener); }
  // Takes what is queued already, then closes the socket.
  void close();

  void ready(std::uint32_t events) override;
  void fault() noexcept override {}

 private:
  // False when the queue is empty, or nothing can be taken from it now.
  bool accept_one();
  bool shed();

  Worker& worker_;
  Fd fd_;
  Fd reserve_;
  ActiveListenerPtr listener_;
};

}  // namespace sockeye::proxy
