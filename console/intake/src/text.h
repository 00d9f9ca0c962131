// Text and bytes of a request on their way into a batch: views into the body wherever they can be.
#pragma once

#include <string_view>

#include "sockeye/store/batch.h"

namespace sockeye::intake {

[[nodiscard]] bool is_utf8(std::string_view text);

// `raw` as well-formed UTF-8 of at most store::longest_value bytes. A view of `raw`, unless it had to be mended: then a
// copy that `batch` keeps. `truncated` is set when something was cut, and otherwise left as it is.
[[nodiscard]] std::string_view take_text(store::Batch& batch, std::string_view raw, bool& truncated);
[[nodiscard]] std::string_view take_text(store::Batch& batch, std::string_view raw);

}  // namespace sockeye::intake
