// The flight recorder: the headers of the last model::flight_recorder_size messages, never their payload. A ring that
// grows by doubling from 4 entries, so that a session with nothing to tell holds nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "sockeye/base/prefetch.h"
#include "sockeye/model/session.h"

namespace sockeye::session {

class Recorder {
 public:
  void record(const model::RecordedMessage& message) {
    if (next_ == capacity_) [[unlikely]]
      turn();
    ring_[next_++] = message;
  }

  // A ping of ours. It takes the place of the last one to the same leg unless that one was left unanswered or something
  // else came between: heartbeats of a quiet session neither push its messages out nor make it grow.
  void record_ping(const model::RecordedMessage& ping) {
    for (std::size_t back = 1; back <= 2 && back <= next_; ++back) {
      model::RecordedMessage& last = ring_[next_ - back];
      if (last.injected == 0 || last.opcode != ping.opcode) break;
      if (last.side != ping.side) continue;
      if (last.answered == 0) break;
      if (back == 2) last = ring_[next_ - 1U];
      ring_[next_ - 1U] = ping;
      return;
    }
    record(ping);
  }

  // The pong to the last ping of ours that `side` sent (as recorded: the leg's other side) is here.
  void answered(std::uint64_t side) {
    const std::size_t kept = full_ ? capacity_ : next_;
    for (std::size_t back = 1; back <= kept; ++back) {
      model::RecordedMessage& entry = ring_[(next_ + capacity_ - back) % capacity_];
      if (entry.injected == 0 || entry.opcode != static_cast<std::uint8_t>(model::Opcode::ping) || entry.side != side)
        continue;
      entry.answered = 1;
      return;
    }
  }

  // What record() will write to.
  void prefetch() const noexcept { base::prefetch(ring_.get() + next_); }

  // Oldest first.
  [[nodiscard]] std::vector<model::RecordedMessage> messages() const {
    std::vector<model::RecordedMessage> out;
    out.reserve(full_ ? capacity_ : next_);
    if (full_) out.insert(out.end(), ring_.get() + next_, ring_.get() + capacity_);
    out.insert(out.end(), ring_.get(), ring_.get() + next_);
    return out;
  }

 private:
  // The end of the ring is reached: grow it, or begin to overwrite at its start.
  void turn() {
    if (capacity_ == model::flight_recorder_size) {
      next_ = 0;
      full_ = true;
      return;
    }
    const std::size_t capacity = capacity_ == 0 ? 4 : capacity_ * 2U;
    auto ring = std::make_unique_for_overwrite<model::RecordedMessage[]>(capacity);
    std::copy_n(ring_.get(), next_, ring.get());
    ring_ = std::move(ring);
    capacity_ = static_cast<std::uint8_t>(capacity);
  }

  std::unique_ptr<model::RecordedMessage[]> ring_;
  std::uint8_t capacity_ = 0;
  std::uint8_t next_ = 0;  // where the next entry goes
  bool full_ = false;      // entries from next_ on are the oldest
};

}  // namespace sockeye::session
