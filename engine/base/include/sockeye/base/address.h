// Addresses and URLs as people write them, taken apart. Plain values: nothing is looked up and no socket is touched, so
// that a vantage and a server read the same text alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/result.h"

namespace sockeye::base {

struct HostPort {
  std::string host;  // a name or an IP literal, IPv6 without its brackets; "" = all interfaces
  std::uint16_t port = 0;
  [[nodiscard]] std::string text() const;  // an IPv6 literal in brackets
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// "host:port", "[v6]:port" (with a zone, too: RFC 4007 §11) or ":port"; and "host" or "[v6]" where there is a default
// port. Errors say what is wrong and not of which text; `forms` is what they tell to write instead.
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text,
                                               std::optional<std::uint16_t> default_port = std::nullopt,
                                               std::string_view forms = "host:port, [v6]:port or :port");

// scheme://[user-info@]host[:port][/path][?query] (RFC 3986 §3), of printable ASCII.
struct Url {
  std::string scheme;     // in lower case
  std::string user_info;  // as written; "" = none. Never for a log
  std::string host;       // never "", IPv6 without its brackets
  std::optional<std::uint16_t> port;
  std::string path;                             // "" or from the slash on, as written
  std::string query;                            // behind the '?', as written; a fragment is dropped
  [[nodiscard]] std::string authority() const;  // for Host: the port where it was given
};
// Errors do not quote the text, which may hold a password.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

// "localhost", ::1 or 127.0.0.0/8.
[[nodiscard]] bool is_loopback(std::string_view host);

}  // namespace sockeye::base
