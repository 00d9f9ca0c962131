// A console of the real protocol on a real port: keeps every report, and fails as a test tells it.
#pragma once

#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sockeye/live/messages.h"
#include "sockeye/live/stream.h"

namespace sockeye::live::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds within = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

class Console {
 public:
  struct Options {
    std::uint16_t port = 0;
    std::string token;    // "" = anybody
    bool speaks = true;   // selects the subprotocol
    bool silent = false;  // takes the upgrade, then reads nothing until read_on()
    asio::ssl::context* tls = nullptr;
  };
  // What came over one connection.
  struct Conversation {
    std::string target, agent;
    std::vector<Report> reports;
    std::uint64_t bytes = 0;
    std::optional<std::uint16_t> closed;  // the code of its Close
    bool ended = false;
  };

  explicit Console(Options options) : options_(std::move(options)), acceptor_(context_), hold_(context_) {
    const tcp::endpoint where(asio::ip::address_v4::loopback(), options_.port);
    acceptor_.open(where.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(where);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    hold_.expires_at(std::chrono::steady_clock::time_point::max());
    if (!options_.silent) hold_.expires_at(std::chrono::steady_clock::now());
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  Console() : Console(Options{}) {}
  // As a process that is killed: every connection is cut.
  ~Console() {
    context_.stop();
    thread_.join();
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
  }
  [[nodiscard]] std::vector<Conversation> conversations() const {
    const std::lock_guard lock(mutex_);
    return {conversations_.begin(), conversations_.end()};
  }
  // Everything told over every connection, as one.
  [[nodiscard]] Report told() const {
    Report out;
    const auto join = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    for (const auto& each : conversations()) {
      for (const auto& report : each.reports) {
        if (report.hello) out.hello = report.hello;
        join(out.opened, report.opened);
        join(out.changed, report.changed);
        join(out.ended, report.ended);
        join(out.details, report.details);
        out.summaries = report.summaries;
        out.all_told = out.all_told || report.all_told;
      }
    }
    return out;
  }
  void send(std::string bytes) {
    asio::post(context_, [this, bytes = std::move(bytes)]() mutable { outgoing_ = std::move(bytes); });
  }
  void read_on() {
    asio::post(context_, [this] { hold_.expires_at(std::chrono::steady_clock::now()); });
  }

 private:
  using Socket = websocket::stream<Stream, false>;
  static constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

  asio::awaitable<void> accept() {
    for (;;) {
      auto [failed, socket] = co_await acceptor_.async_accept(nothrow);
      if (failed) co_return;
      asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    if (options_.silent) socket.set_option(asio::socket_base::receive_buffer_size(64 * 1024));
    Socket stream(beast::tcp_stream(std::move(socket)));
    if (options_.tls != nullptr)
      if (const auto [failed] = co_await stream.next_layer().accept_tls(*options_.tls, nothrow); failed) co_return;
    co_await talk(stream);
  }

  asio::awaitable<void> talk(Socket& stream) {
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    if (const auto [failed, size] = co_await http::async_read(stream.next_layer(), buffer, request, nothrow); failed)
      co_return;
    if (!options_.token.empty() && request[http::field::authorization] != "Bearer " + options_.token) {
      http::response<http::string_body> refusal(http::status::unauthorized, 11);
      refusal.prepare_payload();
      co_await http::async_write(stream.next_layer(), refusal, nothrow);
      co_return;
    }
    const std::string offered(request[http::field::sec_websocket_protocol]);
    stream.set_option(websocket::stream_base::decorator([&](websocket::response_type& response) {
      if (options_.speaks) response.set(http::field::sec_websocket_protocol, offered);
    }));
    if (const auto [failed] = co_await stream.async_accept(request, nothrow); failed) co_return;
    Conversation* here = nullptr;
    {
      const std::lock_guard lock(mutex_);
      here = &conversations_.emplace_back();
      here->target = std::string(request.target());
      here->agent = std::string(request[http::field::user_agent]);
    }
    stream.binary(true);
    stream.read_message_max(largest_message);
    for (buffer.clear();; buffer.clear()) {
      co_await hold_.async_wait(nothrow);
      if (hold_.expiry() > std::chrono::steady_clock::now()) continue;
      const auto [failed, size] = co_await stream.async_read(buffer, nothrow);
      const std::lock_guard lock(mutex_);
      if (failed) {
        if (failed == websocket::error::closed) here->closed = stream.reason().code;
        here->ended = true;
        co_return;
      }
      auto report = decode_report({static_cast<const base::Byte*>(buffer.cdata().data()), buffer.cdata().size()});
      here->bytes += size;
      if (report) here->reports.push_back(*std::move(report));
      if (outgoing_) asio::co_spawn(context_, write(stream), asio::detached);
    }
  }

  asio::awaitable<void> write(Socket& stream) {
    const std::string bytes = *std::exchange(outgoing_, std::nullopt);
    co_await stream.async_write(asio::buffer(bytes), nothrow);
  }

  Options options_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer hold_;
  std::uint16_t port_ = 0;
  std::optional<std::string> outgoing_;
  mutable std::mutex mutex_;
  std::list<Conversation> conversations_;
  std::thread thread_;
};

}  // namespace sockeye::live::test
