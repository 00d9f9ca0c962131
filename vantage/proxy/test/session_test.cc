// Live sessions: bytes both ways, back-pressure, every way to end, heartbeats, the live view.
#include <gtest/gtest.h>

#include "harness.h"

namespace sockeye::proxy::test {
namespace {

using model::EndReason;

TEST(Session, CarriesASessionFromUpgradeToClose) {
  std::string head;
  std::mutex mutex;
  Backend backend([&](Socket& socket) {
    {
      const std::lock_guard lock(mutex);
      head = socket.receive_head();
    }
    socket.send(upgrade_response("X-Backend: yes\r\n"));
    const Frame got = receive_frame(socket);
    socket.send(server_frame(text, "re: " + got.payload));
    const Frame close = receive_frame(socket);
    socket.send(server_frame(close_op, close.payload));
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(upgrade_request("/media?x=1", "Origin: http://test\r\nCookie: a=b\r\n")));
  const std::string answer = client.receive_head();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
  EXPECT_NE(answer.find("X-Backend: yes\r\n"), answer.npos) << answer;
  ASSERT_TRUE(client.send(client_frame(text, "hello")));
  EXPECT_EQ(receive_frame(client).payload, "re: hello");
  EXPECT_EQ(proxy.active(), 1U);
  ASSERT_TRUE(client.send(client_frame(close_op, close_payload(1000, "done"))));
  const Frame close = receive_frame(client);
  EXPECT_EQ(close.first, close_op);
  EXPECT_EQ(close.close_code(), 1000);
  EXPECT_EQ(client.receive_end(), Socket::End::fin);
  client.close();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 0; }));

  {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(head.starts_with("GET /media?x=1 HTTP/1.1\r\n")) << head;
    for (const auto* field : {"Cookie: a=b\r\n", "Origin: http://test\r\n", "traceparent: 00-",
                              "X-Forwarded-For: 127.0.0.1\r\n", "Upgrade: websocket\r\n"})
      EXPECT_NE(head.find(field), head.npos) << field << " in\n" << head;
  }
  EXPECT_EQ(proxy.count([](const auto& m) { return m.connections_accepted.value(); }), 1U);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.connections_closed.value(); }), 1U);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.messages[0][0].value(); }), 1U);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.messages[1][0].value(); }), 1U);
  const auto ended = proxy->ended();
  ASSERT_EQ(ended.size(), 1U);
  ASSERT_TRUE(ended[0].detail.close);
  EXPECT_EQ(ended[0].detail.close->code, 1000);
  EXPECT_EQ(ended[0].detail.close->initiator, model::Initiator::client);
  EXPECT_EQ(ended[0].detail.close->reason, "done");
  EXPECT_TRUE(proxy->sessions().empty());
  EXPECT_TRUE(proxy.warnings().empty());
  const auto spans = proxy.spans.all();
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].name, "websocket.handshake");
  EXPECT_EQ(spans[1].name, "websocket.connection");
  EXPECT_NE(head.find(base::to_hex(spans[0].trace_id)), head.npos);
}

TEST(Session, BytesBehindEitherHeadArrive) {
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response() + server_frame(text, "early bird"));
    const Frame got = receive_frame(socket);
    socket.send(server_frame(text, got.payload));
    receive_frame(socket);
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  // The client does not wait for the 101.
  ASSERT_TRUE(client.send(upgrade_request() + client_frame(text, "pipelined")));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  EXPECT_EQ(receive_frame(client).payload, "early bird");
  EXPECT_EQ(receive_frame(client).payload, "pipelined");
}

TEST(Session, PassesBytesVerbatimHoweverTheyAreSplit) {
  Backend backend(echo);
  TestProxy proxy(backend);
  Socket client = proxy.open();
  base::Random random(3);
  std::string sent;
  std::string payloads;
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 4096U, 65535U, 65536U, 300000U}) {
    std::string payload(size, '\0');
    for (auto& c : payload) c = static_cast<char>(random());
    payloads += payload;
    sent += client_frame(binary, payload);
  }
  std::thread writer([&] {
    std::size_t at = 0;
    while (at < sent.size()) {
      const std::size_t step =
          std::min<std::size_t>(sent.size() - at, random() % 3 == 0 ? 1 + random() % 7 : 1 + random() % 30000);
      ASSERT_TRUE(client.send(std::string_view(sent).substr(at, step)));
      at += step;
    }
  });
  std::string received;
  for (int i = 0; i < 9; ++i) received += receive_frame(client).payload;
  writer.join();
  EXPECT_EQ(received.size(), payloads.size());
  EXPECT_TRUE(received == payloads);
}

