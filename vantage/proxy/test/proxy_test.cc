// The proxy as a whole: start, reload, drain, addresses of every kind, descriptors and memory.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "certificates.h"
#include "harness.h"

namespace sockeye::proxy::test {
namespace {

Address tcp(std::string host, std::uint16_t port = 0) {
  return {.host = std::move(host), .port = port, .unix_path = ""};
}
Address unix_at(std::string path) { return {.host = "", .port = 0, .unix_path = std::move(path)}; }

TEST(Proxy, AnAddressInUseIsAnErrorThatNamesIt) {
  Backend backend(echo);
  TestProxy first(backend);
  Config config = TestProxy::config(backend);
  config.listeners[0].address = first.address();
  const auto second = Proxy::start(config, nullptr, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(first.address().text()), std::string::npos) << second.error().message;
  Config none;
  EXPECT_FALSE(Proxy::start(none, nullptr, {}));
  Config tls = TestProxy::config(backend);
  tls.listeners[0].tls = ServerTls{.certificate = "/nonexistent.pem", .key = "/nonexistent.key", .client_ca = ""};
  const auto third = Proxy::start(tls, nullptr, {});
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().message.find("/nonexistent.pem"), std::string::npos) << third.error().message;
}

TEST(Proxy, UnixSocketsOnBothSides) {
  const TemporaryDirectory directory;
  Backend backend(echo, unix_at(directory.file("backend")));
  Config config = TestProxy::config(backend);
  config.listeners[0].address = unix_at(directory.file("proxy"));
  {
    TestProxy proxy(config);
    std::vector<Socket> clients;
    for (int i = 0; i < 8; ++i) clients.push_back(proxy.open());
    for (auto& client : clients) talk(client, "over a file");
    ASSERT_TRUE(clients[0].send(client_frame(binary, std::string(3'000'000, 'u'))));
    EXPECT_EQ(receive_frame(clients[0]).payload.size(), 3'000'000U);
  }
  EXPECT_FALSE(std::filesystem::exists(directory.file("proxy"))) << "the socket's file goes with the proxy";
}

TEST(Proxy, IPv6OnTheClientsSide) {
  Backend backend(echo);
  Config config = TestProxy::config(backend);
  config.listeners[0].address = tcp("::1");
  TestProxy proxy(config);
  Socket client = proxy.open();
  talk(client, "six");
  const auto rows = proxy->sessions();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].record.facts.client, "::1");
}

// localhost is two addresses here; the backend listens on one.
TEST(Proxy, ANameIsTriedAddressByAddress) {
  Backend backend(echo);
  TestProxy proxy(backend, [&](Route& route) { route.upstream = tcp("localhost", backend.address().port); });
  Socket client = proxy.open();
  talk(client, "found");
}

// --- drain ---

TEST(Proxy, DrainLetsSessionsFinishThenClosesThem) {
  Backend backend(echo);
  TestProxy proxy(backend);
  const Address address = proxy.address();
  Socket leaves = proxy.open();
  Socket stays = proxy.open();
  Socket polls = proxy.connect();  // never sends a request
  const auto begun = Clock::now();
  std::thread drain([&] { proxy->drain(4s); });
  ASSERT_TRUE(eventually([&] { return !Socket::to(address).open(); })) << "no longer accepting";
  EXPECT_TRUE(proxy->draining());
  talk(leaves, "still here");
  talk(stays, "still here");
  ASSERT_TRUE(leaves.send(client_frame(close_op, close_payload(1000))));
  EXPECT_EQ(receive_frame(leaves).close_code(), 1000);
  leaves.close();
  EXPECT_NE(polls.receive_end(), Socket::End::none);
  polls.close();
  const Frame close = receive_frame(stays);
  EXPECT_GE(Clock::now() - begun, 3990ms);
  EXPECT_EQ(close.close_code(), 1001);
  EXPECT_EQ(close.payload.substr(2), "server shutting down");
  stays.send(client_frame(close_op, close.payload));
  EXPECT_EQ(stays.receive_end(), Socket::End::fin);
  stays.close();
  drain.join();
  EXPECT_EQ(proxy.active(), 0U);
  const auto ended = proxy->ended();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].detail.close->why, model::EndReason::drain);
  EXPECT_EQ(ended[0].detail.close->initiator, model::Initiator::proxy);
  EXPECT_FALSE(proxy->reload(TestProxy::config(backend)));
}

