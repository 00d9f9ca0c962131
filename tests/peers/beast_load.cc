// Load through Boost.Beast that tells of any loss, swap, doubling or damage: what load_server.ts and load_client.ts are
// for Node, word for word on standard input and output and byte for byte on the wire, for as many messages as those
// cannot keep up with.
//
//   beast_load server [--tls CERT KEY] [--deflate]
//       checks every message and sends it back. Prints "listening PORT"; on the line "report" what it counted, as JSON.
//   beast_load client URL [--sessions N] [--rate PER_SECOND] [--seconds S] [--size BYTES] [--ca FILE] [--deflate]
//       N sessions, spread evenly over the interval; each sends S·rate messages at its rate and expects every one back,
//       in order and unchanged, then closes 1000. Prints "connected", then "report" and as JSON what it counted.
//
// One thread; every buffer is its session's own and used again.
#include <unistd.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <istream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include "frame_tap.h"
#include "load_message.h"

namespace load {
namespace {

namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// -- sessions

struct Options {
  bool server = false, deflate = false, tls = false;
  std::string certificate, key, authority;  // PEM files
  std::string host, port, target;
  std::uint32_t sessions = 10;
  double rate = 50, seconds = 5;
  std::size_t size = 160;
};

// One WebSocket connection; the two ends differ in what follows a message.
struct Session {
  Session(asio::io_context& context, const Options& options) : stream(context) {
    stream.read_message_max(0);
    stream.auto_fragment(false);
    stream.binary(true);
    if (!options.deflate) return;
    // As smallDeflate in tests/lib/load.ts, but for the level: noise leaves level 1 as stored blocks too, after a
    // Huffman tree built in vain that takes longer than all else here (20 of 50 µs a message).
    websocket::permessage_deflate deflate;
    deflate.client_enable = deflate.server_enable = true;
    deflate.client_no_context_takeover = deflate.server_no_context_takeover = true;
    deflate.client_max_window_bits = deflate.server_max_window_bits = 10;
    deflate.compLevel = 0;
    deflate.memLevel = 4;
    deflate.msg_size_threshold = 0;
    stream.set_option(deflate);
  }

  Tap& tap() { return stream.next_layer(); }
  Tap::next_layer_type& socket() { return tap().next_layer(); }

  websocket::stream<Tap> stream;
  beast::flat_buffer in;
  std::uint32_t index = 0, sent = 0, received = 0;
};

// -- server

class Server {
  using Peer = Session;

 public:
  Server(asio::io_context& context, const Options& options)
      : context_(context), options_(options), acceptor_(context), input_(context, ::dup(STDIN_FILENO)) {
    if (options.tls) {
      tls_.use_certificate_chain_file(options.certificate);
      tls_.use_private_key_file(options.key, ssl::context::pem);
    }
    acceptor_.open(tcp::v4());
    acceptor_.bind({asio::ip::make_address("127.0.0.1"), 0});
    acceptor_.listen(1024);
  }

  void start() {
    accept();
    command();
    std::printf("listening %u\n", unsigned{acceptor_.local_endpoint().port()});
    std::fflush(stdout);
  }

 private:
  void accept() {
    peers_.push_back(std::make_unique<Peer>(context_, options_));
    Peer& peer = *peers_.back();
    acceptor_.async_accept(peer.socket(), [this, &peer](error_code error) {
      if (!error) greet(peer);
      accept();
    });
  }

  void greet(Peer& peer) {
    peer.tap().start(options_.tls ? tls_.native_handle() : nullptr, true, [this, &peer](error_code failed) {
      if (failed) return beast::close_socket(peer.socket());
      peer.stream.async_accept([this, &peer](error_code error) {
        if (error) return beast::close_socket(peer.socket());
        ++sessions_;
        ++open_;
        read(peer);
      });
    });
  }

  void read(Peer& peer) {
    peer.stream.async_read(peer.in, [this, &peer](error_code error, std::size_t size) {
      if (error) {
        --open_;
        return beast::close_socket(peer.socket());
      }
      const auto* message = static_cast<const unsigned char*>(peer.in.data().data());
      if (peer.received == 0 && size >= min_message) peer.index = number(message);
      wrong_.check(message, size, peer.index, peer.received++);
      ++received_;
      ++sent_;
      peer.stream.text(peer.stream.got_text());
      peer.stream.async_write(peer.in.data(), [this, &peer](error_code, std::size_t) {
        peer.in.clear();
        read(peer);  // which says so should the connection be gone
      });
    });
  }

  void command() {
    asio::async_read_until(input_, line_, '\n', [this](error_code error, std::size_t size) {
      if (error) return;
      line_.consume(size);
      report();
      command();
    });
  }

  void report() const {
    std::uint64_t sent = 0, received = 0;
    for (const auto& peer : peers_) {
      sent += peer->tap().sent().payload();
      received += peer->tap().received().payload();
    }
    std::printf(
        "report {\"sessions\":%ju,\"open\":%ju,\"received\":%ju,\"sent\":%ju,\"receivedBytes\":%ju,\"sentBytes\":%ju,"
        "\"wrong\":%s}\n",
        sessions_, open_, received_, sent_, received, sent, wrong_.json().c_str());
    std::fflush(stdout);
  }