// A million small frames in few reads: pieces are gathered, pings between them are answered by the peer, nothing is
// lost.
TEST(Session, ManySmallFramesInOneRead) {
  Backend backend([](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    std::size_t got = 0;
    while (receive_frame(socket).first == binary) ++got;
    socket.send(server_frame(text, std::to_string(got)));
    receive_frame(socket);
  });
  TestProxy proxy(backend, [](Route& route) { route.carry.limits.control_rate = 1'000'000; });
  Socket client = proxy.open();
  std::string burst;
  for (int i = 0; i < 50000; ++i) burst += client_frame(binary, "x");
  ASSERT_TRUE(client.send(burst + client_frame(text, "end")));
  EXPECT_EQ(receive_frame(client).payload, "50000");
}

// Far more than a turn's work in every read: what is put aside comes in its order, and nobody else waits for it.
TEST(Session, AFloodOfTinyFramesArrivesWholeAndTakesTurns) {
  std::string flood;
  for (int i = 0; i < 200'000; ++i) flood += client_frame(text, i % 3 == 0 ? "" : i % 3 == 1 ? "a" : "{}");
  std::atomic<bool> same{false};
  Backend sink([&](Socket& socket) {
    if (socket.receive_head().empty()) return;
    socket.send(upgrade_response());
    same = socket.receive(flood.size()) == flood;
    socket.send(server_frame(text, "got it"));
    receive_frame(socket);
  });
  Config config = TestProxy::config(sink);
  config.threads = 1;
  Backend other(echo);
  Route healthy = config.listeners[0].routes[0];
  healthy.name = "healthy";
  healthy.observe.route = "healthy";
  healthy.match.path = "/healthy";
  healthy.upstream = other.address();
  config.listeners[0].routes.insert(config.listeners[0].routes.begin(), healthy);
  TestProxy proxy(config);
  Socket bystander = proxy.open("/healthy");
  Socket client = proxy.open();
  std::thread sends([&] { client.send(flood); });
  for (int i = 0; i < 20; ++i) talk(bystander, "still here");
  sends.join();
  EXPECT_EQ(receive_frame(client).payload, "got it");
  EXPECT_TRUE(same);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.messages[0][0].value(); }), 200'000U);
  EXPECT_EQ(proxy->sessions().size(), 2U);
  for (const auto& row : proxy->sessions()) {
    if (row.record.facts.route == "default") {
      EXPECT_EQ(row.detail.counts[0].wire_bytes, flood.size());
    }
  }
}

TEST(Session, APeerThatNeverReadsPausesTheOtherAndLosesNothing) {
  constexpr std::size_t count = 1024;
  const std::string message = server_frame(binary, std::string(60000, 'm'));
  std::atomic<std::size_t> written{0};
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    for (std::size_t i = 0; i < count; ++i) {
      if (!socket.send(message, 60s)) return;
      ++written;
    }
    receive_frame(socket, 60s);
  });
  TestProxy proxy(backend, [](Route& route) { route.limits.buffered = 128 * 1024; });
  Socket client = proxy.connect();
  client.receive_buffer(64 * 1024);
  ASSERT_TRUE(client.send(upgrade_request()));
  ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  // The backend comes to a standstill, long before it has written 60 MB.
  std::size_t before = 0;
  ASSERT_TRUE(eventually(
      [&] {
        const std::size_t now = written;
        const bool still = now > 0 && now == before;
        before = now;
        ::poll(nullptr, 0, 300);
        return still && now == written;
      },
      30s));
  EXPECT_LT(written * message.size(), 30U << 20U);
  const auto rows = proxy->sessions();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_GT(rows[0].record.figures.buffered_bytes[0], 0U) << "the live view tells";
  EXPECT_TRUE(eventually([&] { return proxy.count([](const auto& m) { return m.buffered_bytes.value(); }) > 0; }));
  EXPECT_EQ(proxy.count([](const auto& m) { return m.buffered_sessions.value(); }), 1U);

  for (std::size_t i = 0; i < count; ++i) {
    const Frame got = receive_frame(client, 30s);
    ASSERT_EQ(got.payload.size(), 60000U) << i;
  }
  EXPECT_TRUE(eventually([&] { return proxy.count([](const auto& m) { return m.buffered_sessions.value(); }) == 0; }));
  EXPECT_EQ(proxy.count([](const auto& m) { return m.buffered_bytes.value(); }), 0U);
}

// --- ends ---

