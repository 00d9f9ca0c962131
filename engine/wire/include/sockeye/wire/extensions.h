// Sec-WebSocket-Extensions (RFC 6455 §9.1) and permessage-deflate's parameters (RFC 7692 §7.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/model/http_head.h"

namespace sockeye::wire {

struct DeflateParameters {
  bool client_no_context_takeover = false;
  bool server_no_context_takeover = false;
  std::uint8_t client_max_window_bits = 15;  // 8 .. 15
  std::uint8_t server_max_window_bits = 15;
};

struct Extensions {
  bool deflate = false;  // permessage-deflate is in force
  bool other = false;    // an extension we do not know is in force: its reserved bits are not ours to judge
  bool certain = true;   // false: the answer broke the rules; `parameters` are good enough to inflate, not to deflate
  DeflateParameters parameters;
};

// What the response put in force. `valid` is false when it is malformed, repeats permessage-deflate, or breaks RFC 7692
// §7.1 (unknown parameter, bits out of range, a parameter that was not offered). The extensions are then what the peers
// may take it for: whatever was named is in force, windows are of 15 bits.
struct Negotiated {
  bool valid = true;
  Extensions extensions;
};
[[nodiscard]] Negotiated negotiated(const model::HttpHead& request, const model::HttpHead& response);

// The offer without permessage-deflate (for compression: decline); "" when nothing is left to offer.
[[nodiscard]] std::string without_deflate(std::string_view offer);

}  // namespace sockeye::wire
