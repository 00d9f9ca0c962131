#include "grpc_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace sockeye::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t shy_read = 2048, full_read = 16 << 10;  // before and after a call was let in
constexpr auto look_every = std::chrono::seconds(1);
constexpr auto flush_time = std::chrono::seconds(2);  // for a GOAWAY

}  // namespace

GrpcConnection::GrpcConnection(Stream& stream, const tcp::endpoint& peer, const ServerOptions& options,
                               const GrpcSite& site, Control& control, const std::atomic<bool>& stopping,
                               Counters& counters)
    : stream_(stream),
      socket_(stream.next_layer()),
      options_(options),
      site_(site),
      control_(control),
      stopping_(stopping),
      counters_(counters),
      anchor_(std::make_shared<Anchor>(Anchor{this})),
      timer_(stream.get_executor()),
      drained_(stream.get_executor()),
      buffer_(shy_read),
      since_(Clock::now()) {
  peer_.client_address = peer.address().to_string();
  peer_.client_port = peer.port();
  peer_.tls = stream.is_secure();
}

asio::awaitable<void> GrpcConnection::run() {
  socket_.expires_never();  // the deadlines are deadline()'s
  look();
  co_await converse();
  if (session_) {
    counters_.misbehaved += session_->misbehaved() ? 1U : 0U;
    counters_.slow += session_->slow_bodies();
  }
  anchor_->connection = nullptr;
  timer_.cancel();
  // A write may still be under way: its handler touches the stream. Closing ends it with an error.
  if (!writing_) {
    error_code ignored;
    socket_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  }
  socket_.close();
  while (writing_) co_await asio::post(stream_.get_executor(), asio::use_awaitable);
}

asio::awaitable<void> GrpcConnection::converse() {
  for (bool more = true; more;) {
    const bool free = co_await written();
    if (!free) co_return;
    if (let_in_ && buffer_.size() < full_read) buffer_.resize(full_read);
    const auto [error, n] = co_await stream_.async_read_some(asio::buffer(buffer_), nothrow);
    if (error) co_return;
    if (!session_) session_.emplace(site_, peer_, static_cast<GrpcSession::Owner&>(*this), Clock::now());
    more = session_->receive({buffer_.data(), n}, Clock::now());
    settle();
    more = more && !ending_;
  }
  // What is said last is written after what is being written.
  ending_ = true;
  since_ = Clock::now();
  look_later();
  const bool said = co_await written();
  if (!said) co_return;
  write();
  co_await written();
}

// True: nothing is being written any more, and the connection is there.
asio::awaitable<bool> GrpcConnection::written() {
  while (writing_ && socket_.socket().is_open()) {
    drained_.expires_after(look_every);
    co_await drained_.async_wait(nothrow);
  }
  co_return socket_.socket().is_open();
}

void GrpcConnection::take(std::int32_t stream, GrpcCall&& call) {
  site_.handle(std::move(call), [anchor = anchor_, executor = stream_.get_executor(), stream](GrpcAnswer answer) {
    asio::post(executor, [anchor, stream, answer = std::move(answer)]() mutable {
      if (anchor->connection != nullptr) anchor->connection->answered(stream, std::move(answer));
    });
  });
}

void GrpcConnection::let_in() {
  let_in_ = true;
  control_.let_in();
}

void GrpcConnection::answered(std::int32_t stream, GrpcAnswer answer) {
  session_->answer(stream, std::move(answer), Clock::now());
  settle();
}

// After whatever changed the session: says what there is to say, and what this connection is at.
void GrpcConnection::settle() {
  if (stopping_) session_->leave();
  write();
  const bool works = session_->streams() > 0 || writing_;
  if (works != working_) {
    working_ = works;
    if (let_in_) since_ = Clock::now();
    if (works)
      control_.works();
    else
      control_.waits();
    look_later();
  }
  if (session_->over() && !writing_) socket_.close();
}

void GrpcConnection::write() {
  if (writing_ || !session_) return;
  session_->output(out_);
  if (out_.empty()) return;
  writing_ = true;
  writing_since_ = Clock::now();
  asio::async_write(stream_, asio::buffer(out_),
                    Stream::Moved(
                        [this](error_code error, std::size_t) {
                          writing_ = false;
                          drained_.cancel();
                          if (error) return socket_.close();
                          if (anchor_->connection != nullptr && !ending_) settle();
                        },
                        stream_.get_executor()));
}

GrpcConnection::Clock::time_point GrpcConnection::deadline() const {
  const auto patience = ending_ ? flush_time : let_in_ ? options_.idle_timeout : options_.head_timeout;
  auto out = working_ && let_in_ && !ending_ ? Clock::time_point::max() : since_ + patience;
  if (writing_) out = std::min(out, writing_since_ + options_.write_timeout);
  return out;
}

void GrpcConnection::look_later() {
  const auto now = Clock::now();
  const bool often = working_ || writing_ || ending_;
  timer_.expires_at(often ? now + look_every : std::max(now, deadline()));
  timer_.async_wait([anchor = anchor_](error_code error) {
    if (!error && anchor->connection != nullptr) anchor->connection->look();
  });
}

void GrpcConnection::look() {
  const auto now = Clock::now();
  if (now >= deadline()) return socket_.close();
  if (session_ && !ending_) {
    const bool more = session_->tick(now);
    settle();
    if (!more) return socket_.close();
  }
  look_later();
}

}  // namespace sockeye::net
