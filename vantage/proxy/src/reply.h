// The answers the proxy gives itself: a status and one line that says why.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sockeye::proxy {

// RFC 9110 §15; "Unknown" when not in the table.
[[nodiscard]] std::string_view status_text(int status);

// Appends a whole response: text/plain body "<status> <text>: <why>\n", Content-Length, Connection: close; and as the
// status asks: 426 gets Upgrade: websocket and Sec-WebSocket-Version: 13 (RFC 6455 §4.4), 503 Retry-After, 405 Allow.
// `head_only`: the request was HEAD, so the length is told and the body left out.
void append_reply(std::string& out, int status, std::string_view why, bool head_only = false,
                  std::uint32_t retry_after_s = 5);

}  // namespace sockeye::proxy
