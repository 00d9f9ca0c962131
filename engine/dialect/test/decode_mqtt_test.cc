#include "decode_rig.h"

namespace sockeye::dialect {
namespace {

using namespace test;

// Bytes from hex, spaces ignored.
std::string hex(std::string_view digits) {
  std::string bytes;
  std::string pair;
  for (const char c : digits) {
    if (c == ' ') continue;
    pair += c;
    if (pair.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
    pair.clear();
  }
  return bytes;
}
// A length of two bytes, and the text.
std::string str(std::string_view text) {
  return std::string{static_cast<char>(text.size() >> 8U), static_cast<char>(text.size() & 255U)} + std::string(text);
}
std::string varint(std::size_t value) {
  std::string bytes;
  do {
    bytes += static_cast<char>((value & 127U) | (value > 127 ? 128U : 0U));
    value >>= 7U;
  } while (value > 0);
  return bytes;
}
std::string packet(int first, const std::string& body) { return static_cast<char>(first) + varint(body.size()) + body; }

const std::string connect_4 = packet(0x10, str("MQTT") + hex("04 02 003c") + str("c1"));
const std::string connect_5 = packet(0x10, str("MQTT") + hex("05 02 003c 00") + str("c1"));

// What comes behind a CONNECT of that version, from either side; split everywhere.
Decoded behind(const std::string& connect, const std::string& stream, Side from) {
  const auto run = [&](std::size_t cut) {
    DecodeSession session(Decode::mqtt, Opcode::binary);
    session.feed(connect, Side::client);
    const std::string_view text = stream;
    if (cut == text.size() + 1) {
      for (std::size_t i = 0; i < text.size(); ++i) session.feed(text.substr(i, 1), from);
    } else {
      session.feed(text.substr(0, cut), from);
      session.feed(text.substr(cut), from);
    }
    Decoded all = session.all();
    all.documents.erase(all.documents.begin());
    all.wire_bytes.erase(all.wire_bytes.begin());
    return all;
  };
  const Decoded whole = run(0);
  for (std::size_t cut = 1; cut <= stream.size() + 1; ++cut) EXPECT_EQ(whole, run(cut)) << "cut at " << cut;
  return whole;
}
Texts v4(const std::string& stream, Side from) {
  const Decoded all = behind(connect_4, stream, from);
  EXPECT_TRUE(all.good);
  return all.documents;
}
Texts v5(const std::string& stream, Side from) {
  const Decoded all = behind(connect_5, stream, from);
  EXPECT_TRUE(all.good);
  return all.documents;
}
Decoded alone(const std::string& stream, Side from = Side::client) {
  return decode_stream(Decode::mqtt, Opcode::binary, stream, from);
}

TEST(Mqtt, Connect) {
  // MQTT 3.1.1, figure 3.6: user name, password, will, keep alive 10.
  const Decoded all = alone(packet(0x10, str("MQTT") + hex("04 ce 000a") + str("me") + str("last/will") + str("gone") +
                                             str("user") + str("secret")));
  EXPECT_EQ(all.documents,
            Texts{R"({"packet":"connect","version":4,"client_id":"me","keep_alive":10,"clean":true,"will":true})"});
  EXPECT_EQ(all.wire_bytes, std::vector<std::uint64_t>{47});
  // MQTT 5: session expiry 10, a user property, authentication data.
  const std::string properties =
      hex("11 0000000a 26") + str("k") + str("v") + hex("15") + str("M") + hex("16") + str("secret");
  const auto connect = [&](std::size_t length) {
    return packet(0x10, str("MQTT") + hex("05 00 000a") + varint(length) + properties + str(""));
  };
  EXPECT_EQ(
      alone(connect(properties.size())).documents,
      Texts{
          R"({"packet":"connect","version":5,"client_id":"","keep_alive":10,"clean":false,"will":false,"properties":{"user":{"k":"v"}}})"});
  EXPECT_EQ(alone(connect(properties.size() + 2)), (Decoded{.good = false}));
  EXPECT_EQ(alone(connect(properties.size() - 1)), (Decoded{.good = false}));
  EXPECT_EQ(alone(packet(0x10, str("MQIsdp") + hex("03 02 0000") + str("old"))).documents,
            Texts{R"({"packet":"connect","version":3,"client_id":"old","keep_alive":0,"clean":true,"will":false})"});
}

TEST(Mqtt, Version311) {
  EXPECT_EQ(v4(hex("20 02 01 00"), Side::server), Texts{R"({"packet":"connack","session_present":true,"reason":0})"});
  EXPECT_EQ(v4(hex("20 02 00 05"), Side::server), Texts{R"({"packet":"connack","session_present":false,"reason":5})"});
  // Figure 3.11: topic a/b, id 10; here with a payload.
  EXPECT_EQ(v4(packet(0x3b, str("a/b") + hex("000a") + "hello"), Side::client),
            Texts{R"({"packet":"publish","id":10,"topic":"a/b","qos":1,"retain":true,"dup":true,"payload_bytes":5})"});
  EXPECT_EQ(v4(packet(0x30, str("a/b")), Side::server),
            Texts{R"({"packet":"publish","topic":"a/b","qos":0,"retain":false,"dup":false,"payload_bytes":0})"});
  EXPECT_EQ(v4(hex("40 02 000a 50 02 000b 62 02 000c 70 02 000d"), Side::server),
            (Texts{R"({"packet":"puback","id":10,"reason":0})", R"({"packet":"pubrec","id":11,"reason":0})",
                   R"({"packet":"pubrel","id":12,"reason":0})", R"({"packet":"pubcomp","id":13,"reason":0})"}));
  // Figure 3.23
  EXPECT_EQ(
      v4(packet(0x82, hex("000a") + str("a/b") + hex("01") + str("c/d") + hex("02")), Side::client),
      Texts{
          R"({"packet":"subscribe","id":10,"filters":[{"topic":"a/b","qos":1},{"topic":"c/d","qos":2}],"filter_count":2})"});
  EXPECT_EQ(v4(hex("90 05 000a 00 02 80"), Side::server),
            Texts{R"({"packet":"suback","id":10,"reason":128,"reasons":[0,2,128]})"});
  EXPECT_EQ(v4(packet(0xa2, hex("000a") + str("a/+") + str("#")), Side::client),
            Texts{R"({"packet":"unsubscribe","id":10,"filters":[{"topic":"a/+"},{"topic":"#"}],"filter_count":2})"});
  EXPECT_EQ(v4(hex("b0 02 000a"), Side::server), Texts{R"({"packet":"unsuback","id":10,"reason":0,"reasons":[]})"});
  EXPECT_EQ(v4(hex("c0 00 e0 00"), Side::client),
            (Texts{R"({"packet":"pingreq"})", R"({"packet":"disconnect","reason":0})"}));
  EXPECT_EQ(v4(hex("d0 00"), Side::server), Texts{R"({"packet":"pingresp"})"});
}

TEST(Mqtt, Version5) {
  EXPECT_EQ(v5(hex("20 06 00 87 03 21 0014"), Side::server),
            Texts{R"({"packet":"connack","session_present":false,"reason":135,"properties":{}})"});
  EXPECT_EQ(v5(hex("20 03 00 00 00"), Side::server),
            Texts{R"({"packet":"connack","session_present":false,"reason":0})"});
  const std::string properties = hex("08") + str("re/ply") + hex("26") + str("traceparent") + str("00-ab") + hex("09") +
                                 str("\x01\xff") + hex("03") + str("text/plain") + hex("01 01 02 00000001") +
                                 hex("26") + str("x") + str("\"\n") + hex("0b 8001");
  EXPECT_EQ(
      v5(packet(0x32, str("a/b") + hex("0003") + varint(properties.size()) + properties + "12345"), Side::client),
      Texts{
          R"({"packet":"publish","id":3,"topic":"a/b","qos":1,"retain":false,"dup":false,"payload_bytes":5,"properties":{"response_topic":"re/ply","correlation":"01ff","content_type":"text/plain","subscription_id":128,"user":{"traceparent":"00-ab","x":"\"\n"}}})"});
  EXPECT_EQ(v5(packet(0x40, hex("0003")) + packet(0x40, hex("0004 10")) +
                   packet(0x50, hex("0005 97 06 1f") + str("bad")) + packet(0x62, hex("0006 92 00")),
               Side::server),
            (Texts{R"({"packet":"puback","id":3,"reason":0})", R"({"packet":"puback","id":4,"reason":16})",
                   R"({"packet":"pubrec","id":5,"reason":151,"properties":{"reason_string":"bad"}})",
                   R"({"packet":"pubrel","id":6,"reason":146})"}));
  EXPECT_EQ(
      v5(packet(0x82, hex("000a 02 0b05") + str("a/b") + hex("2d")), Side::client),
      Texts{
          R"({"packet":"subscribe","id":10,"filters":[{"topic":"a/b","qos":1}],"filter_count":1,"properties":{"subscription_id":5}})"});
  EXPECT_EQ(v5(packet(0x90, hex("000a 00 01")), Side::server),
            Texts{R"({"packet":"suback","id":10,"reason":1,"reasons":[1]})"});
  EXPECT_EQ(v5(packet(0xb0, hex("000a 00 11 00")), Side::server),
            Texts{R"({"packet":"unsuback","id":10,"reason":17,"reasons":[17,0]})"});
  EXPECT_EQ(v5(packet(0xe0, "") + packet(0xe0, hex("04")) + packet(0xe0, hex("8e 05 1f") + str("by")), Side::server),
            (Texts{R"({"packet":"disconnect","reason":0})", R"({"packet":"disconnect","reason":4})",
                   R"({"packet":"disconnect","reason":142,"properties":{"reason_string":"by"}})"}));
  EXPECT_EQ(v5(packet(0xf0, hex("18 04 15") + str("M")), Side::client),
            Texts{R"({"packet":"auth","reason":24,"properties":{}})"});
}

TEST(Mqtt, TopicAliasesAreResolved) {
  const std::string first = packet(0x30, str("long/topic") + hex("03 230001") + "x");
  const std::string then = packet(0x30, str("") + hex("03 230001") + "yy");
  const std::string unknown = packet(0x30, str("") + hex("03 230002"));
  EXPECT_EQ(
      v5(first + then + unknown, Side::client),
      (Texts{
          R"({"packet":"publish","topic":"long/topic","qos":0,"retain":false,"dup":false,"payload_bytes":1,"properties":{"topic_alias":1}})",
          R"({"packet":"publish","topic":"long/topic","qos":0,"retain":false,"dup":false,"payload_bytes":2,"properties":{"topic_alias":1}})",
          R"({"packet":"publish","topic":"","qos":0,"retain":false,"dup":false,"payload_bytes":0,"properties":{"topic_alias":2}})"}));
}

TEST(Mqtt, APayloadIsCountedAsItPasses) {
  DecodeSession session(Decode::mqtt, Opcode::binary);
  // 268 435 455: the longest there is.
  EXPECT_EQ(session(hex("30 ffffff7f") + str("a") + "x"),
            Texts{R"({"packet":"publish","topic":"a","qos":0,"retain":false,"dup":false,"payload_bytes":268435452})"});
  const std::string piece(1U << 20U, '\xff');
  for (int i = 0; i < 255; ++i) EXPECT_TRUE(session.feed(piece));
  EXPECT_EQ(session(piece.substr(5) + "\xc0"), Texts{});  // with the x, 3 bytes are still missing
  EXPECT_EQ(session.all().documents.size(), 1U);
  EXPECT_TRUE(session.all().good);
}

TEST(Mqtt, TheVersionIsLearnedInTheMiddle) {
  const auto both = [](const std::string& from_server, const std::string& from_client, Side then,
                       const std::string& message) {
    DecodeSession session(Decode::mqtt, Opcode::binary);
    session.feed(from_server, Side::server);
    session.feed(from_client, Side::client);
    return session(message, then);
  };
  const std::string publish_5 = packet(0x30, str("a") + hex("00") + "xyz");
  const auto publish = [](int bytes) {
    return Texts{R"({"packet":"publish","topic":"a","qos":0,"retain":false,"dup":false,"payload_bytes":)"s +
                 std::to_string(bytes) + "}"};
  };
  EXPECT_EQ(both("", "", Side::client, publish_5), publish(4));  // not known: the properties' length counts
  EXPECT_EQ(both(hex("20 03 00 00 00"), "", Side::client, publish_5), publish(3));
  EXPECT_EQ(both(hex("20 02 00 00"), "", Side::client, publish_5), publish(4));
  EXPECT_EQ(both("", packet(0x82, hex("000a 00") + str("a/b") + hex("01")), Side::client, publish_5), publish(3));
  EXPECT_EQ(both("", packet(0x82, hex("000a") + str("a/b") + hex("01")), Side::client, publish_5), publish(4));
  EXPECT_EQ(both(hex("40 03 0001 10"), "", Side::client, publish_5), publish(3));
  EXPECT_EQ(both("", packet(0x30, str("") + hex("03 230001")), Side::client, publish_5), publish(3));
  EXPECT_EQ(both(packet(0xb0, hex("000a 00 00")), "", Side::client, publish_5), publish(3));
}

TEST(Mqtt, RefusesWhatIsNoPacket) {
  for (const auto bad : {
           "00 00",
           "f1 00",
           "11 00",
           "36 00",
           "38 03 0000",
           "c1 00",
           "c0 01 00",
           "30 ffffffff 01",
           "30 02 0005",
           "30 02 0000",
           "32 05 0001 61 0000",
           "30 03 0001 23",
           "30 03 0001 00",
           "30 03 0001 ff",
           "10 02 0009",
           "10 0c 0004 4d515454 09 02 003c 0000",
           "10 0c 0004 4d515458 04 02 003c 0000",
           "10 0c 0004 4d515454 04 03 003c 0000",
           "40 01 00",
           "40 02 0000",
           "82 02 0001",
           "80 06 0001 0001 61 00",
           "82 05 0001 0000 00",
           "82 06 0001 0001 61 f0",
           "20 02 0000",
           "90 03 0001 00",
           "d0 00",
           "e0 02 00 01",
       })
    EXPECT_EQ(alone(hex(bad)).documents, Texts{}) << bad;
  for (const auto bad : {"00 00", "30 02 0005", "20 02 0000", "82 02 0001", "30 03 0001 23"})
    EXPECT_FALSE(decode(Decode::mqtt, Opcode::binary, {hex(bad)}).good) << bad;
  for (const auto bad : {"20 02 0200", "20 01 00", "c0 00", "82 06 0001 0001 61 00", "90 02 0001"})
    EXPECT_FALSE(decode(Decode::mqtt, Opcode::binary, {hex(bad)}, Side::server).good) << bad;
}

TEST(Mqtt, GoesOnWithTheNextMessage) {
  DecodeSession session(Decode::mqtt, Opcode::binary);
  session.feed(connect_5);
  EXPECT_EQ(session(hex("c0 00") + "garbage"), Texts{R"({"packet":"pingreq"})"});
  EXPECT_FALSE(session.all().good);
  EXPECT_EQ(session(hex("c0 00")), Texts{R"({"packet":"pingreq"})"});
  EXPECT_EQ(session(hex("c0")), Texts{});
  EXPECT_FALSE(session.feed("text", Side::client, Opcode::text));
  EXPECT_EQ(session(hex("c0 00")), Texts{R"({"packet":"pingreq"})"});
}

TEST(Mqtt, ListsAndHeadsAreBounded) {
  std::string filters = hex("0001");
  std::string reasons = hex("0001");
  for (int i = 0; i < 100; ++i) {
    filters += str("t") + hex("00");
    reasons += hex("01");
  }
  DecodeSession session(Decode::mqtt, Opcode::binary);
  session.feed(connect_4);
  const std::string subscribe = session(packet(0x82, filters)).at(0);
  EXPECT_NE(subscribe.find(R"("filter_count":100)"), std::string::npos);
  EXPECT_LT(subscribe.size(), 1000U);
  EXPECT_LT(session(packet(0x90, reasons), Side::server).at(0).size(), 200U);
  // A SUBSCRIBE past most_packet: its id; then all of it is passed over.
  std::string huge = hex("0001");
  while (huge.size() < 100'000) huge += str("topic") + hex("00");
  EXPECT_EQ(session(packet(0x82, huge) + hex("c0 00")),
            (Texts{R"({"packet":"subscribe","id":1})", R"({"packet":"pingreq"})"}));

  DecodeSession five(Decode::mqtt, Opcode::binary);
  std::string properties;
  while (properties.size() < 20'000) properties += hex("26") + str("key") + str("value");
  EXPECT_EQ(five(packet(0x10, str("MQTT") + hex("05 02 003c") + varint(properties.size()) + properties + str("c1"))),
            Texts{R"({"packet":"connect","version":5,"keep_alive":60,"clean":true,"will":false})"});
  EXPECT_EQ(five(packet(0x30, str("a") + varint(properties.size()) + properties + "xyz")),
            Texts{R"({"packet":"publish","topic":"a","qos":0,"retain":false,"dup":false,"payload_bytes":3})"});
  EXPECT_TRUE(five.all().good);
}

}  // namespace
}  // namespace sockeye::dialect
