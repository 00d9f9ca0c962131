// Names to addresses, off the workers: getaddrinfo blocks, so one thread calls it. Literals and cached answers need no
// thread. Answers are kept 30 s (getaddrinfo tells no TTL), failures 2 s; askers of a name already being looked up
// share the one query. Everything is bounded: names cached, names waiting, askers. A dead name server delays other
// names: that is the price of one thread, paid only on a cache miss.
//
// A name that can no longer be looked up (no name server answers) keeps its last addresses for an hour (RFC 8767),
// while it is asked for again every 2 s; one that the name servers say does not exist is gone at once.
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
    bool denied = false;                   // failed because there is no such name, not for want of an answer
  };
  using AnswerPtr = std::shared_ptr<const Answer>;  // shared by askers on several threads
  // Called at most once, on the resolver's thread, never after the Resolver is destroyed: it should only post to the
  // asker's mailbox. It outlives the asker's session: carry an id, not a pointer.
  using Done = std::function<void(AnswerPtr)>;
  // Looks a name up and takes its time; never null. On the resolver's thread.
  using LookUp = std::function<AnswerPtr(const std::string& host, std::uint16_t port)>;
  // A line a person should see, on the resolver's thread; never after the Resolver is destroyed.
  using Warn = std::function<void(const std::string&)>;

  struct Limits {
    std::chrono::milliseconds keep{30'000};
    std::chrono::milliseconds keep_failure{2'000};
    std::chrono::milliseconds keep_stale{3'600'000};  // the last addresses of a name that cannot be looked up any more
    std::chrono::milliseconds patience{2'000};  // with a look-up under way, before addresses at hand are used instead
    std::size_t cached = 1024;                  // names; the one that expires first makes room
    std::size_t waiting = 256;                  // names being looked up; more fail at once
    std::size_t askers = 65'536;                // waiting for them; more fail at once
  };

  Resolver() : Resolver(Limits{}) {}
  // `look_up`: the system's resolver where there is none.
  explicit Resolver(Limits, Warn warn = {}, LookUp look_up = {});
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
