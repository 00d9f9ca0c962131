// The end of one leg: writes what is queued, sends FIN, then reads and discards until the peer's FIN, so that no RST
// (what the kernel answers to bytes nobody reads) destroys our last words on their way. Bounded: a peer that takes no
// bytes for `stall`, or that has not finished `quiet` after our FIN, is let go.
#pragma once

#include <memory>

#include "leg.h"
#include "slots.h"

namespace sockeye::proxy {

class Worker;

class Linger final : public Deletable, public LegOwner, public Timer, public InSlots<Linger> {
 public:
  static constexpr base::Duration quiet = std::chrono::seconds(2);
  static constexpr base::Duration stall = std::chrono::seconds(5);
  static constexpr base::Duration longest = std::chrono::seconds(60);

  Linger(Worker& worker, std::unique_ptr<Leg> leg);
  void begin();
  void abort();

  void leg_ready(Leg&, std::uint32_t events) override;
  void leg_fault(Leg&) noexcept override { abort(); }
  void expired(base::Time now) override;
  void timer_fault() noexcept override { abort(); }

 private:
  void step();
  void discard();
  void done(bool reset);

  Worker& worker_;
  std::unique_ptr<Leg> leg_;
  base::Time last_;              // after which it is aborted whatever it does
  std::size_t outstanding_ = 0;  // at the last look
  bool finished_ = false;        // our FIN is out
};

}  // namespace sockeye::proxy
