// observer::Options as texts, so that a replay observes as the vantage did.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sockeye/observer/options.h"

namespace sockeye::capture {

using Texts = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] Texts to_texts(const observer::Options&);
// Unknown names and values that are none are passed over. A rule file of the vantage's is not in the capture: then
// `dialect` is left at none, and `missing` has its name.
[[nodiscard]] observer::Options from_texts(const Texts&, std::string& missing);

}  // namespace sockeye::capture
