// TLS on either leg of a running proxy.
#include <fstream>
#include <random>

#include "tls_bridge.h"

namespace sockeye::proxy::test {
namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  std::mt19937 random(seed);
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

bool contains(const std::vector<std::string>& lines, std::string_view what) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(what) != std::string::npos; });
}

class TlsProxyTest : public testing::Test {
 protected:
  // wss:// in front: `change` sees the whole configuration.
  Config secured(const Backend& backend, const std::function<void(Config&)>& change = {}) {
    Config out = TestProxy::config(backend);
    out.listeners.front().tls = ServerTls{front_.certificate, front_.key, ""};
    if (change) change(out);
    return out;
  }
  // wss:// behind.
  static void upstream_tls(Config& config, const ClientTls& tls, const std::string& host = "127.0.0.1") {
    auto& route = config.listeners.front().routes.front();
    route.upstream_tls = true;
    route.upstream.host = host;
    route.client_tls = tls;
  }
  ClientTls trusting() const {
    ClientTls out;
    out.ca = authority_.ca_file();
    return out;
  }
  static int dial(const TestProxy& proxy) {
    auto socket = proxy.connect();
    const int fd = ::dup(socket.fd());
    socket.close();
    return fd;
  }
  // A WebSocket over TLS, the 101 read.
  static void open(TlsBridge& client, std::string_view path = "/") {
    ASSERT_EQ(client.error(), "");
    ASSERT_TRUE(client.plain().send(upgrade_request(path)));
    ASSERT_TRUE(client.plain().receive_head().starts_with("HTTP/1.1 101 "));
  }
  static void expect_echo(Socket& socket, std::string_view payload) {
    ASSERT_TRUE(socket.send(client_frame(binary, payload)));
    const auto frame = receive_frame(socket);
    EXPECT_EQ(frame.first, binary);
    EXPECT_TRUE(frame.payload == payload) << frame.payload.size() << " bytes";
  }
  // Closes from the client's side and sees the session gone.
  static void expect_close(TlsBridge& client, const TestProxy& proxy) {
    ASSERT_TRUE(client.plain().send(client_frame(close_op, close_payload(1000))));
    EXPECT_EQ(receive_frame(client.plain()).close_code(), 1000);
    client.plain().finish();
    EXPECT_EQ(client.plain().receive_end(), Socket::End::fin);
    EXPECT_TRUE(client.ended_in_order());
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
  }

  TemporaryDirectory directory_;
  TestAuthority authority_{directory_};
  CertificateFiles front_ = authority_.issue("front", "DNS:localhost,IP:127.0.0.1");
  CertificateFiles back_ = authority_.issue("back", "DNS:localhost,IP:127.0.0.1");
  TlsPeer browser_{std::move(TlsPeer(TlsPeer::Role::client).require(authority_.ca_file()))};
  TlsPeer secure_backend_{std::move(TlsPeer(TlsPeer::Role::server).certificate(back_))};
};