// What the backend sees of the end of a session, in its own thread.
struct Seen {
  std::mutex mutex;
  std::vector<Frame> frames;
  Socket::End end = Socket::End::none;
  std::atomic<bool> over{false};
  void watch(Socket& socket) {
    for (;;) {
      const Frame got = receive_frame(socket);
      if (got.first < 0) break;
      const std::lock_guard lock(mutex);
      frames.push_back(got);
    }
    end = socket.receive_end();
    over = true;
  }
};

TEST(Session, AClientThatIsGoneReleasesTheUpstream) {
  for (const bool rst : {true, false}) {
    Seen seen;
    Backend backend([&](Socket& socket) {
      socket.receive_head();
      socket.send(upgrade_response());
      seen.watch(socket);
    });
    TestProxy proxy(backend);
    Socket client = proxy.open();
    ASSERT_TRUE(client.send(client_frame(text, "last")));
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(seen.mutex);
      return seen.frames.size() == 1;
    }));
    if (rst) {
      client.reset();
    } else {
      client.close();
    }
    ASSERT_TRUE(eventually([&] { return seen.over.load(); })) << rst;
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
    const auto ended = proxy->ended();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].detail.close->why, EndReason::reset);
    EXPECT_EQ(ended[0].detail.close->code, 1006);
    EXPECT_EQ(ended[0].detail.close->initiator, model::Initiator::client);
  }
}

TEST(Session, AnUpstreamThatIsGoneReleasesTheClient) {
  for (const bool rst : {true, false}) {
    Backend backend([&](Socket& socket) {
      socket.receive_head();
      socket.send(upgrade_response() + server_frame(text, "last"));
      receive_frame(socket);
      if (rst) {
        socket.reset();
      } else {
        socket.close();
      }
    });
    TestProxy proxy(backend);
    Socket client = proxy.open();
    EXPECT_EQ(receive_frame(client).payload, "last");
    ASSERT_TRUE(client.send(client_frame(text, "go")));
    EXPECT_NE(client.receive_end(), Socket::End::none);
    client.close();
    EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
    const auto ended = proxy->ended();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].detail.close->initiator, model::Initiator::server);
  }
}

// What the server said last is not lost because the client's bytes met its closed socket.
TEST(Session, ACloseBeforeAResetIsStillSeen) {
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response() + server_frame(close_op, close_payload(4321, "out of cheese")));
    // Unread bytes make close() an RST.
    ::poll(nullptr, 0, 50);
    socket.close();
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(upgrade_request() + client_frame(binary, std::string(10000, 'x'))));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  const Frame close = receive_frame(client);
  EXPECT_EQ(close.first, close_op);
  EXPECT_EQ(close.close_code(), 4321);
  client.close();
  EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
}

// A violation closes both legs with the code RFC 6455 asks for; the Close arrives although bytes are left unread.
TEST(Session, AViolationClosesBothLegsWithItsCode) {
  Seen seen;
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    seen.watch(socket);
  });
  TestProxy proxy(backend);
  Socket client = proxy.open();
  ASSERT_TRUE(client.send(std::string("\xc1\x80\x01\x02\x03\x04", 6) + client_frame(binary, std::string(50000, 'x'))));
  const Frame close = receive_frame(client);
  EXPECT_EQ(close.first, close_op);
  EXPECT_EQ(close.close_code(), 1002);
  client.send(client_frame(close_op, close.payload));
  EXPECT_EQ(client.receive_end(), Socket::End::fin);
  client.close();
  ASSERT_TRUE(eventually([&] { return seen.over.load(); }));
  ASSERT_FALSE(seen.frames.empty());
  EXPECT_EQ(seen.frames.back().first, close_op);
  EXPECT_EQ(proxy.anomalies(model::Anomaly::reserved_bits), 1U);
}

// A FIN is passed on, and what the other peer still says arrives.
TEST(Session, AHalfClosedClientStillHearsTheServer) {
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    while (receive_frame(socket).first >= 0) {
    }
    EXPECT_EQ(socket.receive_end(), Socket::End::fin);
    for (int i = 0; i < 3; ++i) {
      ::poll(nullptr, 0, 50);
      socket.send(server_frame(text, "still " + std::to_string(i)));
    }
    socket.send(server_frame(close_op, close_payload(1000)));
  });
  TestProxy proxy(backend);
  Socket client = proxy.open();
  ASSERT_TRUE(client.send(client_frame(text, "that is all")));
  client.finish();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receive_frame(client).payload, "still " + std::to_string(i));
  EXPECT_EQ(receive_frame(client).close_code(), 1000);
  EXPECT_EQ(client.receive_end(), Socket::End::fin);
  EXPECT_TRUE(eventually([&] { return proxy.active() == 0; }));
}

