// Values as a person writes them. Every error is one line that says what was found, what was expected, and the fix.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"

namespace sockeye::config {

// "500ms", "30s", "1.5s", "5m", "1h", "2d"; "0" needs no unit. At most 10 years.
[[nodiscard]] base::Result<base::Duration> parse_duration(std::string_view text);

// Bytes: "4096", "64KB" (1000), "16MiB" (1024²), up to GiB and TiB. At most 2^53.
[[nodiscard]] base::Result<std::uint64_t> parse_size(std::string_view text);

// true, false; also the other words YAML 1.1 knows (yes, no, on, off), in any case.
[[nodiscard]] base::Result<bool> parse_boolean(std::string_view text);

// Decimal digits only: YAML 1.1 reads 010 as eight, so a leading zero is refused.
[[nodiscard]] base::Result<std::uint64_t> parse_integer(std::string_view text, std::uint64_t least, std::uint64_t most);

// 0 .. 1.
[[nodiscard]] base::Result<double> parse_ratio(std::string_view text);

// "10.0.0.0/8", "::1", "fd00::/8", or "unix". Checked only: the proxy compiles it.
[[nodiscard]] base::Result<std::string> parse_network(std::string_view text);

// What a user wrote, quoted for a message: at most 60 bytes, control characters and invalid UTF-8 made visible.
[[nodiscard]] std::string quote(std::string_view text);

// The candidate a user most likely meant; "" when none is near. Case, '-' and '_' do not count.
[[nodiscard]] std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates);

// "a, b or c".
[[nodiscard]] std::string one_of(std::span<const std::string_view> names);

}  // namespace sockeye::config
