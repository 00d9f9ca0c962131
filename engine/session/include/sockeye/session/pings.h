// The peers' own pings, seen from between them: how often one of them beats, and how long the other takes to answer.
// Nothing here is sent, and no clock is read.
//
// A beat of a peer is a ping of its own, or a pong that answers none (RFC 6455 §5.5.3: an unsolicited pong is a
// one-way heartbeat). One pong may answer several pings (ibid.), and repeats the payload of the one it answers.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"

namespace sockeye::session {

// Of one peer.
class Pings {
 public:
  // It sent a ping.
  void sent(base::Time now) { beat(now); }
  // A ping of the other peer's is on its way to it.
  void asked(base::Bytes payload, base::Time now) {
    asked_[next_++ % kept] = {hash(payload), now};
    unanswered_ = true;
  }
  // It sent a pong. The time since the ping of the same payload; none: that one is not known (any more).
  std::optional<base::Duration> answered(base::Bytes payload, base::Time now) {
    if (!unanswered_) beat(now);
    unanswered_ = false;
    const std::size_t of = hash(payload);
    for (Asked& each : asked_) {
      if (each.at == base::never || each.payload != of) continue;
      const base::Duration took = now - each.at;
      each.at = base::never;
      return took;
    }
    return std::nullopt;
  }
  // Between its last two beats.
  [[nodiscard]] std::optional<base::Duration> interval() const {
    return interval_ == none ? std::nullopt : std::optional(interval_);
  }

 private:
  static constexpr std::size_t kept = 2;  // pings that are not answered yet; an older one is forgotten
  static constexpr base::Duration none = base::Duration::min();
  struct Asked {
    std::size_t payload = 0;
    base::Time at = base::never;
  };
  static std::size_t hash(base::Bytes payload) { return std::hash<std::string_view>{}(base::as_text(payload)); }
  void beat(base::Time now) {
    if (last_beat_ != base::never) interval_ = now - last_beat_;
    last_beat_ = now;
  }

  std::array<Asked, kept> asked_{};
  base::Time last_beat_ = base::never;
  base::Duration interval_ = none;
  std::uint8_t next_ = 0;
  bool unanswered_ = false;
};

}  // namespace sockeye::session
