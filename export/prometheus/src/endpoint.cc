// Theory of operation. The server is net's, on one thread of its own, so nothing here is locked. When its table is full
// the connection that has waited longest without a request makes room, so that a crowd of silent ones cannot keep a
// scrape out.
#include "sockeye/prometheus/endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "field_list.h"
#include "sockeye/net/gzip.h"
#include "sockeye/net/http_server.h"
#include "sockeye/prometheus/render.h"

namespace sockeye::prometheus {
namespace {

constexpr std::size_t smallest_gzip = 1024;  // bytes; under it the header costs more than it saves
// The fastest level: metrics shrink tenfold at any level, and a scrape is answered on a busy machine.
constexpr int gzip_level = 1;
constexpr auto slow_reader = std::chrono::seconds(2);  // an answer under way for longer has no claim to its place

class Running final : public Endpoint {
 public:
  explicit Running(EndpointOptions options) : options_(std::move(options)) {}
  ~Running() override { stop(base::Duration::zero()); }

  base::Result<void> start();
  std::uint16_t port() const override { return server_->port(); }
  std::string address() const override { return server_->address(); }
  void stop(base::Duration timeout) override {
    if (server_) server_->stop(timeout);
  }

 private:
  net::Site site();
  net::Response answer(const net::Request& request);
  [[nodiscard]] const Route* find(std::string_view path) const;
  Response dispatch(const net::Request& request, std::string_view& allow) const;

  const EndpointOptions options_;
  net::Gzip gzip_{gzip_level};  // of the one thread
  std::unique_ptr<net::IoThreads> thread_;
  std::unique_ptr<net::Server> server_;
};

base::Result<void> Running::start() {
  auto thread = net::IoThreads::start(1);
  if (!thread) return base::fail("metrics endpoint: " + thread.error().message);
  thread_ = *std::move(thread);
  net::ServerOptions options;
  options.what = "metrics address";
  options.listen = options_.address;
  options.connections = options_.connections;
  options.make_room_after = slow_reader;
  options.head_bytes = options_.head_bytes;
  options.head_timeout = options_.head_timeout;
  options.idle_timeout = options_.idle_timeout;
  options.write_timeout = options_.write_timeout;
  auto server = net::Server::start(*thread_, std::move(options), site());
  if (!server) return tl::unexpected(server.error());
  server_ = *std::move(server);
  return {};
}

net::Site Running::site() {
  net::Site site;
  site.admit = [this](const net::Request& head, std::optional<std::uint64_t> length) {
    net::Admission admission;
    if (length != 0) admission.refusal = answer(head);  // a body is never read, and changes nothing
    return admission;
  };
  site.handle = [this](net::Request&& request, const net::Respond& respond) { respond(answer(request)); };
  return site;
}

net::Response Running::answer(const net::Request& request) {
  std::string_view allow;
  Response response = dispatch(request, allow);
  net::Response out{response.status, std::move(response.content_type), std::move(response.body)};
  if (!allow.empty()) out.fields.emplace_back("Allow", std::string(allow));
  if (out.body.size() < smallest_gzip) return out;
  out.fields.emplace_back("Vary", "Accept, Accept-Encoding");
  if (std::string smaller; accepts_gzip(request.field("accept-encoding")) && gzip_.compress(out.body, smaller)) {
    out.body = std::move(smaller);
    out.fields.emplace_back("Content-Encoding", "gzip");
  }
  return out;
}

const Route* Running::find(std::string_view path) const {
  const Route* best = nullptr;
  for (const auto& route : options_.routes) {
    if (!route.prefix && route.path == path) return &route;
    if (route.prefix && path.starts_with(route.path) && (best == nullptr || route.path.size() > best->path.size()))
      best = &route;
  }
  return best;
}

Response Running::dispatch(const net::Request& request, std::string_view& allow) const {
  std::string_view target = request.target;
  if (target.starts_with("http://")) {  // absolute-form, RFC 9112 §3.2.2
    const std::size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  Request in;
  const std::size_t question = std::min(target.find('?'), target.size());
  in.path = target.substr(0, question);
  in.query = target.substr(std::min(question + 1, target.size()));
  const Route* const route = find(in.path);
  if (route == nullptr) return {404, "text/plain; charset=utf-8", "not found\n"};
  if (request.method != "GET" && request.method != "HEAD" && !(route->post && request.method == "POST")) {
    allow = route->post ? "GET, HEAD, POST" : "GET, HEAD";
    return {405, "text/plain; charset=utf-8", "method not allowed\n"};
  }
  in.rest = route->prefix ? in.path.substr(route->path.size()) : std::string_view();
  in.method = request.method;
  in.accept = request.field("accept");
  in.host = request.field("host");
  in.origin = request.field("origin");
  try {
    return route->handler(in);
  } catch (...) {
    return {500, "text/plain; charset=utf-8", "internal error\n"};
  }
}

}  // namespace

base::Result<std::unique_ptr<Endpoint>> Endpoint::start(EndpointOptions options) {
  auto endpoint = std::make_unique<Running>(std::move(options));
  if (auto running = endpoint->start(); !running) return tl::unexpected(running.error());
  return endpoint;
}

Response metrics_response(const Request& request, const std::vector<model::MetricFamily>& families) {
  const Format format = negotiate(request.accept);
  return {200, std::string(content_type(format)), render(families, format)};
}

}  // namespace sockeye::prometheus
