#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "connection.h"
#include "http2_frames.h"
#include "sockeye/net/http_server.h"

namespace sockeye::net {
namespace {

using namespace std::chrono_literals;
using test::call;
using test::call_fields;
using test::call_head;
using test::Connection;
using test::eventually;
using test::HeardFrames;
using test::opening;

// Answers with what it was sent, on a thread of its own; "wait" when it is told to.
struct Calls {
  explicit Calls(ServerOptions options = {}) {
    auto started = IoThreads::start(1);
    if (!started) std::abort();
    threads = *std::move(started);
    GrpcSite site;
    site.encodings = "gzip";
    site.admit = [](const Request& head) {
      GrpcAdmission out;
      if (head.field("authorization") != "Bearer t") out.refusal = GrpcStatus{16, "who are you?"};
      out.largest_message = 1 << 20;
      return out;
    };
    site.handle = [this](GrpcCall&& call, GrpcRespond respond) {
      const std::lock_guard lock(mutex);
      if (call.request.body == "wait")
        waiting.push_back(std::move(respond));
      else
        answering.emplace_back([respond = std::move(respond), body = std::move(call.request.body)] {
          respond({{}, body});
        });
    };
    options.what = "--grpc";
    options.listen = "127.0.0.1:0";
    auto begun = Server::start(*threads, std::move(options), std::move(site));
    if (!begun) std::abort();
    server = *std::move(begun);
  }
  ~Calls() {
    for (auto& each : answering) each.join();
  }
  [[nodiscard]] Connection connect() const { return Connection(server->port()); }
  [[nodiscard]] std::size_t waits() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }

  std::unique_ptr<IoThreads> threads;
  std::mutex mutex;
  std::vector<GrpcRespond> waiting;  // goes before the threads
  std::vector<std::thread> answering;
  std::unique_ptr<Server> server;
};

const auto allowed = call_fields("/shop.Cart/Add", {{"authorization", "Bearer t"}});

// True: the stream was answered in full.
bool answered(const Connection& client, HeardFrames& heard, std::uint32_t stream) {
  while (!heard.streams[stream].ended) {
    const auto bytes = client.some();
    if (bytes.empty()) return false;
    heard.hear(bytes);
  }
  return true;
}

bool works(const Connection& client, HeardFrames& heard, std::uint32_t stream) {
  return client.send(call(stream, "hello", allowed)) && answered(client, heard, stream) &&
         heard.status(stream) == "0" && heard.streams[stream].data == test::message("hello");
}

TEST(GrpcServer, AnswersCallAfterCall) {
  Calls served;
  const auto client = served.connect();
  HeardFrames heard;
  ASSERT_TRUE(client.send(opening()));
  for (std::uint32_t stream = 1; stream < 20; stream += 2) EXPECT_TRUE(works(client, heard, stream)) << stream;
  ASSERT_TRUE(client.send(call(21, "x")));
  ASSERT_TRUE(answered(client, heard, 21));
  EXPECT_EQ(heard.status(21), "16");
  EXPECT_EQ(heard.streams[21].fields["grpc-message"], "who are you?");
  EXPECT_TRUE(works(client, heard, 23));
  const auto other = served.connect();
  ASSERT_TRUE(other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_NE(other.all().substr(0, 4), "HTTP") << "it speaks HTTP/2 alone";
}

TEST(GrpcServer, GivesTheUnknownLittleTime) {
  ServerOptions options;
  options.head_timeout = 1s;
  Calls served(options);
  const auto known = served.connect();
  HeardFrames heard;
  ASSERT_TRUE(known.send(opening()));
  ASSERT_TRUE(works(known, heard, 1));
  const auto silent = served.connect();
  const auto half = served.connect();
  ASSERT_TRUE(half.send(opening().substr(0, 20)));
  const auto refused = served.connect();
  ASSERT_TRUE(refused.send(opening() + call(1, "x")));
  EXPECT_EQ(silent.all(), "");
  (void)half.all();
  (void)refused.all();
  EXPECT_TRUE(works(known, heard, 3)) << "who was let in stays";
}

TEST(GrpcServer, MakesRoomAtTheCostOfTheUnknown) {
  ServerOptions options;
  options.connections = 3;
  options.make_room_after = 60s;
  Calls served(options);
  const auto known = served.connect();
  HeardFrames heard;
  ASSERT_TRUE(known.send(opening()));
  ASSERT_TRUE(works(known, heard, 1));
  std::vector<Connection> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(served.connect());
    ASSERT_TRUE(silent.back().send(opening()));
  }
  const auto late = served.connect();
  HeardFrames told;
  ASSERT_TRUE(late.send(opening()));
  EXPECT_TRUE(works(late, told, 1));
  EXPECT_TRUE(works(known, heard, 3));
  EXPECT_TRUE(eventually([&] { return served.server->counts().made_room >= 19; }));
}

TEST(GrpcServer, CutsOffWhoFloodsAndServesTheRest) {
  Calls served;
  const auto known = served.connect();
  HeardFrames heard;
  ASSERT_TRUE(known.send(opening()));
  ASSERT_TRUE(works(known, heard, 1));
  const auto rude = served.connect();
  std::string resets = opening();
  for (std::uint32_t n = 0; n < 1000; ++n)
    resets += call_head(2 * n + 1, allowed) + test::frame(test::reset_frame, 0, 2 * n + 1, test::big_endian(8, 4));
  (void)rude.send(resets);
  HeardFrames told;
  told.hear(rude.all());
  EXPECT_EQ(told.goaway, 11);  // ENHANCE_YOUR_CALM
  EXPECT_EQ(served.server->counts().misbehaved, 1U);
  EXPECT_TRUE(works(known, heard, 3));
}

// Answers nobody reads wait in the socket and in one buffer; meanwhile nothing more is read.
TEST(GrpcServer, ReadsNoMoreFromWhoDoesNotRead) {
  Calls served;
  const auto deaf = served.connect();
  ASSERT_TRUE(deaf.send(opening() + test::frame(test::window_frame, 0, 0, test::big_endian(1U << 30U, 4))));
  const std::string pings = test::frame(test::ping_frame, 0, 0, "12345678");
  std::size_t sent = 0;
  // Stops with the server's reading, or when it has had enough.
  while (sent < 100'000 && deaf.send(pings)) ++sent;
  EXPECT_LT(sent, 100'000U);
}

TEST(GrpcServer, AnswersWhatIsUnderWayWhenItStops) {
  Calls served;
  const auto client = served.connect();
  ASSERT_TRUE(client.send(opening() + call(1, "wait", allowed)));
  ASSERT_TRUE(eventually([&] { return served.waits() == 1; }));
  std::thread stopping([&] { served.server->stop(20s); });
  ASSERT_TRUE(eventually([&] { return !served.connect().connected(); }));
  HeardFrames heard;
  served.waiting.front()({{}, "at last"});
  heard.hear(client.all());
  stopping.join();
  EXPECT_EQ(heard.streams[1].data, test::message("at last"));
  EXPECT_EQ(heard.status(1), "0");
  EXPECT_EQ(heard.goaway, 0);
  EXPECT_FALSE(served.connect().send("x") && served.connect().connected());
}

TEST(GrpcServer, AnswersComeLateToNobody) {
  Calls served;
  {
    const auto client = served.connect();
    ASSERT_TRUE(client.send(opening() + call(1, "wait", allowed)));
    ASSERT_TRUE(eventually([&] { return served.waits() == 1; }));
  }
  served.server->stop(10s);
  served.waiting.front()({{}, "late"});
}

}  // namespace
}  // namespace sockeye::net
