// What several tests of answers look for.
#pragma once

#include <string>
#include <string_view>

namespace sockeye::console {

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace sockeye::console