// A second signal: whoever waits for the first drain is released with the second.
TEST(Proxy, ADrainCanBeShortened) {
  Backend backend(echo);
  TestProxy proxy(backend);
  Socket client = proxy.open();
  const auto begun = Clock::now();
  std::thread patient([&] { proxy->drain(60s); });
  ASSERT_TRUE(eventually([&] { return !Socket::to(proxy.address()).open(); }));
  std::thread hasty([&] { proxy->drain(0s); });
  EXPECT_EQ(receive_frame(client).close_code(), 1001);
  client.send(client_frame(close_op, close_payload(1001)));
  client.close();
  patient.join();
  hasty.join();
  EXPECT_LT(Clock::now() - begun, 30s);
}

TEST(Proxy, DrainServesWhatIsUnderWay) {
  std::atomic<bool> go{false};
  Backend backend([&](Socket& socket) {
    const std::string head = socket.receive_head();
    if (head.empty()) return;
    eventually([&] { return go.load(); });
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(eventually([&] { return backend.accepted() == 1; }));
  std::thread drain([&] { proxy->drain(10s); });
  ASSERT_TRUE(eventually([&] { return proxy->draining(); }));
  go = true;
  const std::string got = client.receive_all();
  EXPECT_TRUE(got.ends_with("done")) << got;
  client.close();
  drain.join();
}

TEST(Proxy, AnIdleProxyDrainsAtOnce) {
  Backend backend(echo);
  TestProxy proxy(backend);
  const auto begun = Clock::now();
  proxy->drain(30s);
  EXPECT_LT(Clock::now() - begun, 5s);
}

// --- reload ---

TEST(Proxy, ReloadLeavesSessionsAloneAndAppliesToNewOnes) {
  Backend one(echo);
  Backend two([](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response() + server_frame(text, "two"));
    receive_frame(socket);
  });
  Config config = TestProxy::config(one);
  const auto probe = Socket::to(one.address());
  TestProxy proxy(config);
  const Address address = proxy.address();
  Socket old = proxy.open();
  talk(old, "before");

  // Traffic goes on throughout; no connection is refused, none is lost.
  std::atomic<bool> stop{false};
  std::atomic<int> opened{0};
  std::thread traffic([&] {
    while (!stop) {
      Socket client = Socket::to(address);
      ASSERT_TRUE(client.open());
      ASSERT_TRUE(client.send(upgrade_request()));
      ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
      ++opened;
    }
  });
  Config changed = config;
  changed.listeners[0].routes[0].upstream = two.address();
  changed.listeners[0].routes[0].name = changed.listeners[0].routes[0].observe.route = "second";
  changed.listeners.push_back(config.listeners[0]);
  changed.listeners[1].address = tcp("127.0.0.2");
  for (int i = 0; i < 20; ++i) {
    const auto reloaded = proxy->reload(i % 2 == 0 ? changed : config);
    ASSERT_TRUE(reloaded) << reloaded.error().message;
    const int now = opened;
    ASSERT_TRUE(eventually([&] { return opened > now; }));
  }
  ASSERT_TRUE(proxy->reload(changed));
  stop = true;
  traffic.join();
  ASSERT_EQ(proxy->addresses().size(), 2U);
  EXPECT_EQ(proxy->addresses()[0], address) << "an unchanged listener keeps its socket";

  Socket fresh = proxy.open();
  EXPECT_EQ(receive_frame(fresh).payload, "two");
  Socket other = Socket::to(proxy->addresses()[1]);
  ASSERT_TRUE(other.send(upgrade_request()));
  EXPECT_TRUE(other.receive_head().starts_with("HTTP/1.1 101 "));
  talk(old, "after");
  EXPECT_GE(proxy.count([](const auto& m) { return m.connections_accepted.value(); }, "second"), 1U);
  EXPECT_GE(proxy.count([](const auto& m) { return m.connections_accepted.value(); }, "default"), 1U);
}

TEST(Proxy, AReloadThatFailsChangesNothing) {
  Backend backend(echo);
  TestProxy proxy(backend);
  Config broken = TestProxy::config(backend);
  broken.listeners.push_back(broken.listeners[0]);
  broken.listeners[1].address = tcp("203.0.113.1", 9);  // not ours to bind
  broken.listeners[0].routes.clear();
  EXPECT_FALSE(proxy->reload(broken));
  Socket client = proxy.open();
  talk(client, "unchanged");
  EXPECT_EQ(proxy->addresses().size(), 1U);
}

// --- TLS on both sides, through the whole proxy ---

TEST(Proxy, CarriesTlsToTlsAndNewCertificatesOnReload) {
  const TemporaryDirectory directory;
  const TestAuthority authority(directory);
  const auto first = authority.issue("first", "DNS:localhost,IP:127.0.0.1");
  const auto second = authority.issue("second", "DNS:localhost,IP:127.0.0.1");
  // Two proxies in a row are a TLS client and a TLS server to each other: client → tcp → TLS → TLS → tcp → backend.
  Backend backend(echo);
  Config inner = TestProxy::config(backend);
  inner.listeners[0].tls = ServerTls{.certificate = first.certificate, .key = first.key, .client_ca = ""};
  TestProxy terminating(inner);
  Config outer = TestProxy::config(backend);
  outer.listeners[0].routes[0].upstream = terminating.address();
  outer.listeners[0].routes[0].upstream_tls = true;
  outer.listeners[0].routes[0].client_tls.ca = authority.ca_file();
  TestProxy originating(outer);

  Socket client = originating.open();
  talk(client, "through TLS");
  // Both at once, so that the TLS legs block in both directions.
  const std::string big(5'000'000, 'b');
  std::thread writer([&] { ASSERT_TRUE(client.send(client_frame(binary, big))); });
  EXPECT_TRUE(receive_frame(client).payload == big);
  writer.join();

  inner.listeners[0].tls->certificate = second.certificate;
  inner.listeners[0].tls->key = second.key;
  ASSERT_TRUE(terminating->reload(inner));
  talk(client, "the old session lives");
  Socket another = originating.open();
  talk(another, "new certificate");
  ASSERT_TRUE(client.send(client_frame(close_op, close_payload(1000))));
  EXPECT_EQ(receive_frame(client).close_code(), 1000);
  EXPECT_EQ(client.receive_end(), Socket::End::fin);

  // A certificate that is not trusted: 502, and one warning here; the other side counts a failed handshake.
  outer.listeners[0].routes[0].client_tls.ca = "";
  ASSERT_TRUE(originating->reload(outer));
  Socket refused = originating.connect();
  ASSERT_TRUE(refused.send(upgrade_request()));
  const std::string answer = refused.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_NE(answer.find("TLS with the upstream failed"), answer.npos);
  ASSERT_EQ(originating.warnings().size(), 1U);
  EXPECT_NE(originating.warnings()[0].find("certificate"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return terminating.rejected("unmatched") == 1; }));
}

