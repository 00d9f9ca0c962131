// Theory of operation. A few threads run one io_context; every connection is a coroutine on a strand of its own, so
// that a connection's state needs no lock. Handlers answer through a callback from any thread; the coroutine waits for
// it. A head is bounded in size and time, a body by what `admit` leased for it before a byte of it was read.
#include "http_server.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <condition_variable>
#include <csignal>
#include <list>
#include <mutex>
#include <sstream>
#include <thread>
#include <tuple>
#include <utility>

#include "target.h"
#include "web_socket.h"

namespace sockeye::console {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t head_bytes = 32 * 1024;
constexpr std::size_t lease_step = 256 * 1024;  // of a body whose length is not said
constexpr std::size_t lingering_bytes = 1 << 20;
constexpr auto lingering_time = std::chrono::seconds(1);
constexpr auto hanging_time = std::chrono::seconds(5);
constexpr auto accept_pause = std::chrono::milliseconds(100);  // when the process has no descriptor left

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// What we read, the client sent.
class Watched final : public Stream::Eye {
 public:
  explicit Watched(std::unique_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  void moved(bool read, base::Bytes bytes) override { watcher_->sent(read, bytes); }

 private:
  std::unique_ptr<Watcher> watcher_;
};

class Threads final : public IoThreads {
 public:
  explicit Threads(unsigned count) : work_(context->get_executor()), running_(count) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the application's
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  // The servers were stopped: what is left ends by itself. A coroutine must not be destroyed with the context, because
  // it unwinds through its executor, which is gone by then; should one hang all the same, the context is left behind.
  ~Threads() override {
    work_.reset();
    {
      std::unique_lock lock(mutex_);
      if (!ended_.wait_for(lock, hanging_time, [this] { return running_ == 0; })) context.release()->stop();
    }
    for (auto& thread : threads_) thread.join();
  }
  std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();

 private:
  void run() {
    context->run();
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
  }

  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::mutex mutex_;
  std::condition_variable ended_;
  unsigned running_;  // under mutex_
  std::vector<std::thread> threads_;
};

std::optional<tcp::endpoint> parse_endpoint(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = listen.substr(0, colon);
  const std::string port = listen.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const int number = std::stoi(port);
  if (number > 65535) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  error_code error;
  const auto address =
      host.empty() ? asio::ip::address(asio::ip::address_v6::any()) : asio::ip::make_address(host, error);
  if (error) return std::nullopt;
  return tcp::endpoint(address, static_cast<std::uint16_t>(number));
}

class Listener;

// How a connection is ended from outside: under Listener's mutex_, while the connection is in its list. Not `hard`, it
// may end what it is at.
struct Control {
  std::function<void(bool hard)> close;
};

// Of a connection's coroutine, on its strand; outlives it in closings that were posted too late.
struct State {
  bool over = false;
  bool idle = true;  // no request is under way
};

class Listener final : public Server, public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& context, ServerOptions options, Site site)
      : options_(std::move(options)),
        site_(std::move(site)),
        context_(context),
        strand_(asio::make_strand(context)),
        acceptor_(strand_),
        pause_(strand_) {}