  asio::io_context& context_;
  const Options& options_;
  ssl::context tls_{ssl::context::tls_server};
  tcp::acceptor acceptor_;
  asio::posix::stream_descriptor input_;
  asio::streambuf line_;
  std::vector<std::unique_ptr<Peer>> peers_;  // for good: the report adds them up
  std::uint64_t sessions_ = 0, open_ = 0, sent_ = 0, received_ = 0;
  Wrong wrong_;
};

// -- client

class Client {
  struct Peer : Session {
    using Session::Session;
    std::uint32_t due = 0;
    bool writing = false, ended = false;
    std::vector<unsigned char> message;
  };

 public:
  Client(asio::io_context& context, const Options& options)
      : context_(context),
        options_(options),
        each_(static_cast<std::uint32_t>(std::lround(options.rate * options.seconds))),
        total_(std::uint64_t{each_} * options.sessions),
        timer_(context) {
    if (!options.authority.empty()) tls_.load_verify_file(options.authority);
    tls_.set_verify_mode(ssl::verify_peer);
    tls_.set_verify_callback(ssl::host_name_verification(options.host));
    server_ = *tcp::resolver(context).resolve(tcp::v4(), options.host, options.port).begin();
  }

  void start() {
    for (int width = 0; width < 50; ++width) connect();
  }

 private:
  // -- Connecting, fifty at a time.

  void connect() {
    if (peers_.size() == options_.sessions) return;
    peers_.push_back(std::make_unique<Peer>(context_, options_));
    Peer& peer = *peers_.back();
    peer.index = static_cast<std::uint32_t>(peers_.size() - 1);
    peer.message.resize(options_.size);
    peer.socket().open(tcp::v4());
    if (options_.host == "127.0.0.1")
      peer.socket().bind({asio::ip::make_address("127.0.0." + std::to_string(1 + peer.index % 200)), 0});
    peer.socket().async_connect(server_, [this, &peer](error_code error) {
      if (error) return fail("connect", error);
      peer.tap().start(options_.tls ? tls_.native_handle() : nullptr, false, [this, &peer](error_code failed) {
        if (failed) return fail("TLS handshake", failed);
        upgrade(peer);
      });
    });
  }

  void upgrade(Peer& peer) {
    peer.stream.async_handshake(options_.host + ":" + options_.port, options_.target, [this, &peer](error_code error) {
      if (error) return fail("handshake", error);
      read(peer);
      connect();
      if (++connected_ < options_.sessions) return;
      std::printf("connected\n");
      std::fflush(stdout);
      begun_ = last_ = Clock::now();
      tick();
    });
  }

  [[noreturn]] static void fail(const char* what, error_code error) {
    throw std::runtime_error(std::string(what) + ": " + error.message());
  }

  // -- One clock for all: message m of session s is due m + s/sessions intervals from the beginning, so that in this
  // order the sessions take turns.

  void tick() {
    const auto now = Clock::now();
    const double turns = std::chrono::duration<double>(now - begun_).count() * options_.rate * options_.sessions;
    for (const std::uint64_t due = std::min(total_, static_cast<std::uint64_t>(turns) + 1); turn_ < due; ++turn_) {
      Peer& peer = *peers_[turn_ % options_.sessions];
      ++peer.due;
      pump(peer);
    }
    if (now - last_ > std::chrono::seconds(60)) {
      wrong_.note("nothing came for 60 s");
      for (const auto& peer : peers_) end(*peer, 1006);
      return;
    }
    timer_.expires_after(milliseconds(1));
    timer_.async_wait([this](error_code error) {
      if (!error) tick();
    });
  }

  // Behind the clock it goes on at the pace of the echoes, at most eight ahead of them (a client that floods is another
  // test), and then by fours or more: one by one would cost every program on the way a read and a write a message.
  void pump(Peer& peer) {
    if (!peer.writing && peer.sent <= peer.received + 4) send(peer);
  }

  void send(Peer& peer) {
    if (peer.ended) return;
    if (peer.sent == peer.due || peer.sent >= peer.received + 8) return peer.tap().flush();
    make_message(peer.message, peer.index, peer.sent++);
    peer.writing = true;
    if (++sent_ == total_)
      late_ms_ = std::lround(std::chrono::duration<double, std::milli>(Clock::now() - begun_).count() -
                             options_.seconds * 1000);
    peer.stream.async_write(asio::buffer(peer.message), [this, &peer](error_code error, std::size_t) {
      peer.writing = false;
      if (!error) send(peer);  // otherwise reading ends too
    });
  }

  void read(Peer& peer) {
    peer.stream.async_read(peer.in, [this, &peer](error_code error, std::size_t size) {
      if (error) return end(peer, code_of(peer, error));
      const auto* message = static_cast<const unsigned char*>(peer.in.data().data());
      wrong_.check(message, size, peer.index, peer.received++);
      ++received_;
      peer.in.clear();
      last_ = Clock::now();
      if (peer.received < each_) {
        pump(peer);
        return read(peer);
      }
      peer.stream.async_close(websocket::close_code::normal,
                              [this, &peer](error_code failed) { end(peer, code_of(peer, failed)); });
    });
  }

