// Theory of operation. One thread runs one io_context; every connection is a coroutine on it, so nothing here is locked
// but the hand-over to stop(). A peer can cost at most one connection of a bounded number, one head of bounded size and
// the time of one deadline: head, idle and write each have theirs. When the table is full the connection that has
// waited longest without a request makes room, so that a crowd of silent ones cannot keep a scrape out.
#include "sockeye/prometheus/endpoint.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <condition_variable>
#include <csignal>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "address.h"
#include "gzip.h"
#include "sockeye/prometheus/render.h"

namespace sockeye::prometheus {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t smallest_gzip = 1024;  // bytes; under it the header costs more than it saves
constexpr std::size_t lingering_bytes =
    65536;  // read and thrown away after a refusal, so that the peer gets to read it
constexpr auto lingering_time = std::chrono::seconds(1);
constexpr auto slow_reader = std::chrono::seconds(2);  // an answer under way for longer has no claim to its place
constexpr auto accept_pause = std::chrono::milliseconds(100);  // when the process has no descriptor left

struct Connection {
  explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}
  beast::tcp_stream stream;
  bool waiting = true;  // for a request, or for nothing any more: may be closed at any time
  std::chrono::steady_clock::time_point busy_since;  // when not waiting
};
using Connections = std::list<Connection>;  // the one that has waited longest first

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

class Server final : public Endpoint {
 public:
  explicit Server(EndpointOptions options) : options_(std::move(options)), acceptor_(context_), pause_(context_) {}
  ~Server() override { stop(base::Duration::zero()); }

