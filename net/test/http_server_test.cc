#include "sockeye/net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "connection.h"

namespace sockeye::net {
namespace {

using namespace std::chrono_literals;
using test::body_of;
using test::Connection;
using test::eventually;
using test::status_of;

// Answers with what it was sent.
Site echo(std::size_t largest_body = 100) {
  Site site;
  site.admit = [largest_body](const Request& head, std::optional<std::uint64_t>) {
    Admission admission;
    admission.largest_body = largest_body;
    if (head.path == "/refused") admission.refusal = Response{403, "text/plain", "no"};
    return admission;
  };
  site.handle = [](Request&& request, const Respond& respond) {
    Response response{200, "text/plain",
                      request.method + " " + request.path + "|" + request.query + "|" + request.body};
    response.close = request.path == "/last";
    respond(std::move(response));
  };
  return site;
}

struct Served {
  explicit Served(ServerOptions options = {}, Site site = echo()) {
    auto started = IoThreads::start(1);
    if (!started) std::abort();
    threads = *std::move(started);
    options.what = "--listen";
    options.listen = "127.0.0.1:0";
    auto begun = Server::start(*threads, std::move(options), std::move(site));
    if (!begun) {
      ADD_FAILURE() << begun.error().message;
      std::abort();
    }
    server = *std::move(begun);
  }
  [[nodiscard]] Connection connect() const { return Connection(server->port()); }

  std::unique_ptr<IoThreads> threads;
  std::unique_ptr<Server> server;
};

ServerOptions quick() {
  ServerOptions options;
  options.head_timeout = options.idle_timeout = options.body_timeout = 1s;
  options.connections = 2;
  return options;
}

TEST(HttpServer, AnswersRequestAfterRequest) {
  const Served served;
  EXPECT_EQ(served.server->address(), "127.0.0.1:" + std::to_string(served.server->port()));
  const auto client = served.connect();
  EXPECT_EQ(body_of(client.ask("GET", "/a%20b?c=%20")), "GET /a b|c=%20|");
  EXPECT_EQ(body_of(client.ask("POST", "/x", "body")), "POST /x||body");
  EXPECT_EQ(status_of(client.ask("POST", "/x", std::string(101, 'b'))), 413);
  EXPECT_TRUE(client.ended()) << "the body was not read";
  const auto refused = served.connect();
  EXPECT_EQ(status_of(refused.ask("GET", "/refused")), 403);
  EXPECT_EQ(status_of(refused.ask("GET", "/last")), 200);
  EXPECT_TRUE(refused.ended());
}

TEST(HttpServer, AChunkedBodyIsLeasedAsItGrows) {
  Site site = echo();
  std::atomic<int> leased = 0;
  site.admit = [&](const Request& head, std::optional<std::uint64_t> length) {
    EXPECT_FALSE(length);
    Admission admission;
    admission.largest_body = 2'000'000;
    admission.lease_more = [&leased, most = head.path == "/little" ? 1 : 100](std::size_t) -> std::shared_ptr<void> {
      return leased++ < most ? std::make_shared<int>() : nullptr;
    };
    admission.no_room = Response{429, "text/plain", "no room"};
    return admission;
  };
  const Served served({}, site);
  const auto post = [&](const std::string& path, std::size_t size) {
    leased = 0;
    const auto client = served.connect();
    const std::string head = "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    char length[32];
    std::snprintf(length, sizeof length, "%zx\r\n", size);
    client.send(head + length + std::string(size, 'b') + "\r\n0\r\n\r\n");
    return client.one();
  };
  EXPECT_EQ(body_of(post("/", 1'000'000)).size(), 1'000'000U + 8U);
  EXPECT_GE(leased, 3);
  EXPECT_EQ(body_of(post("/little", 1'000'000)), "no room");
  EXPECT_EQ(status_of(post("/", 2'000'001)), 413);
}

TEST(HttpServer, WhatIsNoHttpIsRefusedAsTheSiteWordsIt) {
  Site site = echo();
  const auto first = [](const Served& served) {
    const auto client = served.connect();
    client.send("NONSENSE\r\n\r\n");
    return client.all();
  };
  EXPECT_EQ(body_of(first(Served({}, site))), "bad request\n");
  site.error = [](int status, std::string_view why) {
    return Response{status, "text/plain", "<" + std::string(why) + ">"};
  };
  EXPECT_EQ(body_of(first(Served({}, site))), "<bad request>");
  ServerOptions options;
  options.head_bytes = 1000;
  const Served served(options, site);
  const auto client = served.connect();
  client.send("GET /" + std::string(1100, 'a'));
  EXPECT_EQ(status_of(client.all()), 431);
}

TEST(HttpServer, ClosesWhatIsSlow) {
  const Served served(quick());
  EXPECT_TRUE(served.connect().ended());
  const auto head = served.connect();
  head.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(head.ended());
  const auto body = served.connect();
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf");
  EXPECT_TRUE(body.ended());
  const auto idle = served.connect();
  EXPECT_EQ(body_of(idle.ask("POST", "/", "whole")), "POST /||whole");
  EXPECT_TRUE(idle.ended());
}

TEST(HttpServer, NoMoreConnectionsThanSaid) {
  ServerOptions options = quick();
  options.idle_timeout = 60s;
  const Served served(options);
  EXPECT_TRUE(eventually([&] {
    const auto one = served.connect();
    const auto two = served.connect();
    return status_of(one.ask("GET", "/")) == 200 && status_of(two.ask("GET", "/")) == 200 &&
           served.connect().ask("GET", "/").empty();
  }));
}

TEST(HttpServer, TheOneThatWaitedLongestMakesRoom) {
  ServerOptions options = quick();
  options.head_timeout = options.idle_timeout = 60s;
  options.make_room_after = 60s;
  std::mutex mutex;
  std::vector<Respond> unanswered;
  Site site = echo();
  site.handle = [&, handle = site.handle](Request&& request, const Respond& respond) {
    if (request.path != "/slow") return handle(std::move(request), respond);
    const std::lock_guard lock(mutex);
    unanswered.push_back(respond);
  };
  const Served served(options, site);
  const auto busy = served.connect();
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return unanswered.size() == 1;
  }));
  const auto idle = served.connect();
  EXPECT_EQ(status_of(idle.ask("GET", "/")), 200);
  const auto third = served.connect();
  EXPECT_EQ(status_of(third.ask("GET", "/")), 200);
  EXPECT_TRUE(idle.ended());
  // Both that are left are being answered: there is no room to make.
  third.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return unanswered.size() == 2;
  }));
  EXPECT_EQ(served.connect().ask("GET", "/"), "");
  for (const auto& respond : unanswered) respond({200, "text/plain", "at last"});
  EXPECT_EQ(body_of(busy.one()), "at last");
  EXPECT_EQ(body_of(third.one()), "at last");
  unanswered.clear();  // none may outlive the threads
}

