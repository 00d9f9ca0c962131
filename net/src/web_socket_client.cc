// Theory of operation. Every call starts its operation and then runs the io_context on the caller's thread until that
// is done. What belongs to the connection as a whole goes on meanwhile: a read, by which Beast also answers pings and
// hands pongs over, and the look for signs of life. Whatever fails first cuts the socket, which ends the others; cut()
// runs the context until none is left, so that no handler outlives what it touches.
#include "sockeye/net/web_socket_client.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "lookup.h"
#include "progress.h"
#include "tls.h"
#include "web_socket_stream.h"

namespace sockeye::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto hanging_operation = std::chrono::seconds(5);

std::string seconds_text(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

class Client final : public WebSocketClient {
 public:
  Client(WebSocketClientOptions options, Events& events)
      : options_(std::move(options)),
        events_(events),
        work_(context_.get_executor()),
        look_(context_),
        limit_(context_) {}
  ~Client() override { cut("the client goes"); }

  base::Result<void> prepare() {
    if (!secure()) return {};
    return make_client_tls(tls_, options_.url.host, options_.ca);
  }

  Connected connect(const Fields& fields) override;
  bool send(std::string_view message, bool binary) override {
    return connection_ && perform([&](WebSocketStream& socket, Stream::Ended ended) {
             writing_ = true;
             socket.write(message, binary, std::move(ended));
           });
  }
  bool ping(std::string_view payload) override {
    if (!connection_) return false;
    awaited_ = payload;
    heard_ = Clock::now();
    return perform([&](WebSocketStream& socket, Stream::Ended ended) { socket.ping(*awaited_, std::move(ended)); });
  }
  bool close(std::uint16_t code, std::string_view reason) override {
    return connection_ && perform([&](WebSocketStream& socket, Stream::Ended ended) {
             closing_ = true;
             socket.close(code, reason, std::move(ended));
           });
  }
  bool wait_until(Clock::time_point moment) override {
    const bool was_open = connection_ != nullptr;
    run([&] { return woken_ || (was_open && over_); }, moment);
    woken_ = false;
    if (over_) cut(why_);
    return connection_ != nullptr;
  }
  [[nodiscard]] bool awaits_pong() const override { return awaited_.has_value(); }
  [[nodiscard]] const std::string& why() const override { return why_; }
  void wake() override {
    asio::post(context_, [this] { woken_ = true; });
  }
  void give_up_after(base::Duration time) override {
    asio::post(context_, [this, moment = Clock::now() + time] {
      limit_.expires_at(moment);
      limit_.async_wait([this](error_code error) {
        if (error) return;
        given_up_ = true;
        end("given up");
      });
    });
  }

 private:
  struct Connection {
    explicit Connection(beast::tcp_stream&& tcp) : stream(std::move(tcp)), socket(stream) {}
    [[nodiscard]] beast::tcp_stream& tcp() { return stream.next_layer(); }
    Stream stream;
    WebSocketStream socket;
  };

  [[nodiscard]] bool secure() const { return options_.url.scheme == "https" || options_.url.scheme == "wss"; }
  // Runs what is pending until `done`, or `moment`.
  template <class Done>
  void run(Done done, Clock::time_point moment = Clock::time_point::max()) {
    while (!done() && !given_up_ && Clock::now() < moment) context_.run_one_until(moment);
  }
  // One operation of the connection; true when it succeeded and the connection goes on.
  template <class Begin>
  bool perform(Begin begin);
  // One step of connecting, the same way.
  template <class Begin>
  error_code step(Begin begin);
  Connected fail(Outcome outcome, std::string message);
  void read();
  void look();
  void end(const std::string& why);
  void cut(const std::string& why);
  Stream::Ended ended(std::function<void(error_code)> then) { return {std::move(then), context_.get_executor()}; }

  const WebSocketClientOptions options_;
  Events& events_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer look_, limit_;
  std::optional<asio::ssl::context> tls_;
  bool woken_ = false, given_up_ = false;
  std::unique_ptr<Connection> connection_;
  std::string why_ = "it was not connected";
  // Of the connection.
  bool over_ = false, writing_ = false, closing_ = false;
  int pending_ = 0;  // operations whose handlers have not run
  std::optional<std::string> awaited_;
  Clock::time_point heard_;
  std::uint64_t acknowledged_ = 0;
};

template <class Begin>
error_code Client::step(Begin begin) {
  std::optional<error_code> result;
  ++pending_;
  begin(ended([&](error_code error) {
    --pending_;
    result = error;
  }));
  run([&] { return result.has_value(); });
  if (given_up_ && connection_) connection_->tcp().close();
  while (!result) context_.run_one();
  return given_up_ ? error_code(asio::error::operation_aborted) : *result;
}

template <class Begin>
bool Client::perform(Begin begin) {
  std::optional<error_code> result;
  ++pending_;
  begin(connection_->socket, ended([&](error_code error) {
          --pending_;
          result = error;
          writing_ = false;
          if (error) end(error.message());
        }));
  run([&] { return result.has_value(); });
  if (given_up_) end("given up");
  while (!result) context_.run_one();
  const bool good = !*result && !given_up_;
  if (over_ || closing_) cut(why_);
  return good;
}

WebSocketClient::Connected Client::fail(Outcome outcome, std::string message) {
  if (given_up_) outcome = Outcome::given_up;
  cut(message);
  return {outcome, std::move(message)};
}

WebSocketClient::Connected Client::connect(const Fields& fields) {
  cut("another was begun");
  if (given_up_) return {Outcome::given_up, "given up"};
  const auto& url = options_.url;
  std::optional<error_code> unresolved;
  Lookup::Addresses addresses;
  {
    const Lookup lookup(context_, url.host, std::to_string(url.port.value_or(secure() ? 443 : 80)),
                        [&](error_code error, Lookup::Addresses found) {
                          unresolved = error;
                          addresses = std::move(found);
                        });
    run([&] { return unresolved.has_value(); });
  }
  if (given_up_) return {Outcome::given_up, "given up"};
  if (*unresolved) return fail(Outcome::unreachable, unresolved->message());

  connection_ = std::make_unique<Connection>(beast::tcp_stream(context_));
  over_ = writing_ = closing_ = false;
  awaited_.reset();
  auto& tcp = connection_->tcp();
  tcp.expires_after(options_.connect_timeout);
  const auto refused = step([&](Stream::Ended done) {
    tcp.async_connect(addresses,
                      [done = std::move(done)](error_code error, const tcp::endpoint&) mutable { done(error); });
  });
  if (refused) return fail(Outcome::unreachable, refused.message());
  error_code ignored;
  tcp.socket().set_option(tcp::no_delay(true), ignored);
  tcp.socket().set_option(asio::socket_base::send_buffer_size(options_.send_buffer), ignored);
  if (secure()) {
    tcp.expires_after(options_.connect_timeout);
    const auto insecure =
        step([&](Stream::Ended done) { connection_->stream.connect_tls(*tls_, url.host, std::move(done)); });
    if (insecure) return fail(Outcome::insecure, insecure.message());
  }

  WebSocketStream::Handshake how{url.authority(), url.path.empty() ? "/" : url.path, options_.subprotocol,
                                 fields,          options_.connect_timeout,          options_.largest_message};
  if (!url.query.empty()) how.target += "?" + url.query;
  WebSocketStream::Answer answer;
  const auto declined = step([&](Stream::Ended done) { connection_->socket.handshake(how, answer, std::move(done)); });
  if (WebSocketStream::is_declined(declined)) {
    auto out = fail(Outcome::declined, declined.message());
    out.status = answer.status;
    return out;
  }
  if (declined) return fail(Outcome::unreachable, declined.message());
  if (answer.subprotocol != options_.subprotocol) return fail(Outcome::stranger, "the subprotocol is not selected");

  acknowledged_ = 0;
  heard_ = Clock::now();
  connection_->socket.on_pong([this](std::string_view payload) {
    if (awaited_ != payload) return;
    awaited_.reset();
    heard_ = Clock::now();
    events_.pong(payload);
  });
  read();
  look();
  return {};
}

void Client::read() {
  ++pending_;
  connection_->socket.read(ended([this](error_code error) {
    --pending_;
    const bool closed = WebSocketStream::is_closed(error);
    if (over_ || (closed && closing_)) return;
    if (closed) return end("it closed with " + std::to_string(connection_->socket.close_code()));
    if (error) return end(error.message());
    events_.message(connection_->socket.message(), connection_->socket.got_binary());
    read();
  }));
}

void Client::look() {
  ++pending_;
  look_.expires_after(options_.dead_after / 10);
  look_.async_wait([this](error_code) {
    --pending_;
    if (over_) return;
    const auto now = acknowledged(connection_->tcp().socket().native_handle());
    const bool moves = writing_ && now != acknowledged_;
    acknowledged_ = now;
    if (moves || (!writing_ && !awaited_)) heard_ = Clock::now();
    if (Clock::now() - heard_ >= options_.dead_after)
      return end("no sign of life for " + seconds_text(options_.dead_after));
    look();
  });
}

// What is pending ends with an error. From within a handler, too.
void Client::end(const std::string& why) {
  if (!connection_ || over_) return;
  over_ = true;
  why_ = why;
  connection_->tcp().close();
  look_.cancel();
}

// An operation without end there is none; should one hang all the same, the connection is left behind.
void Client::cut(const std::string& why) {
  end(why);
  const auto patience = Clock::now() + hanging_operation;
  while (pending_ > 0 && Clock::now() < patience) context_.run_one_until(patience);
  if (std::exchange(pending_, 0) > 0) static_cast<void>(connection_.release());
  connection_.reset();
}

}  // namespace

base::Result<std::unique_ptr<WebSocketClient>> WebSocketClient::make(WebSocketClientOptions options, Events& events) {
  auto client = std::make_unique<Client>(std::move(options), events);
  if (auto prepared = client->prepare(); !prepared) return tl::unexpected(prepared.error());
  return client;
}

}  // namespace sockeye::net
