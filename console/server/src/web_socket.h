// One accepted WebSocket: reads on its coroutine, writes one message after another from a queue. All on one strand.
#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "http.h"
#include "sockeye/live/stream.h"

namespace sockeye::console {

using live::Stream;

class WebSocket final : public Channel, public std::enable_shared_from_this<WebSocket> {
 public:
  explicit WebSocket(Stream& stream) : socket_(stream), executor_(stream.get_executor()), released_(executor_) {}

  // Returns when the connection is over. `stream` outlives it: the last handler has run by then, or finds `over_`.
  boost::asio::awaitable<void> converse(const boost::beast::http::request<boost::beast::http::string_body>& request,
                                        Accepted accepted) {
    namespace websocket = boost::beast::websocket;
    constexpr auto nothrow = boost::asio::as_tuple(boost::asio::use_awaitable);
    boost::beast::get_lowest_layer(socket_).expires_never();  // the WebSocket's own timeouts take over
    auto timeouts = websocket::stream_base::timeout::suggested(boost::beast::role_type::server);
    timeouts.idle_timeout = std::chrono::seconds(60);  // pings at half of it
    timeouts.keep_alive_pings = true;
    socket_.set_option(timeouts);
    websocket::permessage_deflate deflate;
    deflate.server_enable = true;
    deflate.server_no_context_takeover = true;  // no window kept for each open page
    deflate.compLevel = 1;
    socket_.set_option(deflate);
    socket_.read_message_max(accepted.largest_message);
    socket_.set_option(websocket::stream_base::decorator([&](websocket::response_type& response) {
      response.set(boost::beast::http::field::server, "sockeye");
      if (!accepted.subprotocol.empty())
        response.set(boost::beast::http::field::sec_websocket_protocol, accepted.subprotocol);
    }));
    auto [failed] = co_await socket_.async_accept(request, nothrow);
    if (!failed) {
      open_ = true;
      accepted.conversation->opened(shared_from_this());
      boost::beast::flat_buffer buffer;
      for (;;) {
        auto [error, n] = co_await socket_.async_read(buffer, nothrow);
        if (error == websocket::error::closed) accepted.conversation->closed(socket_.reason().code);
        if (error) break;
        const std::string_view text(static_cast<const char*>(buffer.data().data()), n);
        accepted.conversation->message(text, socket_.got_binary());
        buffer.consume(n);
        while (held_ > 0 && boost::beast::get_lowest_layer(socket_).socket().is_open()) {
          released_.expires_after(std::chrono::milliseconds(250));  // for who closes the socket meanwhile
          co_await released_.async_wait(nothrow);
        }
      }
    }
    open_ = false;
    accepted.conversation.reset();
    // A write may still be under way: its handler touches the stream. Closing ends it with an error.
    boost::beast::get_lowest_layer(socket_).close();
    while (writing_) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  }

  void send(std::string message, bool binary) override {
    queued_ += message.size();
    boost::asio::post(executor_, [self = shared_from_this(), message = std::move(message), binary]() mutable {
      if (!self->open_) return;
      self->outgoing_.emplace_back(std::move(message), binary);
      self->write();
    });
  }
  void close(std::uint16_t code, std::string reason) override {
    boost::asio::post(executor_, [self = shared_from_this(), code, reason = std::move(reason)]() mutable {
      if (!self->open_ || self->closing_) return;
      self->closing_ = true;
      self->close_.code = code;
      self->close_.reason.assign(reason.data(), reason.size());
      self->write();
    });
  }
  void hold() override { ++held_; }
  void release() override {
    boost::asio::post(executor_, [self = shared_from_this()] {
      if (--self->held_ == 0) self->released_.cancel();
    });
  }
  [[nodiscard]] std::size_t queued() const override { return queued_; }

 private:
  void write() {
    if (writing_ || !open_) return;
    if (!outgoing_.empty()) {
      writing_ = true;
      socket_.binary(outgoing_.front().second);
      socket_.async_write(boost::asio::buffer(outgoing_.front().first),
                          [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                            self->writing_ = false;
                            self->queued_ -= self->outgoing_.front().first.size();
                            self->outgoing_.pop_front();
                            if (!error) self->write();
                          });
    } else if (closing_) {
      writing_ = true;
      socket_.async_close(close_, [self = shared_from_this()](boost::system::error_code) { self->writing_ = false; });
    }
  }

  boost::beast::websocket::stream<Stream&> socket_;
  Stream::executor_type executor_;
  boost::asio::steady_timer released_;
  unsigned held_ = 0;
  std::deque<std::pair<std::string, bool>> outgoing_;
  std::atomic<std::size_t> queued_{0};
  boost::beast::websocket::close_reason close_;
  bool open_ = false, writing_ = false, closing_ = false;
};

}  // namespace sockeye::console