TEST(HttpServer, StopEndsWhatWaitsAndLetsAnAnswerEnd) {
  std::mutex mutex;
  Respond answer;
  Site site = echo();
  site.handle = [&](Request&&, const Respond& respond) {
    const std::lock_guard lock(mutex);
    answer = respond;
  };
  const Served served({}, site);
  const auto idle = served.connect();
  const auto busy = served.connect();
  busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return answer != nullptr;
  }));
  std::thread stopper([&] { served.server->stop(20s); });
  EXPECT_TRUE(idle.ended());
  answer({200, "text/plain", std::string(1 << 20, 'x')});
  EXPECT_EQ(body_of(busy.all()).size(), 1U << 20U);
  stopper.join();
  served.server->stop(20s);
  EXPECT_FALSE(served.connect().connected());
  answer = nullptr;  // it may not outlive the threads
}

TEST(HttpServer, SaysWhatIsWrongWithAnAddressOrAFile) {
  const auto threads = IoThreads::start(1);
  ASSERT_TRUE(threads);
  const auto refused = [&](const std::string& listen, std::optional<ServerTls> tls = {}) {
    ServerOptions options;
    options.what = "--listen";
    options.listen = listen;
    options.tls = std::move(tls);
    const auto started = Server::start(**threads, options, echo());
    return started ? std::string() : started.error().message;
  };
  for (const auto* bad : {"", "80", "::1:80", "name.example:80", "127.0.0.1:65536", "[127.0.0.1]:0"})
    EXPECT_EQ(refused(bad), "--listen " + std::string(bad) +
                                ": expected HOST:PORT, [V6]:PORT or :PORT, the host an IP address or localhost");
  const Served taken;
  EXPECT_NE(refused(taken.server->address()).find("Address already in use"), std::string::npos);
  EXPECT_TRUE(refused("127.0.0.1:0", ServerTls{"/none.pem", "/none.key", "--cert"}).starts_with("--cert /none.pem: "));
  for (const auto* good : {"localhost:0", ":0", "0.0.0.0:0"}) EXPECT_EQ(refused(good), "") << good;
}

}  // namespace
}  // namespace sockeye::net
