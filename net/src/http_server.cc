// Theory of operation. A few threads run one io_context; every connection is a coroutine on a strand of its own, so
// that a connection's state needs no lock. Handlers answer through a callback from any thread; the coroutine waits for
// it. A head is bounded in size and time, a body by what `admit` leased for it before a byte of it was read. Where the
// table is full and the options say so, the connection that has waited longest without a request makes room, those
// first of which no request was ever taken, so that a crowd of silent ones cannot keep a new one out.
#include "sockeye/net/http_server.h"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <tuple>
#include <utility>
#include <variant>

#include "control.h"
#include "counters.h"
#include "grpc_connection.h"
#include "http_connection.h"
#include "io_threads.h"
#include "sockeye/base/address.h"
#include "tls.h"

namespace sockeye::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto accept_pause = std::chrono::milliseconds(100);  // when the process has no descriptor left
constexpr auto cutting_time = std::chrono::seconds(2);         // for connections to notice that they are cut

std::optional<tcp::endpoint> parse_endpoint(const std::string& listen) {
  const auto parsed = base::parse_host_port(listen);
  if (!parsed) return std::nullopt;
  if (parsed->host.empty()) return tcp::endpoint(asio::ip::address_v6::any(), parsed->port);
  error_code error;
  const auto address = asio::ip::make_address(parsed->host == "localhost" ? "127.0.0.1" : parsed->host, error);
  if (error) return std::nullopt;
  return tcp::endpoint(address, parsed->port);
}

using AnySite = std::variant<Site, GrpcSite>;

class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& context, ServerOptions options, AnySite site)
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
  [[nodiscard]] const tcp::endpoint& local() const { return local_; }
  [[nodiscard]] ServerCounts counts() const;
  void stop(base::Duration timeout);

 private:
  struct Place {
    Control* control;
    bool leaving = false;  // was told to make room
  };

  error_code bind(const tcp::endpoint& to, bool dual);
  asio::awaitable<void> accept_loop();
  bool make_room();
  asio::awaitable<void> serve(beast::tcp_stream socket, tcp::endpoint peer);

  const ServerOptions options_;
  const AnySite site_;
  asio::io_context& context_;
  asio::any_io_executor strand_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::optional<asio::ssl::context> tls_;
  tcp::endpoint local_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of the three below
  std::list<Place> connections_;
  std::size_t leaving_ = 0;
  std::condition_variable ended_;
  Counters counters_;
};

base::Result<void> Listener::listen() {
  const auto endpoint = parse_endpoint(options_.listen);
  if (!endpoint)
    return base::fail(options_.what + " " + options_.listen +
                      ": expected HOST:PORT, [V6]:PORT or :PORT, the host an IP address or localhost");
  if (options_.tls)
    if (auto made = make_server_tls(tls_, *options_.tls, std::holds_alternative<GrpcSite>(site_)); !made) return made;
  const bool any = endpoint->address().is_unspecified();
  auto error = bind(*endpoint, endpoint->address().is_v6());
  // A machine booted with ipv6.disable=1 has no such family at all.
  if (any && error == asio::error::address_family_not_supported) error = bind({tcp::v4(), endpoint->port()}, false);
  if (error) return base::fail(options_.what + " " + options_.listen + ": " + error.message());
  return {};
}

error_code Listener::bind(const tcp::endpoint& to, bool dual) {
  error_code error;
  const auto step = [&](auto&& action) {
    if (!error) action();
  };
  step([&] { acceptor_.open(to.protocol(), error); });
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  if (dual) step([&] { acceptor_.set_option(asio::ip::v6_only(false), error); });
  step([&] { acceptor_.bind(to, error); });
  step([&] { acceptor_.listen(asio::socket_base::max_listen_connections, error); });
  step([&] { local_ = acceptor_.local_endpoint(error); });
  return error;
}

