// Theory of operation. The server is net's, on one thread of its own, which answers quick routes itself: whether a
// process lives is known whoever else asks for what. Other answers are made one at a time on a second thread; what is
// too many to wait for it is refused. When the table is full the connection that has waited longest without a request
// makes room, so that a crowd of silent ones cannot keep a scrape out.
#include "sockeye/prometheus/endpoint.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
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

constexpr std::size_t most_waiting = 32;        // for the second thread
constexpr std::size_t largest_body = 64 << 10;  // which nobody looks at

bool allowed(const Route& route, std::string_view method) {
  return method == "GET" || method == "HEAD" || (route.post && method == "POST");
}

// Of an absolute-form, RFC 9112 §3.2.2, too.
std::string_view origin_form(std::string_view target) {
  if (!target.starts_with("http://")) return target;
  const std::size_t slash = target.find('/', 7);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}
std::string_view path_of(std::string_view target) {
  target = origin_form(target);
  return target.substr(0, target.find('?'));
}

class Running final : public Endpoint {
 public:
  explicit Running(EndpointOptions options) : options_(std::move(options)) {}
  ~Running() override {
    stop(base::Duration::zero());
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    if (answering_.joinable()) answering_.join();
  }

  base::Result<void> start();
  std::uint16_t port() const override { return server_->port(); }
  std::string address() const override { return server_->address(); }
  void stop(base::Duration timeout) override {
    if (server_) server_->stop(timeout);
  }

 private:
  net::Site site();
  void handle(net::Request&& request, const net::Respond& respond);
  void answer_others();
  net::Response answer(const net::Request& request);
  [[nodiscard]] bool quick(const net::Request& request) const;
  [[nodiscard]] static net::Response packed(net::Response response, const net::Request& request, net::Gzip& gzip);
  [[nodiscard]] const Route* find(std::string_view path) const;
  Response dispatch(const net::Request& request, std::string_view& allow) const;

  const EndpointOptions options_;
  struct Asked {
    net::Request request;
    net::Respond respond;
  };
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::deque<Asked> waiting_;
  bool ending_ = false;
  std::thread answering_;
  std::unique_ptr<net::IoThreads> thread_;
  std::unique_ptr<net::Server> server_;
};

base::Result<void> Running::start() {
  auto thread = net::IoThreads::start(1);
  if (!thread) return base::fail("metrics endpoint: " + thread.error().message);
  thread_ = *std::move(thread);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the application's
  try {
    answering_ = std::thread([this] { answer_others(); });
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return base::fail(std::string("metrics endpoint: cannot start a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
    admission.largest_body = largest_body;
    // A body changes nothing. It is read only where the answer is not at hand.
    if (length != 0 && quick(head)) admission.refusal = answer(head);
    return admission;
  };
  site.handle = [this](net::Request&& request, const net::Respond& respond) { handle(std::move(request), respond); };
  return site;
}

void Running::handle(net::Request&& request, const net::Respond& respond) {
  if (quick(request)) return respond(answer(request));
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < most_waiting && !ending_) {
      waiting_.push_back({std::move(request), respond});
      wake_.notify_one();
      return;
    }
  }
  net::Response busy{503, "text/plain; charset=utf-8", "too many questions at once; try again in a second\n"};
  busy.fields.emplace_back("Retry-After", "1");
  respond(std::move(busy));
}

void Running::answer_others() {
  net::Gzip gzip(gzip_level);
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Asked asked = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    asked.respond(packed(answer(asked.request), asked.request, gzip));
  }
}

net::Response Running::answer(const net::Request& request) {
  std::string_view allow;
  Response response = dispatch(request, allow);
  net::Response out{response.status, std::move(response.content_type), std::move(response.body)};
  if (!allow.empty()) out.fields.emplace_back("Allow", std::string(allow));
  return out;
}

net::Response Running::packed(net::Response response, const net::Request& request, net::Gzip& gzip) {
  if (response.body.size() < smallest_gzip) return response;
  response.fields.emplace_back("Vary", "Accept, Accept-Encoding");
  if (std::string smaller; accepts_gzip(request.field("accept-encoding")) && gzip.compress(response.body, smaller)) {
    response.body = std::move(smaller);
    response.fields.emplace_back("Content-Encoding", "gzip");
  }
  return response;
}

// What is not there, or not allowed, is quick to say.
bool Running::quick(const net::Request& request) const {
  const auto* route = find(path_of(request.target));
  return route == nullptr || route->quick || !allowed(*route, request.method);
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
  const std::string_view target = origin_form(request.target);
  Request in;
  const std::size_t question = std::min(target.find('?'), target.size());
  in.path = path_of(target);
  in.query = target.substr(std::min(question + 1, target.size()));
  const Route* const route = find(in.path);
  if (route == nullptr) return {404, "text/plain; charset=utf-8", "not found\n"};
  if (!allowed(*route, request.method)) {
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
