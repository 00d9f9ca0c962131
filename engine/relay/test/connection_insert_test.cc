// Trace context put into messages: what the receiver gets, and that everything else passes as it came.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "rig.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/wire/inflate.h"

namespace sockeye::relay::test {
namespace {

// A peer's compressor: its context goes on from message to message, or not.
class Peer {
 public:
  Peer(bool alone, int bits) : alone_(alone) {
    deflateInit2(&z_, 9, Z_DEFLATED, -std::max(bits, 9), 8, Z_DEFAULT_STRATEGY);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { deflateEnd(&z_); }
  std::string operator()(std::string_view plain) {
    std::string out(plain.size() + 1000, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    z_.avail_in = static_cast<uInt>(plain.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, Z_SYNC_FLUSH);
    const std::size_t size = out.size() - z_.avail_out;
    out = size < 4 ? std::string(1, '\0') : out.substr(0, size - 4);  // RFC 7692 §7.2.3.6: of an empty message
    if (alone_) deflateReset(&z_);
    return out;
  }

 private:
  z_stream z_{};
  bool alone_;
};

// A message as a leg received it.
struct Message {
  std::string text;
  std::size_t frames = 0;
  bool compressed = false;
  bool masked = false;
};

// Reads a leg's whole output as a strict receiver would.
std::vector<Message> received(Side sender, std::string_view wire, const wire::Extensions& extensions) {
  const bool client = sender == Side::client;
  const wire::DeflateParameters& p = extensions.parameters;
  wire::Inflater inflater(client ? p.client_max_window_bits : p.server_max_window_bits,
                          client ? p.client_no_context_takeover : p.server_no_context_takeover, 1U << 26U);
  wire::FrameParser parser{{.sender = sender, .deflate = extensions.deflate}};
  std::vector<Message> out;
  const auto take = [](void* to, base::Bytes piece) {
    static_cast<std::string*>(to)->append(base::as_text(piece));
    return true;
  };
  bool fresh = true;
  for (base::Bytes in = base::as_bytes(wire); !in.empty();) {
    const auto piece = parser.next(in);
    in = in.subspan(piece.used);
    EXPECT_EQ(piece.anomaly, Anomaly::none);
    if (piece.kind != wire::FrameParser::Piece::Kind::data) continue;
    if (fresh)
      out.push_back(
          {.text = {}, .frames = 0, .compressed = parser.message_compressed(), .masked = parser.header().masked});
    fresh = piece.message_done;
    Message& message = out.back();
    message.frames += piece.starts ? 1 : 0;
    if (message.compressed) {
      EXPECT_EQ(inflater.feed(piece.payload, parser.header().mask, piece.offset, take, &message.text),
                wire::Inflater::Result::ok);
      if (piece.message_done) {
        EXPECT_EQ(inflater.end(take, &message.text), wire::Inflater::Result::ok);
      }
    } else {
      std::string plain(piece.payload.size(), '\0');
      wire::unmask(piece.payload, parser.header().mask, piece.offset, reinterpret_cast<base::Byte*>(plain.data()));
      message.text += plain;
    }
  }
  return out;
}

struct Inserting : Rig {
  explicit Inserting(std::string_view dialect = "envelope") {
    observe.dialect.mode = observer::DialectOptions::Mode::fixed;
    observe.dialect.program = dialect::find(dialect::built_in(), dialect);
    options.insert = {.to_server = true, .to_client = true};
    observe.scope = observer::TraceScope::connection;
  }
  Inserting& begin() {
    open({.target = "/", .host = "", .subprotocol = subprotocol, .tracestate = "vendor=1"});
    return *this;
  }
  [[nodiscard]] std::vector<Message> got(Side leg) const { return received(model::other(leg), to(leg), extensions); }
  // Taken out again: by the piece that was put in.
  static std::string without(std::string text) {
    const auto at = text.find("\"traceparent\":\"");
    if (at == std::string::npos) return text;
    const auto state = text.find("\"tracestate\":\"vendor=1\"");
    const std::size_t end = state != std::string::npos ? state + 23 : at + 15 + 55 + 1;
    return text.erase(at, end - at + (text[end] == ',' ? 1 : 0));
  }
  std::string subprotocol;
};

const std::string ask = R"({"headers":{"id":"1","operation":"quote"},"body":{"x":1}})";
const std::string chunk = R"({"headers":{"correlationId":"1"},"body":"a piece"})";

TEST(ConnectionInsert, PutsContextIntoWhatOpensACall) {
  Inserting rig;
  rig.begin();
  const std::string sent = text(Side::client, ask);
  rig.feed(Side::client, sent);
  const auto got = rig.got(Side::server);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_TRUE(got[0].masked);
  EXPECT_EQ(rig.to(Side::server).substr(4, 4), sent.substr(2, 4)) << "the client's own key";
  EXPECT_EQ(Inserting::without(got[0].text), ask);
  EXPECT_NE(got[0].text.find(R"("tracestate":"vendor=1")"), std::string::npos);
  // It names the invocation's own span.
  const std::string reply = text(Side::server, chunk);
  rig.feed(Side::server, reply);
  EXPECT_EQ(rig.to(Side::client), reply) << "opens nothing: as it came";
  rig.connection->finish(rig.call());
  std::string span;
  for (const auto& each : rig.spans.spans)
    if (each.name == "quote") span = "00-" + base::to_hex(each.trace_id) + "-" + base::to_hex(each.span_id) + "-01";
  EXPECT_NE(got[0].text.find(span), std::string::npos) << span;
}

TEST(ConnectionInsert, IsTheSameHoweverTheBytesAreSplit) {
  std::string one_go;
  for (const std::size_t size : {std::size_t{100000}, std::size_t{1}, std::size_t{3}, std::size_t{50}}) {
    Inserting rig;
    rig.begin();
    std::string sent = text(Side::client, ask);
    sent += frame(Side::client, {.payload = ask.substr(0, 20), .fin = false});
    sent += frame(Side::client, {.opcode = Opcode::ping, .payload = "between"});
    sent += frame(Side::client, {.opcode = Opcode::continuation, .payload = ask.substr(20)});
    sent += frame(Side::client, {.opcode = Opcode::binary, .payload = std::string(70'000, 'b')});
    sent += text(Side::client, "no json at all");
    rig.chop(Side::client, sent, size);
    EXPECT_EQ(rig.broken_loans, 0);
    const auto got = rig.got(Side::server);
    ASSERT_EQ(got.size(), 4U) << size;
    EXPECT_EQ(Inserting::without(got[0].text), ask);
    EXPECT_EQ(Inserting::without(got[1].text), ask);
    EXPECT_EQ(got[1].frames, 1U);
    EXPECT_EQ(got[2].text, std::string(70'000, 'b'));
    EXPECT_EQ(got[3].text, "no json at all");
    if (one_go.empty()) one_go = rig.to(Side::server);
    EXPECT_EQ(rig.to(Side::server), one_go) << size;
    EXPECT_EQ(rig.anomalies(Anomaly::none), 0U);
  }
}

TEST(ConnectionInsert, WorksInReverse) {
  Inserting rig;
  rig.options.insert.to_server = false;
  rig.begin();
  rig.feed(Side::server, text(Side::server, ask));
  rig.feed(Side::client, text(Side::client, ask));
  EXPECT_EQ(Inserting::without(rig.got(Side::client)[0].text), ask);
  EXPECT_NE(rig.got(Side::client)[0].text, ask);
  EXPECT_FALSE(rig.got(Side::client)[0].masked);
  EXPECT_EQ(rig.to(Side::server), text(Side::client, ask)) << "that way it was not asked for";
}

TEST(ConnectionInsert, NeverWithoutBeingAsked) {
  for (const std::string_view dialect : {"envelope", "graphql-transport-ws", "cdp"}) {
    Inserting rig(dialect);
    if (dialect == "envelope") rig.options.insert = {};
    rig.begin();
    const std::string sent =
        text(Side::client, dialect == "envelope" ? ask
                           : dialect == "cdp"    ? std::string(R"({"id":1,"method":"Page.enable","params":{}})")
                                                 : R"({"type":"subscribe","id":"1","payload":{"query":"{a}"}})");
    rig.feed(Side::client, sent);
    EXPECT_EQ(rig.to(Side::server), sent) << dialect;
  }
  Inserting rig("graphql-transport-ws");
  rig.options.insert.tolerated = true;
  rig.begin();
  rig.feed(Side::client, text(Side::client, R"({"type":"subscribe","id":"1","payload":{"query":"{a}"}})"));
  EXPECT_NE(rig.got(Side::server)[0].text.find(R"("payload":{"extensions":{"traceparent")"), std::string::npos);
}

TEST(ConnectionInsert, RemakesACompressedContext) {
  for (const bool alone : {false, true})
    for (const int bits : {15, 8}) {
      Inserting rig;
      rig.extensions.deflate = true;
      rig.extensions.parameters.client_no_context_takeover = alone;
      rig.extensions.parameters.client_max_window_bits = static_cast<std::uint8_t>(bits);
      rig.begin();
      Peer peer(alone, bits);
      std::mt19937 random(1);
      std::vector<std::string> sent;
      for (int i = 0; i < 60; ++i) {
        std::string message = i % 3 == 0 ? ask : i % 3 == 1 ? chunk : std::string(random() % 200'000, 'c');
        if (i == 31) message.clear();
        const bool compress = i % 7 != 5;
        const std::string payload = compress ? peer(message) : message;
        std::string wire;
        if (i % 4 == 3 && payload.size() > 4) {
          wire = frame(Side::client, {.payload = payload.substr(0, 3), .fin = false, .rsv = compress ? 4U : 0U});
          wire += frame(Side::client, {.opcode = Opcode::continuation, .payload = payload.substr(3)});
        } else {
          wire = frame(Side::client, {.payload = payload, .rsv = compress ? 4U : 0U});
        }
        rig.chop(Side::client, wire, 1 + random() % 5000);
        sent.push_back(message);
      }
      EXPECT_EQ(rig.broken_loans, 0);
      const auto got = rig.got(Side::server);
      ASSERT_EQ(got.size(), sent.size());
      std::size_t inserted = 0;
      for (std::size_t i = 0; i < sent.size(); ++i) {
        ASSERT_EQ(Inserting::without(got[i].text), sent[i]) << i;
        inserted += got[i].text != sent[i] ? 1 : 0;
      }
      EXPECT_EQ(inserted, 20U);
    }
}

// What was packed again once can only be packed again: what cannot be inflated ends the session, even where violations
// pass.
TEST(ConnectionInsert, CannotRemakeWhatCannotBeRead) {
  for (const bool remade : {false, true}) {
    Inserting rig;
    rig.options.conformance = Conformance::forward;
    rig.extensions.deflate = true;
    rig.begin();
    Peer peer(false, 15);
    rig.feed(Side::client, frame(Side::client, {.payload = peer(remade ? ask : chunk), .rsv = 4}));
    const std::string garbage = frame(Side::client, {.payload = "\xff\xff no deflate stream", .rsv = 4});
    const std::size_t before = rig.to(Side::server).size();
    rig.feed(Side::client, garbage);
    const std::string after = rig.to(Side::server).substr(before);
    if (remade) {
      ASSERT_EQ(frames(after).size(), 1U);
      EXPECT_EQ(frames(after)[0].opcode, Opcode::close);
    } else {
      EXPECT_EQ(after, garbage);
    }
  }
}

TEST(ConnectionInsert, LetsGoOfWhatIsTooLong) {
  Inserting rig;
  rig.begin();
  const std::string longest =
      R"({"headers":{"id":"1","operation":"quote"},"body":")" + std::string(1'100'000, 'x') + "\"}";
  const std::string sent = text(Side::client, longest) + text(Side::client, ask);
  rig.chop(Side::client, sent, 60'000);
  const auto got = rig.got(Side::server);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(rig.to(Side::server).substr(0, text(Side::client, longest).size()), text(Side::client, longest));
  EXPECT_EQ(Inserting::without(got[1].text), ask);
}

TEST(ConnectionInsert, PingsDoNotWaitForAHeldMessage) {
  Inserting rig;
  rig.options.heartbeat.upstream = true;
  rig.begin();
  const std::string sent = text(Side::client, ask);
  rig.feed(Side::client, sent.substr(0, 10));
  EXPECT_TRUE(rig.to(Side::server).empty());
  rig.wait(31s);
  EXPECT_FALSE(rig.injected[model::index(Side::server)].empty());
  rig.feed(Side::client, sent.substr(10));
  EXPECT_EQ(Inserting::without(rig.got(Side::server).at(0).text), ask);
}

TEST(ConnectionInsert, PassesWhatCameOfAMessageThatEndsWithItsConnection) {
  Inserting rig;
  rig.begin();
  const std::string sent = text(Side::client, ask);
  rig.feed(Side::client, sent.substr(0, 30));
  EXPECT_TRUE(rig.to(Side::server).empty());
  rig.connection->eof(Side::client, rig.call());
  EXPECT_EQ(rig.to(Side::server), sent.substr(0, 30));
  // Inside a frame no Close of ours can follow.
  rig.connection->shut(model::EndReason::drain, 1001, "", rig.call());
  EXPECT_EQ(rig.to(Side::server), sent.substr(0, 30));
}

TEST(ConnectionInsert, AViolationInAHeldMessageStillEndsBetweenFrames) {
  Inserting rig;
  rig.begin();
  rig.feed(Side::client, frame(Side::client, {.payload = "{\"a\":\"", .fin = false}));
  rig.feed(Side::client, frame(Side::client, {.opcode = Opcode::text, .payload = "again"}));
  ASSERT_FALSE(frames(rig.to(Side::server)).empty());
  EXPECT_EQ(frames(rig.to(Side::server))[0].opcode, Opcode::close);
}

// Longer than what is read: its beginning tells that it is the reply, in one frame or in many.
TEST(ConnectionInterpretation, ALongReplyEndsItsCall) {
  const std::string reply = R"({"jsonrpc":"2.0","id":1,"result":{"data":")" + std::string(1'200'000, 'x') + "\"}}";
  for (const std::size_t piece : {std::size_t{10'000'000}, std::size_t{60'000}, std::size_t{1000}}) {
    Inserting rig("jsonrpc");
    rig.begin();
    rig.feed(Side::client, text(Side::client, R"({"jsonrpc":"2.0","id":1,"method":"fetch"})"));
    EXPECT_EQ(rig.detail().invocations.size(), 1U);
    rig.chop(Side::server, text(Side::server, reply), piece);
    EXPECT_TRUE(rig.detail().invocations.empty()) << piece;
    EXPECT_EQ(rig.to(Side::client), text(Side::server, reply));
    rig.connection->finish(rig.call());
  }
}

}  // namespace
}  // namespace sockeye::relay::test
