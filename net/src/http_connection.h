// One connection of a server: request after request, and their answers, until one of them or the peer ends it.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "control.h"
#include "sockeye/net/http_server.h"

namespace sockeye::net {

// All arguments outlive it.
class HttpConnection {
 public:
  HttpConnection(Stream& stream, boost::asio::ip::tcp::endpoint peer, const ServerOptions& options, const Site& site,
                 Control& control, const std::atomic<bool>& stopping)
      : stream_(stream),
        socket_(stream.next_layer()),
        peer_(std::move(peer)),
        options_(options),
        site_(site),
        control_(control),
        stopping_(stopping),
        buffer_(options.head_bytes + 1) {}

  boost::asio::awaitable<void> run();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;
  // Of an answer: what its request decides.
  struct Manner {
    bool head = false;        // no body: HEAD
    bool keep_alive = false;  // as far as the request goes
    unsigned version = 11;
  };

  Awaitable<bool> wait(bool first);
  Awaitable<bool> exchange();
  Awaitable<bool> read_head(Parser& parser);
  [[nodiscard]] Request to_request(const Parser& parser) const;
  Awaitable<void> refuse(Response refusal, Manner manner);
  Awaitable<void> upgrade(Parser& parser, const Request& request, Manner manner);
  Awaitable<bool> read_body(Parser& parser, Admission& admission, std::optional<std::uint64_t> length, Manner manner);
  Awaitable<Response> handle(Request request);
  Awaitable<bool> answer(Response response, Manner manner);
  Awaitable<bool> write(Response response, Manner manner);
  Awaitable<void> linger();
  [[nodiscard]] Response error(int status, std::string_view message) const;

  Stream& stream_;
  boost::beast::tcp_stream& socket_;
  const boost::asio::ip::tcp::endpoint peer_;
  const ServerOptions& options_;
  const Site& site_;
  Control& control_;
  const std::atomic<bool>& stopping_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace sockeye::net
