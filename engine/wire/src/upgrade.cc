// The opening handshake's own rules (RFC 6455 §4), on heads that are already well-formed HTTP.
#include <algorithm>

#include "http_syntax.h"
#include "sha1.h"
#include "sockeye/base/text.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::wire {
namespace {

using model::Anomaly;

HttpFailure refuse(std::string_view why) { return {400, Anomaly::handshake_invalid, why}; }
HttpFailure upstream(std::string_view why) { return {502, Anomaly::upstream_invalid, why}; }

struct Single {
  std::size_t count = 0;
  std::string_view value;
};
Single single(const model::HttpHead& head, std::string_view name) {
  Single found;
  for (const auto& field : head.fields) {
    if (!model::iequals(field.name, name)) continue;
    if (found.count++ == 0) found.value = field.value;
  }
  return found;
}

// base64 of exactly 16 bytes: 22 letters and "==". Bits behind the 128th are not judged, as no decoder in the field
// does.
bool valid_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
         });
}

// Subprotocol names compare as they are spelled (RFC 6455 §4.1 (6)), unlike other tokens.
bool offers_subprotocol(const model::HttpHead& request, std::string_view wanted) {
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (base::trim(rest.substr(0, comma)) == wanted) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace

bool wants_websocket(const model::HttpHead& request) { return request.has_token("Upgrade", "websocket"); }

std::string accept_key(std::string_view key) {
  std::string text;
  text.reserve(key.size() + 36);
  text.append(key).append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base64(sha1(base::as_bytes(text)));
}

std::optional<HttpFailure> check_upgrade_request(const model::HttpHead& request) {
  if (request.method != "GET") return refuse("a WebSocket upgrade is a GET");
  if (request.version_minor < 1) return refuse("a WebSocket upgrade needs HTTP/1.1");
  if (request.value("Host").empty()) return refuse("no Host");
  if (!wants_websocket(request)) return refuse("Upgrade does not name websocket");
  if (!request.has_token("Connection", "Upgrade")) return refuse("Connection does not name Upgrade");
  Framing framing;
  if (auto bad = read_framing(request, framing)) return bad;
  // A body here would be read as frames by one side and as a body by the other.
  if (framing.chunked || framing.length.value_or(0) > 0)
    return HttpFailure{400, Anomaly::smuggling, "a WebSocket upgrade has no body"};
  const auto version = single(request, "Sec-WebSocket-Version");
  if (version.count == 0) return refuse("no Sec-WebSocket-Version");
  if (version.count > 1) return refuse("more than one Sec-WebSocket-Version");
  if (version.value != "13") return HttpFailure{426, Anomaly::handshake_invalid, "only WebSocket version 13"};
  const auto key = single(request, "Sec-WebSocket-Key");
  if (key.count == 0) return refuse("no Sec-WebSocket-Key");
  if (key.count > 1) return refuse("more than one Sec-WebSocket-Key");
  if (!valid_key(key.value)) return refuse("Sec-WebSocket-Key is not 16 bytes of base64");
  return std::nullopt;
}

std::optional<HttpFailure> check_switching(const model::HttpHead& request, const model::HttpHead& response) {
  if (response.status != 101) return upstream("the answer is not 101");
  if (response.version_minor < 1) return upstream("101 in HTTP/1.0");
  const auto upgrade = single(response, "Upgrade");
  if (upgrade.count != 1 || !model::iequals(upgrade.value, "websocket")) return upstream("Upgrade is not websocket");
  if (!response.has_token("Connection", "Upgrade")) return upstream("Connection does not name Upgrade");
  const auto accept = single(response, "Sec-WebSocket-Accept");
  if (accept.count != 1 || accept.value != accept_key(request.value("Sec-WebSocket-Key")))
    return upstream("Sec-WebSocket-Accept does not match the key");
  return std::nullopt;
}

std::optional<HttpFailure> check_upgrade_response(const model::HttpHead& request, const model::HttpHead& response) {
  if (auto invalid = check_switching(request, response)) return invalid;
  const auto subprotocol = single(response, "Sec-WebSocket-Protocol");
  if (subprotocol.count > 1) return upstream("more than one subprotocol selected");
  if (subprotocol.count == 1 && (subprotocol.value.empty() || !offers_subprotocol(request, subprotocol.value)))
    return upstream("subprotocol was not offered");
  if (!negotiated(request, response).valid) return upstream("extensions are not what was offered");
  return std::nullopt;
}

}  // namespace sockeye::wire
