// What of a head is kept: a capture goes from hand to hand.
#pragma once

#include "sockeye/capture/format.h"
#include "sockeye/observer/options.h"

namespace sockeye::capture {

// Target, Host, User-Agent and subprotocols redacted as in spans. Of the other fields the values of those are kept that
// are known to hold no credential; any other has its name and REDACTED.
[[nodiscard]] Head redacted_head(const model::HttpHead&, const observer::Options&);

}  // namespace sockeye::capture
