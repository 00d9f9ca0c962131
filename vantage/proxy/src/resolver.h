// Names to addresses, off the workers: getaddrinfo blocks, so one thread calls it. Literals and cached answers need no
// thread. Answers are kept 30 s (getaddrinfo tells no TTL), failures 2 s; askers of a name already being looked up
// share the one query. Everything is bounded: names cached, names waiting, askers. A dead name server delays other
// names: that is the price of one thread, paid only on a cache miss.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "address.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

class Resolver {
 public:
  struct Answer {
    std::vector<SocketAddress> addresses;  // in the order to try (RFC 6724); port set. Empty: failed
    std::string error;                     // why: "backend.local: name or service not known"
  };
  using AnswerPtr = std::shared_ptr<const Answer>;  // shared by askers on several threads
  // Called at most once, on the resolver's thread, never after the Resolver is destroyed: it should only post to the
  // asker's mailbox. It outlives the asker's session: carry an id, not a pointer.
  using Done = std::function<void(AnswerPtr)>;

  struct Limits {
    std::chrono::milliseconds keep{30'000};
    std::chrono::milliseconds keep_failure{2'000};
    std::size_t cached = 1024;    // names; the one that expires first makes room
    std::size_t waiting = 256;    // names being looked up; more fail at once
    std::size_t askers = 65'536;  // waiting for them; more fail at once
  };

  Resolver() : Resolver(Limits{}) {}
  explicit Resolver(Limits);
  // Drops waiting askers. Waits at most 1 s for a query that hangs in the system's resolver, then leaves it behind.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The answer when it is known now (literals, Unix paths, cache, refusal by a limit) and `done` is not called; else
  // null and `done` will be. Thread-safe.
  [[nodiscard]] AnswerPtr resolve(const Address&, Done done);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which may outlive us by one hanging query
};

}  // namespace sockeye::proxy