void Listener::stop(base::Duration timeout) {
  stopping_ = true;
  asio::post(strand_, [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
  });
  const auto all_ended = [this] { return connections_.empty(); };
  std::unique_lock lock(mutex_);
  for (auto& each : connections_) each.control->close(false, options_.farewell);
  if (ended_.wait_for(lock, timeout, all_ended)) return;
  for (auto& each : connections_) each.control->close(true);
  ended_.wait_for(lock, cutting_time, all_ended);
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
    if (!make_room()) {
      ++counters_.turned_away;
      continue;  // the socket closes
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

// False when there is no place for another connection.
bool Listener::make_room() {
  const std::lock_guard lock(mutex_);
  if (connections_.size() - leaving_ < options_.connections) return true;
  if (!options_.make_room_after) return false;
  const auto latest = Control::Clock::now() - *options_.make_room_after;
  Place* longest = nullptr;
  for (auto& each : connections_) {
    const auto& control = *each.control;
    if (each.leaving || (!control.waiting() && control.since() > latest)) continue;
    const auto key = std::pair(control.rank(), control.since());
    if (longest == nullptr || key < std::pair(longest->control->rank(), longest->control->since())) longest = &each;
  }
  if (longest == nullptr) return false;
  longest->leaving = true;
  ++counters_.made_room;
  ++leaving_;
  longest->control->close(true);
  return true;
}

asio::awaitable<void> Listener::serve(beast::tcp_stream socket, tcp::endpoint peer) {
  const auto keep_me = shared_from_this();
  Stream stream(std::move(socket));
  Control control(stream.next_layer());
  std::list<Place>::iterator place;
  {
    const std::lock_guard lock(mutex_);
    place = connections_.insert(connections_.end(), {&control});
  }
  try {
    error_code error;
    if (tls_) {
      stream.next_layer().expires_after(options_.head_timeout);
      std::tie(error) = co_await stream.accept_tls(*tls_, nothrow);
    }
    if (const auto* calls = std::get_if<GrpcSite>(&site_)) {
      GrpcConnection connection(stream, peer, options_, *calls, control, stopping_, counters_);
      if (!error) co_await connection.run();
    } else {
      HttpConnection connection(stream, peer, options_, std::get<Site>(site_), control, stopping_);
      if (!error) co_await connection.run();
    }
  } catch (const std::exception&) {  // no memory: this connection's end, not the process's
  }
  const std::lock_guard lock(mutex_);
  leaving_ -= place->leaving ? 1 : 0;
  connections_.erase(place);
  ended_.notify_all();
}

ServerCounts Listener::counts() const {
  return {counters_.turned_away, counters_.made_room, counters_.misbehaved, counters_.slow};
}

// Owns the listener's life; connections may hold it a little longer.
class Handle final : public Server {
 public:
  explicit Handle(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~Handle() override { stop(base::Duration::zero()); }
  [[nodiscard]] std::string address() const override {
    return base::HostPort{listener_->local().address().to_string(), port()}.text();
  }
  [[nodiscard]] std::uint16_t port() const override { return listener_->local().port(); }
  [[nodiscard]] ServerCounts counts() const override { return listener_->counts(); }
  void stop(base::Duration timeout) override {
    if (!stopped_.exchange(true)) listener_->stop(timeout);
  }

 private:
  std::shared_ptr<Listener> listener_;
  std::atomic<bool> stopped_{false};
};

base::Result<std::unique_ptr<Server>> begin(IoThreads& threads, ServerOptions options, AnySite site) {
  options.connections = std::max<std::size_t>(options.connections, 1);
  auto& context = *static_cast<Threads&>(threads).context;
  auto listener = std::make_shared<Listener>(context, std::move(options), std::move(site));
  if (auto listening = listener->listen(); !listening) return tl::unexpected(listening.error());
  listener->run();
  return std::make_unique<Handle>(std::move(listener));
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::start(IoThreads& threads, ServerOptions options, Site site) {
  return begin(threads, std::move(options), std::move(site));
}
base::Result<std::unique_ptr<Server>> Server::start(IoThreads& threads, ServerOptions options, GrpcSite site) {
  return begin(threads, std::move(options), std::move(site));
}

}  // namespace sockeye::net
