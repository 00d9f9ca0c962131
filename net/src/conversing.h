// One accepted WebSocket: reads on its coroutine, writes one message after another from a queue. All on one strand.
#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "web_socket_stream.h"

namespace sockeye::net {

// Errors of what a coroutine waits for come as values.
inline constexpr auto nothrow = boost::asio::as_tuple(boost::asio::use_awaitable);

class Conversing final : public Channel, public std::enable_shared_from_this<Conversing> {
 public:
  explicit Conversing(Stream& stream)
      : stream_(stream), executor_(stream.get_executor()), connected_(std::in_place, stream) {}

  // Returns when the connection is over. `stream` outlives that, and so do the threads; this may outlive them all.
  boost::asio::awaitable<void> run(const WebSocketStream::Request& request, const std::string& server,
                                   Accepted accepted);

  void send(std::string message, bool binary) override;
  void close(std::uint16_t code, std::string reason) override;
  void hold() override { ++held_; }
  void release() override;
  [[nodiscard]] std::size_t queued() const override { return queued_; }

 private:
  struct Connected {
    explicit Connected(Stream& stream) : socket(stream), released(stream.get_executor()) {}
    WebSocketStream socket;
    boost::asio::steady_timer released;
  };

  boost::asio::awaitable<void> talk(const WebSocketStream::Request& request, const std::string& server,
                                    Accepted accepted);
  boost::asio::awaitable<void> while_held();
  void write();
  template <class Action>
  void post(Action action);

  Stream& stream_;
  std::mutex mutex_;
  std::optional<Stream::executor_type> executor_;  // under mutex_; none once it is over
  std::atomic<std::size_t> queued_{0};
  // The strand's.
  std::optional<Connected> connected_;
  unsigned held_ = 0;
  std::deque<std::pair<std::string, bool>> outgoing_;
  std::uint16_t code_ = 0;
  std::string reason_;
  bool open_ = false, writing_ = false, closing_ = false;
};

}  // namespace sockeye::net
