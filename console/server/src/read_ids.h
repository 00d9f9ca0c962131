// Ids as people and programs write them: hexadecimal of either case, a UUID with or without its dashes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/ids.h"

namespace sockeye::console {

// Hexadecimal digits of `text` in lower case, dashes left out; none when it is anything else, or empty.
[[nodiscard]] std::optional<std::string> hex_digits(std::string_view text);

// 32 digits; fewer, as tracers with ids of 64 bits write them, are filled up with zeros from the left. Never zero.
[[nodiscard]] std::optional<base::TraceId> read_trace_id(std::string_view text);
// 8-4-4-4-12, or 32 digits in a row.
[[nodiscard]] std::optional<base::SessionId> read_session_id(std::string_view text);

}  // namespace sockeye::console