// --- scale, leaks, exhaustion ---

// Echoes on one thread: a thread a connection would be two thousand threads.
class ManyEcho {
 public:
  ManyEcho() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&name), size), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size);
    port_ = ntohs(name.sin_port);
    EXPECT_EQ(::listen(fd_, 4096), 0);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    watch(fd_);
    thread_ = std::thread([this] { run(); });
  }
  ~ManyEcho() {
    stop_ = true;
    thread_.join();
    ::close(fd_);
    ::close(epoll_);
  }
  [[nodiscard]] Address address() const { return tcp("127.0.0.1", port_); }
  [[nodiscard]] int open() const { return open_; }

 private:
  void watch(int fd) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  void run() {
    std::array<epoll_event, 256> events;
    while (!stop_) {
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 20);
      for (int i = 0; i < n; ++i) serve(events[static_cast<std::size_t>(i)].data.fd);
    }
  }
  void serve(int fd) {
    if (fd == fd_) {
      const int got = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (got < 0) return;
      ++open_;
      watch(got);
      return;
    }
    char buffer[4096];
    const auto n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) {
      --open_;
      ::close(fd);
      return;
    }
    const std::string_view bytes(buffer, static_cast<std::size_t>(n));
    if (bytes.starts_with("GET ")) {
      const std::string answer = upgrade_response();
      ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      return;
    }
    // One short masked message a read, as these clients send them.
    std::string payload(bytes.substr(6));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ bytes[2 + i % 4]);
    const std::string answer = server_frame(static_cast<unsigned char>(bytes[0]), payload);
    ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (static_cast<unsigned char>(bytes[0]) == close_op) {
      --open_;
      ::close(fd);
    }
  }

  int fd_, epoll_;
  std::uint16_t port_ = 0;
  std::atomic<int> open_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(Proxy, TwoThousandSessionsComeAndGoWithoutALeak) {
  constexpr std::size_t many = 2000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 5 * many) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 5 * many);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  ManyEcho backend;
  Backend placeholder(echo);
  Config config = TestProxy::config(placeholder, [&](Route& route) { route.upstream = backend.address(); });
  TestProxy proxy(config, /*traced=*/false);  // spans would be kept for ever
  const auto round = [&] {
    std::vector<Socket> clients;
    for (std::size_t i = 0; i < many; ++i) clients.push_back(proxy.open());
    for (auto& client : clients) EXPECT_TRUE(client.send(client_frame(text, "hello")));
    for (auto& client : clients) EXPECT_EQ(receive_frame(client).payload, "hello");
    EXPECT_EQ(proxy->sessions().size(), many);
    EXPECT_EQ(proxy.active(), many);
    // Every kind of end among them.
    for (std::size_t i = 0; i < many; ++i) {
      if (i % 3 == 0) clients[i].send(client_frame(close_op, close_payload(1000)));
      if (i % 3 == 1) clients[i].reset();
      if (i % 3 == 2) clients[i].close();
    }
    clients.clear();
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0 && backend.open() == 0; }, 60s));
  };
  round();
  // The lingering legs' last wait is 2 s.
  const std::size_t descriptors = open_descriptors();
  const std::size_t memory = ::mallinfo2().uordblks;
  round();
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors; }))
      << open_descriptors() << " > " << descriptors;
  EXPECT_TRUE(eventually([&] { return ::mallinfo2().uordblks <= memory + 256 * 1024; }))
      << ::mallinfo2().uordblks - memory << " bytes more after the second round";
}

TEST(Proxy, OutOfDescriptorsItAnswers503AndRecovers) {
  Backend backend(echo);
  TestProxy proxy(backend);
  Socket old = proxy.open();
  talk(old, "before");
  std::vector<Socket> waiting;
  // Sockets made now, connected once the limit is down: what is short then is the proxy's own.
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(proxy.address().port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < 8; ++i) waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = open_descriptors() - 1;  // the one that counts them is gone
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  int answered = 0;
  for (auto& client : waiting) {
    ASSERT_EQ(::connect(client.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    client.send(upgrade_request());
    const std::string answer = client.receive_all();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 503 ")) << answer;
    answered += answer.empty() ? 0 : 1;
  }
  talk(old, "sessions go on");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_GE(answered, 4);
  Socket fresh = proxy.open();
  talk(fresh, "after");
  ASSERT_FALSE(proxy.warnings().empty());
  EXPECT_NE(proxy.warnings()[0].find("out of file descriptors"), std::string::npos) << proxy.warnings()[0];
}

}  // namespace
}  // namespace sockeye::proxy::test