TEST_F(TlsProxyTest, SecureInFrontPlainBehind) {
  std::string seen;
  const Backend backend([&](Socket& socket) {
    seen = socket.receive_head();
    socket.send(upgrade_response());
    const auto got = receive_frame(socket);
    socket.send(server_frame(binary, got.payload));
    const auto close = receive_frame(socket);
    socket.send(server_frame(close_op, close.payload));
  });
  const TestProxy proxy(secured(backend));
  TlsBridge client(browser_, dial(proxy));
  open(client);
  EXPECT_EQ(client.peer_name(), "front");
  expect_echo(client.plain(), "hello");
  expect_close(client, proxy);
  EXPECT_NE(seen.find("X-Forwarded-Proto: https\r\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("Forwarded: for=127.0.0.1;host=test;proto=https\r\n"), seen.npos) << seen;
}

TEST_F(TlsProxyTest, PlainInFrontSecureBehind) {
  std::string server_name, head;
  const Backend backend(behind_tls(secure_backend_, [&](TlsBridge& bridge) {
    server_name = bridge.server_name();
    echo(bridge.plain());
  }));
  for (const auto* host : {"localhost", "127.0.0.1"}) {
    Config config = TestProxy::config(backend);
    upstream_tls(config, trusting(), host);
    const TestProxy proxy(config);
    auto client = proxy.open();
    expect_echo(client, "hello");
    ASSERT_TRUE(client.send(client_frame(close_op, close_payload(1000))));
    EXPECT_EQ(receive_frame(client).close_code(), 1000);
    client.close();
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
    EXPECT_EQ(server_name, std::string(host) == "localhost" ? "localhost" : "");
    EXPECT_TRUE(proxy.warnings().empty());
  }
}

TEST_F(TlsProxyTest, BigAndSmallMessagesPassUnchangedOnBothLegs) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) { echo(bridge.plain()); }));
  const TestProxy proxy(secured(backend, [&](Config& config) { upstream_tls(config, trusting()); }));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer(TlsPeer::Role::client);
    peer.require(authority_.ca_file()).version(version);
    TlsBridge client(peer, dial(proxy));
    open(client);
    unsigned seed = 1;
    for (const std::size_t size : {0UL, 1UL, 125UL, 4096UL, 16384UL, 16385UL, 65536UL, 200'000UL, 5'000'000UL})
      expect_echo(client.plain(), noise(size, seed++));
    expect_close(client, proxy);
  }
}

TEST_F(TlsProxyTest, ManyMessagesInOneGoKeepTheirOrder) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) { echo(bridge.plain()); }));
  const TestProxy proxy(secured(backend, [&](Config& config) { upstream_tls(config, trusting()); }));
  TlsBridge client(browser_, dial(proxy));
  open(client);
  std::string all;
  for (unsigned i = 0; i < 2000; ++i) all += client_frame(text, "message " + std::to_string(i));
  ASSERT_TRUE(client.plain().send(all));
  for (unsigned i = 0; i < 2000; ++i) ASSERT_EQ(receive_frame(client.plain()).payload, "message " + std::to_string(i));
  expect_close(client, proxy);
}

// What was pulled in by the read-ahead of a handshake or of a head must not wait for an event that never comes.
TEST_F(TlsProxyTest, BytesBehindAHeadInTheSameRecordAreNotForgotten) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) {
    auto& socket = bridge.plain();
    ASSERT_FALSE(socket.receive_head().empty());
    socket.send(upgrade_response() + server_frame(text, "server first"));
    for (int i = 0; i < 2; ++i) {
      const auto got = receive_frame(socket);
      socket.send(server_frame(text, got.payload));
    }
    socket.receive_end();
  }));
  const TestProxy proxy(secured(backend, [&](Config& config) { upstream_tls(config, trusting()); }));
  TlsBridge client(browser_, dial(proxy));
  ASSERT_EQ(client.error(), "");
  ASSERT_TRUE(
      client.plain().send(upgrade_request() + client_frame(text, "client first") + client_frame(text, "second")));
  ASSERT_TRUE(client.plain().receive_head().starts_with("HTTP/1.1 101 "));
  EXPECT_EQ(receive_frame(client.plain()).payload, "server first");
  EXPECT_EQ(receive_frame(client.plain()).payload, "client first");
  EXPECT_EQ(receive_frame(client.plain()).payload, "second");
}

