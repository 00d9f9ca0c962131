// What one WebSocket did, whoever carries it. Bytes, frames and time come in; spans go to the workspace's sink, counts
// to the call's metrics, the rest to a Listener. Nothing is ever written, and nothing can fail: what a peer does wrong
// is an anomaly, what is missing a gap.
//
//   Handshake ──request()──▶ accepted() ──▶ Observation ──bytes()/tick()──▶ … ──end()──▶ finish()
//
// Calls on one Observation never overlap; they may come from different threads, each with its own Workspace. Steady
// state allocates nothing per message. Views into payload die with the call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/condition.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/session.h"
#include "sockeye/model/session_record.h"
#include "sockeye/model/session_source.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/listener.h"
#include "sockeye/observer/options.h"

namespace sockeye::wire {
class FrameParser;
struct Piece;
struct Extensions;
}  // namespace sockeye::wire

namespace sockeye::observer {

// What is known of the transport, for spans and /sessions.
struct Endpoints {
  std::string client_address;  // without port; after trusted forwarding headers were applied
  std::uint16_t client_port = 0;
  std::string server_address;  // upstream host as configured
  std::uint16_t server_port = 0;
  bool tls = false;  // on the client's side
};

enum class StreamEnd : std::uint8_t { fin, reset };

class Observation {
 public:
  virtual ~Observation() = default;  // finish() first

  // --- a vantage that only watches -----------------------------------------------------------------------------------

  // What `from` sent, in order, behind the handshake.
  virtual void bytes(model::Side from, base::Bytes, const Call&) = 0;
  // So many bytes of it are missing here; none: nobody knows how many. Framing goes on where that is certain, else once
  // a run of plausible headers is found; messages that cannot be read are counted as unreadable, and nobody is blamed.
  virtual void gap(model::Side from, std::optional<std::uint64_t> bytes, const Call&) = 0;
  // How many bytes of it lie before the next frame's header; none where that is not known. And for who knows where
  // bytes() could not: a header is what comes next.
  [[nodiscard]] virtual std::optional<std::uint64_t> to_next_frame(model::Side from) const = 0;
  virtual void next_frame(model::Side from) = 0;
  // An application that sees messages, not bytes: a whole one, inflated; `wire_size`: its payload bytes as sent, where
  // known, else those of `payload`.
  virtual void message(model::Side from, model::Opcode, base::Bytes payload, std::uint64_t wire_size, const Call&) = 0;
  // The application's handler took so long for what `from` sent.
  virtual void handled(model::Side from, base::Duration, const Call&) = 0;

  // --- a carrier, which walks the frames itself ----------------------------------------------------------------------

  // Bytes came from `from`, any. advance() says it by itself.
  virtual void received(model::Side from, std::size_t bytes, const Call&) = 0;
  struct Advance {
    const base::Byte* at = nullptr;                 // where the piece begins; null: all of the input is observed
    model::Anomaly anomaly = model::Anomaly::none;  // the first thing found wrong with it, counted
    bool inspected = false;                         // its content was looked at: only complete() is left to do
    bool completed = false;                         // all of it is observed
    bool turn_over = false;  // no piece: the workspace's turn is used up, what lies from `at` on is for the next
  };
  // Steps over the data frames at the front of `rest` and observes them, up to the first piece that somebody may have
  // to decide on, which is then in `piece`: one that is wrong, a control frame, one whose header began in an earlier
  // read, one that uses the input up without a word; where `one`, any; or up to where the turn is over. `came`: bytes
  // that were received, 0 when received() has had them. (One call a read, not a frame: a call of this size costs a
  // third of a frame.)
  virtual Advance advance(model::Side from, wire::FrameParser&, base::Bytes rest, std::size_t came, bool one,
                          std::optional<wire::Piece>& piece, const Call&) = 0;
  // For a carrier that takes every piece by itself: how much of `rest` to parse at once (what a piece inflates to is
  // bounded by its size); and it parsed this one, which `raw` begins with. What is wrong with it is counted.
  [[nodiscard]] virtual base::Bytes portion(model::Side from, const wire::FrameParser&, base::Bytes rest) const = 0;
  virtual void parsed(model::Side from, base::Bytes raw, const wire::Piece&, const Call&) = 0;
  // The parts of observing a data piece, for who acts in between. begin(): a message begins with it; what is wanted of
  // it is decided. True: it will be read for its dialect.
  virtual bool begin(model::Side from, const wire::FrameParser&, const wire::Piece&, const Call&) = 0;
  // Its content. `text`: inflated text also goes there (null: nowhere). What is wrong is counted.
  class Text {
   public:
    virtual ~Text() = default;
    virtual void text(base::Bytes) = 0;
  };
  virtual model::Anomaly inspect(model::Side from, const wire::FrameParser&, const wire::Piece&, Text*,
                                 const Call&) = 0;
  // It passes. Where the message is complete and `insert` asks for it: that message with trace context in it, empty
  // when there is nothing to insert; valid until the next call with this workspace.
  struct Insert {
    bool wanted = false;
    bool tolerated = false;  // also where the dialect knows a place that its protocol does not set aside
  };
  virtual base::Bytes complete(model::Side from, const wire::FrameParser&, const wire::Piece&, const Insert&,
                               const Call&) = 0;
  // Whether anything may be put into messages like this; asked between begin() and complete().
  [[nodiscard]] virtual bool may_insert(model::Side from, model::Opcode, const Insert&) const = 0;

