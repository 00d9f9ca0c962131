// What passes: counts by direction and type, gaps between messages, and how long a reply takes. On the path of every
// message, hence inline and free of branches that depend on payload.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/session.h"

namespace sockeye::session {

[[nodiscard]] constexpr model::MessageType message_type(model::Opcode opcode) {
  switch (opcode) {
    case model::Opcode::text:
      return model::MessageType::text;
    case model::Opcode::ping:
      return model::MessageType::ping;
    case model::Opcode::pong:
      return model::MessageType::pong;
    case model::Opcode::close:
      return model::MessageType::close;
    case model::Opcode::continuation:
    case model::Opcode::binary:
      break;
  }
  return model::MessageType::binary;
}

// A turn, for websocket_message_duration_seconds where no dialect pairs requests with replies: from the first complete
// client data message to the next complete server data message. One turn at a time: client messages inside it extend
// nothing, and server messages outside it begin nothing.
class Turn {
 public:
  void client_message(base::Time now) {
    if (asked_ == base::never) asked_ = now;
  }
  // True when it ends a turn, whose length is then in `length`.
  bool server_message(base::Time now, base::Duration& length) {
    if (asked_ == base::never) return false;
    length = now - asked_;
    asked_ = base::never;
    return true;
  }

 private:
  base::Time asked_ = base::never;
};

// Data messages of one sender in time.
class Gaps {
 public:
  explicit Gaps(base::Time opened) : last_(opened) {}
  void message(base::Time now) {
    if (any_) longest_ = std::max(longest_, now - last_);
    any_ = true;
    last_ = now;
  }
  [[nodiscard]] base::Time last() const { return last_; }  // the opening when there was none
  [[nodiscard]] base::Duration longest() const { return longest_; }

 private:
  base::Time last_;
  base::Duration longest_{};
  bool any_ = false;
};

}  // namespace sockeye::session