TEST_F(TlsProxyTest, AReaderThatPausesGetsEverythingInTheEnd) {
  const std::string flood = server_frame(binary, noise(3'000'000, 5));
  // More than the kernel holds on both legs: a receive buffer grows to tcp_rmem's 32 MiB.
  constexpr int copies = 30;
  std::atomic<std::size_t> sent{0};
  const Backend backend(behind_tls(secure_backend_, [&](TlsBridge& bridge) {
    auto& socket = bridge.plain();
    ASSERT_FALSE(socket.receive_head().empty());
    socket.send(upgrade_response());
    for (int i = 0; i < copies; ++i)
      for (std::string_view rest = flood; !rest.empty();
           rest.remove_prefix(std::min<std::size_t>(rest.size(), 1 << 16))) {
        if (!socket.send(rest.substr(0, 1 << 16))) return;
        sent += std::min<std::size_t>(rest.size(), 1 << 16);
      }
    socket.receive_end();
  }));
  const TestProxy proxy(secured(backend, [&](Config& config) {
    upstream_tls(config, trusting());
    config.listeners.front().routes.front().limits.buffered = 256 << 10;
  }));
  TlsBridge client(browser_, dial(proxy));
  open(client);
  client.freeze(true);
  // The backend is stopped by back-pressure: our queue, the kernel's buffers and the bridges' own are all there is room
  // for.
  std::size_t before = 0;
  ASSERT_TRUE(eventually([&] {
    const std::size_t now = sent;
    const bool still = now > 0 && now == before;
    before = now;
    ::poll(nullptr, 0, 100);
    return still;
  }));
  EXPECT_LT(sent, flood.size() * copies);
  for (const auto& row : proxy->sessions()) EXPECT_GT(row.record.figures.buffered_bytes[0], 0U);
  client.freeze(false);
  for (int i = 0; i < copies; ++i) {
    const auto frame = receive_frame(client.plain());
    ASSERT_TRUE(server_frame(binary, frame.payload) == flood) << i;
  }
}

TEST_F(TlsProxyTest, PlainRequestsPassOverTls) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) {
    const auto head = bridge.plain().receive_head();
    bridge.plain().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    bridge.plain().finish();
    bridge.plain().receive_end();
  }));
  const TestProxy proxy(secured(backend, [&](Config& config) { upstream_tls(config, trusting()); }));
  TlsBridge client(browser_, dial(proxy));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.plain().send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n"));
    EXPECT_TRUE(client.plain().receive_head().starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(client.plain().receive(2), "ok");
  }
}

TEST_F(TlsProxyTest, ClientCertificatesAreAskedForAndChecked) {
  const TestAuthority devices(directory_, "devices");
  const Backend backend(echo);
  const TestProxy proxy(
      secured(backend, [&](Config& config) { config.listeners.front().tls->client_ca = devices.ca_file(); }));

  TlsPeer device(TlsPeer::Role::client);
  device.require(authority_.ca_file()).certificate(devices.issue("device-1", ""));
  TlsBridge good(device, dial(proxy));
  open(good);
  expect_echo(good.plain(), "hello");

  TlsBridge without(browser_, dial(proxy));
  without.plain().send(upgrade_request());
  EXPECT_EQ(without.plain().receive_all(), "");
  EXPECT_EQ(without.error(), "tlsv13 alert certificate required");

  TlsPeer stranger(TlsPeer::Role::client);
  stranger.require(authority_.ca_file()).certificate(authority_.issue("stranger", ""));
  TlsBridge wrong(stranger, dial(proxy));
  wrong.plain().send(upgrade_request());
  EXPECT_EQ(wrong.plain().receive_all(), "");
  EXPECT_EQ(wrong.error(), "tlsv1 alert unknown ca");

  EXPECT_TRUE(eventually([&] { return proxy.rejected("unmatched") == 2; }));
  EXPECT_TRUE(contains(proxy.warnings(), "peer did not return a certificate"));
  EXPECT_EQ(backend.accepted(), 1);  // the refused never reached it
  expect_echo(good.plain(), "still here");
}