  base::Result<void> listen();
  void run() {
    asio::co_spawn(
        strand_, [self = shared_from_this()] { return self->accept_loop(); }, asio::detached);
  }
  std::string address() const override {
    const std::string host = local_.address().to_string();
    return (local_.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(local_.port());
  }
  void stop(std::chrono::milliseconds timeout) override;

 private:
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> serve(beast::tcp_stream stream, tcp::endpoint peer);
  asio::awaitable<void> requests(Stream& stream, tcp::endpoint peer, Control& control, State& state);
  asio::awaitable<bool> exchange(Stream& stream, beast::flat_buffer& buffer, tcp::endpoint peer, Control& control);
  asio::awaitable<bool> answer(Stream& stream, Response response, bool head, bool keep_alive, unsigned version);
  asio::awaitable<void> linger(Stream& stream, beast::flat_buffer& buffer);
  asio::awaitable<void> upgrade(Stream& stream, http::request<http::string_body> message, const Request& request,
                                Accepted accepted, Control& control);

  const ServerOptions options_;
  const Site site_;
  asio::io_context& context_;
  asio::any_io_executor strand_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::optional<asio::ssl::context> tls_;
  tcp::endpoint local_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of the two below
  std::list<Control*> connections_;
  std::condition_variable ended_;
};

base::Result<void> Listener::listen() {
  const auto parsed = parse_endpoint(options_.listen);
  if (!parsed)
    return base::fail(options_.what + " " + options_.listen +
                      ": expected HOST:PORT, [V6]:PORT or :PORT, the host an IP address or localhost");
  if (options_.tls) {
    error_code error;
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
    tls_->use_certificate_chain_file(options_.tls->certificate, error);
    if (error) return base::fail("--tls-certificate " + options_.tls->certificate + ": " + error.message());
    tls_->use_private_key_file(options_.tls->key, asio::ssl::context::pem, error);
    if (error) return base::fail("--tls-key " + options_.tls->key + ": " + error.message());
  }
  error_code error;
  const auto step = [&](auto&& action) {
    if (!error) action();
  };
  auto endpoint = *parsed;
  acceptor_.open(endpoint.protocol(), error);
  if (error == asio::error::address_family_not_supported && endpoint.address().is_unspecified()) {
    endpoint = tcp::endpoint(asio::ip::address_v4::any(), endpoint.port());
    error.clear();
    acceptor_.open(endpoint.protocol(), error);
  }
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  if (endpoint.address().is_v6()) step([&] { acceptor_.set_option(asio::ip::v6_only(false), error); });
  step([&] { acceptor_.bind(endpoint, error); });
  step([&] { acceptor_.listen(asio::socket_base::max_listen_connections, error); });
  step([&] { local_ = acceptor_.local_endpoint(error); });
  if (error) return base::fail(options_.what + " " + options_.listen + ": " + error.message());
  return {};
}

void Listener::stop(std::chrono::milliseconds timeout) {
  stopping_ = true;
  asio::post(strand_, [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
  });
  std::unique_lock lock(mutex_);
  for (auto* control : connections_) control->close(false);
  if (!ended_.wait_for(lock, timeout, [this] { return connections_.empty(); })) {
    for (auto* control : connections_) control->close(true);
    ended_.wait_for(lock, std::chrono::seconds(2), [this] { return connections_.empty(); });
  }
}

asio::awaitable<void> Listener::accept_loop() {
  while (!stopping_) {
    tcp::socket socket(asio::make_strand(context_));
    auto [error] = co_await acceptor_.async_accept(socket, nothrow);
    if (stopping_ || error == asio::error::operation_aborted || error == asio::error::bad_descriptor) break;
    if (error) {
      if (error == asio::error::connection_aborted) continue;
      pause_.expires_after(accept_pause);
      co_await pause_.async_wait(nothrow);
      continue;
    }
    error_code gone;
    const auto peer = socket.remote_endpoint(gone);
    if (gone) continue;
    {
      const std::lock_guard lock(mutex_);
      if (connections_.size() >= options_.connections) continue;  // the socket closes
    }
    socket.set_option(tcp::no_delay(true), gone);
    const auto executor = socket.get_executor();
    asio::co_spawn(
        executor,
        [self = shared_from_this(), stream = beast::tcp_stream(std::move(socket)), peer]() mutable {
          return self->serve(std::move(stream), peer);
        },
        asio::detached);
  }
}

asio::awaitable<void> Listener::serve(beast::tcp_stream stream, tcp::endpoint peer) {
  const auto keep_me = shared_from_this();
  Stream ours(std::move(stream));
  auto& socket = beast::get_lowest_layer(ours);
  const auto state = std::make_shared<State>();
  Control control;
  control.close = [&socket, state](bool hard) {
    asio::post(socket.get_executor(), [&socket, state, hard] {
      if (!state->over && (hard || state->idle)) socket.close();
    });
  };
  std::list<Control*>::iterator place;
  {
    const std::lock_guard lock(mutex_);
    place = connections_.insert(connections_.end(), &control);
  }
  try {
    error_code error;
    if (tls_) {
      socket.expires_after(options_.head_timeout);
      std::tie(error) = co_await ours.accept_tls(*tls_, nothrow);
    }
    if (!error) co_await requests(ours, peer, control, *state);
  } catch (const std::exception&) {  // no memory: this connection's end, not the process's
  }
  state->over = true;
  const std::lock_guard lock(mutex_);
  connections_.erase(place);
  ended_.notify_all();
}

asio::awaitable<void> Listener::requests(Stream& stream, tcp::endpoint peer, Control& control, State& state) {
  auto& socket = beast::get_lowest_layer(stream);
  beast::flat_buffer buffer(head_bytes + 1);
  for (bool first = true; !stopping_; first = false) {
    if (buffer.size() == 0) {  // kept alive: idle is not yet slow
      state.idle = true;
      socket.expires_after(first ? options_.head_timeout : options_.idle_timeout);
      auto [error, n] = co_await stream.async_read_some(buffer.prepare(4096), nothrow);
      if (error) break;
      buffer.commit(n);
    }
    state.idle = false;
    if (!co_await exchange(stream, buffer, peer, control)) break;
  }
  error_code ignored;
  socket.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

Request to_request(const http::request<http::string_body>& message, const tcp::endpoint& peer, bool tls) {
  Request out;
  out.method = std::string(view(message.method_string()));
  out.client_address = peer.address().to_string();
  out.client_port = peer.port();
  out.tls = tls;
  out.upgrade = beast::websocket::is_upgrade(message);
  for (const auto& field : message) {
    std::string name(view(field.name_string()));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    out.fields.emplace_back(std::move(name), std::string(view(field.value())));
  }
  split_target(view(message.target()), out.path, out.query);
  return out;
}

// One request and its answer. False: the connection ends.
asio::awaitable<bool> Listener::exchange(Stream& stream, beast::flat_buffer& buffer, tcp::endpoint peer,
                                         Control& control) {
  auto& socket = beast::get_lowest_layer(stream);
  socket.expires_after(options_.head_timeout);
  http::request_parser<http::string_body> parser;
  parser.header_limit(head_bytes);
  parser.body_limit(boost::none);
  auto [error, ignored] = co_await http::async_read_header(stream, buffer, parser, nothrow);
  if (error) {
    const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
    if (!malformed) co_return false;
    const bool too_long = error == http::error::header_limit || error == http::error::buffer_overflow;
    co_await answer(stream, error_response(too_long ? 431 : 400, too_long ? "request head too large" : "bad request"),
                    false, false, 11);
    co_await linger(stream, buffer);
    co_return false;
  }
  const unsigned version = parser.get().version();
  const bool head = parser.get().method() == http::verb::head;
  Request request = to_request(parser.get(), peer, stream.is_secure());
  if (request.path.empty()) {
    co_await answer(stream, error_response(400, "bad request target"), head, false, version);
    co_await linger(stream, buffer);
    co_return false;
  }
  if (request.upgrade) {
    Response refusal = error_response(404, "no WebSocket here");
    auto accepted = site_.upgrade ? site_.upgrade(request, refusal) : std::nullopt;
    if (!accepted) {
      co_await answer(stream, std::move(refusal), head, false, version);
      co_await linger(stream, buffer);
    } else if (buffer.size() == 0) {  // a client must wait for the 101 (RFC 6455 §4.1)
      co_await upgrade(stream, parser.release(), request, *std::move(accepted), control);
    }
    co_return false;
  }

  std::optional<std::uint64_t> length;
  if (const auto known = parser.content_length()) length = *known;
  if (!length && !parser.chunked()) length = 0;
  Admission admission = site_.admit(request, length);
  if (!admission.refusal && length.value_or(0) > admission.largest_body)
    admission.refusal = admission.error(
        413, "the body is larger than " + std::to_string(admission.largest_body) + " bytes; send smaller batches");
  if (admission.refusal) {
    const bool unread = length.value_or(1) > 0;
    const bool more =
        co_await answer(stream, *std::move(admission.refusal), head, !unread && parser.keep_alive(), version);
    if (unread) co_await linger(stream, buffer);
    co_return more && !unread && parser.keep_alive();
  }
  if (length.value_or(1) > 0) {
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go(http::status::continue_, version);
      auto [failed, unused] = co_await http::async_write(stream, go, nothrow);
      if (failed) co_return false;
    }
    parser.body_limit(admission.largest_body);
    socket.expires_after(options_.body_timeout);
    error_code failed;
    std::vector<std::shared_ptr<void>> leases;
    for (std::size_t leased = length ? SIZE_MAX : 0; !parser.is_done() && !failed;) {
      if (parser.get().body().size() >= leased) {
        auto more = admission.lease_more ? admission.lease_more(lease_step) : std::make_shared<char>();
        if (!more) {
          co_await answer(stream, *std::move(admission.no_room), head, false, version);
          co_await linger(stream, buffer);
          co_return false;
        }
        leases.push_back(std::move(more));
        leased += lease_step;
      }
      std::tie(failed, std::ignore) = co_await http::async_read_some(stream, buffer, parser, nothrow);
    }
    admission.lease = std::make_shared<std::pair<std::shared_ptr<void>, std::vector<std::shared_ptr<void>>>>(
        std::move(admission.lease), std::move(leases));
    if (failed) {
      const bool large = failed == http::error::body_limit;
      const bool slow = failed == beast::error::timeout;
      if (slow || failed == http::error::partial_message || failed == http::error::end_of_stream) co_return false;
      co_await answer(stream, admission.error(large ? 413 : 400, large ? "the body is too large" : "malformed body"),
                      head, false, version);
      co_await linger(stream, buffer);
      co_return false;
    }
    request.body = std::move(parser.get().body());
  }
  const bool keep_alive = parser.keep_alive() && !stopping_;
  socket.expires_never();  // ours to answer; the handlers have deadlines of their own
  Response response = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      [&](auto completion) {
        auto shared = std::make_shared<decltype(completion)>(std::move(completion));
        site_.handle(std::move(request), [shared, executor = stream.get_executor()](Response done) {
          asio::post(asio::bind_executor(
              executor, [shared, done = std::move(done)]() mutable { std::move (*shared)(std::move(done)); }));
        });
      },
      asio::use_awaitable);
  const bool last = response.close || !keep_alive;
  const bool written = co_await answer(stream, std::move(response), head, !last, version);
  co_return written && !last;
}

