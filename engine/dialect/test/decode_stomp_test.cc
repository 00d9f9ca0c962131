#include "decode_rig.h"

namespace sockeye::dialect::decode_stomp_test {
namespace {

using namespace test;

// Line ends between frames are heartbeats where a message begins with them, so that splitting makes some.
Decoded stream(std::string_view text) {
  return decode_stream(Decode::stomp, Opcode::text, text, Side::client, R"({"command":"heartbeat"})");
}
void expect_frame(std::string_view text, std::string document) {
  EXPECT_EQ(stream(text), (Decoded{.documents = {std::move(document)}, .wire_bytes = {text.size()}}));
}

// Frames of the STOMP 1.2 specification.
TEST(Stomp, Frames) {
  expect_frame(
      "CONNECT\naccept-version:1.0,1.1,2.0\nhost:stomp.github.org\n\n\0"sv,
      R"({"command":"CONNECT","headers":{"accept-version":"1.0,1.1,2.0","host":"stomp.github.org"},"body_bytes":0})");
  expect_frame(
      "SEND\ndestination:/queue/a\ncontent-type:text/plain\n\nhello queue a\n\0"sv,
      R"({"command":"SEND","headers":{"destination":"/queue/a","content-type":"text/plain"},"body_bytes":14})");
  expect_frame(
      "SUBSCRIBE\nid:0\ndestination:/queue/foo\nack:client\n\n\0"sv,
      R"({"command":"SUBSCRIBE","headers":{"id":"0","destination":"/queue/foo","ack":"client"},"body_bytes":0})");
  expect_frame(
      "ERROR\nreceipt-id:message-12345\ncontent-type:text/plain\ncontent-length:9\nmessage:malformed frame "
      "received\n\nThe\0frame\0"sv,
      R"({"command":"ERROR","headers":{"receipt-id":"message-12345","content-type":"text/plain","content-length":"9","message":"malformed frame received"},"body_bytes":9})");
}

TEST(Stomp, SeveralFramesInAMessage) {
  const Decoded all = stream(
      "BEGIN\ntransaction:tx1\n\n\0\n\nCOMMIT\ntransaction:tx1\n\n\0\r\nRECEIPT\r\nreceipt-id:77\r\n\r\n\0DISCONNECT\nreceipt:77\n\n\0"sv);
  EXPECT_TRUE(all.good);
  ASSERT_EQ(all.documents.size(), 4U);
  EXPECT_EQ(all.documents[2], R"({"command":"RECEIPT","headers":{"receipt-id":"77"},"body_bytes":0})");
  EXPECT_EQ(all.wire_bytes[2], 27U);
}

TEST(Stomp, HeadersAreUnescapedButNotOfConnect) {
  EXPECT_EQ(
      stream("SEND\ndestination:/a\\cb\\\\n\nx\\cy:1\\n2\\r\nwin:C:\\temp\\\n\n\0"sv).documents,
      Texts{
          R"({"command":"SEND","headers":{"destination":"/a:b\\n","x:y":"1\n2\r","win":"C:\\temp\\"},"body_bytes":0})"});
  EXPECT_EQ(stream("CONNECTED\nversion:1.2\nserver:a\\cb\n\n\0"sv).documents,
            Texts{R"({"command":"CONNECTED","headers":{"version":"1.2","server":"a\\cb"},"body_bytes":0})"});
}

TEST(Stomp, TheFirstOfRepeatedHeadersCounts) {
  EXPECT_EQ(stream("MESSAGE\nfoo:World\nfoo:Hello\ncontent-length:1\ncontent-length:9\n\nx\0"sv).documents,
            Texts{R"({"command":"MESSAGE","headers":{"foo":"World","content-length":"1"},"body_bytes":1})"});
}

TEST(Stomp, CredentialsAreLeftOut) {
  EXPECT_EQ(stream("CONNECT\nlogin:me\nhost:h\npasscode:secret\nAuthorization:Bearer x\n\n\0"sv).documents,
            Texts{R"({"command":"CONNECT","headers":{"host":"h"},"body_bytes":0})"});
}

TEST(Stomp, JsonBodiesAreKept) {
  EXPECT_EQ(
      stream("SEND\ncontent-type:application/json;charset=utf-8\n\n{\"a\":[1,\"}\"]}\0"sv).documents,
      Texts{
          R"({"command":"SEND","headers":{"content-type":"application/json;charset=utf-8"},"body_bytes":13,"body":{"a":[1,"}"]}})"});
  EXPECT_EQ(
      stream("SEND\ncontent-type:Application/JSON\ncontent-length:2\n\n[]\0"sv).documents,
      Texts{
          R"({"command":"SEND","headers":{"content-type":"Application/JSON","content-length":"2"},"body_bytes":2,"body":[]})"});
  for (const auto body : {"", "{", "1},\"command\":\"ACK\",\"b\":{\"c\":1", "[]]"})
    EXPECT_EQ(stream("SEND\ncontent-type:application/json\n\n"s + body + "\0"s).documents,
              Texts{R"({"command":"SEND","headers":{"content-type":"application/json"},"body_bytes":)"s +
                    std::to_string(std::string_view(body).size()) + "}"});
}

TEST(Stomp, LongBodiesAreCounted) {
  for (const auto length : {"", "content-length:65538\n"}) {
    const std::string frame =
        "SEND\n"s + length + "content-type:application/json\n\n\""s + std::string(65536, 'x') + "\"\0"s;
    const Decoded whole = decode(Decode::stomp, Opcode::text, {frame});
    ASSERT_EQ(whole.documents.size(), 1U);
    EXPECT_NE(whole.documents[0].find("\"body_bytes\":65538}"), std::string::npos);
    EXPECT_EQ(whole.wire_bytes[0], frame.size());
    EXPECT_EQ(whole, decode(Decode::stomp, Opcode::text,
                            {std::string_view(frame).substr(0, 50), std::string_view(frame).substr(50, 65500),
                             std::string_view(frame).substr(65550)}));
  }
}

TEST(Stomp, Heartbeats) {
  DecodeSession session(Decode::stomp);
  EXPECT_EQ(session("\n", Side::client), Texts{R"({"command":"heartbeat"})"});
  EXPECT_EQ(session("\r\n", Side::server), Texts{R"({"command":"heartbeat"})"});
  EXPECT_EQ(session("\n\n\n"), Texts{R"({"command":"heartbeat"})"});
  EXPECT_EQ(session("\nACK\nid:1\n\n\0\n"sv),
            (Texts{R"({"command":"heartbeat"})", R"({"command":"ACK","headers":{"id":"1"},"body_bytes":0})"}));
  EXPECT_EQ(session("SEND\n\nab"), Texts{});
  EXPECT_EQ(session("\n"), Texts{});  // of the body
  EXPECT_EQ(session("\0"sv), Texts{R"({"command":"SEND","headers":{},"body_bytes":3})"});
  EXPECT_EQ(session.all().wire_bytes, (std::vector<std::uint64_t>{1, 2, 3, 1, 11, 10}));
  EXPECT_TRUE(session.all().good);
}

TEST(Stomp, AFaultLosesItsFrameOnly) {
  for (const auto bad : {
           "HELLO\n\nx"sv,
           "send\n\nx"sv,
           "GET / HTTP/1.1\nHost:x\n\nx"sv,
           "SEND\nno colon\n\nx"sv,
           "SEND\n:x\n\nx"sv,
           "SEND\ncontent-length:x\n\nx"sv,
           "SEND\ncontent-length:-1\n\nx"sv,
           "SEND\ncontent-length:\n\nx"sv,
           "SEND\ncontent-length:99999999999999999999\n\nx"sv,
           "SEND\ncontent-length:1\n\nxyz"sv,
           "SEND\ncontent-length:0\n\nx"sv,
           "SEND\ndestination"sv,
           "SEND"sv,
           "SEND\r"sv,
       }) {
    const Decoded all = stream(std::string(bad) + "\0\nACK\nid:1\n\n\0"s);
    EXPECT_EQ(all, (Decoded{.documents = {R"({"command":"ACK","headers":{"id":"1"},"body_bytes":0})"},
                            .wire_bytes = {11},
                            .good = false}))
        << bad;
  }
}

TEST(Stomp, HeadsAreBounded) {
  const std::string line = "a:"s + std::string(100, 'x') + "\n";
  DecodeSession session(Decode::stomp);
  EXPECT_TRUE(session.feed("SEND\n"));
  for (int i = 0; i < 1000; ++i) session.feed(line);
  EXPECT_EQ(session("\n\0ACK\n\n\0"sv), Texts{R"({"command":"ACK","headers":{},"body_bytes":0})"});
  EXPECT_FALSE(session.all().good);
  std::string many = "SEND\n";
  for (int i = 0; i < 129; ++i) many += std::to_string(i) + ":\n";
  EXPECT_EQ(decode(Decode::stomp, Opcode::text, {many + "\n\0"s}), (Decoded{.good = false}));
}

TEST(Stomp, AnEndlessBodyCostsNoMemory) {
  DecodeSession session(Decode::stomp);
  const std::string piece(100'000, 'x');
  EXPECT_TRUE(session.feed("SEND\ncontent-type:application/json\ncontent-length:18446744073709551615\n\n"));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(session.feed(piece));
  EXPECT_TRUE(session.all().documents.empty());
}

}  // namespace
}  // namespace sockeye::dialect::decode_stomp_test
