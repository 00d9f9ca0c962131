// What only a carrier does for a WebSocket: forward verbatim, judge, beat, close, insert. It walks the frames once and
// hands each piece to its Observation, which it also tells what it does itself.
//
// Sans-I/O: bytes and time come in as arguments; what must be written goes out through an Outlet. Calls never overlap.
// Nothing here throws; steady state allocates nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/session.h"
#include "sockeye/observer/observation.h"
#include "sockeye/relay/options.h"

namespace sockeye::relay {

using observer::Call;

enum class Finish : std::uint8_t {
  // Write what is queued, then FIN; keep reading, and feeding what is read, until the peer's FIN. While the other leg
  // is not finished it may still be owed those bytes (half-close); once both are, they are discarded and the vantage's
  // linger time bounds how long the leg is kept.
  flush,
  abort  // drop what is queued and release the leg now
};

// What a vantage does for a Connection. Calls come only from inside a Connection's methods, in the order the bytes must
// have on the wire.
class Outlet {
 public:
  virtual ~Outlet() = default;
  // Bytes that `from` sent go to the other leg as they are. Valid until the Connection method that called returns.
  virtual void forward(model::Side from, base::Bytes bytes) = 0;
  // A frame of ours to the leg `to`. Valid during this call only: copy it.
  virtual void inject(model::Side to, base::Bytes frame) = 0;
  // Nothing more will be forwarded or injected to `leg`. May be called once a leg.
  virtual void finish(model::Side leg, Finish how) = 0;
  // Asked when a pong is overdue: is our ping still stuck behind unsent bytes that the peer keeps acknowledging (a slow
  // reader, not a dead one)? True extends the deadline by one timeout.
  virtual bool advancing(model::Side leg) = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;  // finish() first

  // Bytes received from `from`. Cannot fail: what the peer did wrong is counted, and under strict conformance ends the
  // session through the Outlet. Incomplete frame headers and control frames are held back (at most 131 bytes) until
  // complete. Returns how many of the bytes were taken: all, or fewer where the workspace's turn was over before. The
  // others are to be fed again, first of all, in another turn; none are taken only if the turn was over to begin with.
  // `came`: how many of them are new.
  virtual std::size_t feed(model::Side from, base::Bytes bytes, std::size_t came, const Call&) = 0;
  std::size_t feed(model::Side from, base::Bytes bytes, const Call& call) {
    return feed(from, bytes, bytes.size(), call);
  }
  // The leg's transport ended: in order (FIN), or with an error (RST, TLS failure, kernel timeout).
  virtual void eof(model::Side leg, const Call&) = 0;
  virtual void reset(model::Side leg, const Call&) = 0;
  // Back-pressure: while reading from `leg` is paused its pongs cannot be seen, so its pong deadline stands still.
  virtual void reading(model::Side leg, bool paused, base::Time now) = 0;
  // Ends the session from our side: Close with `code` and `reason` on both legs, at a frame boundary where there is
  // one.
  virtual void shut(model::EndReason why, std::uint16_t code, std::string_view reason, const Call&) = 0;

  // All about time. next_deadline() may move earlier or later after any call; tick() before the deadline is harmless.
  [[nodiscard]] virtual base::Time next_deadline() const = 0;
  virtual void tick(const Call&) = 0;

  // Both legs are gone: counts the close, emits the connection span. Once; nothing but the record may be asked for
  // then.
  virtual void finish(const Call&) = 0;

  // From here on its messages are counted and no more: memory is short.
  virtual void count_only(const Call&) = 0;
  // From here on another Observation is told, made of the one before: a recording around it.
  using Around = std::function<std::unique_ptr<observer::Observation>(std::unique_ptr<observer::Observation>)>;
  virtual void observe(const Around&) = 0;
  // What it did, for who asks.
  [[nodiscard]] virtual const observer::Observation& observed() const = 0;
  [[nodiscard]] virtual bool heartbeat(model::Side leg) const = 0;  // our pings are on for this leg
  // For a vantage to tell it what only that knows: bytes waiting to reach a leg.
  virtual void transport(model::Side leg, std::uint64_t unsent) = 0;
};

// The session begins, at the moment of the 101. `options` and `outlet` are borrowed for its life. `nth`: it is so
// manieth of this worker, which spreads first pings evenly.
[[nodiscard]] std::unique_ptr<Connection> carry(std::unique_ptr<observer::Observation>, const Options& options,
                                                Outlet& outlet, std::uint64_t nth, const Call&);

}  // namespace sockeye::relay
