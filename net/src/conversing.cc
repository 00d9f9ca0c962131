#include "conversing.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sockeye::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto look_again = std::chrono::milliseconds(250);  // for who closes the socket while it is held

}  // namespace

asio::awaitable<void> Conversing::run(const WebSocketStream::Request& request, const std::string& server,
                                      Accepted accepted) {
  const auto keep_me = shared_from_this();
  co_await talk(request, server, std::move(accepted));
  // A write may still be under way: its handler touches the stream. Closing ends it with an error.
  stream_.next_layer().close();
  while (writing_) co_await asio::post(stream_.get_executor(), asio::use_awaitable);
  {
    const std::lock_guard lock(mutex_);
    executor_.reset();
  }
  connected_.reset();
}

asio::awaitable<void> Conversing::talk(const WebSocketStream::Request& request, const std::string& server,
                                       Accepted accepted) {
  auto& socket = connected_->socket;
  const WebSocketStream::Acceptance how{server, accepted.subprotocol, accepted.largest_message, accepted.deflate};
  auto [failed] = co_await socket.async_accept(request, how, nothrow);
  if (failed) co_return;
  open_ = true;
  accepted.conversation->opened(shared_from_this());
  for (;;) {
    co_await while_held();
    auto [error] = co_await socket.async_read(nothrow);
    if (WebSocketStream::is_closed(error)) accepted.conversation->closed(socket.close_code());
    if (error) break;
    accepted.conversation->message(socket.message(), socket.got_binary());
  }
  open_ = false;
}

asio::awaitable<void> Conversing::while_held() {
  while (held_ > 0 && stream_.next_layer().socket().is_open()) {
    connected_->released.expires_after(look_again);
    co_await connected_->released.async_wait(nothrow);
  }
}

// On the strand, unless it is over; what was posted before runs while the connection is closed.
template <class Action>
void Conversing::post(Action action) {
  const std::lock_guard lock(mutex_);
  if (!executor_) return;
  asio::post(*executor_, [self = shared_from_this(), action = std::move(action)]() mutable {
    if (self->connected_) action(*self);
  });
}

void Conversing::send(std::string message, bool binary) {
  queued_ += message.size();
  post([message = std::move(message), binary](Conversing& self) mutable {
    if (!self.open_) return;
    self.outgoing_.emplace_back(std::move(message), binary);
    self.write();
  });
}

void Conversing::close(std::uint16_t code, std::string reason) {
  post([code, reason = std::move(reason)](Conversing& self) mutable {
    if (!self.open_ || self.closing_) return;
    self.closing_ = true;
    self.code_ = code;
    self.reason_ = std::move(reason);
    self.write();
  });
}

void Conversing::release() {
  post([](Conversing& self) {
    if (--self.held_ == 0) self.connected_->released.cancel();
  });
}

void Conversing::write() {
  if (writing_ || !open_) return;
  auto& socket = connected_->socket;
  if (!outgoing_.empty()) {
    writing_ = true;
    const auto done = [self = shared_from_this()](error_code error) {
      self->writing_ = false;
      self->queued_ -= self->outgoing_.front().first.size();
      self->outgoing_.pop_front();
      if (!error) self->write();
    };
    socket.write(outgoing_.front().first, outgoing_.front().second, Stream::Ended(done, stream_.get_executor()));
  } else if (closing_) {
    writing_ = true;
    const auto done = [self = shared_from_this()](error_code) { self->writing_ = false; };
    socket.close(code_, reason_, Stream::Ended(done, stream_.get_executor()));
  }
}

}  // namespace sockeye::net
