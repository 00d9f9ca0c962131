#include "sockeye/prometheus/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sample.h"
#include "sockeye/prometheus/render.h"

namespace sockeye::prometheus {
namespace {

using namespace std::chrono_literals;

// A client on a plain socket, so that any bytes can be sent.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { ::close(fd_); }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  Client(const Client&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }
  bool send(std::string_view bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  // Up to the end of the connection.
  std::string all() const {
    std::string out;
    std::array<char, 65536> part{};
    for (ssize_t n = 0; (n = ::recv(fd_, part.data(), part.size(), 0)) > 0;)
      out.append(part.data(), static_cast<std::size_t>(n));
    return out;
  }
  // One answer with a Content-Length; `head` without body.
  std::string one(bool head = false) const {
    std::string out;
    char c = 0;
    while (!out.ends_with("\r\n\r\n"))
      if (::recv(fd_, &c, 1, 0) != 1)
        return out;
      else
        out += c;
    const std::size_t at = out.find("Content-Length: ");
    if (at == std::string::npos || head) return out;
    const std::size_t length = std::stoul(out.substr(at + 16));
    std::string body(length, '\0');
    if (length > 0 && ::recv(fd_, body.data(), length, MSG_WAITALL) != static_cast<ssize_t>(length)) return "short";
    return out + body;
  }
  // True when the server ended it (or is about to, within the limit).
  [[nodiscard]] bool ended(std::chrono::milliseconds limit) const {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(limit.count())) != 1) return false;
    char c = 0;
    return ::recv(fd_, &c, 1, MSG_DONTWAIT) <= 0;
  }

 private:
  int fd_;
  bool connected_ = false;
};

Response text(std::string body) { return {200, "text/plain; charset=utf-8", std::move(body)}; }

EndpointOptions options() {
  EndpointOptions o;
  o.address = "127.0.0.1:0";
  o.routes = {
      {"/metrics", [](const Request& r) { return metrics_response(r, test::sample()); }},
      {"/healthz", [](const Request&) { return text("ok\n"); }, false, false, true},
      {"/readyz",
       [](const Request&) {
         return Response{503, "text/plain; charset=utf-8", "draining\n"};
       }},
      {"/sessions",
       [](const Request&) {
         return Response{200, "application/json", "[]"};
       }},
      {"/sessions/",
       [](const Request& r) { return text("session " + std::string(r.rest) + "?" + std::string(r.query)); }, true},
      {"/sessions/deep/", [](const Request& r) { return text("deep " + std::string(r.rest)); }, true},
      {"/throws", [](const Request&) -> Response { throw std::runtime_error("no"); }},
  };
  return o;
}

std::unique_ptr<Endpoint> begin(EndpointOptions o = options()) {
  auto started = Endpoint::start(std::move(o));
  if (!started) {
    ADD_FAILURE() << started.error().message;
    std::abort();
  }
  return std::move(*started);
}

std::string get(const Endpoint& endpoint, const std::string& path, const std::string& fields = "") {
  const Client client(endpoint.port());
  client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + "\r\n");
  return client.all();
}

std::string body(const std::string& answer) {
  return answer.substr(std::min(answer.find("\r\n\r\n") + 4, answer.size()));
}
int status(const std::string& answer) { return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3)); }

TEST(Endpoint, ServesItsTable) {
  const auto endpoint = begin();
  EXPECT_EQ(endpoint->address(), "127.0.0.1:" + std::to_string(endpoint->port()));
  EXPECT_EQ(body(get(*endpoint, "/healthz")), "ok\n");
  EXPECT_EQ(body(get(*endpoint, "/healthz?verbose=1")), "ok\n");
  EXPECT_EQ(body(get(*endpoint, "http://127.0.0.1/healthz")), "ok\n");
  EXPECT_EQ(status(get(*endpoint, "/readyz")), 503);
  EXPECT_EQ(body(get(*endpoint, "/sessions")), "[]");
  EXPECT_EQ(body(get(*endpoint, "/sessions/0190?full")), "session 0190?full");
  EXPECT_EQ(body(get(*endpoint, "/sessions/deep/a/b")), "deep a/b");
  EXPECT_EQ(status(get(*endpoint, "/throws")), 500);
  for (const auto* path : {"/", "/nothing", "/metrics/", "/healthz/x", "/sessionsX", "*"})
    EXPECT_EQ(status(get(*endpoint, path)), 404) << path;
  EXPECT_NE(get(*endpoint, "/healthz").find("X-Content-Type-Options: nosniff"), std::string::npos);
}

