// An Observation that only watches: it counts as a carrier's does, blames nobody for what it did not see, and ends
// nothing.
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "build_frame.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/observer/byte_stream.h"
#include "sockeye/observer/handshake.h"

namespace sockeye::observer {
namespace {

using namespace std::chrono_literals;
using model::Anomaly;
using model::Opcode;
using model::Side;
using wire::test::close;
using wire::test::frame;
using wire::test::text;

struct Heard final : Listener {
  void anomaly(Anomaly kind, base::Time) override { anomalies.push_back(kind); }
  void message(const MessageSeen& seen) override { messages.push_back(seen); }
  void control(const MessageSeen& seen) override { controls.push_back(seen); }
  void invocation(const model::Invocation& each) override { invocations.push_back(each); }
  void ended(const model::CloseInfo& how, base::Time) override { end = how; }
  std::vector<Anomaly> anomalies;
  std::vector<MessageSeen> messages, controls;
  std::vector<model::Invocation> invocations;
  std::optional<model::CloseInfo> end;
};

struct Watched {
  Options options;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  Workspace workspace{.random = base::Random(7), .wall = {}};
  Heard heard;
  base::Time now = base::Time{} + 1000s;
  std::unique_ptr<Observation> observation;

  Watched() { options.vantage = "tap"; }
  [[nodiscard]] Call call() { return {workspace, *metrics, now}; }
  Watched& open(std::string_view extensions = {}) {
    model::HttpHead request;
    request.method = "GET";
    request.target = "/";
    model::HttpHead response;
    response.status = 101;
    if (!extensions.empty()) {
      request.fields.push_back({"Sec-WebSocket-Extensions", "permessage-deflate"});
      response.fields.push_back({"Sec-WebSocket-Extensions", extensions});
    }
    Handshake handshake(options, {}, now, call());
    handshake.request(request, call());
    observation = handshake.accepted(request, response, &heard, call());
    return *this;
  }
  void feed(Side from, std::string_view bytes) { observation->bytes(from, base::as_bytes(bytes), call()); }
  [[nodiscard]] model::SessionFigures figures() const { return observation->figures({}); }
  void speaks(std::string_view dialect) {
    options.dialect = {DialectOptions::Mode::fixed, dialect::find(dialect::built_in(), dialect), nullptr};
  }
};

// What a peer with context takeover sends.
struct Deflater {
  Deflater() { deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
  ~Deflater() { deflateEnd(&z); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  std::string operator()(std::string plain) {
    std::string out(plain.size() + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(plain.data());
    z.avail_in = static_cast<uInt>(plain.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_SYNC_FLUSH);
    out.resize(out.size() - z.avail_out - 4);
    return out;
  }
  z_stream z{};
};

TEST(Observation, AHalfClosedStreamGoesOnBeingCounted) {
  Watched w;
  w.open();
  w.observation->end(Side::client, StreamEnd::fin, w.call());
  w.now += 1h;
  w.observation->tick(w.call());
  for (int i = 0; i < 10; ++i) w.feed(Side::server, text(Side::server, "still here"));
  EXPECT_EQ(w.figures().messages[1], 10U);
  EXPECT_EQ(w.figures().state, model::SessionState::closing);
  w.observation->end(Side::server, StreamEnd::fin, w.call());
  EXPECT_EQ(w.figures().state, model::SessionState::closed);
  w.observation->finish(w.call());
  EXPECT_EQ(w.heard.anomalies, (std::vector{Anomaly::half_close}));
  EXPECT_EQ(w.heard.end->initiator, model::Initiator::client);
}

TEST(Observation, AViolationDoesNotBlindIt) {
  Watched w;
  w.open();
  w.feed(Side::client, frame(Side::client, {.payload = "not \xff text"}));
  w.feed(Side::client, frame(Side::client, {.payload = "unmasked", .masked = 0}));
  w.feed(Side::client, frame(Side::client, Opcode::continuation, "of nothing"));
  w.feed(Side::client, text(Side::client, "good"));
  EXPECT_EQ(w.heard.anomalies,
            (std::vector{Anomaly::invalid_utf8, Anomaly::unmasked_client_frame, Anomaly::orphan_continuation}));
  EXPECT_EQ(w.figures().messages[0], 3U);
  EXPECT_EQ(w.heard.messages.size(), 3U);
}

TEST(Observation, PingsAreTimedWhoeverSendsThem) {
  Watched w;
  w.open();
  w.feed(Side::server, frame(Side::server, Opcode::ping, "a"));
  w.now += 40ms;
  w.feed(Side::client, frame(Side::client, Opcode::pong, "a"));
  w.now += 10s;
  w.feed(Side::client, frame(Side::client, Opcode::ping, "b"));
  w.now += 7ms;
  w.feed(Side::server, frame(Side::server, Opcode::pong, "b"));
  const auto detail = w.observation->detail();
  EXPECT_EQ(detail.pings[0].rtt, std::optional<base::Duration>(40ms));
  EXPECT_EQ(detail.pings[1].rtt, std::optional<base::Duration>(7ms));
  EXPECT_EQ(w.figures().messages[0] + w.figures().messages[1], 0U);
  EXPECT_EQ(w.heard.controls.size(), 4U);
}

TEST(Observation, NothingBehindACloseCounts) {
  Watched w;
  w.open();
  w.feed(Side::client, close(Side::client, 4001, "bye") + text(Side::client, "late"));
  w.feed(Side::client, text(Side::client, "later"));
  w.feed(Side::server, text(Side::server, "on its way") + close(Side::server, 4001));
  EXPECT_EQ(w.figures().messages, (std::array<std::uint64_t, 2>{0, 1}));
  EXPECT_EQ(w.heard.anomalies, (std::vector{Anomaly::frame_after_close}));
  for (const Side side : {Side::client, Side::server}) w.observation->end(side, StreamEnd::fin, w.call());
  w.observation->finish(w.call());
  EXPECT_EQ(w.heard.end->code, 4001);
  EXPECT_EQ(w.heard.end->reason, "bye");
  EXPECT_EQ(w.heard.anomalies.size(), 1U);
}

TEST(Observation, AHoleInsideAMessageCostsThatMessageOnly) {
  Watched w;
  w.speaks("jsonrpc");
  w.open();
  const std::string long_one =
      text(Side::client, R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(500, 'm') + "\"}");
  w.feed(Side::client, std::string_view(long_one).substr(0, 100));
  w.observation->gap(Side::client, 200, w.call());
  w.feed(Side::client, std::string_view(long_one).substr(300));
  w.feed(Side::client, text(Side::client, R"({"jsonrpc":"2.0","id":2,"method":"whole"})"));
  w.feed(Side::server, text(Side::server, R"({"jsonrpc":"2.0","id":2,"result":1})"));
  EXPECT_EQ(w.figures().messages, (std::array<std::uint64_t, 2>{2, 1}));
  EXPECT_TRUE(w.heard.anomalies.empty());
  ASSERT_EQ(w.heard.invocations.size(), 1U);
  EXPECT_EQ(w.heard.invocations[0].operation, "whole");
  EXPECT_EQ(w.heard.invocations[0].message, 2U) << "the one that could not be read has its number";
}

TEST(Observation, AReplyToWhatWasNotSeenIsNobodysFault) {
  Watched w;
  w.speaks("jsonrpc");
  w.open();
  const std::string lost = text(Side::client, R"({"jsonrpc":"2.0","id":1,"method":"lost"})");
  w.observation->gap(Side::client, lost.size(), w.call());
  w.feed(Side::server, text(Side::server, R"({"jsonrpc":"2.0","id":1,"result":1})"));
  EXPECT_TRUE(w.heard.anomalies.empty());
  for (const auto& odd : w.metrics->dialect_errors) EXPECT_EQ(odd.value(), 0U);
}

TEST(Observation, AfterAHoleFramingIsFoundAgain) {
  Watched w;
  w.open();
  for (int i = 0; i < 5; ++i) w.feed(Side::server, text(Side::server, "message " + std::to_string(i)));
  w.observation->gap(Side::server, 1000, w.call());
  for (int i = 0; i < 5; ++i) w.feed(Side::server, text(Side::server, "another message " + std::to_string(i)));
  EXPECT_EQ(w.figures().messages[1], 10U);
  EXPECT_TRUE(w.heard.anomalies.empty());
}

TEST(Observation, CompressedMessagesBehindAHoleAreReadWhereTheyCanBe) {
  Watched w;
  w.speaks("jsonrpc");
  w.open("permessage-deflate");
  Deflater peer;
  const auto call = [&](int id, const std::string& method) {
    return frame(Side::client, {.payload = peer(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" +
                                                method + R"("})"),
                                .rsv = 4});
  };
  w.feed(Side::client, call(1, "first"));
  const std::string lost = call(2, "lost");
  w.observation->gap(Side::client, lost.size(), w.call());
  // This refers back to what is lost (or might), so it may not be readable; it is a message all the same.
  for (int id = 3; id < 10; ++id) {
    w.feed(Side::client, call(id, "method_number_" + std::to_string(id)));
    w.feed(Side::client, call(id + 100, "method_number_" + std::to_string(id)));
  }
  EXPECT_TRUE(w.heard.anomalies.empty());
  EXPECT_GE(w.figures().messages[0], 10U);
  for (const auto& odd : w.metrics->dialect_errors) EXPECT_EQ(odd.value(), 0U);
}

// What is longer than anything that is read is not inflated to its end; what comes after it is read again once it
// refers to nothing before it.
TEST(Observation, AMessageThatInflatesToTooMuchIsGivenUpNotItsSession) {
  Watched w;
  w.speaks("jsonrpc");
  w.open("permessage-deflate; client_no_context_takeover");
  const auto call = [&](const std::string& id, const std::string& more) {
    Deflater peer;
    w.feed(Side::client, frame(Side::client, {.payload = peer(R"({"jsonrpc":"2.0","id":)" + id +
                                                              R"(,"method":"add","params":")" + more + "\"}"),
                                              .rsv = 4}));
  };
  call("1", "small");
  call("2", std::string(20U << 20U, 'a'));
  call("3", "small");
  EXPECT_TRUE(w.heard.anomalies.empty());
  EXPECT_EQ(w.figures().messages[0], 3U);
  EXPECT_EQ(w.metrics->dialect_errors[static_cast<std::size_t>(model::DialectError::too_large)].value(), 1U);
  w.observation->finish(w.call());
  EXPECT_EQ(w.heard.invocations.size(), 3U);  // its first bytes say what it opens
}

TEST(Observation, AnApplicationThatSeesMessagesGivesThem) {
  Watched w;
  w.speaks("jsonrpc");
  w.open();
  w.observation->message(Side::client, Opcode::text, base::as_bytes(R"({"jsonrpc":"2.0","id":1,"method":"add"})"), 30,
                         w.call());
  w.now += 5ms;
  w.observation->message(Side::server, Opcode::text, base::as_bytes(R"({"jsonrpc":"2.0","id":1,"result":2})"), 25,
                         w.call());
  ASSERT_EQ(w.heard.invocations.size(), 1U);
  EXPECT_EQ(w.heard.invocations[0].ended - w.heard.invocations[0].opened, 5ms);
  EXPECT_EQ(w.figures().bytes, (std::array<std::uint64_t, 2>{30, 25}));
}

// A session may go from thread to thread: each has its own workspace and its own shard of the counters.
TEST(Observation, CountsAddUpOverThreads) {
  Watched w;
  w.speaks("jsonrpc");
  w.open();
  const auto elsewhere = std::make_unique<model::RouteMetrics>();
  Workspace other{.random = base::Random(8), .wall = {}};
  for (int id = 1; id <= 10; ++id) {
    const std::string number = std::to_string(id);
    const std::string ask =
        text(Side::client, R"({"jsonrpc":"2.0","id":)" + number + R"(,"method":"m)" + number + "\"}");
    const std::string answer = text(Side::server, R"({"jsonrpc":"2.0","id":)" + number + R"(,"result":1})");
    w.observation->bytes(Side::client, base::as_bytes(ask), w.call());
    w.observation->bytes(Side::server, base::as_bytes(answer), {other, *elsewhere, w.now});
  }
  EXPECT_EQ(w.metrics->messages[0][0].value(), 10U);
  EXPECT_EQ(elsewhere->messages[1][0].value(), 10U);
  EXPECT_EQ(w.heard.invocations.size(), 10U);
  // Every operation opened in one shard and ended in the other: in sum none is active, each ended once.
  std::map<std::string, std::pair<std::int64_t, std::uint64_t>> rows;
  for (const auto* shard : {w.metrics.get(), elsewhere.get()})
    for (std::size_t i = 0; i < model::OperationTable::rows; ++i)
      if (const auto* row = shard->operations.find(i)) {
        rows[row->name].first += row->active.value();
        rows[row->name].second += row->ended[0].value();
      }
  for (const auto& [name, of] : rows) {
    if (name == model::OperationTable::other_name) continue;
    EXPECT_EQ(of, (std::pair<std::int64_t, std::uint64_t>(0, 1))) << name;
  }
}

// --- from the first byte of a connection, or from the middle of it
// -----------------------------------------------------

constexpr const char* upgrade =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr const char* switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

TEST(ByteStream, FindsTheUpgradeBehindPlainRequestsHoweverBytesAreCut) {
  const std::string asked = std::string("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello") +
                            "GET /b HTTP/1.1\r\nHost: a\r\n\r\n" + "HEAD /c HTTP/1.1\r\nHost: a\r\n\r\n" + upgrade;
  const std::string answered =
      std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes") +
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + switching + text(Side::server, "hello");
  for (const std::size_t size : {1U, 7U, 100U, 100'000U}) {
    Watched w;
    ByteStream stream(w.options, {}, &w.heard);
    const auto feed = [&](Side from, std::string_view bytes) {
      for (std::size_t at = 0; at < bytes.size(); at += size)
        stream.bytes(from, base::as_bytes(bytes.substr(at, size)), w.call());
    };
    feed(Side::client, asked);
    feed(Side::client, text(Side::client, "eager"));  // before the answer was seen
    feed(Side::server, answered);
    ASSERT_EQ(stream.state(), ByteStream::State::websocket) << size;
    EXPECT_EQ(stream.observation()->figures({}).messages, (std::array<std::uint64_t, 2>{1, 1}));
    EXPECT_EQ(stream.observation()->facts({}).target, "/chat");
    stream.finish(w.call());
    EXPECT_EQ(w.metrics->connections_accepted.value(), 1U);
    EXPECT_TRUE(w.heard.anomalies.empty());
  }
}

TEST(ByteStream, ARefusedUpgradeIsCountedAndTheNextOneSeen) {
  Watched w;
  ByteStream stream(w.options, {}, &w.heard);
  stream.bytes(Side::client, base::as_bytes(upgrade), w.call());
  stream.bytes(Side::server, base::as_bytes("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), w.call());
  EXPECT_EQ(w.metrics->connections_rejected.value(), 1U);
  stream.bytes(Side::client, base::as_bytes(upgrade), w.call());
  stream.bytes(Side::server, base::as_bytes(switching), w.call());
  EXPECT_EQ(stream.state(), ByteStream::State::websocket);
}

TEST(ByteStream, WhatIsNoHttpIsPassedOver) {
  Watched w;
  ByteStream stream(w.options, {}, &w.heard);
  stream.bytes(Side::client, base::as_bytes("\x16\x03\x01\x02 this is TLS\n\n"), w.call());
  EXPECT_EQ(stream.state(), ByteStream::State::other);
  stream.bytes(Side::server, base::as_bytes(switching), w.call());
  EXPECT_EQ(stream.observation(), nullptr);
  stream.finish(w.call());
  EXPECT_EQ(w.metrics->connections_rejected.value(), 0U);
}

TEST(UnknownStream, TellsTheClientByItsMasks) {
  for (const unsigned client : {0U, 1U}) {
    Watched w;
    UnknownStream stream;
    bool found = false;
    for (int i = 0; i < 8 && !found; ++i) {
      w.now += 10ms;
      found =
          stream.bytes(client, base::as_bytes(text(Side::client, "a question, number " + std::to_string(i))), w.now) ||
          stream.bytes(1 - client, base::as_bytes(text(Side::server, "an answer, number " + std::to_string(i))), w.now);
    }
    ASSERT_TRUE(found);
    EXPECT_EQ(stream.client(), client);
    const auto observation = stream.take(w.options, {}, &w.heard, w.call());
    for (int i = 0; i < 4; ++i)
      observation->bytes(Side::server, base::as_bytes(text(Side::server, "an answer, after that")), w.call());
    EXPECT_GE(observation->figures({}).messages[0], 1U);
    EXPECT_GE(observation->figures({}).messages[1], 4U);
    EXPECT_TRUE(w.heard.anomalies.empty());
    observation->finish(w.call());
    EXPECT_EQ(w.metrics->connections_active.value(), 0);
  }
}

TEST(UnknownStream, HoldsNoMoreThanItsBoundOfHolesEither) {
  UnknownStream stream;
  for (unsigned i = 0; i < 100'000 && !stream.given_up(); ++i) {
    stream.gap(i & 1U);
    ASSERT_LE(stream.held(), UnknownStream::most_held);
  }
  EXPECT_TRUE(stream.given_up());
  EXPECT_EQ(stream.held(), 0U);
}

TEST(UnknownStream, GivesUpOnWhatIsNoWebSocket) {
  UnknownStream stream;
  base::Random random(1);
  for (int i = 0; i < 2000 && !stream.given_up(); ++i) {
    std::string noise(1000, '\0');
    for (char& c : noise) c = static_cast<char>(random() & 0xffU);
    ASSERT_FALSE(stream.bytes(random() & 1U, base::as_bytes(noise), {}));
  }
  EXPECT_TRUE(stream.given_up());
}

}  // namespace
}  // namespace sockeye::observer
