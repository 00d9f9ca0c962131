// One TCP connection as the reassembly keeps it, and who is told what happens to it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "outbox.h"
#include "segment.h"
#include "sockeye/base/prefetch.h"
#include "sockeye/model/frame.h"

namespace sockeye::tap {

enum class Finish : std::uint8_t { fin, rst };
struct Stream;

// Bytes of a direction that came before others that are missing. Without `bytes` they were not captured (snap length).
struct Held {
  std::int64_t from = 0;
  std::int64_t to = 0;
  base::Time time{};
  std::vector<base::Byte> bytes;
};

// What one peer sends. Positions count its bytes from the first that belongs to the stream (or was seen) on; they do
// not wrap as sequence numbers do.
struct Half {
  std::uint32_t base = 0;         // sequence number of position 0
  bool started = false;           // `base` is known
  bool fin = false;               // `end` is known
  bool finished = false;          // and was said
  bool waiting = false;           // something is missing: in the list of halves that wait
  std::int64_t next = 0;          // position of the next byte to be handed on
  std::int64_t acknowledged = 0;  // by the other peer
  std::int64_t end = 0;
  std::vector<Held> held;  // sorted, without overlaps, all behind `next`

  // Of no interest while nothing is missing.
  std::size_t held_size = 0;
  base::Time waiting_since{};
  Stream* stream = nullptr;
  Half* previous = nullptr;
  Half* following = nullptr;
};

// Laid out so that what a segment in order touches is three cache lines.
struct alignas(64) Stream {
  Endpoint client;
  Endpoint server;
  bool begin_seen = false;  // by its SYN: roles are known, not guessed by port
  // The listener's own. Whether its bytes are of interest (a stream that is ignored is followed to its end, and nothing
  // of it is handed on or held), and whether others should be dropped before it.
  bool ignored = false;
  bool kept = false;
  // The reassembly's own.
  bool closed = false;       // remembered, so that what comes late or twice does not open it again
  std::uint8_t list = 0;     // which of StreamTable's
  std::uint8_t strange = 0;  // data in a row that cannot be of this stream
  std::uint32_t hash = 0;
  void* context = nullptr;  // the listener's
  base::Time touched{};
  Half halves[2];

  std::unique_ptr<Outbox> outbox;  // of the reassembly; null: what comes in order is handed on at once
  std::uint32_t index = 0;
  base::Time opened{};
  Stream* previous = nullptr;
  Stream* following = nullptr;

  [[nodiscard]] Half& half(model::Side side) { return halves[model::index(side)]; }
  // Bytes handed on, or known to be missing.
  [[nodiscard]] std::uint64_t size(model::Side side) const {
    return static_cast<std::uint64_t>(halves[model::index(side)].next);
  }
  void prefetch() const noexcept {
    base::prefetch(this);
    for (const auto& each : halves) {
      base::prefetch(&each);
      base::prefetch(&each.held);
    }
  }
};

enum class Closed : std::uint8_t {
  finished,  // both sides said FIN
  reset,
  replaced,  // its ports were used again
  evicted,   // the table was full and nothing had been heard of it for longest
  end        // of the capture
};

// Called in the order of each direction's bytes; of the two directions, in the order of the capture. `time` is when the
// bytes were captured, or when what was missing before them came; not always in order. May set a stream's `context`,
// `ignored` and `kept`, and must not call the reassembly.
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  // Bytes of it will come soon: what its context is (`ahead` 3), what that leads to (2), and what that does (1), may be
  // prefetched.
  virtual void prefetch(const Stream&, model::Side /*from*/, unsigned /*ahead*/) const noexcept {}
  virtual void opened(Stream& stream, base::Time time) = 0;
  // Valid during the call.
  virtual void bytes(Stream& stream, model::Side from, base::Bytes bytes, base::Time time) = 0;
  // `count` bytes are not in the capture.
  virtual void gap(Stream& stream, model::Side from, std::uint64_t count, base::Time time) = 0;
  virtual void finished(Stream& stream, model::Side from, Finish how, base::Time time) = 0;
  virtual void closed(Stream& stream, Closed why, base::Time time) = 0;
};

}  // namespace sockeye::tap
