#include "reply.h"

#include <algorithm>
#include <array>

namespace sockeye::proxy {
namespace {

struct Status {
  int code;
  std::string_view text;
};
constexpr auto statuses = std::to_array<Status>({{400, "Bad Request"},
                                                 {403, "Forbidden"},
                                                 {404, "Not Found"},
                                                 {405, "Method Not Allowed"},
                                                 {408, "Request Timeout"},
                                                 {411, "Length Required"},
                                                 {413, "Content Too Large"},
                                                 {414, "URI Too Long"},
                                                 {426, "Upgrade Required"},
                                                 {429, "Too Many Requests"},
                                                 {431, "Request Header Fields Too Large"},
                                                 {500, "Internal Server Error"},
                                                 {501, "Not Implemented"},
                                                 {502, "Bad Gateway"},
                                                 {503, "Service Unavailable"},
                                                 {504, "Gateway Timeout"},
                                                 {505, "HTTP Version Not Supported"}});

}  // namespace

std::string_view status_text(int status) {
  const auto* found = std::find_if(statuses.begin(), statuses.end(), [&](const Status& s) { return s.code == status; });
  return found != statuses.end() ? found->text : "Unknown";
}

void append_reply(std::string& out, int status, std::string_view why, bool head_only, std::uint32_t retry_after_s) {
  std::string body = std::to_string(status);
  body.append(" ").append(status_text(status));
  if (!why.empty()) body.append(": ").append(why);
  body.append("\n");

  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(status_text(status)).append("\r\n");
  out.append("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ").append(std::to_string(body.size()));
  // 426 must list Upgrade in Connection (RFC 9110 §7.8); the version field is RFC 6455 §4.4's.
  if (status == 426) {
    out.append("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: close, Upgrade\r\n");
  } else {
    out.append("\r\nConnection: close\r\n");
  }
  if (status == 405) out.append("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n");
  if (status == 503) out.append("Retry-After: ").append(std::to_string(retry_after_s)).append("\r\n");
  out.append("\r\n");
  if (!head_only) out.append(body);
}

}  // namespace sockeye::proxy
