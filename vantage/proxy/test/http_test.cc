// What is not a session: refusals, each with its status and reason, and plain HTTP beside the upgrades.
#include <gtest/gtest.h>

#include "harness.h"

namespace sockeye::proxy::test {
namespace {

using model::Anomaly;
using namespace std::string_literals;

std::string ask(const TestProxy& proxy, std::string_view request) {
  Socket client = proxy.connect();
  EXPECT_TRUE(client.send(request));
  return client.receive_all();
}

std::string body_of(const std::string& response) {
  const auto at = response.find("\r\n\r\n");
  return at == response.npos ? "" : response.substr(at + 4);
}

// A complete refusal: status, reason body of the length announced, and the end of the connection.
void expect_refusal(const std::string& response, int status, std::string_view why) {
  EXPECT_TRUE(response.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << response;
  const std::string body = body_of(response);
  EXPECT_NE(body.find(why), body.npos) << response;
  EXPECT_NE(response.find("Content-Length: " + std::to_string(body.size()) + "\r\n"), response.npos) << response;
  EXPECT_NE(response.find("Content-Type: text/plain"), response.npos) << response;
}

void never(Socket&) { ADD_FAILURE() << "nothing of this may reach the upstream"; }

void silent(Socket& socket) {
  socket.receive_head();
  socket.receive_end();
}

// --- refusals ---

TEST(Refusal, NoRouteIs404) {
  Backend backend(never);
  TestProxy proxy(backend, [](Route& route) { route.match.path = "/media"; });
  expect_refusal(ask(proxy, upgrade_request("/other")), 404, "");
  EXPECT_EQ(proxy.rejected("unmatched"), 1U);
  expect_refusal(ask(proxy, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), 404, "");
  EXPECT_EQ(proxy.rejected("unmatched"), 1U) << "a plain request is no connection";
  EXPECT_EQ(proxy.count([](const auto& m) { return m.http_requests.value(); }, "unmatched"), 1U);
}

TEST(Refusal, AnOriginThatIsNotAllowedIs403) {
  Backend backend(echo);
  TestProxy proxy(backend, [](Route& route) { route.origins = {"https://good.test"}; });
  expect_refusal(ask(proxy, upgrade_request("/", "Origin: https://evil.test\r\n")), 403, "origin not allowed");
  EXPECT_EQ(proxy.rejected(), 1U);
  Socket good = proxy.open("/", "Origin: https://good.test\r\n");
}

TEST(Refusal, BadUpgradesAre400And426) {
  Backend backend(never);
  TestProxy proxy(backend);
  std::string no_key = upgrade_request();
  no_key.erase(no_key.find("Sec-WebSocket-Key"),
               no_key.find("Sec-WebSocket-Version") - no_key.find("Sec-WebSocket-Key"));
  expect_refusal(ask(proxy, no_key), 400, "");
  std::string old = upgrade_request();
  old.replace(old.find("Version: 13"), 11, "Version: 8");
  const std::string answer = ask(proxy, old);
  expect_refusal(answer, 426, "");
  EXPECT_NE(answer.find("Sec-WebSocket-Version: 13\r\n"), answer.npos);
  expect_refusal(ask(proxy, upgrade_request("/", "Content-Length: 3\r\n") + "abc"), 400, "no body");
  EXPECT_EQ(proxy.rejected(), 3U);
}

TEST(Refusal, AFloodOfFieldsIs431) {
  Backend backend(never);
  TestProxy proxy(backend);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  expect_refusal(ask(proxy, many + "\r\n"), 431, "");
  // Endless, and never an end of the head.
  expect_refusal(ask(proxy, "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'y')), 431, "");
  EXPECT_EQ(proxy.anomalies(Anomaly::header_too_large, "unmatched"), 2U);
}

TEST(Refusal, ASlowHeadIs408HoweverItDrips) {
  Backend backend(never);
  TestProxy proxy(backend, [](Route& route) { route.limits.handshake_timeout = 300ms; });
  const auto begun = Clock::now();
  Socket client = proxy.connect();
  std::string answer;
  for (int i = 0; i < 1000 && answer.empty(); ++i) {
    client.send(i == 0 ? "GET / HTTP/1.1\r\nHost: a\r\nX: " : "y");
    answer = client.receive(1, 20ms);
  }
  const auto took = Clock::now() - begun;
  answer += client.receive_all();
  expect_refusal(answer, 408, "in time");
  EXPECT_GE(took, 290ms);  // a reactor's clock is that of its last wake-up
  EXPECT_EQ(proxy.anomalies(Anomaly::handshake_timeout, "unmatched"), 1U);
}

TEST(Refusal, AnUpstreamThatRefusesIs502) {
  Address nobody;
  {
    Backend gone(never);
    nobody = gone.address();
  }
  Backend backend(never);
  TestProxy proxy(backend, [&](Route& route) { route.upstream = nobody; });
  expect_refusal(ask(proxy, upgrade_request()), 502, "upstream refused the connection");
  expect_refusal(ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 502, "upstream refused the connection");
  EXPECT_EQ(proxy.rejected(), 1U);
  ASSERT_EQ(proxy.warnings().size(), 1U) << "one line in ten seconds";
  EXPECT_NE(proxy.warnings()[0].find("connection refused"), std::string::npos) << proxy.warnings()[0];
}

TEST(Refusal, AnUpstreamNameThatDoesNotExistIs502) {
  Backend backend(never);
  TestProxy proxy(
      backend, [&](Route& route) { route.upstream = {.host = "does-not-exist.invalid", .port = 80, .unix_path = ""}; });
  expect_refusal(ask(proxy, upgrade_request()), 502, "cannot be resolved");
}

TEST(Refusal, AnUpstreamThatDoesNotAnswerIs504) {
  Backend backend(silent);
  TestProxy proxy(backend, [](Route& route) { route.limits.handshake_timeout = 200ms; });
  expect_refusal(ask(proxy, upgrade_request()), 504, "did not answer");
  EXPECT_EQ(proxy.rejected(), 1U);
}

// A full accept queue swallows the SYN, as a host that is down does.
TEST(Refusal, AnUpstreamThatCannotBeReachedInTimeIs504) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(::listen(fd, 0), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  const Address full{.host = "127.0.0.1", .port = ntohs(name.sin_port), .unix_path = ""};
  std::vector<Socket> fill;
  for (int i = 0; i < 4; ++i) {
    const int each = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ::connect(each, reinterpret_cast<sockaddr*>(&name), size);
    fill.emplace_back(each);
  }
  Backend backend(never);
  TestProxy proxy(backend, [&](Route& route) {
    route.upstream = full;
    route.limits.handshake_timeout = 300ms;
  });
  expect_refusal(ask(proxy, upgrade_request()), 504, "in time");
  ::close(fd);
}

TEST(Refusal, AnUpstreamThatTalksNonsenseIs502) {
  for (const std::string_view nonsense :
       {"SSH-2.0-OpenSSH_9\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: wrong\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 101 Swi", ""}) {
    Backend backend([&](Socket& socket) {
      socket.receive_head();
      socket.send(nonsense);
    });
    TestProxy proxy(backend);
    expect_refusal(ask(proxy, upgrade_request()), 502, "");
    EXPECT_EQ(proxy.rejected(), 1U) << nonsense;
    EXPECT_EQ(proxy.anomalies(Anomaly::upstream_invalid), 1U) << nonsense;
  }
}

std::string selecting(const std::string& fields) {
  std::string answer = upgrade_response();
  answer.insert(answer.size() - 2, fields);
  return answer;
}

// What the client did not offer: refused, or, under conformance: forward, counted, told of and passed on as it is.
TEST(Refusal, ASelectionThatWasNotOfferedIs502OrPasses) {
  for (const std::string field : {"Sec-WebSocket-Protocol: mqtt\r\n", "Sec-WebSocket-Protocol: \r\n",
                                  "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
                                  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
                                  "Sec-WebSocket-Extensions: x-sum\r\n", "Sec-WebSocket-Extensions: ;\r\n"}) {
    Backend backend([&](Socket& socket) {
      if (socket.receive_head().empty()) return;
      socket.send(selecting(field));
      while (receive_frame(socket).first >= 0) socket.send(server_frame(text, "heard"));
    });
    const std::string offer =
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    {
      TestProxy strict(backend);
      expect_refusal(ask(strict, upgrade_request("/", offer)), 502, "");
      EXPECT_EQ(strict.anomalies(Anomaly::upstream_invalid), 1U) << field;
    }
    TestProxy proxy(backend, [](Route& route) { route.carry.conformance = relay::Conformance::forward; });
    Socket client = proxy.connect();
    ASSERT_TRUE(client.send(upgrade_request("/", offer)));
    const std::string head = client.receive_head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
    EXPECT_NE(head.find(field), head.npos) << head;
    ASSERT_TRUE(client.send(client_frame(text, "said")));
    EXPECT_EQ(receive_frame(client).payload, "heard");
    EXPECT_EQ(proxy.anomalies(Anomaly::upstream_invalid), 1U) << field;
    EXPECT_EQ(proxy.rejected(), 0U);
    ASSERT_EQ(proxy.warnings().size(), 1U);
    EXPECT_NE(proxy.warnings()[0].find("passed on"), std::string::npos) << proxy.warnings()[0];
    EXPECT_EQ(proxy->sessions().at(0).record.figures.anomalies, 1U);
  }
}

TEST(Refusal, AnAnswerThatIsNoWebSocketsIs502HoweverLenient) {
  Backend backend([&](Socket& socket) {
    std::string answer = upgrade_response();
    const auto at = answer.find("Sec-WebSocket-Accept: ") + 22;
    answer[at] = answer[at] == 'A' ? 'B' : 'A';
    socket.receive_head();
    socket.send(answer);
  });
  TestProxy proxy(backend, [](Route& route) { route.carry.conformance = relay::Conformance::forward; });
  expect_refusal(ask(proxy, upgrade_request()), 502, "Sec-WebSocket-Accept");
}

// RFC 9110 §15.2: a proxy passes interim answers on, and knows nothing of what they are for.
TEST(Upgrade, InterimAnswersPassBeforeThe101) {
  Backend backend([&](Socket& socket) {
    if (socket.receive_head().empty()) return;
    socket.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
    socket.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + upgrade_response());
    while (receive_frame(socket).first >= 0) socket.send(server_frame(text, "heard"));
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(upgrade_request()));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 100 Continue\r\n"));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 102 Processing\r\n"));
  const std::string hints = client.receive_head();
  EXPECT_TRUE(hints.starts_with("HTTP/1.1 103 Early Hints\r\n")) << hints;
  EXPECT_NE(hints.find("Link: </a.css>; rel=preload\r\n"), hints.npos);
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  ASSERT_TRUE(client.send(client_frame(text, "said")));
  EXPECT_EQ(receive_frame(client).payload, "heard");
  EXPECT_EQ(proxy.rejected(), 0U);
  EXPECT_EQ(proxy.active(), 1U);
}

// RFC 9112 §3.2.2: what goes upstream is the origin form, and the path decides all that a path decides.
TEST(Upgrade, AnAbsoluteTargetIsRoutedAndToldByItsPath) {
  std::string head;
  std::mutex mutex;
  Backend backend([&](Socket& socket) {
    {
      const std::lock_guard lock(mutex);
      head = socket.receive_head();
    }
    socket.send(upgrade_response());
    socket.receive_end();
  });
  TestProxy proxy(backend, [](Route& route) { route.match.path = "/media"; });
  std::string asked = upgrade_request("/media/x?room=1");
  const std::string host =
      asked.substr(asked.find("Host: ") + 6, asked.find("\r\n", asked.find("Host: ")) - asked.find("Host: ") - 6);
  asked.replace(asked.find("/media"), 0, "http://" + host);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(asked));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(head.starts_with("GET /media/x?room=1 HTTP/1.1\r\n")) << head;
    EXPECT_NE(head.find("\r\nHost: " + host + "\r\n"), head.npos) << head;
  }
  EXPECT_EQ(proxy->sessions().at(0).record.facts.target, "/media/x?room=1");
  // No other path gets here by being spelled so, and no other form of a target at all.
  expect_refusal(ask(proxy, "GET http://media/other HTTP/1.1\r\nHost: media\r\n\r\n"), 404, "");
  expect_refusal(ask(proxy, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 501, "CONNECT");
  expect_refusal(ask(proxy, "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 400, "malformed request target");
}

TEST(Refusal, TheUpstreamsOwnAnswerPassesVerbatim) {
  for (const std::string_view answer :
       {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nnope",
        "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n"}) {
    Backend backend([&](Socket& socket) {
      socket.receive_head();
      socket.send(answer);
      socket.receive_end();
    });
    TestProxy proxy(backend);
    // Frames sent too early must not be taken for a second request.
    const std::string got = ask(proxy, upgrade_request() + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(body_of(got), body_of(std::string(answer)));
    EXPECT_TRUE(got.starts_with(answer.substr(0, answer.find("\r\n")))) << got;
    EXPECT_EQ(proxy.rejected(), 1U);
    EXPECT_EQ(backend.accepted(), 1);
    if (answer.find("Location") != answer.npos) {
      EXPECT_NE(got.find("Location: https://elsewhere.test/\r\n"), got.npos);
    }
  }
}

TEST(Refusal, ACompressionOfferIsStrippedWhenDeclined) {
  std::string head;
  std::mutex mutex;
  Backend backend([&](Socket& socket) {
    {
      const std::lock_guard lock(mutex);
      head = socket.receive_head();
    }
    // An answer to an offer that was not made.
    socket.send(upgrade_response("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    socket.receive_end();
  });
  TestProxy proxy(backend, [](Route& route) { route.carry.decline_compression = true; });
  expect_refusal(ask(proxy, upgrade_request("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")), 502, "");
  const std::lock_guard lock(mutex);
  EXPECT_EQ(head.find("permessage-deflate"), head.npos) << head;
}

TEST(Refusal, AClientThatLeavesReleasesWhatWasBegun) {
  std::atomic<bool> released{false};
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    released = socket.receive_end() != Socket::End::none;
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(upgrade_request()));
  ASSERT_TRUE(eventually([&] { return backend.accepted() == 1; }));
  client.close();
  EXPECT_TRUE(eventually([&] { return released.load(); }));
  EXPECT_TRUE(eventually([&] { return proxy.rejected() == 1; }));
}

// --- plain HTTP ---

// Answers each connection's one request with what `answer` makes of its head and body.
Backend::Script answering(std::function<std::string(const std::string& head, const std::string& body)> answer) {
  return [answer = std::move(answer)](Socket& socket) {
    const std::string head = socket.receive_head();
    if (head.empty()) return;
    std::string body;
    if (const auto at = head.find("Content-Length: "); at != head.npos)
      body = socket.receive(std::stoul(head.substr(at + 16)));
    if (head.find("chunked") != head.npos) body = socket.receive_until("0\r\n\r\n");
    socket.send(answer(head, body));
  };
}

std::string ok(std::string_view body, std::string_view fields = "") {
  return std::string("HTTP/1.1 200 OK\r\nContent-Length: ") + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

TEST(PlainHttp, IsRefusedWhereARouteSaysSo) {
  Backend backend(never);
  TestProxy proxy(backend, [](Route& route) { route.plain_http = false; });
  expect_refusal(ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 426, "WebSocket only");
}

TEST(PlainHttp, KeepsTheConnectionAndThenUpgradesOnIt) {
  Backend backend([](Socket& socket) {
    const std::string head = socket.receive_head();
    if (head.find("Upgrade: websocket") == head.npos) {
      socket.send(ok("polled"));
      return;
    }
    socket.send(upgrade_response());
    const Frame got = receive_frame(socket);
    socket.send(server_frame(text, got.payload));
    receive_frame(socket);
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /poll HTTP/1.1\r\nHost: a\r\n\r\n"));
    const std::string head = client.receive_head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    EXPECT_EQ(head.find("Connection: close"), head.npos) << head;
    EXPECT_EQ(client.receive(6), "polled");
  }
  ASSERT_TRUE(client.send(upgrade_request()));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 101 "));
  ASSERT_TRUE(client.send(client_frame(text, "now a session")));
  EXPECT_EQ(receive_frame(client).payload, "now a session");
  EXPECT_EQ(proxy.count([](const auto& m) { return m.http_requests.value(); }), 3U);
}

TEST(PlainHttp, PipelinedRequestsAreAnsweredInOrder) {
  Backend backend(answering([](const std::string& head, const std::string& body) {
    const std::string path = head.substr(4, head.find(" HTTP") - 4);
    if (path == "/0") ::poll(nullptr, 0, 50);
    return ok(path + body);
  }));
  TestProxy proxy(backend);
  std::string requests;
  for (int i = 0; i < 5; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  requests += "PUT /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nend";
  const std::string got = ask(proxy, requests);
  std::size_t at = 0;
  for (const std::string_view each : {"/0", "/1", "/2", "/3", "/4"}) {
    const auto found = got.find("\r\n\r\n" + std::string(each), at);
    ASSERT_NE(found, got.npos) << each << " in\n" << got;
    at = found + 1;
  }
  EXPECT_TRUE(got.ends_with("/5end")) << got;
}

TEST(PlainHttp, HeadHasNoBodyAndNextFollows) {
  Backend backend([](Socket& socket) {
    const std::string head = socket.receive_head();
    socket.send(head.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" : ok("x"));
  });
  TestProxy proxy(backend);
  const std::string got = ask(proxy,
                              "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                              "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(got.find("Content-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\n"), got.npos) << got;
}

TEST(PlainHttp, ChunkedBodiesPassBothWays) {
  Backend backend(answering([](const std::string&, const std::string& body) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
  }));
  TestProxy proxy(backend);
  const std::string chunks = "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
  const std::string got =
      ask(proxy, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks);
  EXPECT_EQ(body_of(got), chunks);
}

TEST(PlainHttp, ABodyThatEndsWithTheConnectionEndsWithOurs) {
  Backend backend(answering(
      [](const std::string&, const std::string&) { return "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'z'); }));
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client.receive_end(), Socket::End::fin);
  const std::string got = client.receive(1'000'000, 1ms);
  EXPECT_EQ(body_of(got).size(), 100'000U);
  EXPECT_NE(got.find("Connection: close\r\n"), got.npos);
}

// What was cut must not look whole.
TEST(PlainHttp, ABodyThatIsCutShowsIt) {
  Backend backend([](Socket& socket) {
    const std::string head = socket.receive_head();
    socket.send(head.find("GET /close") != head.npos ? "HTTP/1.1 200 OK\r\n\r\nhalf"
                                                     : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    ::poll(nullptr, 0, 50);
    socket.reset();
  });
  TestProxy proxy(backend);
  Socket framed = proxy.connect();
  ASSERT_TRUE(framed.send("GET /length HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(body_of(framed.receive_all()), "half");
  Socket unframed = proxy.connect();
  ASSERT_TRUE(unframed.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(unframed.receive_end(), Socket::End::rst);
}

TEST(PlainHttp, Continue100PassesBeforeTheBody) {
  Backend backend([](Socket& socket) {
    const std::string head = socket.receive_head();
    EXPECT_NE(head.find("Expect: 100-continue\r\n"), head.npos);
    socket.send("HTTP/1.1 100 Continue\r\n\r\n");
    socket.send(ok("got " + socket.receive(4)));
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 100 Continue\r\n"));
  ASSERT_TRUE(client.send("body"));
  EXPECT_TRUE(client.receive_all().ends_with("\r\n\r\ngot body"));
}

TEST(PlainHttp, AnEarlyAnswerToALargeBodyArrives) {
  Backend backend([](Socket& socket) {
    socket.receive_head();
    socket.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    ::poll(nullptr, 0, 100);
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"));
  std::thread writer([&] { client.send(std::string(50'000'000, 'x'), 3s); });
  const std::string got = client.receive_until("big");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 413 ")) << got.substr(0, 100);
  writer.join();
}

TEST(PlainHttp, LargeBodiesStreamWithBackPressureBothWays) {
  constexpr std::size_t size = 40'000'000;
  std::atomic<std::size_t> sent{0};
  std::atomic<bool> go{false};
  Backend backend([&](Socket& socket) {
    const std::string head = socket.receive_head();
    if (head.starts_with("POST")) {
      // The upload waits until we read.
      eventually([&] { return go.load(); });
      const std::string body = socket.receive(size, 30s);
      socket.send(ok(std::to_string(body.size())));
      return;
    }
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    const std::string piece(100'000, 'd');
    for (std::size_t i = 0; i < size / piece.size(); ++i) {
      if (!socket.send(piece, 30s)) return;
      sent += piece.size();
    }
  });
  TestProxy proxy(backend);

  Socket download = proxy.connect();
  download.receive_buffer(64 * 1024);
  ASSERT_TRUE(download.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  std::size_t before = 0;
  ASSERT_TRUE(eventually(
      [&] {
        const std::size_t now = sent;
        const bool still = now > 0 && now == before;
        before = now;
        ::poll(nullptr, 0, 200);
        return still && sent == now;
      },
      30s));
  EXPECT_LT(sent, 20'000'000U);
  EXPECT_EQ(body_of(download.receive_all(30s)).size(), size);

  Socket upload = proxy.connect();
  ASSERT_TRUE(upload.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(size) +
                          "\r\n\r\n"));
  EXPECT_FALSE(upload.send(std::string(size, 'u'), 500ms)) << "nobody reads: it cannot all have gone";
  upload.close();
  go = true;
}

TEST(PlainHttp, SmugglingShapesNeverReachTheUpstream) {
  Backend backend(never);
  TestProxy proxy(backend);
  const std::string shapes[] = {
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked, chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"s,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
      "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
  for (const auto& shape : shapes) {
    const std::string got = ask(proxy, shape);
    EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << shape << "\ngot\n" << got;
  }
  EXPECT_EQ(proxy.rejected("unmatched"), std::size(shapes));
  EXPECT_EQ(backend.accepted(), 0);
}

TEST(PlainHttp, TrailersEndAtAnEdge) {
  for (const auto policy : {ForwardedPolicy::replace, ForwardedPolicy::append}) {
    const bool dropped = policy == ForwardedPolicy::replace;
    const std::string end = dropped ? "0\r\n\r\n" : "0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n";
    Backend backend([&](Socket& socket) {
      for (std::string head = socket.receive_head(); !head.empty(); head = socket.receive_head()) {
        EXPECT_NE(head.find("Transfer-Encoding: chunked"), head.npos);
        EXPECT_EQ(socket.receive(8 + end.size()), "3\r\nabc\r\n" + end);
        socket.send("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
      }
    });
    TestProxy proxy(backend, [&](Route& route) { route.forwarded = policy; });
    for (const auto* pause : {"", "0\r\n", "0\r\nX-Forw"}) {
      Socket client = proxy.connect();
      const std::string body = "3\r\nabc\r\n0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n";
      const std::size_t cut = body.find(pause) + std::string(pause).size();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body.substr(0, cut));
      client.send(body.substr(cut));
      EXPECT_EQ(client.receive_head(), "HTTP/1.1 204 No Content\r\n\r\n");
    }
  }
}

TEST(PlainHttp, TraceIsNotRelayed) {
  Backend backend(never);
  TestProxy proxy(backend);
  const std::string answer = ask(proxy, "TRACE / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n");
  expect_refusal(answer, 405, "TRACE");
  EXPECT_NE(answer.find("\r\nAllow: "), answer.npos);
  expect_refusal(ask(proxy, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), 501, "CONNECT");
}

TEST(PlainHttp, AMalformedChunkEndsTheRequest) {
  std::string received;
  std::mutex mutex;
  Backend backend([&](Socket& socket) {
    std::string all = socket.receive_all();
    const std::lock_guard lock(mutex);
    received = std::move(all);
  });
  TestProxy proxy(backend);
  const std::string got = ask(proxy,
                              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n3\r\nabcXX\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
  expect_refusal(got, 400, "chunk");
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return !received.empty();
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(received.find("smuggled"), received.npos) << received;
  EXPECT_EQ(proxy.anomalies(Anomaly::smuggling), 1U);
}

}  // namespace
}  // namespace sockeye::proxy::test