TEST(Endpoint, MetricsInTheFormatAskedFor) {
  const auto endpoint = begin();
  const auto plain = get(*endpoint, "/metrics");
  EXPECT_NE(plain.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
  EXPECT_EQ(body(plain), render(test::sample(), Format::text));
  const auto open = get(*endpoint, "/metrics", "Accept: application/openmetrics-text\r\n");
  EXPECT_NE(open.find("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_EQ(body(open), render(test::sample(), Format::openmetrics));
}

TEST(Endpoint, GzipForWhoAcceptsIt) {
  const auto endpoint = begin();
  const std::string expected = render(test::sample(), Format::text);
  for (const auto* accepts : {"gzip", "deflate, GZIP;q=0.5", "*", "x-gzip"}) {
    const auto answer = get(*endpoint, "/metrics", std::string("Accept-Encoding: ") + accepts + "\r\n");
    EXPECT_NE(answer.find("Content-Encoding: gzip\r\n"), std::string::npos) << accepts;
    EXPECT_NE(answer.find("Vary: Accept, Accept-Encoding\r\n"), std::string::npos);
    const std::string packed = body(answer);
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string out(expected.size() + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    EXPECT_EQ(out, expected);
  }
  for (const auto* accepts : {"gzip;q=0", "identity", "*;q=0", "gzip;q=0, *", "br"})
    EXPECT_EQ(get(*endpoint, "/metrics", std::string("Accept-Encoding: ") + accepts + "\r\n").find("Content-Encoding"),
              std::string::npos)
        << accepts;
}

TEST(Endpoint, HeadIsGetWithoutABody) {
  const auto endpoint = begin();
  const Client client(endpoint->port());
  client.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.one(true);
  EXPECT_EQ(status(answer), 200);
  EXPECT_NE(answer.find("Content-Length: " + std::to_string(render(test::sample(), Format::text).size())),
            std::string::npos);
  client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");  // nothing was left over on the connection
  EXPECT_EQ(body(client.one()), "ok\n");
}

TEST(Endpoint, IsQuickToSayThatItLivesWhateverElseIsAsked) {
  std::promise<void> go_on;
  const auto held = go_on.get_future().share();
  std::atomic<int> asked = 0;
  auto with = options();
  with.routes.push_back({"/alive", [](const Request&) { return text("yes"); }, false, false, true});
  with.routes.push_back({"/slow", [&](const Request&) {
                           ++asked;
                           held.wait();
                           return text("at last");
                         }});
  const auto endpoint = begin(std::move(with));
  std::vector<Client> slow;
  slow.reserve(60);
  for (int i = 0; i < 60; ++i)
    slow.emplace_back(endpoint->port()).send("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body(get(*endpoint, "/alive")), "yes");
  EXPECT_EQ(status(get(*endpoint, "/nowhere")), 404);
  // One is being answered and 32 wait; the others are refused while these do.
  const auto refused = [&] {
    std::size_t out = 0;
    for (const auto& each : slow) {
      pollfd readable{each.fd(), POLLIN, 0};
      out += ::poll(&readable, 1, 0) == 1 ? 1 : 0;
    }
    return out;
  };
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (refused() < 27 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  EXPECT_GE(refused(), 27U);
  EXPECT_LE(asked, 1);
  go_on.set_value();
  int answered = 0;
  int busy = 0;
  for (const auto& each : slow) {
    const auto answer = each.all();
    answered += body(answer) == "at last" ? 1 : 0;
    busy += status(answer) == 503 ? 1 : 0;
  }
  EXPECT_GE(answered, 32);
  EXPECT_EQ(answered + busy, 60);
}

TEST(Endpoint, OtherMethodsAreNotAllowed) {
  const auto endpoint = begin();
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"}) {
    const Client client(endpoint->port());
    client.send(method + " /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    const auto answer = client.all();
    EXPECT_EQ(status(answer), 405) << method;
    EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos);
  }
}

TEST(Endpoint, KeepsConnectionsAliveAndAnswersPipelinedRequestsInOrder) {
  const auto endpoint = begin();
  const Client client(endpoint->port());
  client.send(
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /sessions HTTP/1.1\r\nHost: x\r\n\r\nGET /sessions/7 "
      "HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body(client.one()), "ok\n");
  EXPECT_EQ(body(client.one()), "[]");
  EXPECT_EQ(body(client.one()), "session 7?");
  client.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body(client.one()), "ok\n");
  EXPECT_TRUE(client.ended(20s));  // HTTP/1.0
}

TEST(Endpoint, ABodyWithARequestEndsTheConnection) {
  // Or the body could be taken for the next request.
  const auto endpoint = begin();
  for (const std::string framing : {"Content-Length: 42\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const Client client(endpoint->port());
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n" + framing + "\r\nGET /sessions HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto answers = client.all();
    EXPECT_EQ(status(answers), 200);
    EXPECT_EQ(answers.find("[]"), std::string::npos);
  }
  // What takes a while is answered elsewhere, when the body has come.
  const Client client(endpoint->port());
  client.send(
      "GET /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body(client.one()), "[]");
  EXPECT_EQ(body(client.one()), "ok\n");
  const Client large(endpoint->port());
  large.send("GET /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(status(large.all()), 413);
}

TEST(Endpoint, WhatIsNotHttpIsRefused) {
  const auto endpoint = begin();
  for (const std::string& bad :
       {std::string("NONSENSE\r\n\r\n"), std::string("GET /\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"), std::string("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("\0\1\2\3\r\n\r\n", 8), std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)}) {
    const Client client(endpoint->port());
    client.send(bad);
    EXPECT_EQ(status(client.all()), 400) << bad;
  }
  EXPECT_EQ(status(get(*endpoint, "/healthz")), 200);
}

TEST(Endpoint, AHugeHeadIsRefusedAndTheRefusalArrives) {
  const auto endpoint = begin();
  for (const std::string& head :
       {"GET /" + std::string(1U << 20U, 'a'), "GET / HTTP/1.1\r\nX: " + std::string(1U << 20U, 'b'), [] {
          std::string many = "GET / HTTP/1.1\r\n";
          for (int i = 0; i < 100'000; ++i) many += "a: b\r\n";
          return many;
        }()}) {
    const Client client(endpoint->port());
    client.send(head.substr(0, 60'000));
    EXPECT_EQ(status(client.all()), 431);
  }
  // Just under the limit is served.
  EXPECT_EQ(status(get(*endpoint, "/healthz", "X: " + std::string(8000, 'c') + "\r\n")), 200);
}

TEST(Endpoint, SlowHeadsIdleConnectionsAndSlowReadersEachHaveADeadline) {
  EndpointOptions o = options();
  o.head_timeout = 300ms;
  o.idle_timeout = 600ms;
  o.write_timeout = 400ms;
  o.routes.push_back({"/big", [](const Request&) { return text(std::string(32U << 20U, 'x')); }});
  const auto endpoint = begin(std::move(o));

  const Client silent(endpoint->port());
  const Client slow(endpoint->port());
  bool sending = true;
  for (int i = 0; sending && i < 200; ++i) {  // a byte now and then does not move the deadline
    sending = slow.send("G") && !slow.ended(20ms);
  }
  EXPECT_FALSE(sending);
  EXPECT_TRUE(silent.ended(20s));

  const Client idle(endpoint->port());
  const auto since = std::chrono::steady_clock::now();
  idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body(idle.one()), "ok\n");
  EXPECT_TRUE(idle.ended(20s));
  EXPECT_GE(std::chrono::steady_clock::now() - since, 600ms);

  // What is tested is what happens while nobody reads, and the server may get to it late.
  bool cut_off = false;
  for (auto silence = 500ms; !cut_off && silence < 20s; silence *= 2) {
    const Client reader(endpoint->port());
    reader.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    std::this_thread::sleep_for(silence);
    cut_off = reader.all().size() < 32U << 20U;
  }
  EXPECT_TRUE(cut_off);
}

TEST(Endpoint, AThousandIdleConnectionsDoNotKeepAScrapeOut) {
  const auto endpoint = begin();
  std::vector<Client> crowd;
  for (int i = 0; i < 1000; ++i) {
    crowd.emplace_back(endpoint->port());
    ASSERT_TRUE(crowd.back().connected());
    if (i % 2 == 0) crowd.back().send("GET /metr");
  }
  EXPECT_EQ(body(get(*endpoint, "/healthz")), "ok\n");
  std::size_t ended = 0;
  for (const auto& client : crowd) ended += client.ended(0ms) ? 1 : 0;
  EXPECT_GE(ended, 1000U - 128U);
  EXPECT_EQ(status(get(*endpoint, "/metrics")), 200);
}

TEST(Endpoint, StopLetsARunningAnswerEnd) {
  std::mutex mutex;
  std::condition_variable changed;
  bool inside = false;
  EndpointOptions o = options();
  o.routes.push_back({"/slow", [&](const Request&) {
                        std::unique_lock lock(mutex);
                        inside = true;
                        changed.notify_all();
                        changed.wait_for(lock, 300ms, [] { return false; });
                        return text(std::string(4U << 20U, 'x'));
                      }});
  const auto endpoint = begin(std::move(o));
  const std::uint16_t port = endpoint->port();
  const Client idle(port);
  const Client busy(port);
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 20s, [&] { return inside; }));
  }
  std::thread stopper([&] { endpoint->stop(20s); });
  EXPECT_EQ(body(busy.all()).size(), 4U << 20U);
  stopper.join();
  EXPECT_TRUE(idle.ended(20s));
  EXPECT_FALSE(Client(port).connected());
  endpoint->stop(1s);
}

TEST(Endpoint, StopDoesNotWaitForWhoDoesNotRead) {
  EndpointOptions o = options();
  o.routes.push_back({"/big", [](const Request&) { return text(std::string(64U << 20U, 'x')); }});
  const auto endpoint = begin(std::move(o));
  const Client reader(endpoint->port());
  reader.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  pollfd readable{reader.fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 20'000), 1);
  const auto before = std::chrono::steady_clock::now();
  endpoint->stop(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST(Endpoint, AddressesThatCannotBe) {
  for (const auto* bad : {"", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "::1:9464",
                          "example.org:1", "192.0.2.1:0", "[127.0.0.1]:0", "127.0.0.1:-1"}) {
    EndpointOptions o = options();
    o.address = bad;
    const auto started = Endpoint::start(std::move(o));
    EXPECT_FALSE(started) << bad;
    if (!started) {
      EXPECT_NE(started.error().message.find("metrics address"), std::string::npos);
    }
  }
  const auto first = begin();
  EndpointOptions o = options();
  o.address = first->address();
  EXPECT_FALSE(Endpoint::start(std::move(o)));  // taken
}

TEST(Endpoint, AddressesThatCan) {
  for (const auto* good : {"localhost:0", ":0", "0.0.0.0:0"}) {
    EndpointOptions o = options();
    o.address = good;
    EXPECT_EQ(body(get(*begin(std::move(o)), "/healthz")), "ok\n") << good;
  }
}

}  // namespace
}  // namespace sockeye::prometheus