asio::awaitable<bool> Listener::answer(Stream& stream, Response response, bool head, bool keep_alive,
                                       unsigned version) {
  http::response<http::span_body<const char>> out;
  out.version(version);
  out.result(static_cast<unsigned>(std::clamp(response.status, 200, 599)));
  out.keep_alive(keep_alive);
  out.set(http::field::server, "sockeye");
  out.set("X-Content-Type-Options", "nosniff");
  if (!response.content_type.empty()) out.set(http::field::content_type, response.content_type);
  bool cached = false;
  for (const auto& [name, value] : response.fields) {
    out.set(name, value);
    cached = cached || name == "Cache-Control";
  }
  if (!cached) out.set(http::field::cache_control, "no-store");
  const std::string_view body = response.static_body.empty() ? std::string_view(response.body) : response.static_body;
  if (response.status != 204 && response.status != 304) out.content_length(body.size());
  if (!head) out.body() = {body.data(), body.size()};
  beast::get_lowest_layer(stream).expires_after(options_.write_timeout);
  http::serializer<false, http::span_body<const char>> serializer(out);
  if (head) {
    auto [error, n] = co_await http::async_write_header(stream, serializer, nothrow);
    co_return !error;
  }
  auto [error, n] = co_await http::async_write(stream, serializer, nothrow);
  co_return !error;
}

