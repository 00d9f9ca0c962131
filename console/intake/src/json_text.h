// JSON written by hand: strings and base64.
#pragma once

#include <string>
#include <string_view>

namespace sockeye::intake {

// `text` quoted and escaped; what is not UTF-8 in it becomes U+FFFD.
void append_json(std::string& out, std::string_view text);

void append_base64(std::string& out, std::string_view bytes);

// Standard or URL alphabet, padded or not; false when it is neither (`out` then holds rubbish).
[[nodiscard]] bool decode_base64(std::string_view text, std::string& out);

}  // namespace sockeye::intake
