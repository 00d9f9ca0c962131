// How a connection is ended from outside, and what it is at, for who must choose one.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "conversing.h"

namespace sockeye::net {

class Control {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Control(boost::beast::tcp_stream& socket) : socket_(socket) { waits(); }
  ~Control() { state_->over = true; }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // From any thread, while the connection is known not to be over. Not `hard`, it may end what it is at.
  void close(bool hard, const std::string& reason = {}) {
    std::shared_ptr<Conversing> talking;
    {
      const std::lock_guard lock(mutex_);
      talking = conversing_.lock();
    }
    if (talking && !hard) return talking->close(going_away, reason);
    boost::asio::post(socket_.get_executor(), [&socket = socket_, state = state_, hard] {
      if (!state->over && (hard || state->waiting)) socket.close();
    });
  }
  [[nodiscard]] bool waiting() const { return state_->waiting; }
  // Of those that may make room for another, who goes first: whoever waits and was never let in, whoever waits, whoever
  // is answered, and at last a WebSocket.
  [[nodiscard]] int rank() const {
    if (state_->talks) return 3;
    return state_->waiting ? (state_->let_in ? 1 : 0) : 2;
  }
  [[nodiscard]] Clock::time_point since() const { return Clock::time_point(Clock::duration(state_->since)); }

  // The connection's own, on its strand: for a request, or for nothing any more, so that it may be closed at any time;
  // then answers one; then talks instead.
  void waits() { become(true); }
  void works() { become(false); }
  void let_in() { state_->let_in = true; }  // the site has taken a request of it
  void talks(std::weak_ptr<Conversing> conversing) {
    state_->talks = true;
    const std::lock_guard lock(mutex_);
    conversing_ = std::move(conversing);
  }

 private:
  static constexpr std::uint16_t going_away = 1001;  // RFC 6455 §7.4.1
  // Outlives the connection in closings that were posted too late.
  struct State {
    bool over = false;  // on the strand
    std::atomic<bool> waiting{true}, let_in{false}, talks{false};
    std::atomic<Clock::rep> since{0};
  };
  void become(bool waiting) {
    state_->since = Clock::now().time_since_epoch().count();
    state_->waiting = waiting;
  }

  boost::beast::tcp_stream& socket_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::mutex mutex_;
  std::weak_ptr<Conversing> conversing_;  // under mutex_
};

}  // namespace sockeye::net
