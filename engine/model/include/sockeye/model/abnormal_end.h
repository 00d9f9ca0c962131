// When the end of a session is abnormal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::model {

// The one definition of an abnormal end, for span statuses, the console's store, its API and its page (docs/signals.md,
// "Abnormal ends"). `end_reason` is the name of an EndReason, or "lost": whoever reported the session went away with
// it; "" = not known, then the code alone decides. `close_code` 0 = not known. Returns why in a few words, such as
// "heartbeat timeout" or "1011 server error"; "" when the end was none of that.
[[nodiscard]] std::string abnormal_end(std::string_view end_reason, std::uint16_t close_code);

}  // namespace sockeye::model
