// What belongs to the thread that calls, not to a session: an argument of every call, so that a session may change
// threads between two of them.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "sockeye/base/random.h"
#include "sockeye/base/time.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/overload.h"
#include "sockeye/model/span.h"

namespace sockeye::observer {

class Memory;
struct Bench;  // parsers and buffers for reading messages

// What may still be done in the turn of the connection that is served, so that no peer's bytes hold up the others:
// what is cheap to send may be dear to read. Counted, not measured, in about nanoseconds (of a core of 2020), which
// keeps it deterministic and costs a subtraction. Once it is used up a walk over frames stops at the next piece.
struct Turn {
  static constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max() / 2;
  static constexpr std::int64_t frame = 32;       // stepped over and counted
  static constexpr std::int64_t control = 256;    // a control frame, looked at and passed on by itself
  static constexpr std::int64_t message = 1'000;  // read for a dialect, beside its bytes
  static constexpr std::int64_t signal = 1'000;   // what opens or ends a call, an anomaly: spans, events
  // Of text that is checked or read, and of what is inflated: bytes in (with zlib's tables) and out.
  static constexpr std::int64_t read(std::size_t bytes) { return static_cast<std::int64_t>(bytes / 2); }
  static constexpr std::int64_t inflate(std::size_t in, std::uint64_t out) {
    return static_cast<std::int64_t>(4 * in + 2 * out);
  }

  void spend(std::int64_t work) { left -= work; }
  [[nodiscard]] bool over() const { return left <= 0; }
  std::int64_t left = unbounded;  // the vantage sets it before it lets a connection have its turn
};

// One a thread.
struct Workspace {
  Turn turn = {};
  Memory* memory = nullptr;                             // what observations hold counts there; null: nowhere
  model::Shedding shedding = model::Shedding::nothing;  // what is not done now, of messages that begin
  model::SpanSink* spans = nullptr;                     // null: no tracing
  base::Random random{0};
  base::WallOffset wall;                   // the vantage refreshes it
  std::shared_ptr<Bench> bench = nullptr;  // made by the first message that needs it
};

struct Call {
  Workspace& workspace;
  model::RouteMetrics& metrics;  // this thread's shard of the route's
  base::Time now;                // never earlier than in the call before
};

}  // namespace sockeye::observer
