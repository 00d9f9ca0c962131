// What a replay observes is what was observed when the session was recorded, down to the last identifier.
#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "recorded.h"

namespace sockeye::capture::test {
namespace {

std::string deflated(std::string_view plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string out(plain.size() + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out - 4);
  deflateEnd(&stream);
  return out;
}

void expect_same(RecordedRig& rig) {
  const auto first = Again(rig.file).all();
  EXPECT_EQ(first, rig.live());
  EXPECT_EQ(Again(rig.file).all(), first);
}

// GraphQL over graphql-transport-ws: two invocations, one of which fails.
void speak_graphql(RecordedRig& rig) {
  const auto say = [&](Side from, const std::string& message) {
    rig.now += 3ms;
    rig.feed(from, text(from, message));
  };
  say(Side::client, R"({"type":"connection_init"})");
  say(Side::server, R"({"type":"connection_ack"})");
  say(Side::client, R"({"type":"subscribe","id":"1","payload":{"query":"query A { a }"}})");
  say(Side::server, R"({"type":"next","id":"1","payload":{"data":{"a":1}}})");
  say(Side::server, R"({"type":"complete","id":"1"})");
  say(Side::client, R"({"type":"subscribe","id":"2","payload":{"query":"query B { b }"}})");
  say(Side::server, R"({"type":"error","id":"2","payload":[{"message":"no"}]})");
}

TEST(Replay, ObservesADialectsInvocationsAgain) {
  RecordedRig rig;
  rig.subprotocol("graphql-transport-ws");
  rig.open();
  speak_graphql(rig);
  rig.feed(Side::client, close(Side::client, 1000, "bye"));
  rig.now += 1ms;
  rig.feed(Side::server, close(Side::server, 1000, "bye"));
  rig.end();
  EXPECT_GE(rig.spans.spans.size(), 4U);
  expect_same(rig);
  const Again again(rig.file);
  ASSERT_TRUE(again.result);
  EXPECT_FALSE(again.result->incomplete);
  EXPECT_EQ(again.result->row.record.figures.dialect, "graphql-transport-ws");
}

TEST(Replay, SwallowsTheCarriersPongsAgain) {
  RecordedRig rig;
  rig.options.heartbeat = {.interval = 30s, .timeout = 10s, .misses = 2, .client = true, .upstream = true};
  rig.open();
  rig.feed(Side::client, frame(Side::client, Opcode::ping, "mine"));
  rig.feed(Side::server, frame(Side::server, Opcode::pong, "mine"));
  rig.wait(61s);
  for (const auto& ping : rig.injected[0]) {
    rig.now += 7ms;
    const auto pong = frame(Side::client, Opcode::pong, relay::test::frames(ping.bytes).at(0).payload);
    rig.feed(Side::client, "\x81");  // begins in one read, behind half a frame
    rig.feed(Side::client, std::string("\x80\0\0\0\0", 5) + pong.substr(0, 3));
    rig.feed(Side::client, pong.substr(3) + text(Side::client, "after"));
  }
  rig.wait(10min);  // the server never answers: it is taken for dead
  rig.connection->eof(Side::client, rig.call());
  rig.connection->eof(Side::server, rig.call());
  rig.end();
  EXPECT_GE(rig.figures().missed_total, 2U);
  expect_same(rig);
}

TEST(Replay, EndsAsTheCarrierEnded) {
  using Script = void (*)(RecordedRig&);
  const std::array<Script, 8> scripts{
      [](RecordedRig& rig) { rig.feed(Side::server, text(Side::server, "\xff\xfe")); },
      [](RecordedRig& rig) { rig.feed(Side::client, frame(Side::client, {.rsv = 2})); },
      [](RecordedRig& rig) { rig.feed(Side::client, frame(Side::client, {.masked = 0}) + "rest"); },
      [](RecordedRig& rig) { rig.feed(Side::client, close(Side::client, 999)); },
      [](RecordedRig& rig) { rig.feed(Side::client, text(Side::client, "cut").substr(0, 5)); },
      [](RecordedRig& rig) { rig.feed(Side::server, text(Side::server, std::string(5000, 'x'))); },
      [](RecordedRig& rig) { rig.connection->shut(model::EndReason::drain, 1001, "server shutting down", rig.call()); },
      [](RecordedRig& rig) {
        for (int i = 0; i < 2000; ++i) rig.feed(Side::client, frame(Side::client, Opcode::ping, "x"));
      },
  };
  for (const bool strict : {true, false})
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      SCOPED_TRACE(std::to_string(i) + (strict ? " strict" : " forward"));
      RecordedRig rig;
      rig.options.conformance = strict ? relay::Conformance::strict : relay::Conformance::forward;
      rig.options.limits.frame = 4000;
      rig.open();
      rig.feed(Side::client, text(Side::client, "hello"));
      rig.now += 1s;
      scripts[i](rig);
      rig.now += 1s;
      rig.feed(Side::server, text(Side::server, "late") + close(Side::server, 1000) + "junk");
      rig.connection->eof(Side::client, rig.call());
      rig.wait(20s);
      rig.connection->reset(Side::server, rig.call());
      rig.end();
      expect_same(rig);
    }
}

TEST(Replay, IsTheSameHoweverBytesAreSplit) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    RecordedRig rig;
    rig.deflate();
    rig.observe.inflate = observer::Inflate::always;
    rig.observe.message_spans = 0.5;
    rig.open();
    for (int i = 0; i < 40; ++i) {
      const Side from = random() % 2 == 0 ? Side::client : Side::server;
      std::string bytes;
      const std::string payload(random() % 300, static_cast<char>('a' + random() % 26));
      switch (random() % 4) {
        case 0:
          bytes = frame(from, {.payload = deflated(payload), .rsv = 4});
          break;
        case 1:
          bytes = frame(from, Opcode::binary, payload, false) + frame(from, Opcode::ping, "p") +
                  frame(from, Opcode::continuation, payload);
          break;
        default:
          bytes = text(from, payload);
      }
      while (!bytes.empty()) {
        const auto size = std::min<std::size_t>(bytes.size(), 1 + random() % 100);
        rig.now += std::chrono::microseconds(random() % 500);
        if (random() % 8 == 0) rig.workspace.wall.ns += 1000;
        rig.feed(from, bytes.substr(0, size));
        bytes.erase(0, size);
      }
    }
    rig.wait(11min);  // segments
    rig.connection->reset(Side::client, rig.call());
    rig.end();
    expect_same(rig);
  }
}