  base::Result<void> listen();
  base::Result<void> run();
  std::uint16_t port() const override { return local_.port(); }
  std::string address() const override {
    const std::string host = local_.address().to_string();
    return (local_.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(local_.port());
  }
  void stop(base::Duration timeout) override;

 private:
  error_code bind(const tcp::endpoint& to, bool dual);
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> serve(Connections::iterator self);
  asio::awaitable<bool> serve_one(Connection& connection, beast::flat_buffer& buffer, bool first);
  asio::awaitable<bool> answer(Connection& connection, Response response,
                               const http::request<http::empty_body>& request, bool keep_alive, bool allow);
  asio::awaitable<void> linger(Connection& connection);
  Response dispatch(const http::request<http::empty_body>& request, bool& allow) const;
  [[nodiscard]] const Route* find(std::string_view path) const;
  bool make_room();
  static void busy(Connection& connection) {
    connection.waiting = false;
    connection.busy_since = std::chrono::steady_clock::now();
  }
  void close(Connection& connection) { connection.stream.close(); }  // its coroutine ends with an error, and removes it

  const EndpointOptions options_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint local_;
  Connections connections_;
  bool stopping_ = false;
  std::thread thread_;
  std::mutex stop_mutex_;  // one stop() at a time
  std::mutex ended_mutex_;
  std::condition_variable ended_;
  bool all_ended_ = false;
};

error_code Server::bind(const tcp::endpoint& to, bool dual) {
  error_code error;
  const auto step = [&](auto&& action) {
    if (!error) action();
  };
  acceptor_.close(error);
  error.clear();
  step([&] { acceptor_.open(to.protocol(), error); });
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  if (dual) step([&] { acceptor_.set_option(asio::ip::v6_only(false), error); });
  step([&] { acceptor_.bind(to, error); });
  step([&] { acceptor_.listen(asio::socket_base::max_listen_connections, error); });
  step([&] { local_ = acceptor_.local_endpoint(error); });
  return error;
}

base::Result<void> Server::listen() {
  const auto parsed = parse_address(options_.address);
  error_code error;
  if (!parsed) return base::fail("metrics address " + options_.address + " is not host:port");
  if (parsed->host.empty()) {
    error = bind({tcp::v6(), parsed->port}, true);
    if (error == asio::error::address_family_not_supported) error = bind({tcp::v4(), parsed->port}, false);
  } else {
    const auto address = asio::ip::make_address(parsed->host, error);
    if (error)
      return base::fail("metrics address " + options_.address + ": the host must be an IP address or localhost");
    error = bind({address, parsed->port}, false);
  }
  if (error) return base::fail("metrics address " + options_.address + ": " + error.message());
  return {};
}

base::Result<void> Server::run() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the application's
  base::Result<void> result;
  try {
    asio::co_spawn(context_, accept_loop(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  } catch (const std::system_error& error) {
    result = base::fail(std::string("metrics endpoint: cannot start: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Server::stop(base::Duration timeout) {
  const std::lock_guard once(stop_mutex_);
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    for (auto& connection : connections_)
      if (connection.waiting) close(connection);
    if (connections_.empty()) {
      const std::lock_guard lock(ended_mutex_);
      all_ended_ = true;
      ended_.notify_all();
    }
  });
  {
    std::unique_lock lock(ended_mutex_);
    ended_.wait_for(lock, timeout, [this] { return all_ended_; });
  }
  asio::post(context_, [this] {
    for (auto& connection : connections_) close(connection);
  });
  thread_.join();  // nothing waits for longer now: the context runs out of work
}

// False when every connection is being answered.
bool Server::make_room() {
  if (connections_.size() < options_.connections) return true;
  const auto oldest = std::find_if(
      connections_.begin(), connections_.end(), [now = std::chrono::steady_clock::now()](const Connection& c) {
        return c.stream.socket().is_open() && (c.waiting || now - c.busy_since > slow_reader);
      });
  if (oldest == connections_.end()) return false;
  close(*oldest);
  return true;
}

asio::awaitable<void> Server::accept_loop() {
  while (!stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(nothrow);
    if (stopping_ || error == asio::error::operation_aborted || error == asio::error::bad_descriptor) break;
    if (error) {
      if (error == asio::error::connection_aborted) continue;
      pause_.expires_after(accept_pause);
      co_await pause_.async_wait(nothrow);
      continue;
    }
    if (!make_room()) continue;  // the socket closes
    try {
      connections_.emplace_back(std::move(socket));
    } catch (const std::bad_alloc&) {
      continue;
    }
    asio::co_spawn(context_, serve(std::prev(connections_.end())), asio::detached);
  }
}

asio::awaitable<void> Server::serve(Connections::iterator self) {
  beast::flat_buffer buffer(options_.head_bytes + 1);
  for (bool first = true; !stopping_; first = false) {
    self->waiting = true;
    connections_.splice(connections_.end(), connections_, self);
    bool more = false;
    try {
      more = co_await serve_one(*self, buffer, first);
    } catch (const std::exception&) {  // no memory: this connection's end, not the process's
    }
    if (!more) break;
  }
  connections_.erase(self);
  if (stopping_ && connections_.empty()) {
    const std::lock_guard lock(ended_mutex_);
    all_ended_ = true;
    ended_.notify_all();
  }
}

// One request and its answer. False: the connection ends.
asio::awaitable<bool> Server::serve_one(Connection& connection, beast::flat_buffer& buffer, bool first) {
  if (!first && buffer.size() == 0) {  // kept alive: idle is not yet slow
    connection.stream.expires_after(options_.idle_timeout);
    const std::size_t room = std::min<std::size_t>(buffer.max_size(), 1024);
    auto [error, n] = co_await connection.stream.async_read_some(buffer.prepare(room), nothrow);
    if (error) co_return false;
    buffer.commit(n);
  }
  connection.stream.expires_after(options_.head_timeout);
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(options_.head_bytes, UINT32_MAX)));
  auto [error, ignored] = co_await http::async_read_header(connection.stream, buffer, parser, nothrow);
  if (error) {
    const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
    if (!malformed) co_return false;
    const bool too_long = error == http::error::header_limit || error == http::error::buffer_overflow;
    Response refusal;
    refusal.status = too_long ? 431 : 400;
    refusal.body = too_long ? "request head too large\n" : "bad request\n";
    const http::request<http::empty_body> none{http::verb::get, "/", 11};
    busy(connection);
    co_await answer(connection, std::move(refusal), none, false, false);
    co_await linger(connection);
    co_return false;
  }
  busy(connection);
  const auto& request = parser.get();
  // A body is never read, and what is not read cannot be told from the next request.
  const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
  const bool keep_alive = parser.keep_alive() && !has_body && !stopping_;
  bool allow = false;
  Response response = dispatch(request, allow);
  const bool written = co_await answer(connection, std::move(response), request, keep_alive, allow);
  if (written && has_body) co_await linger(connection);
  co_return written&& keep_alive;
}

asio::awaitable<bool> Server::answer(Connection& connection, Response response,
                                     const http::request<http::empty_body>& request, bool keep_alive, bool allow) {
  http::response<http::string_body> out;
  out.version(request.version());
  out.result(static_cast<unsigned>(std::clamp(response.status, 200, 599)));
  out.keep_alive(keep_alive);
  out.set(http::field::content_type, response.content_type);
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  if (allow) out.set(http::field::allow, "GET, HEAD");
  if (response.body.size() >= smallest_gzip) {
    out.set(http::field::vary, "Accept, Accept-Encoding");
    if (accepts_gzip(view(request[http::field::accept_encoding]))) {
      if (auto smaller = gzip(response.body)) {
        response.body = std::move(*smaller);
        out.set(http::field::content_encoding, "gzip");
      }
    }
  }
  out.content_length(response.body.size());
  if (request.method() != http::verb::head) out.body() = std::move(response.body);
  connection.stream.expires_after(options_.write_timeout);
  http::serializer<false, http::string_body> serializer(out);
  if (request.method() == http::verb::head) {
    auto [error, ignored] = co_await http::async_write_header(connection.stream, serializer, nothrow);
    co_return !error;
  }
  auto [error, ignored] = co_await http::async_write(connection.stream, serializer, nothrow);
  co_return !error;
}

// Closing a socket with unread bytes resets it, and the reset can overtake the answer.
asio::awaitable<void> Server::linger(Connection& connection) {
  error_code ignored;
  connection.waiting = true;
  connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  connection.stream.expires_after(lingering_time);
  std::array<char, 4096> waste{};
  for (std::size_t total = 0; total < lingering_bytes;) {
    auto [error, n] = co_await connection.stream.async_read_some(asio::buffer(waste), nothrow);
    if (error) break;
    total += n;
  }
}

const Route* Server::find(std::string_view path) const {
  const Route* best = nullptr;
  for (const auto& route : options_.routes) {
    if (!route.prefix && route.path == path) return &route;
    if (route.prefix && path.starts_with(route.path) && (best == nullptr || route.path.size() > best->path.size()))
      best = &route;
  }
  return best;
}

Response Server::dispatch(const http::request<http::empty_body>& request, bool& allow) const {
  std::string_view target = view(request.target());
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
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    allow = true;
    return {405, "text/plain; charset=utf-8", "method not allowed\n"};
  }
  in.rest = route->prefix ? in.path.substr(route->path.size()) : std::string_view();
  in.accept = view(request[http::field::accept]);
  in.host = view(request[http::field::host]);
  try {
    return route->handler(in);
  } catch (...) {
    return {500, "text/plain; charset=utf-8", "internal error\n"};
  }
}

}  // namespace

base::Result<std::unique_ptr<Endpoint>> Endpoint::start(EndpointOptions options) {
  options.connections = std::max<std::size_t>(options.connections, 1);
  auto server = std::make_unique<Server>(std::move(options));
  if (auto listening = server->listen(); !listening) return tl::unexpected(listening.error());
  if (auto running = server->run(); !running) return tl::unexpected(running.error());
  return server;
}

Response metrics_response(const Request& request, const std::vector<model::MetricFamily>& families) {
  const Format format = negotiate(request.accept);
  return {200, std::string(content_type(format)), render(families, format)};
}

}  // namespace sockeye::prometheus