// The server is long gone when its last bytes are read: neither the close timeout nor the linger cuts them off as long
// as they move.
TEST(Session, ASlowReaderGetsEverythingUpToTheClose) {
  constexpr std::size_t size = 3'000'000;
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    socket.send(server_frame(binary, std::string(size, 'l')) + server_frame(close_op, close_payload(1000, "bye")), 60s);
    socket.receive_end();
  });
  TestProxy proxy(backend, [](Route& route) { route.carry.close_timeout = 300ms; });
  Socket client = proxy.connect();
  client.receive_buffer(16 * 1024);
  ASSERT_TRUE(client.send(upgrade_request()));
  ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  // All is in the kernel's buffers, or nearly; the close timeout runs out many times over while it is read.
  std::string all;
  while (all.size() < size + 10) {
    const std::string piece = client.receive(std::min<std::size_t>(size / 30, size + 10 - all.size()));
    if (piece.empty()) break;
    all += piece;
    ::poll(nullptr, 0, 50);
  }
  all += client.receive_all();
  EXPECT_GE(all.size(), size);
  EXPECT_TRUE(all.ends_with("bye"));
}

// --- heartbeats ---

void quick_heartbeats(Route& route) {
  route.carry.heartbeat = {.interval = 200ms, .timeout = 100ms, .misses = 2, .client = true, .upstream = true};
}

TEST(Session, AFrozenClientIsClosedCountedAndLoggedOnce) {
  Seen seen;
  std::atomic<int> pings{0};
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response());
    for (;;) {
      const Frame got = receive_frame(socket);
      if (got.first == ping) {
        ++pings;
        socket.send(server_frame(pong, got.payload));
        continue;
      }
      if (got.first >= 0) {
        const std::lock_guard lock(seen.mutex);
        seen.frames.push_back(got);
        if (got.first == close_op) socket.send(server_frame(close_op, got.payload));
        continue;
      }
      seen.over = true;
      return;
    }
  });
  TestProxy proxy(backend, quick_heartbeats);
  Socket client = proxy.open();  // reads nothing, says nothing
  ASSERT_TRUE(eventually([&] { return proxy.active() == 0; }, 15s));
  ASSERT_TRUE(eventually([&] { return seen.over.load(); }));
  EXPECT_GE(pings, 1);
  ASSERT_EQ(seen.frames.size(), 1U);
  EXPECT_EQ(seen.frames[0].close_code(), 1001);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.pong_missed[0].value(); }), 2U);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.pong_missed[1].value(); }), 0U);
  const auto warnings = proxy.warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find(" closed: heartbeat timeout: nothing from the client 127.0.0.1 since 20"),
            std::string::npos)
      << warnings[0];
  EXPECT_NE(warnings[0].find("; 2 pings unanswered (route "), std::string::npos) << warnings[0];
  const auto ended = proxy->ended();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].detail.close->why, EndReason::heartbeat_timeout);
  EXPECT_EQ(ended[0].detail.close->initiator, model::Initiator::proxy);
  EXPECT_EQ(ended[0].detail.close->silent, model::Side::client);
  EXPECT_NE(warnings[0].find(base::to_uuid(ended[0].record.facts.id)), std::string::npos);
  // What the client would find, had it woken up: pings and a Close.
  int closes = 0;
  for (Frame got = receive_frame(client); got.first >= 0; got = receive_frame(client))
    closes += got.first == close_op ? 1 : 0;
  EXPECT_EQ(closes, 1);
}

// Our ping waits behind megabytes that the client does read, slowly: that is no missed heartbeat.
TEST(Session, ASlowReaderIsNotADeadOne) {
  constexpr std::size_t size = 6'000'000;
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.send(upgrade_response() + server_frame(binary, std::string(size, 's')), 60s);
    receive_frame(socket, 60s);
  });
  TestProxy proxy(backend, [](Route& route) {
    route.carry.heartbeat = {.interval = 500ms, .timeout = 2s, .misses = 1, .client = true, .upstream = false};
  });
  Socket client = proxy.connect();
  client.receive_buffer(32 * 1024);
  ASSERT_TRUE(client.send(upgrade_request()));
  ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  const auto begun = Clock::now();
  std::size_t got = 0;
  while (got < size + 10) {
    const std::string piece = client.receive(std::min<std::size_t>(40'000, size + 10 - got));
    ASSERT_FALSE(piece.empty()) << got;
    got += piece.size();
    ::poll(nullptr, 0, 25);
  }
  EXPECT_GT(Clock::now() - begun, 2500ms) << "or the ping did not have to wait";
  const Frame late = receive_frame(client);
  ASSERT_EQ(late.first, ping);
  ASSERT_TRUE(client.send(client_frame(pong, late.payload)));
  EXPECT_EQ(proxy.count([](const auto& m) { return m.pong_missed[0].value(); }), 0U);
  EXPECT_EQ(proxy.active(), 1U);
}

TEST(Session, HealthyIdleSessionsStayOpenAndAreNotMentioned) {
  Backend backend(echo);
  TestProxy proxy(backend, quick_heartbeats);
  Socket client = proxy.open();
  int pings = 0;
  while (pings < 5) {
    const Frame got = receive_frame(client);
    ASSERT_EQ(got.first, ping);
    ++pings;
    ASSERT_TRUE(client.send(client_frame(pong, got.payload)));
  }
  EXPECT_EQ(proxy.active(), 1U);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.pong_missed[0].value() + m.pong_missed[1].value(); }), 0U);
  EXPECT_TRUE(proxy.warnings().empty());
  const auto rows = proxy->sessions();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].detail.pings[0].rtt);
}

