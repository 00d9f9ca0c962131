// Tokens: compared without telling how much was right, kept and shown as digests.
#pragma once

#include <string>
#include <string_view>

#include "sockeye/base/result.h"

namespace sockeye::net {

// SHA-256, 64 lower-case hexadecimal digits.
[[nodiscard]] std::string hex_digest(std::string_view text);

// Over digests: neither the content nor the length of what was offered shows in the time this takes.
[[nodiscard]] bool same_secret(std::string_view offered, std::string_view expected);

// The first line of the file, without surrounding white space; printable ASCII, at most 4 KiB. A file that others may
// read is refused. Errors never quote the token.
[[nodiscard]] base::Result<std::string> read_token(const std::string& file);

}  // namespace sockeye::net
