// A connection's bytes, with TLS or without, on either end of it, shown to an observer on their way where there is one.
// One type for all of these, and completion handlers behind a virtual call: what is built on it (HTTP and WebSocket by
// Beast) is compiled once, and what is below it (sockets, TLS) not again for each operation above. For one strand at a
// time, like what it holds.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "sockeye/net/web_socket.h"

namespace sockeye::net {

// A completion handler of any type, with its executor. Moved, called once.
template <class... Arguments>
class Completion {
 public:
  using executor_type = boost::asio::any_io_executor;

  template <class Handler>
  Completion(Handler handler, const executor_type& otherwise)
      : executor_(boost::asio::get_associated_executor(handler, otherwise)),
        held_(std::make_unique<Held<Handler>>(std::move(handler))) {}
  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  void operator()(Arguments... arguments) { std::exchange(held_, nullptr)->call(arguments...); }

 private:
  struct Any {
    virtual ~Any() = default;
    virtual void call(Arguments... arguments) = 0;
  };
  template <class Handler>
  struct Held final : Any {
    explicit Held(Handler from) : handler(std::move(from)) {}
    void call(Arguments... arguments) override { std::move(handler)(arguments...); }
    Handler handler;
  };

  executor_type executor_;
  std::unique_ptr<Any> held_;
};

class Stream {
 public:
  using next_layer_type = boost::beast::tcp_stream;
  using executor_type = next_layer_type::executor_type;
  using Tls = boost::asio::ssl::stream<next_layer_type&>;
  using Moved = Completion<boost::system::error_code, std::size_t>;
  using Ended = Completion<boost::system::error_code>;

  explicit Stream(next_layer_type&& tcp);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  next_layer_type& next_layer() { return tcp_; }
  const next_layer_type& next_layer() const { return tcp_; }
  executor_type get_executor() { return tcp_.get_executor(); }
  // TLS as the server, or as the client of `host`: a name is sent (SNI), and the context says what is verified. Before
  // the first byte; what is read and written from the completion on is inside. The context must outlive the Stream.
  template <class Token>
  auto accept_tls(boost::asio::ssl::context& context, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(Secure{this, &context, nullptr}, token);
  }
  template <class Token>
  auto connect_tls(boost::asio::ssl::context& context, const std::string& host, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(Secure{this, &context, &host}, token);
  }
  [[nodiscard]] bool is_secure() const { return tls_ != nullptr; }
  // Sees what is read and written from now on, in the clear; null for nobody.
  void observe(std::unique_ptr<ByteObserver> observer);

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        Start{this}, token, few<boost::asio::mutable_buffer>(buffers));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        Start{this}, token, few<boost::asio::const_buffer>(buffers));
  }

  friend void teardown(boost::beast::role_type role, Stream& stream, boost::system::error_code& error) {
    stream.tear_down(role, error);
  }
  template <class Handler>
  friend void async_teardown(boost::beast::role_type role, Stream& stream, Handler&& handler) {
    stream.tear_down(role, Ended(std::decay_t<Handler>(std::forward<Handler>(handler)), stream.get_executor()));
  }

 private:
  // More than 16 at a time are not needed: these are the calls that may do a part.
  template <class Buffer>
  using Few = boost::container::static_vector<Buffer, 16>;
  template <class Buffer, class Buffers>
  static Few<Buffer> few(const Buffers& buffers) {
    Few<Buffer> out;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && out.size() < out.capacity(); ++at)
      out.emplace_back(*at);
    return out;
  }
  // Named: a lambda here would repeat the handler's whole type in its own name, and symbols grow without end.
  struct Start {
    Stream* stream;
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      stream->move(buffers, Moved(std::decay_t<Handler>(std::forward<Handler>(handler)), stream->get_executor()));
    }
  };
  struct Secure {
    Stream* stream;
    boost::asio::ssl::context* context;
    const std::string* host;  // null: as the server
    template <class Handler>
    void operator()(Handler&& handler) const {
      stream->secure(*context, host,
                     Ended(std::decay_t<Handler>(std::forward<Handler>(handler)), stream->get_executor()));
    }
  };
  template <class Buffer>
  struct Pass;

  void secure(boost::asio::ssl::context& context, const std::string* host, Ended ended);

  void move(const Few<boost::asio::mutable_buffer>& to, Moved done);  // reads
  void move(const Few<boost::asio::const_buffer>& from, Moved done);  // writes
  void tear_down(boost::beast::role_type role, boost::system::error_code& error);
  void tear_down(boost::beast::role_type role, Ended ended);

  next_layer_type tcp_;
  std::unique_ptr<Tls> tls_;
  std::unique_ptr<ByteObserver> observer_;
};

}  // namespace sockeye::net
