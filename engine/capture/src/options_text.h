// observer::Options as texts, so that a replay observes as the vantage did.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sockeye/capture/format.h"
#include "sockeye/observer/options.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::capture {

using Texts = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] Texts to_texts(const observer::Options&);
// Unknown names and values that are none are passed over. A rule file of the vantage's is not in the capture: then
// `dialect` is left at none, and `missing` has its name.
[[nodiscard]] observer::Options from_texts(const Texts&, std::string& missing);

// The extensions in force, beside those, for a session whose heads are not in its recording: none where nobody knows
// them.
void put_extensions(Texts&, const wire::Extensions&);
// From its heads, or what was put there; else what a session that was not seen to open may use.
[[nodiscard]] wire::Extensions extensions_of(const Session&);

}  // namespace sockeye::capture
