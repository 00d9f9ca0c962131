// Reaches a route's upstream: name to addresses, connect to each in turn, TLS. The time given is shared by the
// addresses that are left, so that one that swallows packets does not use up the others' turn.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "active_listener.h"
#include "leg.h"
#include "resolver.h"

namespace sockeye::proxy {

class Worker;

class DialOwner {
 public:
  virtual void dialed(std::unique_ptr<Leg> leg) = 0;
  // 502, 503 (no descriptors left) or 504. `why` is fit for a reason body; `detail` is for the log, with the address.
  virtual void dial_failed(int status, std::string_view why, const std::string& detail) = 0;

 protected:
  ~DialOwner() = default;
};

class Dial final : public Deletable, public LegOwner, public Timer {
 public:
  Dial(Worker& worker, const Route& route, const ActiveRoute& active, base::Time deadline, DialOwner& owner);
  ~Dial() override;

  // Calls the owner, perhaps before it returns. The owner may delete_later() this from within either call.
  void begin();
  // No call will come any more; the socket is closed.
  void cancel();

  void resolved(Resolver::AnswerPtr answer);

  void leg_ready(Leg&, std::uint32_t events) override;
  void leg_fault(Leg&) noexcept override;
  void expired(base::Time now) override;
  void timer_fault() noexcept override;

 private:
  void attempt();
  void step();
  void attempt_failed(bool timed_out, std::string_view why, const std::string& detail);
  void fail(int status, std::string_view why, const std::string& detail);
  [[nodiscard]] std::string upstream_text() const;

  Worker& worker_;
  const Route& route_;
  const ActiveRoute& active_route_;
  base::Time deadline_;
  DialOwner* owner_;
  std::uint64_t ticket_ = 0;  // of the resolver's question; 0: none
  Resolver::AnswerPtr answer_;
  std::size_t next_ = 0;  // address to try
  std::unique_ptr<Leg> leg_;
  bool connected_ = false;
  bool timed_out_ = false;  // any attempt
};

}  // namespace sockeye::proxy
