// A small HTTP/1.1 server for /metrics and its neighbours: GET and HEAD, and POST where asked for; its own port, one
// thread for that, and one for answers that take a while.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/model/metric_family.h"

namespace sockeye::prometheus {

// Views die with the handler's call.
struct Request {
  std::string_view method;  // GET, HEAD, or POST
  std::string_view path;    // as sent, without query; not percent-decoded
  std::string_view rest;    // of a prefix route: the path behind the prefix
  std::string_view query;   // behind '?', or ""
  std::string_view accept;  // Accept, or ""
  std::string_view host;    // Host, or ""; not checked
  std::string_view origin;  // Origin, or "": a browser sent it on behalf of a page
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Of quick routes on the thread of the port; of the others on another, one at a time. What it throws becomes a 500.
using Handler = std::function<Response(const Request&)>;

struct Route {
  std::string path;  // "/metrics", or with `prefix` "/sessions/"
  Handler handler;
  bool prefix = false;  // any path that begins with `path`; an exact route wins, then the longest prefix
  bool post = false;    // the handler takes POST too, whose body is not looked at
  bool quick = false;   // answered at once, whatever else is asked: must not wait, nor say more than a little
};

struct EndpointOptions {
  std::string address = "127.0.0.1:9464";  // "host:port" (a numeric host or localhost), "[v6]:port", ":port" = all
                                           // interfaces; port 0 = any free
  std::vector<Route> routes;
  std::size_t connections = 128;                          // over it the connection that has been idle longest is closed
  std::size_t head_bytes = 8192;                          // a longer request head is answered 431
  base::Duration head_timeout = std::chrono::seconds(5);  // first byte → whole head, and connect → first byte
  base::Duration idle_timeout = std::chrono::seconds(75);   // between requests of one connection
  base::Duration write_timeout = std::chrono::seconds(30);  // a whole answer
};

// All methods are safe from any thread.
class Endpoint {
 public:
  // Listening when it returns. Fails when the address is not one, is taken, or not ours.
  [[nodiscard]] static base::Result<std::unique_ptr<Endpoint>> start(EndpointOptions options);
  virtual ~Endpoint() = default;  // stop(0s) unless stopped before
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual std::string address() const = 0;  // "127.0.0.1:9464", the real port
  // Stops accepting, lets answers being written end for up to `timeout`, then closes all. Idempotent.
  virtual void stop(base::Duration timeout) = 0;
};

// What a handler of /metrics returns: rendered in the format that `request.accept` asks for.
[[nodiscard]] Response metrics_response(const Request& request, const std::vector<model::MetricFamily>& families);

}  // namespace sockeye::prometheus
