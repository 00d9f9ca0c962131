// Plain requests share connections to their upstream, and never at the price of an answer.
#include <gtest/gtest.h>

#include <condition_variable>

#include "harness.h"

namespace sockeye::proxy::test {
namespace {

using namespace std::string_literals;

std::string answer_of(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

// The body of the answer to one request.
std::string ask_on(Socket& client, const std::string& request) {
  EXPECT_TRUE(client.send(request));
  const std::string head = client.receive_head();
  const auto at = head.find("Content-Length: ");
  const std::string body = at == head.npos ? "" : client.receive(std::stoul(head.substr(at + 16)));
  return head.starts_with("HTTP/1.1 200 ") ? body : head;
}

std::string path_of(const std::string& head) {
  return head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1);
}

// Answers with the path, as often as it is asked.
Backend::Script serving(const std::string& fields = "") {
  return [fields](Socket& socket) {
    for (std::string head = socket.receive_head(); !head.empty(); head = socket.receive_head()) {
      if (const auto at = head.find("Content-Length: "); at != head.npos)
        socket.receive(std::stoul(head.substr(at + 16)));
      socket.send(answer_of(path_of(head), fields));
    }
  };
}

TEST(UpstreamReuse, AThousandRequestsOfThreeClientsTakeAFewConnections) {
  Backend backend(serving());
  TestProxy proxy(backend);
  constexpr int requests = 334;
  std::vector<Socket> clients;
  std::string pipeline;
  for (int i = 0; i < requests; ++i) pipeline += get("/" + std::to_string(i));
  for (int i = 0; i < 3; ++i) {
    clients.push_back(proxy.connect());
    ASSERT_TRUE(clients.back().send(pipeline));
  }
  for (auto& client : clients)
    for (int i = 0; i < requests; ++i) {
      ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 200 OK\r\n")) << i;
      const std::string path = "/" + std::to_string(i);
      ASSERT_EQ(client.receive(path.size()), path);
    }
  EXPECT_LE(backend.accepted(), 3);
  EXPECT_EQ(proxy.count([](const auto& m) { return m.http_requests.value(); }), 3U * requests);
}

TEST(UpstreamReuse, BodiesTooBothWays) {
  Backend backend(serving());
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  EXPECT_EQ(ask_on(client, get("/a")), "/a");
  for (const auto* method : {"PUT", "POST", "PATCH", "POST"})
    EXPECT_EQ(ask_on(client, method + " /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"s), "/x");
  EXPECT_EQ(ask_on(client, get("/y")), "/y");
  EXPECT_EQ(backend.accepted(), 1);
}

// Where something could be taken for somebody else's, a connection serves one request.
TEST(UpstreamReuse, NotWhereTheConnectionIsInDoubt) {
  struct {
    std::string name, request, fields;
  } const cases[] = {{"the upstream says close", get("/"), "Connection: close\r\n"},
                     {"it waits for no other", get("/"), "Keep-Alive: timeout=1\r\n"},
                     {"a body where none is expected", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", ""},
                     {"credentials of the connection", get("/", "Authorization: NTLM TlRMTVNTUAAB\r\n"), ""},
                     {"credentials of the connection", get("/", "Authorization: Negotiate YIIB\r\n"), ""}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    Backend backend(serving(each.fields));
    TestProxy proxy(backend);
    Socket client = proxy.connect();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_on(client, each.request), "/");
    EXPECT_EQ(backend.accepted(), 3);
  }
}

TEST(UpstreamReuse, NotBehindBytesThatNobodyAskedFor) {
  Backend backend([](Socket& socket) {
    while (!socket.receive_head().empty()) socket.send(answer_of("mine") + answer_of("somebody else's"));
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_on(client, get("/")), "mine");
  EXPECT_EQ(backend.accepted(), 3);
}

// The end of an idle connection and the next request may cross: nobody is told of it.
TEST(UpstreamReuse, ARequestIsSentAgainWhereItsConnectionWasGone) {
  std::atomic<int> seen{0};
  Backend backend([&](Socket& socket) {
    for (int i = 0;; ++i) {
      const std::string head = socket.receive_head();
      if (head.empty()) return;
      ++seen;
      if (i > 0) return socket.reset();  // read, and not answered
      socket.send(answer_of(path_of(head)));
    }
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask_on(client, get("/" + std::to_string(i))), "/" + std::to_string(i));
  EXPECT_EQ(seen, 7) << "three of them twice";
  EXPECT_EQ(backend.accepted(), 4);
  EXPECT_TRUE(proxy.warnings().empty());
}

TEST(UpstreamReuse, ABodyIsSentAgainToo) {
  Backend backend([&](Socket& socket) {
    for (int i = 0;; ++i) {
      const std::string head = socket.receive_head();
      if (head.empty()) return;
      const bool put = head.starts_with("PUT");
      const std::string body = put ? socket.receive(5) : "";
      if (i > 0) return socket.reset();
      socket.send(answer_of(put ? body : "-"));
    }
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  EXPECT_EQ(ask_on(client, get("/")), "-");
  EXPECT_EQ(ask_on(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"), "hello");
  ASSERT_TRUE(client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"));
  EXPECT_EQ(ask_on(client, "lo"), "hello");
  EXPECT_EQ(backend.accepted(), 3);
}

// Some upstreams close after an answer and do not say so.
TEST(UpstreamReuse, WhatCannotBeSentAgainGoesWhereOthersWent) {
  Backend backend([&](Socket& socket) {
    const std::string head = socket.receive_head();
    if (!head.empty()) socket.send(answer_of(path_of(head)));
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(ask_on(client, "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
              "/" + std::to_string(i));
  EXPECT_EQ(backend.accepted(), 20);
}

TEST(UpstreamReuse, WhatCouldHappenTwiceIsNotSentAgain) {
  std::atomic<int> posts{0};
  Backend backend([&](Socket& socket) {
    for (;;) {
      const std::string head = socket.receive_head();
      if (head.empty()) return;
      if (head.starts_with("POST")) {
        ++posts;
        return socket.reset();
      }
      socket.send(answer_of(path_of(head)));
    }
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask_on(client, get("/")), "/");  // the connection is known to stay
  ASSERT_TRUE(client.send("POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 502 "));
  EXPECT_EQ(posts, 1);
}

// On a new connection an end without an answer is the upstream's doing.
TEST(UpstreamReuse, OnlyOnce) {
  Backend backend([&](Socket& socket) {
    socket.receive_head();
    socket.reset();
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 502 "));
  EXPECT_EQ(backend.accepted(), 1);
}

TEST(UpstreamReuse, AReloadAndAnEndCloseWhatIsIdle) {
  std::atomic<int> open{0};
  Backend backend([&](Socket& socket) {
    ++open;
    serving()(socket);
    --open;
  });
  TestProxy proxy(backend);
  Socket client = proxy.connect();
  EXPECT_EQ(ask_on(client, get("/")), "/");
  EXPECT_EQ(open, 1);
  ASSERT_TRUE(proxy->reload(TestProxy::config(backend)));
  EXPECT_TRUE(eventually([&] { return open == 0; }));
  Socket another = proxy.connect();
  EXPECT_EQ(ask_on(another, get("/")), "/");
  EXPECT_EQ(backend.accepted(), 2);
  proxy->drain(0s);
  EXPECT_TRUE(eventually([&] { return open == 0; }));
}

TEST(UpstreamReuse, RequestsAtOnceAreLimited) {
  std::mutex mutex;
  std::condition_variable go;
  bool answer = false;
  Backend backend([&](Socket& socket) {
    while (!socket.receive_head().empty()) {
      std::unique_lock lock(mutex);
      go.wait(lock, [&] { return answer; });
      socket.send(answer_of("done"));
    }
  });
  TestProxy proxy(backend, [](Route& route) { route.limits.requests = 2; });
  std::vector<Socket> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(proxy.connect());
    ASSERT_TRUE(waiting.back().send(get("/")));
  }
  ASSERT_TRUE(eventually([&] { return backend.accepted() == 2; }));
  Socket third = proxy.connect();
  ASSERT_TRUE(third.send(get("/")));
  EXPECT_NE(third.receive_all().find("503 Service Unavailable: too many requests at once"), std::string::npos);
  {
    const std::lock_guard lock(mutex);
    answer = true;
  }
  go.notify_all();
  for (auto& each : waiting) {
    EXPECT_TRUE(each.receive_head().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(each.receive(4), "done");
  }
  // Room again, and a WebSocket takes none of it.
  Socket fourth = proxy.connect();
  EXPECT_EQ(ask_on(fourth, get("/")), "done");
}

}  // namespace
}  // namespace sockeye::proxy::test
