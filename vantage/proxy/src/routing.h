// Which route a request takes, and whether its origin may.
//
// The path is forwarded verbatim but matched normalised, and a server behind us may read it differently than we do. So
// it is matched as each kind of server would read it: strictly by RFC 3986 (unreserved characters decoded), and
// leniently (everything decoded, "\" as "/", ";parameters" dropped, "//" merged), each with dot segments removed and
// with them left alone. When the readings choose different routes the request is refused: no spelling of a path reaches
// one route's upstream under another's rules. A path that climbs above the root, or holds an encoded NUL, is refused
// always.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "address.h"
#include "sockeye/base/result.h"
#include "sockeye/model/http_head.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

// A request-target taken apart (RFC 9112 §3.2). Views into it.
struct RequestTarget {
  std::string_view authority;  // absolute-form only
  std::string_view path;       // begins with "/"; "*" for the asterisk-form
  std::string_view query;      // with its "?"; "" when none
};
// None for authority-form (CONNECT), a fragment, a user name in the authority, or no path at all.
[[nodiscard]] std::optional<RequestTarget> split_target(std::string_view target);

// A Route with what matching needs compiled. Immutable.
class CompiledRoute {
 public:
  static base::Result<CompiledRoute> compile(Route route);

  [[nodiscard]] const Route& config() const { return config_; }
  // The allow-list of Origin (RFC 6454): an empty list allows all; no Origin field is no browser and allowed; "null",
  // or more than one Origin field, is refused unless "null" is listed.
  [[nodiscard]] bool origin_allowed(const model::HttpHead& request) const;
  // Who asks: the peer, or, when the peer is in trusted_proxies, the rightmost address of X-Forwarded-For that is not.
  // An IP literal; "" for an untranslated Unix-socket peer.
  [[nodiscard]] std::string client_address(const model::HttpHead& request, const SocketAddress& peer) const;
  [[nodiscard]] bool trusted(const SocketAddress& peer) const;

 private:
  friend class RouteTable;
  // How a server might read the path.
  struct Reading {
    std::string_view path;
    bool lenient = false;
  };
  struct Origin {
    std::string scheme;  // "" = any
    std::string host;    // lower case; a suffix begins with "."
    int port = 0;        // -1 = any
    bool suffix = false;
  };
  [[nodiscard]] bool trusted(std::string_view ip_literal) const;
  [[nodiscard]] bool matches(std::string_view host, Reading, const model::HttpHead&) const;

  Route config_;
  std::string host_;  // lower case; "" any; a suffix begins with "."
  bool host_suffix_ = false;
  std::string strict_path_, lenient_path_;  // "" any
  std::vector<Origin> origins_;
  bool origin_null_ = false;
  std::vector<AddressBlock> trusted_;
};

// A listener's routes, in order.
class RouteTable {
 public:
  // Errors name the route: "route calls: trusted_proxies: 10.0.0.0/33: prefix longer than 32".
  static base::Result<RouteTable> compile(const std::vector<Route>& routes);

  struct Verdict {
    int index = -1;        // into routes(); -1: refused
    int status = 404;      // when refused: 400, 404, or 405 for CONNECT
    std::string_view why;  // static text, fit for a reason body
  };
  [[nodiscard]] Verdict match(const model::HttpHead& request) const;
  [[nodiscard]] const std::vector<CompiledRoute>& routes() const { return routes_; }
  [[nodiscard]] const CompiledRoute& operator[](int index) const { return routes_[static_cast<std::size_t>(index)]; }

 private:
  std::vector<CompiledRoute> routes_;
};

}  // namespace sockeye::proxy