TEST_F(TlsProxyTest, OurClientCertificateIsShownToTheUpstream) {
  const TestAuthority proxies(directory_, "proxies");
  const auto mine = proxies.issue("sockeye", "");
  TlsPeer guarded(TlsPeer::Role::server);
  guarded.certificate(back_).require(proxies.ca_file());
  std::string seen;
  const Backend backend(behind_tls(guarded, [&](TlsBridge& bridge) {
    seen = bridge.peer_name();
    echo(bridge.plain());
  }));
  auto tls = trusting();
  tls.certificate = mine.certificate;
  tls.key = mine.key;
  Config config = TestProxy::config(backend);
  upstream_tls(config, tls);
  const TestProxy proxy(config);
  auto client = proxy.open();
  expect_echo(client, "hello");
  EXPECT_EQ(seen, "sockeye");

  upstream_tls(config, trusting());
  const TestProxy anonymous(config);
  auto refused = anonymous.connect();
  ASSERT_TRUE(refused.send(upgrade_request()));
  EXPECT_TRUE(refused.receive_head().starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(eventually([&] { return contains(anonymous.warnings(), "certificate required"); }));
}

TEST_F(TlsProxyTest, AnUpstreamThatIsNotWhoItShouldBeIs502) {
  const TestAuthority other(directory_, "other");
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) { echo(bridge.plain()); }));
  const Backend plain([](Socket& socket) {
    socket.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    socket.receive_end();
  });
  const auto expect_502 = [&](Config config, const ClientTls& tls, const std::string& host, const std::string& reason) {
    upstream_tls(config, tls, host);
    const TestProxy proxy(config);
    auto client = proxy.connect();
    ASSERT_TRUE(client.send(upgrade_request()));
    const auto answer = client.receive_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << answer;
    EXPECT_TRUE(eventually([&] { return contains(proxy.warnings(), reason); })) << reason;
    EXPECT_EQ(proxy.active(), 0U);
    EXPECT_EQ(proxy.rejected(), 1U);
  };
  ClientTls wrong_ca;
  wrong_ca.ca = other.ca_file();
  expect_502(TestProxy::config(backend), wrong_ca, "127.0.0.1", "unable to get local issuer certificate");
  auto wrong_name = trusting();
  wrong_name.server_name = "elsewhere.example";
  expect_502(TestProxy::config(backend), wrong_name, "127.0.0.1", "hostname mismatch");
  expect_502(TestProxy::config(backend), {}, "127.0.0.1",
             "unable to get local issuer certificate");  // the system's store
  expect_502(TestProxy::config(plain), trusting(), "127.0.0.1", "not TLS");
}

TEST_F(TlsProxyTest, VerificationOffWorksAndIsLoud) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) { echo(bridge.plain()); }));
  Config config = TestProxy::config(backend);
  ClientTls blind;
  blind.verify = false;
  upstream_tls(config, blind);
  const TestProxy proxy(config);
  auto client = proxy.open();
  expect_echo(client, "hello");
  EXPECT_TRUE(contains(proxy.warnings(), "TLS verification is OFF"));
  ASSERT_TRUE(proxy->reload(config));
  const auto lines = proxy.warnings();
  EXPECT_EQ(
      std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.find("is OFF") != line.npos; }), 2);
}

TEST_F(TlsProxyTest, AReloadedCertificateIsForNewSessionsOnly) {
  const Backend backend(echo);
  Config config = secured(backend);
  TestProxy proxy(config);
  TlsBridge before(browser_, dial(proxy));
  open(before);
  EXPECT_EQ(before.peer_name(), "front");

  // Other files, as a configuration that changed.
  const auto renewed = authority_.issue("renewed", "DNS:localhost,IP:127.0.0.1");
  config.listeners.front().tls = ServerTls{renewed.certificate, renewed.key, ""};
  ASSERT_TRUE(proxy->reload(config));
  TlsBridge after(browser_, dial(proxy));
  open(after);
  EXPECT_EQ(after.peer_name(), "renewed");

  // The same files with new content, as certbot does it.
  const auto third = authority_.issue("third", "DNS:localhost,IP:127.0.0.1");
  std::filesystem::rename(third.certificate, renewed.certificate);
  std::filesystem::rename(third.key, renewed.key);
  ASSERT_TRUE(proxy->reload(config));
  TlsBridge again(browser_, dial(proxy));
  open(again);
  EXPECT_EQ(again.peer_name(), "third");

  // Broken files change nothing.
  std::ofstream(renewed.key) << "garbage";
  const auto broken = proxy->reload(config);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find(renewed.key), std::string::npos) << broken.error().message;
  TlsBridge still(browser_, dial(proxy));
  open(still);
  EXPECT_EQ(still.peer_name(), "third");

  for (auto* session : {&before, &after, &again, &still}) expect_echo(session->plain(), "alive");
  EXPECT_EQ(proxy.active(), 4U);
}

