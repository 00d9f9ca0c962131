// A connection's bytes, with TLS or without, shown to a Watcher on their way: how the console observes its own
// WebSockets. One type for both, so that what is built on it (HTTP, WebSocket) is compiled once.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "sockeye/console/console.h"

namespace sockeye::console {

class Stream {
 public:
  using next_layer_type = boost::beast::tcp_stream;
  using executor_type = next_layer_type::executor_type;
  using Tls = boost::asio::ssl::stream<next_layer_type&>;

  explicit Stream(boost::beast::tcp_stream&& tcp) : tcp_(std::move(tcp)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  next_layer_type& next_layer() { return tcp_; }
  const next_layer_type& next_layer() const { return tcp_; }
  executor_type get_executor() { return tcp_.get_executor(); }
  // Before the first byte; the handshake is the caller's.
  Tls& secure(boost::asio::ssl::context& context) { return tls_.emplace(tcp_, context); }
  [[nodiscard]] bool is_secure() const { return tls_.has_value(); }
  void watch(std::unique_ptr<Watcher> watcher) { watcher_ = std::move(watcher); }

  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return boost::asio::async_compose<std::remove_reference_t<Handler>, void(boost::system::error_code, std::size_t)>(
        Pass<true, Buffers>{this, buffers}, handler, tcp_);
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return boost::asio::async_compose<std::remove_reference_t<Handler>, void(boost::system::error_code, std::size_t)>(
        Pass<false, Buffers>{this, buffers}, handler, tcp_);
  }

  friend void teardown(boost::beast::role_type role, Stream& stream, boost::system::error_code& error) {
    using boost::beast::websocket::teardown;
    teardown(role, stream.tcp_, error);
  }
  template <class Handler>
  friend void async_teardown(boost::beast::role_type role, Stream& stream, Handler&& handler) {
    using boost::beast::websocket::async_teardown;
    if (stream.tls_)
      async_teardown(role, *stream.tls_, std::forward<Handler>(handler));
    else
      async_teardown(role, stream.tcp_, std::forward<Handler>(handler));
  }

 private:
  // A named operation: a lambda here would repeat the handler's whole type in its own name, and symbols grow without
  // end.
  template <bool by_client, class Buffers>
  struct Pass {
    Stream* stream;
    Buffers buffers;
    bool started = false;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
      if (!started) {
        started = true;
        if constexpr (by_client) {
          if (stream->tls_)
            stream->tls_->async_read_some(buffers, std::move(self));
          else
            stream->tcp_.async_read_some(buffers, std::move(self));
        } else {
          if (stream->tls_)
            stream->tls_->async_write_some(buffers, std::move(self));
          else
            stream->tcp_.async_write_some(buffers, std::move(self));
        }
        return;
      }
      if (stream->watcher_) stream->show(by_client, buffers, n);
      self.complete(error, n);
    }
  };

  template <class Buffers>
  void show(bool by_client, const Buffers& buffers, std::size_t n) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && n > 0; ++at) {
      const boost::asio::const_buffer part(*at);
      const std::size_t size = std::min(part.size(), n);
      if (size > 0) watcher_->sent(by_client, {static_cast<const base::Byte*>(part.data()), size});
      n -= size;
    }
  }

  boost::beast::tcp_stream tcp_;
  std::optional<Tls> tls_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace sockeye::console