// --- the live view, limits, reconnects ---

TEST(Session, TheLiveViewShowsWhatIsGoingOn) {
  Backend backend(echo);
  TestProxy proxy(backend);
  std::vector<Socket> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(proxy.open("/s?token=secret"));
  ASSERT_TRUE(clients[7].send(client_frame(text, "abc")));
  EXPECT_EQ(receive_frame(clients[7]).payload, "abc");
  const auto rows = proxy->sessions();
  ASSERT_EQ(rows.size(), 20U);
  std::size_t talked = 0;
  for (const auto& row : rows) {
    EXPECT_EQ(row.record.facts.route, "default");
    EXPECT_EQ(row.record.facts.client, "127.0.0.1");
    EXPECT_EQ(row.record.facts.target.find("secret"), std::string::npos);
    EXPECT_GT(row.record.facts.opened_unix_ns, 1'700'000'000'000'000'000U);
    if (row.detail.counts[0].messages[0] == 0) continue;
    ++talked;
    const auto detail = proxy->session(row.record.facts.id);
    ASSERT_TRUE(detail);
    ASSERT_EQ(detail->recorder.size(), 2U);
    EXPECT_EQ(detail->recorder[0].length, 3U);
  }
  EXPECT_EQ(talked, 1U);
  EXPECT_FALSE(proxy->session(base::SessionId{}));
}

TEST(Session, TooManySessionsAre503AndAPlaceComesFree) {
  Backend backend(echo);
  TestProxy proxy(backend, [](Route& route) { route.limits.sessions = 2; });
  Socket a = proxy.open();
  Socket b = proxy.open();
  Socket c = proxy.connect();
  ASSERT_TRUE(c.send(upgrade_request()));
  const std::string answer = c.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("Retry-After: "), answer.npos);
  EXPECT_NE(answer.find("too many sessions"), answer.npos);
  EXPECT_EQ(proxy.rejected(), 1U);
  a.close();
  EXPECT_TRUE(eventually([&] { return proxy.active() == 1; }));
  Socket d = proxy.open();
  EXPECT_EQ(proxy.active(), 2U);
}

TEST(Session, AReconnectAfterAnAbnormalEndIsCounted) {
  Backend backend(echo);
  TestProxy proxy(backend);
  const auto reconnects = [&] {
    return proxy.count([](const auto& m) {
      std::uint64_t sum = 0;
      for (const auto& by_basis : m.reconnects) sum += by_basis.value();
      return sum;
    });
  };
  Socket first = proxy.open("/a?token=1", "User-Agent: test\r\n");
  const auto before = proxy->sessions();
  ASSERT_EQ(before.size(), 1U);
  first.reset();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 0; }));
  Socket other = proxy.open("/b", "User-Agent: test\r\n");
  EXPECT_EQ(reconnects(), 0U) << "another path";
  Socket second = proxy.open("/a?token=2", "User-Agent: test\r\n");
  EXPECT_EQ(reconnects(), 1U);
  bool found = false;
  for (const auto& row : proxy->sessions()) found = found || row.record.facts.reconnect_of == before[0].record.facts.id;
  EXPECT_TRUE(found);
  // A clean end leaves no credit.
  ASSERT_TRUE(second.send(client_frame(close_op, close_payload(1000))));
  EXPECT_EQ(receive_frame(second).close_code(), 1000);
  second.close();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 1; }));
  Socket third = proxy.open("/a", "User-Agent: test\r\n");
  EXPECT_EQ(reconnects(), 1U);
}

}  // namespace
}  // namespace sockeye::proxy::test