// Closing a socket with unread bytes resets it, and the reset can overtake the answer.
asio::awaitable<void> Listener::linger(Stream& stream, beast::flat_buffer& buffer) {
  error_code ignored;
  auto& socket = beast::get_lowest_layer(stream);
  socket.socket().shutdown(tcp::socket::shutdown_send, ignored);
  socket.expires_after(lingering_time);
  buffer.clear();
  std::array<char, 16384> waste{};
  for (std::size_t total = 0; total < lingering_bytes;) {
    auto [error, n] = co_await socket.async_read_some(asio::buffer(waste), nothrow);
    if (error) break;
    total += n;
  }
}

asio::awaitable<void> Listener::upgrade(Stream& stream, http::request<http::string_body> message,
                                        const Request& request, Accepted accepted, Control& control) {
  if (accepted.watched && options_.watch) {
    std::ostringstream text;
    text << message;
    const std::string head = text.str();
    if (auto watcher = options_.watch({head, request.client_address, request.client_port, request.tls}))
      stream.watch(std::make_unique<Watched>(std::move(watcher)));
  }
  auto socket = std::make_shared<WebSocket>(stream);
  {
    const std::lock_guard lock(mutex_);
    control.close = [cut = std::move(control.close), weak = std::weak_ptr(socket)](bool hard) {
      if (const auto here = weak.lock(); here && !hard) here->close(1001, "console is stopping");
      if (hard) cut(true);
    };
  }
  co_await socket->converse(message, std::move(accepted));
  stream.watch(nullptr);
}

}  // namespace

std::unique_ptr<IoThreads> IoThreads::start(unsigned threads) { return std::make_unique<Threads>(threads); }

namespace {

// Owns the listener's life; connections may hold it a little longer.
class Handle final : public Server {
 public:
  explicit Handle(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~Handle() override { stop(std::chrono::milliseconds(0)); }
  std::string address() const override { return listener_->address(); }
  void stop(std::chrono::milliseconds timeout) override {
    if (!std::exchange(stopped_, true)) listener_->stop(timeout);
  }

 private:
  std::shared_ptr<Listener> listener_;
  bool stopped_ = false;
};

}  // namespace

base::Result<std::unique_ptr<Server>> Server::start(IoThreads& threads, ServerOptions options, Site site) {
  auto listener =
      std::make_shared<Listener>(*static_cast<Threads&>(threads).context, std::move(options), std::move(site));
  if (auto listening = listener->listen(); !listening) return tl::unexpected(listening.error());
  listener->run();
  return std::make_unique<Handle>(std::move(listener));
}

}  // namespace sockeye::console