// Messages that trace context may be put into are taken piece by piece.
TEST(Replay, ObservesWhatWasInsertedInto) {
  RecordedRig rig;
  rig.options.insert = {.to_server = true, .to_client = false, .tolerated = true};
  rig.subprotocol("graphql-transport-ws");
  rig.open();
  speak_graphql(rig);
  rig.connection->reset(Side::client, rig.call());
  rig.end();
  const auto again = Again(rig.file);
  EXPECT_EQ(Again(rig.file).all(), again.all());
  ASSERT_TRUE(again.result);
  EXPECT_EQ(metrics_text(*again.metrics), metrics_text(*rig.metrics));
  EXPECT_EQ(again.spans.spans.size(), rig.spans.spans.size());
}

TEST(Recording, KeepsNoPayloadUnlessAsked) {
  RecordedRig rig;
  rig.record.payload = false;
  rig.open();
  const std::string secret = "attack at dawn, attack at dawn";
  rig.feed(Side::client, text(Side::client, secret));
  rig.feed(Side::server, text(Side::server, secret).substr(0, 7));
  rig.feed(Side::server, text(Side::server, secret).substr(7) + frame(Side::server, Opcode::ping, secret));
  rig.now += 1s;
  rig.feed(Side::client, close(Side::client, 4000, secret));
  rig.feed(Side::server, close(Side::server, 4000, secret));
  rig.end();
  EXPECT_EQ(rig.file.find("attack"), std::string::npos);
  EXPECT_EQ(rig.file.find("dawn"), std::string::npos);
  EXPECT_EQ(rig.file.find("verysecret"), std::string::npos);
  // Nor under its mask: the key is not there.
  const auto masked = text(Side::client, secret);
  EXPECT_EQ(rig.file.find(masked.substr(6, 8)), std::string::npos);
  EXPECT_EQ(rig.file.find(masked.substr(2, 4)), std::string::npos);
  const Again again(rig.file);
  ASSERT_TRUE(again.result);
  EXPECT_EQ(metrics_text(*again.metrics), metrics_text(*rig.metrics));
  EXPECT_EQ(again.result->row.detail.close->code, 4000);
  EXPECT_EQ(again.result->row.detail.close->reason, "") << "it was not kept";
  EXPECT_EQ(again.result->row.record.figures.bytes, rig.figures().bytes);
  EXPECT_EQ(again.result->row.record.facts.id, rig.connection->observed().id());
}