  // What a Close says, RFC 6455 §5.5.1 and §7.4; what is wrong with it is counted.
  struct CloseFrame {
    model::Anomaly anomaly = model::Anomaly::none;
    std::uint16_t code = 1005;
    std::string_view reason;  // into the payload; "" where it is not UTF-8
  };
  virtual CloseFrame read_close(base::Bytes payload, const Call&) = 0;
  // A control frame passes; `payload`: unmasked.
  virtual void control(model::Side from, model::Opcode, base::Bytes payload, const Call&) = 0;
  virtual void anomaly(model::Anomaly, const Call&) = 0;

  // What a carrier puts on a leg itself: a ping, its pong, that there was none in time; a Close.
  virtual void probe_sent(model::Side leg, std::size_t payload, const Call&) = 0;
  virtual void probe_answered(model::Side leg, std::optional<base::Duration> rtt, const Call&) = 0;
  virtual void probe_missed(model::Side leg, bool late, const Call&) = 0;
  virtual void close_sent(model::Side leg, std::size_t payload, const Call&) = 0;
  // Messages are read for a dialect, or may yet be.
  [[nodiscard]] virtual bool reads() const = 0;
  // Why it ends, by the carrier's decision; the first one said counts, the peers' own words included.
  virtual void closing(const model::CloseInfo&) = 0;
  // Nothing more passes.
  virtual void closed() = 0;

  // --- both ----------------------------------------------------------------------------------------------------------

  // Bytes it holds beyond itself: of messages that are not complete, calls that are open, for inflating.
  [[nodiscard]] virtual std::size_t held() const = 0;
  // From here on its messages are counted and no more: calls that are open end. `keep_inflating`: for a carrier that
  // needs their text.
  virtual void count_only(bool keep_inflating, const Call&) = 0;

  // Raised until cleared, or until a byte comes from that leg. Raising what is raised does nothing.
  virtual void raise(const model::Condition&, const Call&) = 0;
  // The transport from `from` ended. `parser`: the carrier's; null: those of bytes(). `unexpected`: half a close counts
  // as one.
  virtual void end(model::Side from, StreamEnd, const Call&) = 0;
  virtual void cut(model::Side from, const wire::FrameParser&, bool unexpected, const Call&) = 0;
  // Bytes waiting to reach that leg.
  virtual void transport(model::Side leg, std::uint64_t unsent) = 0;
  // next_deadline() may move after any call; tick() before it is harmless.
  [[nodiscard]] base::Time next_deadline() const { return deadline_; }
  virtual void tick(const Call&) = 0;
  // Counts the close, emits the connection span. Once; only the record may be asked for then.
  virtual void finish(const Call&) = 0;

  [[nodiscard]] virtual const base::SessionId& id() const = 0;
  [[nodiscard]] virtual const Options& options() const = 0;
  [[nodiscard]] virtual const wire::Extensions& extensions() const = 0;
  [[nodiscard]] virtual const std::optional<model::CloseInfo>& close_info() const = 0;
  [[nodiscard]] virtual base::Time last_data() const = 0;  // data frame bytes, either way
  [[nodiscard]] virtual base::Time last_received(model::Side leg) const = 0;

  // The record of the session. figures() allocates nothing, and leaves the dialect, a text, to dialect().
  [[nodiscard]] virtual model::SessionFacts facts(base::WallOffset) const = 0;
  [[nodiscard]] virtual model::SessionFigures figures(base::WallOffset) const = 0;
  [[nodiscard]] virtual std::string_view dialect() const = 0;  // "none" while there is none; valid until the next call
  [[nodiscard]] virtual model::SessionDetail detail() const = 0;
  // Oldest first, at most model::flight_recorder_size.
  [[nodiscard]] virtual std::vector<model::RecordedMessage> recorder() const = 0;

 protected:
  Observation() = default;
  base::Time deadline_ = base::never;
};

}  // namespace sockeye::observer
