// A worker's listening socket. It stops letting in where descriptors run short or the process is overloaded: who comes
// then is told so at once (503), after those that are connected and have asked for nothing have made room. Out of
// descriptors altogether it goes on: one is kept in reserve to accept a connection, say 503 and close it, so that
// clients get an answer instead of a hanging connect and the loop does not spin on a queue it cannot take from.
#pragma once

#include <string_view>

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
  // False: it was answered 503 and closed.
  bool admit(Fd& fd);
  void out_of_descriptors();
  // Spends the reserve on one more connection, to answer it.
  bool take_reserve();
  void turn_away(Fd victim, std::string_view why);

  Worker& worker_;
  Fd fd_;
  Fd reserve_;
  ActiveListenerPtr listener_;
};

}  // namespace sockeye::proxy
