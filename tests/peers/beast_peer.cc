// Boost.Beast as a WebSocket peer.
//
//   beast_peer serve             echoes on a free loopback port, printed as "listening PORT"
//   beast_peer connect           reads ws:// URLs, one a line, from standard input; connects to each and echoes
//   beast_peer talk URL N BYTES  sends N binary messages one after the other's echo, checks each, prints "talked N"
//
// One thread. permessage-deflate is offered and accepted; no size limits: what is under test is the other side.
#include <unistd.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using beast::error_code;
using Stream = websocket::stream<tcp::socket>;

void configure(Stream& stream) {
  websocket::permessage_deflate deflate;
  deflate.compLevel = 1;  // as the other peers: what is tested is not how well it packs
  deflate.client_enable = true;
  deflate.server_enable = true;
  deflate.msg_size_threshold = 0;
  stream.set_option(deflate);
  stream.read_message_max(0);
  stream.auto_fragment(false);
}

// Echoes every message until the connection ends; keeps itself alive through its handlers.
class Echo : public std::enable_shared_from_this<Echo> {
 public:
  explicit Echo(tcp::socket socket) : stream_(std::move(socket)) { configure(stream_); }

  void accept() {
    stream_.async_accept([self = shared_from_this()](error_code error) {
      if (!error) self->read();
    });
  }

  void connect(const std::string& host, const std::string& port, const std::string& target) {
    error_code error;
    tcp::resolver resolver(stream_.get_executor());
    const auto found = resolver.resolve(host, port, error);
    if (error) {
      std::fprintf(stderr, "%s: %s\n", host.c_str(), error.message().c_str());
      return;
    }
    asio::async_connect(
        stream_.next_layer(), found,
        [self = shared_from_this(), authority = host + ":" + port, target](error_code failed, const tcp::endpoint&) {
          if (failed) {
            std::fprintf(stderr, "%s: %s\n", authority.c_str(), failed.message().c_str());
            return;
          }
          self->stream_.next_layer().set_option(tcp::no_delay(true));
          self->handshake(authority, target);
        });
  }

 private:
  void handshake(const std::string& authority, const std::string& target) {
    stream_.async_handshake(authority, target, [self = shared_from_this()](error_code error) {
      if (error)
        std::fprintf(stderr, "handshake: %s\n", error.message().c_str());
      else
        self->read();
    });
  }

  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return;
      self->stream_.text(self->stream_.got_text());
      self->write();
    });
  }

  void write() {
    stream_.async_write(buffer_.data(), [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return;
      self->buffer_.clear();
      self->read();
    });
  }

  Stream stream_;
  beast::flat_buffer buffer_;
};

class Listener {
 public:
  explicit Listener(asio::io_context& context) : acceptor_(context, {asio::ip::make_address("127.0.0.1"), 0}) {}
  [[nodiscard]] unsigned port() const { return acceptor_.local_endpoint().port(); }
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!error) {
        socket.set_option(tcp::no_delay(true));
        std::make_shared<Echo>(std::move(socket))->accept();
      }
      accept();
    });
  }

 private:
  tcp::acceptor acceptor_;
};

struct Url {
  std::string host, port, target;
};

bool parse(const std::string& text, Url& url) {
  const std::string scheme = "ws://";
  if (text.rfind(scheme, 0) != 0) return false;
  const std::size_t slash = text.find('/', scheme.size());
  const std::string authority = text.substr(scheme.size(), slash == std::string::npos ? slash : slash - scheme.size());
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string::npos) return false;
  url = {authority.substr(0, colon), authority.substr(colon + 1),
         slash == std::string::npos ? "/" : text.substr(slash)};
  return true;
}

class Commands {
 public:
  explicit Commands(asio::io_context& context) : context_(context), input_(context, ::dup(STDIN_FILENO)) {}
  void read() {
    asio::async_read_until(input_, buffer_, '\n', [this](error_code error, std::size_t) {
      if (error) return;
      std::istream stream(&buffer_);
      std::string line;
      std::getline(stream, line);
      Url url;
      if (parse(line, url))
        std::make_shared<Echo>(tcp::socket(context_))->connect(url.host, url.port, url.target);
      else
        std::fprintf(stderr, "not a ws:// URL with a port: %s\n", line.c_str());
      read();
    });
  }

 private:
  asio::io_context& context_;
  asio::posix::stream_descriptor input_;
  asio::streambuf buffer_;
};

int talk(const Url& url, unsigned long count, std::size_t size) {
  asio::io_context context;
  Stream stream(context);
  configure(stream);
  tcp::resolver resolver(context);
  asio::connect(stream.next_layer(), resolver.resolve(url.host, url.port));
  stream.next_layer().set_option(tcp::no_delay(true));
  stream.handshake(url.host + ":" + url.port, url.target);
  stream.binary(true);
  std::vector<unsigned char> message(size);
  beast::flat_buffer answer;
  for (unsigned long i = 0; i < count; ++i) {
    for (std::size_t at = 0; at < size; ++at) message[at] = static_cast<unsigned char>((i * 131 + at * 7) >> 3U);
    stream.write(asio::buffer(message));
    answer.clear();
    stream.read(answer);
    const auto* data = static_cast<const unsigned char*>(answer.data().data());
    if (answer.size() != size || !std::equal(message.begin(), message.end(), data)) {
      std::fprintf(stderr, "message %lu came back changed\n", i);
      return 1;
    }
  }
  stream.close(websocket::close_code::normal);
  std::printf("talked %lu\n", count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string mode = arguments.empty() ? "" : arguments[0];
  try {
    if (mode == "talk" && arguments.size() == 4) {
      Url url;
      if (!parse(arguments[1], url)) return 2;
      return talk(url, std::stoul(arguments[2]), std::stoul(arguments[3]));
    }
    if (mode != "serve" && mode != "connect") {
      std::fprintf(stderr, "beast_peer serve | connect | talk URL N BYTES\n");
      return 2;
    }
    asio::io_context context;
    asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&context](error_code, int) { context.stop(); });
    Listener listener(context);
    Commands commands(context);
    if (mode == "serve") {
      listener.accept();
      std::printf("listening %u\n", listener.port());
    } else {
      commands.read();
      std::printf("ready\n");
    }
    std::fflush(stdout);
    context.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
