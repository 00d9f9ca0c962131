// Heads as they are passed on (RFC 9110 §7.6). End-to-end fields keep order, spelling and value. Dropped are hop-by-hop
// fields: Connection, Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Upgrade,
// HTTP2-Settings, and what Connection names. But a Connection that names an end-to-end field (Host, Cookie,
// Authorization, Origin, Content-*, Sec-*, X-Forwarded-*, X-Auth-*, trace context…: the list is in the .cc) does not
// remove it: that trick strips what an upstream's checks rely on. Transfer-Encoding, Trailer and Content-Length stay,
// since bodies are passed on with their framing; but not in answers that have no body. An upgrade is announced with
// fields of our own. CR, LF and NUL cannot get in: heads come from wire::HeadParser, the rest from configuration.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "address.h"
#include "sockeye/model/http_head.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

using Field = std::pair<std::string, std::string>;

struct RequestRewrite {
  bool upgrade = false;          // to a WebSocket; such a request must have no body (the caller refuses one)
  bool close = false;            // adds "Connection: close"; not for upgrades
  bool decline_deflate = false;  // drops permessage-deflate from the offer. Check the answer against this head, then
  bool tls = false;              // the client's leg
  const SocketAddress* peer = nullptr;  // for the forwarding fields; required
  // In place of any of the same name (trace context); an empty value only takes those away.
  std::span<const Field> fields = {};
  std::string_view target = {};  // in place of the request's; "": that
};
// Appends the request's head, blank line included. The target becomes origin-form (the authority of an absolute-form
// one becomes Host, RFC 9112 §3.2.2) behind Route.upstream_path; a path of just "/" gives way to that prefix.
void append_request(std::string& out, const model::HttpHead& request, const Route& route, const RequestRewrite& how);

struct ResponseRewrite {
  bool upgrade = false;  // a 101 that is passed on: Upgrade and Connection are added
  bool close = false;    // the client's connection ends after this response: adds "Connection: close"
  bool head = false;     // the request was HEAD
  std::span<const Field> fields = {};
};
// Appends the response's head, blank line included. Interim (1xx) responses may be passed too.
void append_response(std::string& out, const model::HttpHead& response, const ResponseRewrite& how);

}  // namespace sockeye::proxy
