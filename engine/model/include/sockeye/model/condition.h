// What is wrong with a session for a while: raised when it begins, cleared when it is over. Alerts see nothing else of
// a session.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"

namespace sockeye::model {

enum class ConditionKind : std::uint8_t {
  missed_pong,  // a pong is overdue and no byte has come since its ping
  silent,       // as many pings in a row as are allowed went without a byte: the peer is taken for dead
  count_
};
[[nodiscard]] std::string_view name(ConditionKind);

struct Condition {
  ConditionKind kind = ConditionKind::missed_pong;
  struct Subject {
    base::SessionId session;
    std::optional<Side> leg{};  // the transport to this peer; none: the session as a whole
  } subject;
  base::Time since;  // when what is wrong began: the last byte from that peer
  struct Evidence {
    std::uint32_t unanswered_pings = 0;   // in a row, now
    std::optional<base::Duration> rtt{};  // the last one measured
    base::Time seen;                      // when it was found out
  } evidence;
};

}  // namespace sockeye::model
