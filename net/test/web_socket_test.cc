// Both ends of a WebSocket, one against the other, over real sockets.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "connection.h"
#include "sockeye/net/http_server.h"
#include "sockeye/net/web_socket_client.h"

namespace sockeye::net {
namespace {

using namespace std::chrono_literals;
using Outcome = WebSocketClient::Outcome;
using test::Connection;
using test::eventually;

// A server of "talk" that keeps what it is sent, and answers "echo …".
class Peer {
 public:
  explicit Peer(std::optional<ServerTls> tls = {}, bool silent = false) : silent_(silent) {
    ServerOptions options;
    options.what = "peer";
    options.listen = "127.0.0.1:0";
    options.tls = std::move(tls);
    Site site;
    site.admit = [](const Request&, std::optional<std::uint64_t>) { return Admission{Response{404}}; };
    site.handle = [](Request&&, const Respond& respond) { respond({404}); };
    site.upgrade = [this](const Request& request, Response& refusal) -> std::optional<Accepted> {
      if (request.path == "/refused") {
        refusal = Response{401};
        return std::nullopt;
      }
      const std::lock_guard lock(mutex_);
      asked_.push_back(request);
      Accepted out;
      if (request.path != "/stranger") out.subprotocol = request.field("sec-websocket-protocol");
      out.conversation = std::make_unique<Talk>(*this);
      return out;
    };
    threads_ = std::move(*IoThreads::start(1));
    server_ = std::move(*Server::start(*threads_, std::move(options), std::move(site)));
  }
  ~Peer() {
    server_.reset();
    threads_.reset();
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] std::string url(const std::string& scheme = "ws", const std::string& path = "/") const {
    return scheme + "://" + server_->address() + path;
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] std::vector<std::string> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  [[nodiscard]] std::vector<Request> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  [[nodiscard]] std::vector<std::uint16_t> closes() const {
    const std::lock_guard lock(mutex_);
    return closes_;
  }
  [[nodiscard]] std::shared_ptr<Channel> channel() const {
    const std::lock_guard lock(mutex_);
    return channel_;
  }
  void stop() { server_->stop(20s); }

 private:
  class Talk final : public Conversation {
   public:
    explicit Talk(Peer& peer) : peer_(peer) {}
    void opened(std::shared_ptr<Channel> channel) override {
      const std::lock_guard lock(peer_.mutex_);
      if (peer_.silent_) channel->hold();
      peer_.channel_ = std::move(channel);
    }
    void message(std::string_view payload, bool binary) override {
      const std::lock_guard lock(peer_.mutex_);
      peer_.messages_.push_back((binary ? "b:" : "t:") + std::string(payload.substr(0, 100)));
      if (payload.starts_with("echo ")) peer_.channel_->send(std::string(payload.substr(5)), binary);
    }
    void closed(std::uint16_t code) override {
      const std::lock_guard lock(peer_.mutex_);
      peer_.closes_.push_back(code);
    }

   private:
    Peer& peer_;
  };

  mutable std::mutex mutex_;
  const bool silent_;
  std::vector<Request> asked_;
  std::vector<std::string> messages_;
  std::vector<std::uint16_t> closes_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<Server> server_;
};

struct Heard final : WebSocketClient::Events {
  void message(std::string_view payload, bool binary) override {
    messages.push_back((binary ? "b:" : "t:") + std::string(payload.substr(0, 100)));
  }
  void pong(std::string_view payload) override { pongs.emplace_back(payload); }
  std::vector<std::string> messages, pongs;
};

struct Rig {
  Heard heard;
  std::unique_ptr<WebSocketClient> client;