TEST(Recording, RedactsCredentialsWithPayloadToo) {
  RecordedRig rig;
  rig.request.fields.push_back({"Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-verysecret"});
  rig.response.fields.push_back({"Set-Cookie", "session=verysecret"});
  rig.open();
  rig.connection->reset(Side::client, rig.call());
  rig.end();
  EXPECT_EQ(rig.file.find("verysecret"), std::string::npos);
  EXPECT_NE(rig.file.find("realtime, REDACTED"), std::string::npos);
  expect_same(rig);
}

TEST(Recording, StopsAtItsLimitAndSaysSo) {
  RecordedRig rig;
  rig.record.limit = 10'000;
  rig.open();
  for (int i = 0; i < 100; ++i) rig.feed(Side::client, text(Side::client, std::string(1000, 'x')));
  rig.connection->reset(Side::client, rig.call());
  rig.end();
  EXPECT_LE(rig.file.size(), 10'000U);
  const Again again(rig.file);
  ASSERT_TRUE(again.result);
  EXPECT_TRUE(again.result->truncated);
  EXPECT_FALSE(again.result->row.detail.close) << "how the session ended nobody knows";
  EXPECT_EQ(again.result->row.record.figures.state, model::SessionState::open);
  EXPECT_FALSE(again.result->incomplete);
  const auto messages = again.result->row.record.figures.messages[0];
  EXPECT_GE(messages, 5U);
  EXPECT_LT(messages, 10U);
  EXPECT_EQ(rig.figures().messages[0], 100U);
}

// From where the recording began, and not with a frame that was under way.
TEST(Recording, MayBeginInTheMiddle) {
  for (const bool payload : {true, false}) {
    RecordedRig rig;
    rig.options.heartbeat = {.interval = 30s, .timeout = 10s, .misses = 2, .client = true, .upstream = false};
    Rig& plain = rig;
    plain.open();
    rig.feed(Side::client, text(Side::client, "before") + text(Side::client, "under way").substr(0, 9));
    RecordingOptions options{.payload = payload};
    rig.connection->observe([&](std::unique_ptr<observer::Observation> observation) {
      Recording recording(options, 7);
      recording.to(std::make_unique<Collect>(rig.file));
      return std::move(recording).observe(std::move(observation),
                                          observer::Endpoints{"192.0.2.1", 4711, "server", 80, false}, rig.call());
    });
    rig.feed(Side::client, text(Side::client, "under way").substr(9));
    for (int i = 0; i < 10; ++i) {
      rig.now += 1ms;
      rig.feed(Side::client, text(Side::client, "after " + std::to_string(i)));
      rig.feed(Side::server, text(Side::server, "an answer of some length " + std::to_string(i)));
    }
    rig.wait(31s);
    const auto pong =
        frame(Side::client, Opcode::pong, relay::test::frames(rig.injected[0].back().bytes).at(0).payload);
    rig.feed(Side::client, pong.substr(0, 4));
    rig.feed(Side::client, pong.substr(4) + frame(Side::client, Opcode::pong, "own"));
    rig.feed(Side::client, close(Side::client, 1000));
    rig.feed(Side::server, close(Side::server, 1000));
    rig.end();
    EXPECT_EQ(rig.figures().messages[0], 12U);
    const Again again(rig.file);
    ASSERT_TRUE(again.result) << again.error;
    const auto& figures = again.result->row.record.figures;
    EXPECT_EQ(figures.messages[0], 10U);
    EXPECT_EQ(figures.messages[1], 10U);
    EXPECT_EQ(figures.anomalies, 0U);
    EXPECT_EQ(again.result->row.detail.counts[0].messages[3], 1U);  // the pong that was not ours
    EXPECT_EQ(again.result->row.detail.close->code, 1000);
    EXPECT_EQ(Again(rig.file).all(), again.all());
  }
}

}  // namespace
}  // namespace sockeye::capture::test
