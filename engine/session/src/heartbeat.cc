#include "sockeye/session/heartbeat.h"

#include <algorithm>
#include <cstring>

namespace sockeye::session {
namespace {

constexpr std::array<base::Byte, 4> magic{'s', 'k', 'y', 0x01};

constexpr base::Duration shortest = std::chrono::milliseconds(1);  // of an interval: a clock that cannot spin

void put(base::Byte* out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<base::Byte>(value >> (24 - 8 * i));
}
std::uint32_t get(const base::Byte* in) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 8U) | in[i];
  return value;
}

}  // namespace

Heartbeat::Heartbeat(const HeartbeatTiming& timing, bool enabled, std::uint32_t nonce, base::Time opened, double phase)
    : timing_(timing), nonce_(nonce), enabled_(enabled) {
  timing_.interval = std::max(timing_.interval, shortest);
  timing_.timeout = std::max(timing_.timeout, shortest);
  const double wait = phase * static_cast<double>(timing_.interval.count());
  last_ping_ = opened + base::Duration(static_cast<base::Duration::rep>(wait)) - timing_.interval;
  last_received_ = last_ping_;  // the handshake does not postpone the first ping: it would undo the spreading
}

Heartbeat::Due Heartbeat::due(base::Time now) const {
  if (now < deadline()) return Due::nothing;
  return phase_ == Phase::idle ? Due::ping : Due::overdue;
}

Heartbeat::Payload Heartbeat::sent(base::Time now) {
  Payload payload;
  std::memcpy(payload.data(), magic.data(), 4);
  put(payload.data() + 4, nonce_);
  put(payload.data() + 8, sequence_++);
  last_ping_ = now;
  lives_ = false;
  phase_ = Phase::outstanding;
  left_ = timing_.timeout;
  overdue_ = paused_ ? base::never : now + left_;
  return payload;
}

void Heartbeat::wait_for_boundary(base::Time now) {
  if (phase_ != Phase::idle) return;
  phase_ = Phase::waiting;
  last_ping_ = now;  // so that after a miss here the schedule goes on as after any other
  lives_ = false;
  overdue_ = now + timing_.timeout;
}

void Heartbeat::extend(base::Time now) {
  if (overdue_ != base::never) overdue_ = std::max(overdue_, now) + timing_.timeout;
}

Heartbeat::Miss Heartbeat::miss() {
  phase_ = Phase::idle;
  overdue_ = base::never;
  ++missed_total_;
  if (lives_) {
    ++late_total_;
    return Miss::late;
  }
  if (misses_ < 0xffff) ++misses_;
  return misses_ == timing_.misses ? Miss::last : Miss::silent;
}

Heartbeat::Pong Heartbeat::pong(base::Bytes payload, base::Time now) {
  if (payload.size() == sizeof(Payload) && std::memcmp(payload.data(), magic.data(), 4) == 0 &&
      get(payload.data() + 4) == nonce_ && get(payload.data() + 8) < sequence_) {
    Pong result{.ours = true, .rtt = std::nullopt};
    lives();
    if (phase_ == Phase::outstanding && get(payload.data() + 8) + 1 == sequence_) {
      phase_ = Phase::idle;
      overdue_ = base::never;
      rtt_ = now - last_ping_;
      rtt_min_ = rtt_min_ == none ? rtt_ : std::min(rtt_min_, rtt_);
      result.rtt = rtt_;
    }
    return result;
  }
  return {};
}

void Heartbeat::reading(bool paused, base::Time now) {
  if (paused == paused_) return;
  paused_ = paused;
  if (phase_ != Phase::outstanding) return;
  if (paused) {
    left_ = std::max(overdue_ - now, base::Duration::zero());
    overdue_ = base::never;
  } else {
    overdue_ = now + left_;
  }
}

void Heartbeat::stop() {
  enabled_ = false;
  phase_ = Phase::idle;
  overdue_ = base::never;
}

std::optional<base::Duration> Heartbeat::rtt() const { return rtt_ == none ? std::nullopt : std::optional(rtt_); }
std::optional<base::Duration> Heartbeat::rtt_min() const {
  return rtt_min_ == none ? std::nullopt : std::optional(rtt_min_);
}

}  // namespace sockeye::session
