#include "linger.h"

#include <algorithm>

#include "worker.h"

namespace sockeye::proxy {

Linger::Linger(Worker& worker, std::unique_ptr<Leg> leg)
    : worker_(worker), leg_(std::move(leg)), last_(worker.now() + longest) {
  leg_->own(*this);
}

void Linger::begin() {
  outstanding_ = leg_->queued() + leg_->transport().unsent();
  worker_.timers().arm(*this, worker_.now() + stall);
  step();
}

void Linger::step() {
  if (!finished_) {
    if (leg_->blocked()) {
      const Io state = leg_->flush();
      if (state == Io::error) return done(true);
    }
    if (!leg_->blocked()) {
      const IoResult result = leg_->transport().shutdown_write();
      if (result.state == Io::error) return done(false);
      if (result.state == Io::ok) {
        finished_ = true;
        outstanding_ = leg_->transport().unsent();
        worker_.timers().arm(*this, worker_.now() + quiet);
      }
    }
  }
  if (leg_->readable()) discard();
}

void Linger::discard() {
  const IoResult result = leg_->read(worker_.buffer());
  if (result.state == Io::error) return done(false);
  // The peer's FIN alone is not the end while our bytes are still queued.
  if (result.state == Io::eof) {
    if (finished_) done(false);
    return;
  }
  if (leg_->readable()) leg_->again();
}

void Linger::leg_ready(Leg&, std::uint32_t) { step(); }

void Linger::expired(base::Time now) {
  // As long as some of our bytes move, the peer is slow and not gone; closing now could cost it the rest, since bytes
  // of its own that nobody reads any more are answered with RST.
  const std::size_t outstanding = leg_->queued() + leg_->transport().unsent();
  if (outstanding == 0 || outstanding >= outstanding_ || now >= last_) return done(!finished_);
  outstanding_ = outstanding;
  worker_.timers().arm(*this, std::min(now + (finished_ ? quiet : stall), last_));
}

void Linger::abort() { done(true); }

void Linger::done(bool reset) {
  if (!leg_->open()) return;
  leg_->close(reset);
  worker_.timers().disarm(*this);
  worker_.left(*this);
}

}  // namespace sockeye::proxy