TEST_F(TlsProxyTest, WhatIsNoTlsEndsThatConnectionOnly) {
  const Backend backend(echo);
  const TestProxy proxy(secured(backend));
  TlsBridge good(browser_, dial(proxy));
  open(good);
  for (const auto& bytes :
       {upgrade_request(), std::string(1000, '\0'), std::string("\x16\x03\x01\xff\xff", 5) + noise(20000, 3)}) {
    auto socket = proxy.connect();
    ASSERT_TRUE(socket.send(bytes));
    EXPECT_NE(socket.receive_end(), Socket::End::none);
  }
  auto silent_goodbye = proxy.connect();
  silent_goodbye.close();
  expect_echo(good.plain(), "still here");
  EXPECT_TRUE(contains(proxy.warnings(), "plain HTTP sent to a TLS port"));
}

TEST_F(TlsProxyTest, AHandshakeThatDoesNotEndIsEnded) {
  const Backend backend(echo);
  const TestProxy proxy(secured(
      backend, [](Config& config) { config.listeners.front().routes.front().limits.handshake_timeout = 300ms; }));
  auto silent = proxy.connect();
  auto half = proxy.connect();
  ASSERT_TRUE(half.send(std::string("\x16\x03\x01\x00\xff", 5)));
  EXPECT_NE(silent.receive_end(), Socket::End::none);
  EXPECT_NE(half.receive_end(), Socket::End::none);
}

TEST_F(TlsProxyTest, PeersThatVanishReleaseEverything) {
  std::atomic<int> ended{0};
  const Backend backend(behind_tls(secure_backend_, [&](TlsBridge& bridge) {
    echo(bridge.plain());
    ++ended;
  }));
  const TestProxy proxy(secured(backend, [&](Config& config) {
    upstream_tls(config, trusting());
    config.listeners.front().routes.front().carry.close_timeout = 500ms;
  }));
  int expected = 0;
  for (const bool reset : {false, true}) {
    TlsBridge client(browser_, dial(proxy));
    open(client);
    expect_echo(client.plain(), "hello");
    client.drop(reset);
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; })) << reset;
    EXPECT_TRUE(eventually([&] { return ended == expected + 1; })) << reset;
    ++expected;
  }
  EXPECT_EQ(proxy.anomalies(model::Anomaly::half_close), 1U);
}

TEST_F(TlsProxyTest, AServerThatVanishesReleasesTheClient) {
  for (const bool reset : {false, true}) {
    const Backend backend(behind_tls(secure_backend_, [&](TlsBridge& bridge) {
      bridge.plain().receive_head();
      bridge.plain().send(upgrade_response());
      receive_frame(bridge.plain());
      bridge.drop(reset);
    }));
    const TestProxy proxy(secured(backend, [&](Config& config) {
      upstream_tls(config, trusting());
      config.listeners.front().routes.front().carry.close_timeout = 500ms;
    }));
    TlsBridge client(browser_, dial(proxy));
    open(client);
    ASSERT_TRUE(client.plain().send(client_frame(text, "go")));
    EXPECT_NE(client.plain().receive_end(), Socket::End::none) << reset;
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; })) << reset;
  }
}

TEST_F(TlsProxyTest, DescriptorsComeBack) {
  const Backend backend(behind_tls(secure_backend_, [](TlsBridge& bridge) { echo(bridge.plain()); }));
  const TestProxy proxy(secured(backend, [&](Config& config) { upstream_tls(config, trusting()); }));
  {
    TlsBridge first(browser_, dial(proxy));
    open(first);
    expect_close(first, proxy);
  }
  // The first session may leave lazily opened files behind; ten more must leave none.
  std::size_t before = 0;
  ASSERT_TRUE(eventually([&] {
    const auto now = open_descriptors();
    const bool still = now == before;
    before = now;
    ::poll(nullptr, 0, 50);
    return still;
  }));
  for (int i = 0; i < 10; ++i) {
    TlsBridge client(browser_, dial(proxy));
    open(client);
    if (i % 2 == 0) expect_close(client, proxy);
  }
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= before; })) << open_descriptors() << " > " << before;
}

}  // namespace
}  // namespace sockeye::proxy::test
