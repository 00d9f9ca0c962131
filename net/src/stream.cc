#include "stream.h"

#include <algorithm>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>

namespace sockeye::net {

namespace asio = boost::asio;
using boost::system::error_code;

// Shows what was moved, and hands the completion on.
template <class Buffer>
struct Stream::Pass {
  using executor_type = Moved::executor_type;
  [[nodiscard]] executor_type get_executor() const noexcept { return done.get_executor(); }

  void operator()(error_code error, std::size_t n) {
    if (stream->observer_) show(n);
    done(error, n);
  }
  void show(std::size_t n) {
    constexpr bool read = std::is_same_v<Buffer, asio::mutable_buffer>;
    for (const auto& buffer : buffers) {
      const std::size_t size = std::min(buffer.size(), n);
      if (size > 0) stream->observer_->moved(read, {static_cast<const base::Byte*>(buffer.data()), size});
      n -= size;
    }
  }

  Stream* stream;
  Few<Buffer> buffers;
  Moved done;
};

Stream::Stream(next_layer_type&& tcp) : tcp_(std::move(tcp)) {}
Stream::~Stream() = default;

void Stream::secure(asio::ssl::context& context, const std::string* host, Ended ended) {
  tls_ = std::make_unique<Tls>(tcp_, context);
  if (host == nullptr) return tls_->async_handshake(asio::ssl::stream_base::server, std::move(ended));
  error_code no_address;
  asio::ip::make_address(*host, no_address);
  // Spelled out: OpenSSL's macro casts in the old style.
  if (no_address)
    SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host->c_str()));
  tls_->async_handshake(asio::ssl::stream_base::client, std::move(ended));
}

void Stream::observe(std::unique_ptr<ByteObserver> observer) { observer_ = std::move(observer); }

void Stream::move(const Few<asio::mutable_buffer>& to, Moved done) {
  Pass<asio::mutable_buffer> pass{this, to, std::move(done)};
  if (tls_)
    tls_->async_read_some(to, std::move(pass));
  else
    tcp_.async_read_some(to, std::move(pass));
}

void Stream::move(const Few<asio::const_buffer>& from, Moved done) {
  Pass<asio::const_buffer> pass{this, from, std::move(done)};
  if (tls_)
    tls_->async_write_some(from, std::move(pass));
  else
    tcp_.async_write_some(from, std::move(pass));
}

void Stream::tear_down(boost::beast::role_type role, error_code& error) {
  using boost::beast::websocket::teardown;
  teardown(role, tcp_, error);
}

void Stream::tear_down(boost::beast::role_type role, Ended ended) {
  using boost::beast::websocket::async_teardown;  // the overloads for these streams are found beside it
  if (tls_)
    async_teardown(role, *tls_, std::move(ended));
  else
    async_teardown(role, tcp_, std::move(ended));
}

}  // namespace sockeye::net
