// The console: OTLP receivers, query API, live sessions and the web page over one store. Thread-safe facade; the work
// happens on its own threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

// One file of the web page, in the binary for the life of the process.
struct Asset {
  std::string_view path;  // "/index.html", "/assets/main-1a2b3c.js"
  std::string_view body;  // gzip
};

// Watches a WebSocket of the console's own: its page's. Called in order, from one thread at a time; destroyed when the
// connection is gone.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void sent(bool by_client, base::Bytes bytes) = 0;  // from the server's head of response on
};
struct WatchedRequest {
  std::string_view head;  // the upgrade request, as bytes
  std::string client_address;
  std::uint16_t client_port = 0;
  bool tls = false;
};

struct Tls {
  std::string certificate, key;  // PEM files
};

// What a token opens, as bits.
namespace scope {
inline constexpr unsigned report = 1;        // proxies' reports of live sessions
inline constexpr unsigned export_spans = 2;  // OTLP, on both its ports
inline constexpr unsigned read = 4;          // the API's answers, and the page
inline constexpr unsigned act = 8;           // what changes something
inline constexpr unsigned all = report | export_spans | read | act;
}  // namespace scope

struct Token {
  std::string secret;
  unsigned scopes = scope::all;
};

struct Options {
  std::string listen = "127.0.0.1:16686";    // page and API; HOST:PORT, the host an address or localhost
  std::string otlp_http = "127.0.0.1:4318";  // "" = not listened on
  std::string otlp_grpc = "127.0.0.1:4317";  // "" = not listened on
  std::optional<Tls> tls;                    // for all three
  std::vector<Token> tokens;                 // none = everybody who reaches a port may read and write
  // Names besides addresses and localhost that a Host header may have (DNS rebinding), and origins besides our own that
  // may send OTLP from a page (CORS); "*" = any.
  std::vector<std::string> hosts, cors_origins;
  std::size_t largest_body = 20 << 20;      // of a request, as sent
  std::size_t largest_unpacked = 64 << 20;  // after decompression
  std::size_t bodies_in_flight = 64 << 20;  // of all requests being read or decoded: over it, 429
  std::size_t live_bytes = 192 << 20;       // of what proxies report: over it, no more sessions are kept
  double requests_per_second = 200;         // of one address, API and page; bursts of twice that
  std::size_t connections = 4096;
  std::chrono::milliseconds query_time{5000};    // after which a question is answered with what was found
  std::optional<std::chrono::seconds> keep_for;  // said by /api/v1/status
  std::optional<std::uint64_t> keep_bytes;
  std::string version;
  std::span<const Asset> page;
  std::function<std::unique_ptr<Watcher>(const WatchedRequest&)> watch;  // may be empty
  std::function<void(int level, const std::string& line)> log;           // levels as spdlog's
};

class Console {
 public:
  // Listens on all three ports, or on none. `store` is borrowed.
  static base::Result<std::unique_ptr<Console>> start(Options options, store::Store& store);
  virtual ~Console() = default;

  // Addresses bound; "" for a port that is off.
  [[nodiscard]] virtual std::string address() const = 0;
  [[nodiscard]] virtual std::string otlp_http_address() const = 0;
  [[nodiscard]] virtual std::string otlp_grpc_address() const = 0;
  // Accepts no more, answers what is under way, at most for `timeout`.
  virtual void stop(std::chrono::milliseconds timeout) = 0;
};

}  // namespace sockeye::console
