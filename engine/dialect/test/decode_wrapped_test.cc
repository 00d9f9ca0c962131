// What lies in SockJS's frames, behind Content-Length headers, and in Phoenix's binary frames.
#include "decode_rig.h"

#include <array>
#include <utility>

#include "../src/decoders.h"

namespace sockeye::dialect::test::wrapped {
namespace {

// --- Content-Length

constexpr std::string_view hover = R"({"jsonrpc":"2.0","id":1,"method":"hover"})";

std::string framed(std::string_view body, std::string_view more = "") {
  return "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

TEST(DecodeContentLength, IsTheSameHoweverItIsCut) {
  const std::string first = framed(hover, "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n");
  const std::string second = "content-length:2\n\n{}";
  const Decoded all = decode_stream(Decode::content_length, Opcode::text, first + second);
  EXPECT_TRUE(all.good);
  EXPECT_EQ(all.documents, (Texts{std::string(hover), "{}"}));
  EXPECT_EQ(all.wire_bytes, (std::vector<std::uint64_t>{first.size(), second.size()}));
}

TEST(DecodeContentLength, AMessageMayDoWithout) {
  DecodeSession session(Decode::content_length);
  EXPECT_EQ(session(R"( {"id":1})"), Texts{R"( {"id":1})"});
  EXPECT_EQ(session(framed(hover).substr(0, 30)), Texts{});
  EXPECT_EQ(session(framed(hover).substr(30)), Texts{std::string(hover)});
  EXPECT_EQ(session(R"([{"id":1}])"), Texts{R"([{"id":1}])"});
  EXPECT_EQ(session(framed(hover).substr(0, 18), Side::server), Texts{}) << "the sides are two streams";
  EXPECT_EQ(session("{}"), Texts{"{}"});
  EXPECT_EQ(session(framed("")), Texts{});
  EXPECT_TRUE(session.all().good);
}

TEST(DecodeContentLength, AFaultCostsItsMessage) {
  for (const std::string& bad :
       {"Content-Size: 5\r\n\r\nhello"s, "Content-Length: five\r\n\r\nhello"s, "Content-Length: 99999999999\r\n\r\nx"s,
        "Content-Length\r\n\r\n{}"s, "hello"s + std::string(1100, 'x'), "Content-Length: -1\r\n\r\n"s}) {
    DecodeSession session(Decode::content_length);
    EXPECT_FALSE(session.feed(bad)) << bad;
    EXPECT_EQ(session(framed(hover)), Texts{std::string(hover)}) << bad;
  }
}

TEST(DecodeContentLength, ALongBodyInPiecesIsPassedOver) {
  const std::string body = "{\"x\":\"" + std::string(300'000, 'x') + "\"}";
  const std::string text = framed(body);
  const Decoded whole = decode(Decode::content_length, Opcode::text, {text});
  EXPECT_EQ(whole.documents, Texts{body}) << "one in its message is only copied";
  const Decoded split =
      decode(Decode::content_length, Opcode::text,
             {std::string_view(text).substr(0, 1000), std::string_view(text).substr(1000), framed(hover)});
  EXPECT_TRUE(split.good);
  EXPECT_EQ(split.dropped, 1);
  EXPECT_EQ(split.documents, Texts{std::string(hover)});
}

// --- SockJS

struct SockJs {
  explicit SockJs(Decode inner) : decoder(make_sockjs_decoder(make_decoder(inner))) {}
  bool feed(std::string_view message, Side from = Side::client, Opcode opcode = Opcode::text) {
    last.clear();
    const bool good = decoder->decode(from, opcode, base::as_bytes(message), last);
    for (const auto& d : last.documents()) {
      documents.emplace_back(last[d]);
      wire_bytes.push_back(d.wire_bytes);
    }
    return good;
  }
  std::unique_ptr<Decoder> decoder;
  Documents last;
  Texts documents;
  std::vector<std::uint64_t> wire_bytes;
};

TEST(DecodeSockJs, StringsHoldTheMessages) {
  SockJs s(Decode::json);
  EXPECT_TRUE(s.feed(R"(["{\"a\":1}", "[2]"])"));
  EXPECT_TRUE(s.feed(R"("{}")"));
  EXPECT_TRUE(s.feed(R"(a["{\"b\":\"\\u0041\\n\"}"])", Side::server));
  EXPECT_TRUE(s.feed(R"(m"{}")", Side::server));
  EXPECT_TRUE(s.feed("a[]", Side::server));
  EXPECT_EQ(s.documents, (Texts{R"({"a":1})", "[2]", "{}", R"({"b":"\u0041\n"})", "{}"}));
  EXPECT_EQ(s.wire_bytes.front(), 11) << "as it was sent, quotes and escapes included";
}

TEST(DecodeSockJs, UnescapesWhatJsonEscapes) {
  SockJs s(Decode::json);
  EXPECT_TRUE(s.feed(R"(["\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00 \ud83d \ude00 é"])"));
  EXPECT_EQ(s.documents, Texts{"\"\\/\b\f\n\r\té€😀 \xef\xbf\xbd \xef\xbf\xbd é"});
}

TEST(DecodeSockJs, InsideIsTheDialectsOwnStream) {
  SockJs s(Decode::stomp);
  EXPECT_TRUE(s.feed("o", Side::server));
  EXPECT_EQ(s.last.said(), Documents::Wrapping::open);
  EXPECT_TRUE(s.feed(R"(["CONNECT\nhost:b\n"])"));
  EXPECT_TRUE(s.documents.empty());
  EXPECT_TRUE(s.feed(R"(["\n\u0000","SEND\ndestination:/a\n\nx\u0000\n"])"));
  EXPECT_EQ(s.documents, (Texts{R"({"command":"CONNECT","headers":{"host":"b"},"body_bytes":0})",
                                R"({"command":"SEND","headers":{"destination":"/a"},"body_bytes":1})"}));
  EXPECT_TRUE(s.feed("h", Side::server));
  EXPECT_EQ(s.last.said(), Documents::Wrapping::heartbeat);
  EXPECT_TRUE(s.feed(R"(c[3000,"Go away!"])", Side::server));
  EXPECT_EQ(s.last.said(), Documents::Wrapping::close);
}

TEST(DecodeSockJs, EveryPieceOfAFrameIsRefused) {
  const std::string frame = R"(a["{\"a\":\"\u00e9\ud83d\ude00\"}","[]"])";
  for (std::size_t cut = 0; cut < frame.size(); ++cut) {
    SockJs s(Decode::json);
    EXPECT_FALSE(s.feed(std::string_view(frame).substr(0, cut), Side::server)) << cut;
    EXPECT_LE(s.documents.size(), 2U);
  }
  SockJs whole(Decode::json);
  EXPECT_TRUE(whole.feed(frame, Side::server));
}

TEST(DecodeSockJs, RefusesWhatIsNone) {
  for (const std::string_view bad : {"x"sv, ""sv, "oo"sv, "h "sv, "c"sv, "c[3000"sv, "a"sv, "a{}"sv, "a[1]"sv,
                                     "a[\"x\"]]"sv, "a[\"x\",]"sv, "a[\"\\x\"]"sv, "a[\"\\u12\"]"sv, "a[\"\n\"]"sv}) {
    SockJs s(Decode::json);
    EXPECT_FALSE(s.feed(bad, Side::server)) << bad;
  }
  SockJs s(Decode::json);
  EXPECT_FALSE(s.feed("o", Side::client));
  EXPECT_FALSE(s.feed("[\"{}\"]", Side::client, Opcode::binary));
}

// --- Phoenix

std::string frame(std::string_view sizes, std::string_view rest) { return std::string(sizes) + std::string(rest); }

TEST(DecodePhoenix, BinaryFramesAreDocumentsLikeTexts) {
  DecodeSession session(Decode::phoenix, Opcode::binary);
  EXPECT_EQ(session(frame("\0\1\2\6\4"sv, "142room:ablob\xff\xfe\xfd")),
            Texts{R"(["1","42","room:a","blob",{"bytes":3}])"});
  EXPECT_EQ(session(frame("\0\0\1\6\4"sv, "7room:ablob")), Texts{R"([null,"7","room:a","blob",{"bytes":0}])"});
  EXPECT_EQ(session(frame("\0\1\6\3"sv, "1room:apic!"), Side::server),
            Texts{R"(["1",null,"room:a","pic",{"bytes":1}])"});
  EXPECT_EQ(session(frame("\1\1\1\6\2"sv, "17room:aok!"), Side::server),
            Texts{R"(["1","7","room:a","phx_reply",{"status":"ok","bytes":1}])"});
  EXPECT_EQ(session(frame("\2\6\3"sv, "room:apic!!"), Side::server),
            Texts{R"([null,null,"room:a","pic",{"bytes":2}])"});
  EXPECT_EQ(session(frame("\3\1\1\6\1\2\1"sv, "17room:ax{}!")),
            Texts{R"(["1","7","room:a","broadcast",{"event":"x","bytes":1}])"});
  EXPECT_EQ(session(frame("\4\6\1\0\1"sv, "room:ax!"), Side::server),
            Texts{R"([null,null,"room:a","broadcast",{"event":"x","bytes":1}])"});
  EXPECT_TRUE(session.all().good);
  EXPECT_EQ(session.all().wire_bytes.front(), 5 + 13 + 3);
}

// Audio of other protocols may begin with a kind, and sizes that fit.
TEST(DecodePhoenix, AFrameNamesATopicAndAnEvent) {
  DecodeSession session(Decode::phoenix, Opcode::binary);
  EXPECT_FALSE(session.feed(std::string(160, '\0')));
  EXPECT_FALSE(session.feed(frame("\0\0\1\0\4"sv, "7blob"))) << "no topic";
  EXPECT_FALSE(session.feed(frame("\0\0\1\6\0"sv, "7room:a"))) << "no event";
  EXPECT_FALSE(session.feed(frame("\0\1\2\3\4"sv, "\5\6\7\x8\x9\xa\xb\xc\xd\xe"))) << "no names";
  EXPECT_TRUE(session.feed(frame("\0\0\1\6\4"sv, "7room:ablob")));
}

TEST(DecodePhoenix, EveryPieceOfAHeadIsRefused) {
  const std::string whole = frame("\1\1\1\6\2"sv, "17room:aok");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    DecodeSession session(Decode::phoenix, Opcode::binary);
    EXPECT_FALSE(session.feed(std::string_view(whole).substr(0, cut), Side::server)) << cut;
  }
  DecodeSession session(Decode::phoenix, Opcode::binary);
  EXPECT_TRUE(session.feed(whole, Side::server));
  EXPECT_FALSE(session.feed(whole, Side::client)) << "only servers reply";
  EXPECT_FALSE(session.feed("\5x"sv, Side::server));
}

}  // namespace
}  // namespace sockeye::dialect::test::wrapped
