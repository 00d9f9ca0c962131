// A stream that shows a Watcher what passes through it: how the console observes its own WebSockets.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "sockeye/console/console.h"

namespace sockeye::console {

template <class Next>
class Watched {
 public:
  using next_layer_type = Next;
  using executor_type = typename Next::executor_type;

  template <class... Arguments>
  explicit Watched(Arguments&&... arguments) : next_(std::forward<Arguments>(arguments)...) {}

  Next& next_layer() { return next_; }
  const Next& next_layer() const { return next_; }
  executor_type get_executor() { return next_.get_executor(); }
  void watch(std::unique_ptr<Watcher> watcher) { watcher_ = std::move(watcher); }
  [[nodiscard]] Watcher* watcher() const { return watcher_.get(); }

  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return boost::asio::async_compose<std::remove_reference_t<Handler>, void(boost::system::error_code, std::size_t)>(
        Pass<true, Buffers>{this, buffers}, handler, next_);
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return boost::asio::async_compose<std::remove_reference_t<Handler>, void(boost::system::error_code, std::size_t)>(
        Pass<false, Buffers>{this, buffers}, handler, next_);
  }

 private:
  // A named operation: a lambda here would repeat the handler's whole type in its own name, and symbols grow without
  // end.
  template <bool by_client, class Buffers>
  struct Pass {
    Watched* stream;
    Buffers buffers;
    bool started = false;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t n = 0) {
      if (!started) {
        started = true;
        if constexpr (by_client)
          stream->next_.async_read_some(buffers, std::move(self));
        else
          stream->next_.async_write_some(buffers, std::move(self));
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

  Next next_;
  std::unique_ptr<Watcher> watcher_;
};

template <class Next>
void teardown(boost::beast::role_type role, Watched<Next>& stream, boost::system::error_code& error) {
  using boost::beast::websocket::teardown;
  teardown(role, stream.next_layer(), error);
}
template <class Next, class Handler>
void async_teardown(boost::beast::role_type role, Watched<Next>& stream, Handler&& handler) {
  using boost::beast::websocket::async_teardown;
  async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}

}  // namespace sockeye::console
