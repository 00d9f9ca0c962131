// What a proxy is told to do, compiled from configuration (apps/sockeye reads the YAML). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/capture/when.h"
#include "sockeye/observer/options.h"
#include "sockeye/relay/options.h"

namespace sockeye::proxy {

struct ServerTls {
  std::string certificate;  // PEM chain file
  std::string key;          // PEM file
  std::string client_ca;    // PEM file; "" = no client certificate asked for
};

struct ClientTls {
  std::string ca;           // PEM file; "" = the system's store
  std::string certificate;  // client certificate, PEM chain; "" = none
  std::string key;
  std::string server_name;  // SNI and name checked; "" = the upstream's host
  bool verify = true;
};

// "host:port", "[v6]:port", ":port" (all interfaces) or "unix:/path".
struct Address {
  std::string host;        // "" with a port: all interfaces
  std::uint16_t port = 0;  // 0: any free port (tests)
  std::string unix_path;   // set: a Unix socket
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Address&, const Address&) = default;
};
// Errors quote the text: "\"localhost\": no port; write host:port, [v6]:port, :port or unix:/path". Nothing is looked
// up.
[[nodiscard]] base::Result<Address> parse_address(std::string_view text);

// "ws://host[:port][/path]", wss://, http://, https://; or anything parse_address() takes, meaning ws://.
struct Upstream {
  bool tls = false;
  Address address;   // port 80 or 443 when not given
  std::string path;  // without a trailing "/"; "" when none
};
[[nodiscard]] base::Result<Upstream> parse_upstream(std::string_view url);

struct Match {
  std::string host;         // exact, case-insensitive, port ignored, or "*.suffix"; "" = any
  std::string path;         // prefix on a segment boundary ("/media" matches /media, /media/x, /media?y); "" = any
  std::string subprotocol;  // one of the offered; "" = any
};

enum class ForwardedPolicy : std::uint8_t {
  // Default, for a proxy behind another. X-Forwarded-For, and Forwarded (RFC 7239) where it was sent or nothing was,
  // extended
  // with the peer we see; X-Forwarded-Proto and -Host set when absent: what the outermost proxy said stays.
  append,
  replace,  // what the client sent is dropped first: for an edge
  off       // passed on untouched
};

struct RouteLimits {
  std::uint32_t sessions = 100000;  // over it: 503
  std::uint32_t requests = 10000;   // plain ones served at once, each on a connection to the upstream; over it: 503
  base::Duration handshake_timeout = std::chrono::seconds(10);  // request head → 408; upstream connect and answer → 504
  std::uint64_t buffered = 4ULL << 20U;  // bytes held per direction for a peer that reads slowly; then reading pauses
};

// "header.NAME", "query.NAME", "cookie.NAME" or "subprotocol": what Route.client_id may hold.
[[nodiscard]] bool names_identifier(std::string_view what);

struct Route {
  std::string name = "default";
  Match match;
  bool upstream_tls = false;  // wss://
  Address upstream;
  std::string
      upstream_path;  // prefix put before the request's path; "" = as it came; of "/" alone, only the prefix remains
  ClientTls client_tls;
  bool preserve_host = true;  // false: Host is the upstream's authority
  std::vector<std::string>
      origins;  // allow-list, exact "scheme://host[:port]", "[scheme://]*.suffix", "null"; empty = any
  ForwardedPolicy forwarded = ForwardedPolicy::append;
  // Peers whose X-Forwarded-For tells the client's address: "10.0.0.0/8", "::1", "unix". Default: nobody's.
  std::vector<std::string> trusted_proxies;
  // What of a handshake identifies a client, all of it together: "header.NAME", "query.NAME", "cookie.NAME",
  // "subprotocol" (those offered). Kept hashed, never shown. Empty: its address, path and User-Agent, which is a guess.
  std::vector<std::string> client_id;
  capture::When record;    // which of its sessions are recorded, where the proxy has somewhere to put them
  bool plain_http = true;  // relay requests that are no upgrade; false: 426
  RouteLimits limits;
  observer::Options observe;  // observe.route == name
  relay::Options carry;
};

// Routes of one listener are tried in order; the first match wins, none → 404.
struct Listener {
  Address address;
  std::optional<ServerTls> tls;
  std::vector<Route> routes;
};

// What the process may use before it begins to give things up (model::Shedding).
struct OverloadLimits {
  std::optional<std::uint64_t> memory;  // bytes resident; none: what the container allows; 0: no limit
  // Bytes of what observations hold, all of them: 39 KiB a session and direction that is inflated, and calls that are
  // open, and messages that are not complete.
  std::uint64_t observation = 32ULL << 20U;
  base::Duration lag = std::chrono::seconds(1);  // new sessions are refused from here on; 0: never for this
};

struct Config {
  std::vector<Listener> listeners;
  OverloadLimits overload;
  unsigned threads = 0;  // workers; 0 = one a core
  base::Duration drain_timeout = std::chrono::seconds(30);
  std::size_t header_limit = 16 * 1024;
  std::size_t header_fields = 100;
};

}  // namespace sockeye::proxy