  explicit Rig(const std::string& url, const std::function<void(WebSocketClientOptions&)>& change = {}) {
    WebSocketClientOptions options;
    options.url = base::parse_url(url).value();
    options.subprotocol = "talk";
    if (change) change(options);
    auto made = WebSocketClient::make(std::move(options), heard);
    if (!made) std::abort();
    client = std::move(*made);
  }
  template <class Condition>
  bool until(Condition condition) const {
    const auto end = WebSocketClient::Clock::now() + 20s;
    while (!condition() && WebSocketClient::Clock::now() < end)
      if (!client->wait_until(WebSocketClient::Clock::now() + 2ms)) return condition();
    return condition();
  }
};

TEST(WebSocket, TalksBothWaysAndSaysGoodbye) {
  Peer peer;
  const Rig rig(peer.url("http", "/a%20b?c=d"));
  const auto connected = rig.client->connect({{"User-Agent", "test"}, {"Authorization", "Bearer t"}});
  ASSERT_EQ(connected.outcome, Outcome::open) << connected.message;
  ASSERT_EQ(peer.asked().size(), 1U);
  EXPECT_EQ(peer.asked()[0].target, "/a%20b?c=d");
  EXPECT_EQ(peer.asked()[0].field("authorization"), "Bearer t");
  EXPECT_EQ(peer.asked()[0].field("user-agent"), "test");
  EXPECT_EQ(peer.asked()[0].field("sec-websocket-extensions"), "");
  EXPECT_EQ(peer.asked()[0].field("host"), "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_TRUE(rig.client->send("echo text", false));
  EXPECT_TRUE(rig.client->send("echo \x01\x02", true));
  EXPECT_TRUE(rig.client->send(std::string(64 * 1024, 'x'), true));
  ASSERT_TRUE(rig.until([&] { return rig.heard.messages.size() == 2 && peer.messages().size() == 3; }));
  EXPECT_EQ(rig.heard.messages, (std::vector<std::string>{"t:text", "b:\x01\x02"}));
  EXPECT_TRUE(rig.client->ping("1"));
  EXPECT_TRUE(rig.until([&] { return !rig.client->awaits_pong(); }));
  EXPECT_EQ(rig.heard.pongs, std::vector<std::string>{"1"});
  EXPECT_TRUE(rig.client->close(1000, "over"));
  EXPECT_TRUE(eventually([&] { return peer.closes() == std::vector<std::uint16_t>{1000}; }));
  EXPECT_FALSE(rig.client->send("late", false));
  EXPECT_FALSE(rig.client->wait_until(WebSocketClient::Clock::now()));
}

TEST(WebSocket, TheServersWordsWhenItStops) {
  Peer peer;
  const Rig rig(peer.url());
  ASSERT_EQ(rig.client->connect({}).outcome, Outcome::open);
  std::thread stopper([&] { peer.stop(); });
  EXPECT_TRUE(rig.until([&] { return rig.client->why() == "it closed with 1001"; })) << rig.client->why();
  stopper.join();
  const auto again = rig.client->connect({});
  EXPECT_EQ(again.outcome, Outcome::unreachable);
  EXPECT_EQ(again.message, "Connection refused");
}

TEST(WebSocket, AChannelOutlivesItsServer) {
  std::shared_ptr<Channel> channel;
  {
    Peer peer;
    const Rig rig(peer.url());
    ASSERT_EQ(rig.client->connect({}).outcome, Outcome::open);
    ASSERT_TRUE(eventually([&] { return (channel = peer.channel()) != nullptr; }));
  }
  channel->send("nobody hears", false);
  channel->close(1000, "");
  channel->release();
}

TEST(WebSocket, WhoDoesNotUpgradeIsTold) {
  Peer peer;
  const auto outcome = [&](const std::string& path) {
    const auto connected = Rig(peer.url("ws", path)).client->connect({});
    EXPECT_TRUE(connected.outcome == Outcome::declined || connected.status == 0);
    return std::pair(connected.outcome, connected.status);
  };
  EXPECT_EQ(outcome("/refused"), std::pair(Outcome::declined, 401U));
  EXPECT_EQ(outcome("/stranger"), std::pair(Outcome::stranger, 0U));
  const Connection plain(peer.port());
  EXPECT_EQ(test::status_of(plain.ask("GET", "/")), 404);
  const Connection early(peer.port());  // does not wait for the 101 (RFC 6455 §4.1)
  early.send(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x80");
  EXPECT_TRUE(early.ended());
}

TEST(WebSocket, ASilentPeerIsGivenUpASlowOneIsNot) {
  Peer peer({}, true);
  const Rig rig(peer.url(), [](auto& options) { options.dead_after = 300ms; });
  ASSERT_EQ(rig.client->connect({}).outcome, Outcome::open);
  // Nothing is asked of it: silence is no sign of anything.
  EXPECT_TRUE(rig.client->wait_until(WebSocketClient::Clock::now() + 600ms));
  ASSERT_TRUE(rig.client->ping("1"));
  EXPECT_TRUE(rig.until([&] { return rig.client->why() == "no sign of life for 0 s"; })) << rig.client->why();
  ASSERT_EQ(rig.client->connect({}).outcome, Outcome::open);
  bool sent = true;
  for (int i = 0; sent && i < 1000; ++i) sent = rig.client->send(std::string(64 * 1024, 'x'), true);
  EXPECT_FALSE(sent) << "more than the sockets hold";
  EXPECT_EQ(rig.client->why(), "no sign of life for 0 s");
}

TEST(WebSocket, WakingAndGivingUp) {
  Peer peer({}, true);
  const Rig rig(peer.url());
  ASSERT_EQ(rig.client->connect({}).outcome, Outcome::open);
  rig.client->wake();
  EXPECT_TRUE(rig.client->wait_until(WebSocketClient::Clock::now() + 60s));
  std::thread waker([&] { rig.client->wake(); });
  EXPECT_TRUE(rig.client->wait_until(WebSocketClient::Clock::now() + 60s));
  waker.join();
  rig.client->give_up_after(100ms);
  bool sent = true;
  while (sent) sent = rig.client->send(std::string(64 * 1024, 'x'), true);
  EXPECT_EQ(rig.client->connect({}).outcome, Outcome::given_up);
  EXPECT_FALSE(rig.client->wait_until(WebSocketClient::Clock::now() + 60s));
}

// A name that is looked up in vain, or for long, holds nobody up.
TEST(WebSocket, ANameWithoutAnAddress) {
  const Rig rig("ws://console.invalid:80");
  rig.client->give_up_after(20s);
  const auto connected = rig.client->connect({});
  EXPECT_TRUE(connected.outcome == Outcome::unreachable || connected.outcome == Outcome::given_up);
  EXPECT_NE(connected.message, "");
}

class Certificate {
 public:
  Certificate() {
    folder_ = (std::filesystem::temp_directory_path() / "sockeye-net-XXXXXX").string();
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=peer -addext "
        "subjectAltName=IP:127.0.0.1 -keyout " +
        key() + " -out " + file() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) std::abort();
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  [[nodiscard]] std::string file() const { return folder_ + "/cert.pem"; }
  [[nodiscard]] std::string key() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

TEST(WebSocket, TlsVerifiesWhoItIs) {
  const Certificate certificate;
  Peer peer(ServerTls{certificate.file(), certificate.key()});
  const Rig rig(peer.url("wss"), [&](auto& options) { options.ca = certificate.file(); });
  const auto connected = rig.client->connect({});
  ASSERT_EQ(connected.outcome, Outcome::open) << connected.message;
  EXPECT_TRUE(peer.asked().at(0).tls);
  EXPECT_TRUE(rig.client->send("echo inside", false));
  EXPECT_TRUE(rig.until([&] { return rig.heard.messages == std::vector<std::string>{"t:inside"}; }));
  EXPECT_TRUE(rig.client->close(1000, ""));
  EXPECT_EQ(Rig(peer.url("wss")).client->connect({}).outcome, Outcome::insecure);
  const Certificate stranger;
  EXPECT_EQ(Rig(peer.url("wss"), [&](auto& options) { options.ca = stranger.file(); }).client->connect({}).outcome,
            Outcome::insecure);
  // Of another name than the certificate says.
  const auto url = "wss://localhost:" + std::to_string(peer.port());
  EXPECT_EQ(Rig(url, [&](auto& options) { options.ca = certificate.file(); }).client->connect({}).outcome,
            Outcome::insecure);
  EXPECT_EQ(peer.asked().size(), 1U);
  Heard heard;
  WebSocketClientOptions options;
  options.url = base::parse_url("wss://127.0.0.1").value();
  options.ca = "/nonexistent/ca.pem";
  const auto refused = WebSocketClient::make(options, heard);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("/nonexistent/ca.pem: cannot read the CA: "));
}

}  // namespace
}  // namespace sockeye::net
