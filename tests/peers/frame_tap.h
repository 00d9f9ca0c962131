// A stream that passes everything through to the one below and counts, by their frame headers, the data frames that
// pass: what permessage-deflate makes of a message shows only here, and so does a message the library throws away.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/async_base.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace load {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::error_code;

// One direction of a connection: an HTTP head, then frames, cut anywhere.
class FrameCount {
 public:
  [[nodiscard]] std::uint64_t payload() const { return payload_; }    // bytes of data frames
  [[nodiscard]] std::uint64_t messages() const { return messages_; }  // data frames with FIN

  void push(const unsigned char* bytes, std::size_t size) {
    while (size > 0) {
      if (skip_ > 0) {
        const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, size));
        skip_ -= part;
        bytes += part;
        size -= part;
        continue;
      }
      const unsigned char byte = *bytes++;
      --size;
      if (head_matched_ < 4) {
        if (byte == (head_matched_ % 2 == 0 ? '\r' : '\n'))
          ++head_matched_;
        else
          head_matched_ = byte == '\r';
        continue;
      }
      header_[have_++] = byte;
      if (have_ == header_size()) end_header();
    }
  }

 private:
  // RFC 6455 section 5.2, up to the masking key.
  [[nodiscard]] unsigned header_size() const {
    if (have_ < 2) return 2;
    const unsigned length = header_[1] & 0x7fU;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
  }
  void end_header() {
    std::uint64_t length = header_[1] & 0x7fU;
    if (have_ > 2) {
      length = 0;
      for (unsigned i = 2; i < have_; ++i) length = length << 8U | header_[i];
    }
    if ((header_[0] & 0x0fU) < 8) {
      payload_ += length;
      messages_ += header_[0] >> 7U;
    }
    skip_ = length + ((header_[1] & 0x80U) != 0 ? 4 : 0);
    have_ = 0;
  }

  std::uint64_t payload_ = 0, messages_ = 0, skip_ = 0;
  unsigned head_matched_ = 0, have_ = 0;
  unsigned char header_[10] = {};
};

// TCP, or TLS on it, for use under beast::websocket::stream. What is written gathers until the next read or flush(),
// and a read takes every TLS record that is there: a system call and a record a message would be most of the work.
// Lives as long as its io_context runs.
class Tap {
 public:
  using next_layer_type = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
  using executor_type = next_layer_type::executor_type;

  explicit Tap(asio::io_context& context) : socket_(context) {}

  next_layer_type& next_layer() { return socket_; }
  const next_layer_type& next_layer() const { return socket_; }
  executor_type get_executor() { return socket_.get_executor(); }
  [[nodiscard]] const FrameCount& sent() const { return sent_; }
  [[nodiscard]] const FrameCount& received() const { return received_; }

