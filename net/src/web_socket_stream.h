// A WebSocket by Beast over a Stream, either end of it, behind calls that are no templates: Beast's WebSocket is the
// most expensive thing that is compiled here, and it is compiled once, in web_socket_stream.cc. For one strand, one
// read, one write, one ping and one close at a time. The Stream outlives it.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sockeye/net/http.h"
#include "stream.h"

namespace sockeye::net {

class WebSocketStream {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  struct Acceptance {
    std::string server;       // for the field of that name; "" = none
    std::string subprotocol;  // "" = none
    std::size_t largest_message = 0;
    bool deflate = true;
  };
  struct Handshake {
    std::string authority, target, subprotocol;
    Fields fields;
    std::chrono::nanoseconds timeout{};
    std::size_t largest_message = 0;
  };
  struct Answer {
    unsigned status = 0;  // 0: no answer came
    std::string subprotocol;
  };

  explicit WebSocketStream(Stream& stream);
  ~WebSocketStream();
  WebSocketStream(const WebSocketStream&) = delete;
  WebSocketStream& operator=(const WebSocketStream&) = delete;

  // The server's half: pings a silent peer, deflates where the peer offers it.
  template <class Token>
  auto async_accept(const Request& request, const Acceptance& how, Token&& token) {
    return start<Token>([this, &request, &how](Stream::Ended ended) { accept(request, how, std::move(ended)); }, token);
  }
  // The client's half: offers nothing besides the subprotocol. `answer` is filled on failure, too.
  void handshake(const Handshake& how, Answer& answer, Stream::Ended ended);

  // One message, into message().
  template <class Token>
  auto async_read(Token&& token) {
    return start<Token>([this](Stream::Ended ended) { read(std::move(ended)); }, token);
  }
  void read(Stream::Ended ended);
  [[nodiscard]] std::string_view message() const;  // until the next read
  [[nodiscard]] bool got_binary() const;
  // Views must live until the end.
  void write(std::string_view message, bool binary, Stream::Ended ended);
  void ping(std::string_view payload, Stream::Ended ended);
  void close(std::uint16_t code, std::string_view reason, Stream::Ended ended);  // and waits for the peer's
  // The error is that the peer sent a Close; its code.
  [[nodiscard]] static bool is_closed(const boost::system::error_code& error);
  [[nodiscard]] static bool is_declined(const boost::system::error_code& error);
  [[nodiscard]] std::uint16_t close_code() const;
  void on_pong(std::function<void(std::string_view payload)> handler);  // called from inside a read

 private:
  struct State;
  template <class Call>
  struct Start {
    Call call;
    Stream::executor_type executor;
    template <class Handler>
    void operator()(Handler&& handler) {
      call(Stream::Ended(std::decay_t<Handler>(std::forward<Handler>(handler)), executor));
    }
  };
  template <class Token, class Call>
  auto start(Call call, Token& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        Start<Call>{std::move(call), stream_.get_executor()}, token);
  }
  void accept(const Request& request, const Acceptance& how, Stream::Ended ended);

  Stream& stream_;
  std::unique_ptr<State> state_;
};

}  // namespace sockeye::net
