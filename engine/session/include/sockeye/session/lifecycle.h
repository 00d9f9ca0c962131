// The life of a session from the 101 to the last FIN: one table of (state, event, who) → (next state, actions), in
// lifecycle.cc; docs/session-states.md shows it as a diagram. The machine knows nothing of bytes: its owner reports
// events and carries out the actions.
//
// "First" is the peer that spoke first about ending: whose Close, FIN or violation arrived before the other's.
#pragma once

#include <cstdint>

#include "sockeye/model/frame.h"
#include "sockeye/model/session.h"

namespace sockeye::session {

enum class State : std::uint8_t {
  open,
  close_seen,    // first's Close went to second; second's is awaited (RFC 6455 §5.5.1)
  close_agreed,  // both Closes passed; the server closes TCP first (§7.1.1)
  half_closed,   // first's FIN went to second; second may still send
  failing,       // first broke the rules: nothing more of it passes, second has our Close and its answer is awaited
  parting,       // our own Close went (or goes, at the next frame boundary) to both; theirs are awaited
  closed         // nothing more goes to either leg
};

enum class Event : std::uint8_t {
  close,      // a valid Close arrived
  eof,        // FIN
  reset,      // the transport failed
  violation,  // strict conformance: a frame that must not be
  silent,     // H1: the last allowed pong was missed, and nothing else came
  shut,       // we end the session: drain, idle, the vantage
  timeout     // the close timeout ran out
};

// What to do, in this order. "Self" is the leg of the peer the event is about.
struct Actions {
  bool pass : 1 = false;       // the Close is forwarded to the other leg; nothing more from self is
  bool tell_self : 1 = false;  // our Close, if the leg is at a frame boundary and has had none
  bool tell_other : 1 = false;
  bool tell_both_soon : 1 = false;  // our Close to each leg, at once or at its next frame boundary
  bool finish_self : 1 = false;     // flush
  bool finish_other : 1 = false;
  bool abort_self : 1 = false;
  bool abort_silent : 1 = false;  // finish both: abort those whose peer neither sent Close nor FIN, flush the rest
};

class Lifecycle {
 public:
  // `who`: the peer the event is about; ignored for shut and timeout.
  Actions on(Event event, model::Side who);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] model::SessionState reported() const {
    if (state_ == State::open) return model::SessionState::open;
    return state_ == State::closed ? model::SessionState::closed : model::SessionState::closing;
  }

 private:
  State state_ = State::open;
  model::Side first_ = model::Side::client;
};

}  // namespace sockeye::session
