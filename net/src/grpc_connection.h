// One connection of a gRPC server: a GrpcSession on a socket. Reads while nothing waits to be written, so that who does
// not read what it is told is not read either; its deadlines are looked at once a second while it has calls.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control.h"
#include "counters.h"
#include "grpc_session.h"
#include "sockeye/net/http_server.h"

namespace sockeye::net {

// All arguments outlive it.
class GrpcConnection final : GrpcSession::Owner {
 public:
  GrpcConnection(Stream& stream, const boost::asio::ip::tcp::endpoint& peer, const ServerOptions& options,
                 const GrpcSite& site, Control& control, const std::atomic<bool>& stopping, Counters& counters);

  boost::asio::awaitable<void> run();

 private:
  using Clock = std::chrono::steady_clock;
  // Answers may come when the connection is gone: they find nobody. The strand's.
  struct Anchor {
    GrpcConnection* connection;
  };

  boost::asio::awaitable<void> converse();
  boost::asio::awaitable<bool> written();
  void take(std::int32_t stream, GrpcCall&& call) override;
  void let_in() override;
  void answered(std::int32_t stream, GrpcAnswer answer);
  void settle();
  void write();
  void look_later();
  void look();
  [[nodiscard]] Clock::time_point deadline() const;

  Stream& stream_;
  boost::beast::tcp_stream& socket_;
  Request peer_;
  const ServerOptions& options_;
  const GrpcSite& site_;
  Control& control_;
  const std::atomic<bool>& stopping_;
  Counters& counters_;
  std::shared_ptr<Anchor> anchor_;
  boost::asio::steady_timer timer_, drained_;
  std::optional<GrpcSession> session_;  // from the first byte on
  std::vector<char> buffer_;
  std::string out_;
  Clock::time_point since_;  // connected, or quiet
  Clock::time_point writing_since_;
  bool writing_ = false, let_in_ = false, ending_ = false, working_ = false;
};

}  // namespace sockeye::net
