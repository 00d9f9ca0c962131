// H1 on one leg: our own pings. The peers' own are session/pings.h's.
//
// A ping goes out every `interval`; its pong is due within `timeout`, and is missed when it is not there by then.
//
//   idle ──due──▶ waiting for a frame boundary ──sent()──▶ outstanding ──pong──▶ idle (misses = 0)
//                                                              └──timeout──▶ idle (misses + 1, or late)
//
// Who is silent. A busy peer may answer pings late or never, and is alive as long as anything comes from it: a pong
// that is overdue while bytes came since its ping is only late. Misses in a row are those without a single byte from
// the first of their pings on; the `misses`-th is the last one allowed.
//
// When the next ping is due. At the last ping + interval; bytes from the peer since then (its pongs to our pings apart)
// postpone it to their time + interval, but never past the last ping + 2 × interval, so that a busy leg has an RTT too.
// The first one is due at a point of the first interval that the caller chooses, so
// that the pings of many sessions spread. At most one ping is outstanding: with timeout > interval the next one waits.
//
// What stops the clock. While the leg is not read (back-pressure) its pong could not be seen: the time left stands
// still. A ping that cannot be sent because the leg is inside a long frame is overdue after `timeout` like one that was
// sent; the owner then knows whether the leg is stalled (a miss) or the frame's sender is just slow (extend).
//
// A pong is ours when it repeats our payload: 4 magic bytes, the session's nonce, a sequence number we have sent.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"

namespace sockeye::session {

struct HeartbeatTiming {
  base::Duration interval;  // > 0
  base::Duration timeout;   // > 0
  unsigned misses = 2;      // >= 1
};

class Heartbeat {
 public:
  using Payload = std::array<base::Byte, 12>;

  // `phase` in [0, 1): the first ping is due at opened + phase × interval.
  Heartbeat(const HeartbeatTiming& timing, bool enabled, std::uint32_t nonce, base::Time opened, double phase);

  // When something is to be done; never when nothing is. Inline: asked behind every read.
  [[nodiscard]] base::Time deadline() const {
    if (!enabled_) return base::never;
    return phase_ == Phase::idle ? next_ping() : overdue_;
  }
  enum class Due : std::uint8_t {
    nothing,
    ping,    // send one: sent() at a frame boundary, else wait_for_boundary()
    overdue  // the pong, or the boundary a ping waits for, is late: extend() or miss()
  };
  [[nodiscard]] Due due(base::Time now) const;

  [[nodiscard]] Payload sent(base::Time now);
  void wait_for_boundary(base::Time now);
  [[nodiscard]] bool waits_for_boundary() const { return phase_ == Phase::waiting; }
  void extend(base::Time now);  // by one timeout
  // Counts a miss.
  enum class Miss : std::uint8_t {
    late,    // something came from the peer since the ping
    silent,  // nothing did
    last     // nothing did, and it is the last one allowed in a row; those after it are `silent` again
  };
  [[nodiscard]] Miss miss();

  // Bytes from the peer other than a pong to one of our pings.
  void received(base::Time now) {
    last_received_ = now;
    lives();
  }
  // A pong from the peer. Ours are to be swallowed; `rtt` is set for the one outstanding.
  struct Pong {
    bool ours = false;
    std::optional<base::Duration> rtt;
  };
  Pong pong(base::Bytes payload, base::Time now);
  // The leg is no longer read, or is again.
  void reading(bool paused, base::Time now);
  // No more pings (the session is closing, or the framing is lost).
  void stop();

  [[nodiscard]] bool enabled() const { return enabled_; }
  [[nodiscard]] unsigned misses() const { return misses_; }
  // The last miss allowed was counted, and nothing has come from the peer since.
  [[nodiscard]] bool silent() const { return misses_ >= timing_.misses; }
  [[nodiscard]] std::uint64_t missed_total() const { return missed_total_; }  // late ones included
  [[nodiscard]] std::uint64_t late_total() const { return late_total_; }
  [[nodiscard]] std::optional<base::Duration> rtt() const;
  [[nodiscard]] std::optional<base::Duration> rtt_min() const;

 private:
  enum class Phase : std::uint8_t { idle, waiting, outstanding };
  static constexpr base::Duration none = base::Duration::min();

  [[nodiscard]] base::Time next_ping() const {
    const base::Time earliest = last_ping_ + timing_.interval;
    if (misses_ > 0) return earliest;
    return std::clamp(last_received_ + timing_.interval, earliest, earliest + timing_.interval);
  }
  void lives() {
    lives_ = true;
    misses_ = 0;
  }

  HeartbeatTiming timing_;
  base::Time last_ping_;  // sent, or first due - interval
  base::Time last_received_;
  base::Time overdue_ = base::never;  // never while the clock stands still
  base::Duration left_ = none;        // on the stopped clock
  base::Duration rtt_ = none;
  base::Duration rtt_min_ = none;
  std::uint32_t nonce_;
  std::uint32_t sequence_ = 0;  // of the next ping
  std::uint32_t missed_total_ = 0;
  std::uint32_t late_total_ = 0;
  std::uint16_t misses_ = 0;
  Phase phase_ = Phase::idle;
  bool enabled_ : 1;
  bool paused_ : 1 = false;
  bool lives_ : 1 = false;  // something came from the peer since the last ping
};

}  // namespace sockeye::session
