// What our ends of TLS trust and show.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <optional>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/net/http_server.h"

namespace sockeye::net {

// TLS 1.2 or later; with `http2`, chosen by ALPN (RFC 9113 §3.2). Fails, and fills nothing, when a file cannot be
// read.
[[nodiscard]] base::Result<void> make_server_tls(std::optional<boost::asio::ssl::context>& out, const ServerTls& from,
                                                 bool http2);
// Verifies that the peer is `host`, against the CA's PEM file or, where that is "", the system's.
[[nodiscard]] base::Result<void> make_client_tls(std::optional<boost::asio::ssl::context>& out, const std::string& host,
                                                 const std::string& ca);

}  // namespace sockeye::net