  // As a browser tells it. A Close that came counts, whatever the transport did after it.
  static unsigned code_of(Peer& peer, error_code error) {
    const unsigned code = peer.stream.reason().code;
    if (code != 0) return code;
    return !error || error == websocket::error::closed ? 1005 : 1006;
  }

  void end(Peer& peer, unsigned code) {
    if (std::exchange(peer.ended, true)) return;
    const std::string name = "session " + std::to_string(peer.index) + ": ";
    ++closes_[code];
    if (peer.received != each_)
      wrong_.note(name + std::to_string(peer.received) + " of " + std::to_string(each_) + " came back, close " +
                  std::to_string(code));
    // Beast discards what comes between the Close it sent and the one it waits for.
    const std::uint64_t seen = peer.tap().received().messages();
    if (seen != peer.received)
      wrong_.note(name + std::to_string(seen) + " messages on the wire, " + std::to_string(peer.received) + " read");
    beast::close_socket(peer.socket());
    if (++ended_ == options_.sessions) report();
  }

  void report() {
    std::uint64_t sent = 0, received = 0;
    for (const auto& peer : peers_) {
      sent += peer->tap().sent().payload();
      received += peer->tap().received().payload();
    }
    std::string closes;
    for (const auto& [code, sessions] : closes_)
      closes += (closes.empty() ? "\"" : ",\"") + std::to_string(code) + "\":" + std::to_string(sessions);
    std::printf(
        "report {\"sessions\":%u,\"sent\":%ju,\"received\":%ju,\"sentBytes\":%ju,\"receivedBytes\":%ju,"
        "\"closes\":{%s},\"wrong\":%s,\"lateMs\":%ld}\n",
        options_.sessions, sent_, received_, sent, received, closes.c_str(), wrong_.json().c_str(), late_ms_);
    std::fflush(stdout);
    context_.stop();
  }

  asio::io_context& context_;
  const Options& options_;
  const std::uint32_t each_;
  const std::uint64_t total_;
  ssl::context tls_{ssl::context::tls_client};
  tcp::endpoint server_;
  asio::steady_timer timer_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::uint64_t turn_ = 0;
  std::uint32_t connected_ = 0, ended_ = 0;
  Clock::time_point begun_, last_;
  std::uint64_t sent_ = 0, received_ = 0;
  std::map<unsigned, std::uint64_t> closes_;
  Wrong wrong_;
  long late_ms_ = 0;
};

// -- the command
// line

bool parse_url(const std::string& text, Options& options) {
  options.tls = text.starts_with("wss://");
  if (!options.tls && !text.starts_with("ws://")) return false;
  const std::size_t from = text.find("//") + 2, slash = std::min(text.find('/', from), text.size());
  const std::size_t colon = text.rfind(':', slash);
  if (colon < from) return false;
  options.host = text.substr(from, colon - from);
  options.port = text.substr(colon + 1, slash - colon - 1);
  options.target = slash == text.size() ? "/" : text.substr(slash);
  return true;
}

bool parse(const std::vector<std::string>& arguments, Options& options) {
  std::size_t at = 0;
  const auto next = [&] { return ++at < arguments.size() ? arguments[at] : throw std::invalid_argument("arguments"); };
  if (arguments.empty() || (arguments[0] != "server" && arguments[0] != "client")) return false;
  options.server = arguments[0] == "server";
  if (!options.server && !parse_url(next(), options)) return false;
  while (++at < arguments.size()) {
    const std::string& name = arguments[at];
    if (name == "--deflate") {
      options.deflate = true;
    } else if (options.server && name == "--tls") {
      options.tls = true;
      options.certificate = next();
      options.key = next();
    } else if (options.server) {
      return false;
    } else if (name == "--sessions") {
      options.sessions = static_cast<std::uint32_t>(std::stoul(next()));
    } else if (name == "--rate") {
      options.rate = std::stod(next());
    } else if (name == "--seconds") {
      options.seconds = std::stod(next());
    } else if (name == "--size") {
      options.size = std::stoul(next());
    } else if (name == "--ca") {
      options.authority = next();
    } else {
      return false;
    }
  }
  return options.sessions > 0 && options.size >= min_message && options.size < noise_size;
}

template <class Program>
int run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  asio::io_context context(1);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&context](error_code, int) { context.stop(); });
  Program program(context, options);
  program.start();
  context.run();
  return 0;
}

}  // namespace
}  // namespace load

int main(int argc, char** argv) {
  using namespace load;
  Options options;
  try {
    if (!parse({argv + 1, argv + argc}, options)) throw std::invalid_argument("arguments");
    return options.server ? run<Server>(options) : run<Client>(options);
  } catch (const std::invalid_argument&) {
    std::fprintf(stderr,
                 "beast_load server [--tls CERT KEY] [--deflate]\n"
                 "beast_load client URL [--sessions N] [--rate PER_SECOND] [--seconds S] [--size BYTES] [--ca FILE] "
                 "[--deflate]\n");
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