  // Once the socket is connected; without a context there is no TLS. Calls next(error).
  template <class Next>
  void start(SSL_CTX* context, bool server, Next next) {
    socket_.set_option(asio::ip::tcp::no_delay(true));
    socket_.native_non_blocking(true);
    if (context == nullptr) return next(error_code{});
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    SSL_set_read_ahead(ssl_.get(), 1);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (server)
      SSL_set_accept_state(ssl_.get());
    else
      SSL_set_connect_state(ssl_.get());
    handshake(std::move(next));
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    flush();
    Read<std::decay_t<Handler>>(*this, *asio::buffer_sequence_begin(buffers), std::forward<Handler>(handler));
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    const std::size_t before = gathered_.size(), size = asio::buffer_size(buffers);
    gathered_.resize(before + size);
    asio::buffer_copy(asio::buffer(gathered_) + before, buffers);
    sent_.push(gathered_.data() + before, size);
    asio::post(get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_, size));
  }

  void flush() {
    if (waiting_) return;
    while (!error_ && written_ < gathered_.size()) {
      const auto done = transfer(
          [&](SSL* ssl, int fd) {
            const unsigned char* from = gathered_.data() + written_;
            const std::size_t size = gathered_.size() - written_;
            return ssl != nullptr ? SSL_write(ssl, from, static_cast<int>(size)) : ::send(fd, from, size, MSG_NOSIGNAL);
          },
          error_);
      if (error_ == asio::error::would_block) {
        error_ = {};
        waiting_ = true;
        return socket_.async_wait(next_layer_type::wait_write, [this](error_code error) {
          waiting_ = false;
          error_ = error;
          flush();
        });
      }
      written_ += done;
    }
    gathered_.clear();
    written_ = 0;
    if (idle_) std::exchange(idle_, nullptr)();
  }

  template <class Handler>
  friend void async_teardown(beast::role_type role, Tap& tap, Handler&& handler) {
    auto held = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    tap.idle_ = [&tap, role, held] {
      if (tap.ssl_) SSL_shutdown(tap.ssl_.get());
      beast::websocket::async_teardown(role, tap.socket_, std::move(*held));
    };
    tap.flush();
  }

 private:
  // Keeps the executor and the allocator that the handler asks for.
  template <class Handler>
  class Read : public beast::async_base<Handler, executor_type> {
   public:
    template <class Given>
    Read(Tap& tap, asio::mutable_buffer into, Given&& handler)
        : beast::async_base<Handler, executor_type>(std::forward<Given>(handler), tap.get_executor()),
          tap_(tap),
          into_(into) {
      // What TLS has taken from the socket already, the kernel will not tell of.
      if (tap.ssl_ && SSL_has_pending(tap.ssl_.get()) == 1)
        take(false);
      else
        wait();
    }
    void operator()(error_code error) {
      if (error) return this->complete_now(error, std::size_t{0});
      take(true);
    }

   private:
    void wait() { tap_.socket_.async_wait(next_layer_type::wait_read, std::move(*this)); }
    void take(bool continuation) {
      error_code error;
      const std::size_t size = tap_.read(into_, error);
      if (error == asio::error::would_block) return wait();
      this->complete(continuation, error, size);
    }

    Tap& tap_;
    asio::mutable_buffer into_;
  };

  std::size_t read(asio::mutable_buffer into, error_code& error) {
    auto* const bytes = static_cast<unsigned char*>(into.data());
    std::size_t size = 0;
    do {
      size += transfer(
          [&](SSL* ssl, int fd) {
            const std::size_t room = into.size() - size;
            return ssl != nullptr ? SSL_read(ssl, bytes + size, static_cast<int>(room))
                                  : ::recv(fd, bytes + size, room, 0);
          },
          error);
    } while (!error && size < into.size() && ssl_ && SSL_has_pending(ssl_.get()) == 1);
    if (size > 0) error = {};  // it comes again
    received_.push(bytes, size);
    return size;
  }

  // What `work` moved, or 0 and why.
  template <class Work>
  std::size_t transfer(Work work, error_code& error) {
    if (ssl_) ERR_clear_error();
    const auto done = work(ssl_.get(), socket_.native_handle());
    if (done > 0) return static_cast<std::size_t>(done);
    const int failed = ssl_ ? SSL_get_error(ssl_.get(), static_cast<int>(done)) : SSL_ERROR_SYSCALL;
    if (failed == SSL_ERROR_WANT_READ || failed == SSL_ERROR_WANT_WRITE || (done < 0 && !ssl_ && errno == EAGAIN))
      error = asio::error::would_block;
    else if (failed == SSL_ERROR_ZERO_RETURN || done == 0)
      error = asio::error::eof;
    else if (failed == SSL_ERROR_SSL)
      error = error_code(static_cast<int>(ERR_get_error()), asio::error::get_ssl_category());
    else
      error = error_code(errno, asio::error::get_system_category());
    return 0;
  }

  template <class Next>
  void handshake(Next next) {
    error_code error;
    transfer([](SSL* ssl, int) { return static_cast<ssize_t>(SSL_do_handshake(ssl)); }, error);
    if (error != asio::error::would_block) return next(error);
    const auto what = SSL_want_write(ssl_.get()) ? next_layer_type::wait_write : next_layer_type::wait_read;
    socket_.async_wait(what, [this, next = std::move(next)](error_code failed) mutable {
      if (failed) return next(failed);
      handshake(std::move(next));
    });
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  next_layer_type socket_;
  std::unique_ptr<SSL, Free> ssl_;
  std::vector<unsigned char> gathered_;
  std::size_t written_ = 0;  // of gathered_
  bool waiting_ = false;     // until the socket takes more
  error_code error_;
  std::function<void()> idle_;  // once all is written
  FrameCount sent_, received_;
};

}  // namespace load
