// Who a client is, as far as its handshake tells: what makes a session a reconnect of an earlier one. Only a hash with
// this process's secret is kept; no identifier is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/model/http_head.h"
#include "sockeye/model/session.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

struct Identity {
  std::uint64_t key = 0;  // 0: not known, nothing is a reconnect of this session or made by it
  model::ReconnectBasis basis = model::ReconnectBasis::guess;
  friend bool operator==(const Identity&, const Identity&) = default;
};

// By what the route says identifies a client (Route.client_id), all of it together; nothing of it sent: not known.
// Without that the client's address, the path and the User-Agent, which many clients may share, with the cookies or an
// identifier in the query (a parameter named id, sid, session_id, client_id, device_id and their like) where there are.
// `target`: path and query without trace context, which differs from attempt to attempt.
[[nodiscard]] Identity identify(const Route& route, const model::HttpHead& request, std::string_view client_address,
                                std::string_view target, std::uint64_t secret);

}  // namespace sockeye::proxy
