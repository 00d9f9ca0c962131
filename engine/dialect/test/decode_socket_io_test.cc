#include "decode_rig.h"

namespace sockeye::dialect {
namespace {

using namespace test;

Texts one(std::string_view message) {
  DecodeSession session(Decode::socket_io);
  return session(message);
}
bool refused(std::string_view message) {
  const Decoded all = decode(Decode::socket_io, Opcode::text, {message});
  return !all.good && all.documents.empty();
}

// The Engine.IO protocol, "Packet encoding" and the sample session of the Socket.IO protocol.
TEST(SocketIo, EngineIoPackets) {
  EXPECT_EQ(
      one(R"(0{"sid":"lv_VI97HAXpY6yYWAAAB","pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})"),
      Texts{
          R"({"eio":"open","data":{"sid":"lv_VI97HAXpY6yYWAAAB","pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}})"});
  EXPECT_EQ(one("1"), Texts{R"({"eio":"close"})"});
  EXPECT_EQ(one("2"), Texts{R"({"eio":"ping"})"});
  EXPECT_EQ(one("2probe"), Texts{R"({"eio":"ping"})"});
  EXPECT_EQ(one("3probe"), Texts{R"({"eio":"pong"})"});
  EXPECT_EQ(one("5"), Texts{R"({"eio":"upgrade"})"});
  EXPECT_EQ(one("6"), Texts{R"({"eio":"noop"})"});
}

// The Socket.IO protocol v5, "Packet encoding".
TEST(SocketIo, Packets) {
  EXPECT_EQ(one("40"), Texts{R"({"eio":"message","type":"connect","ns":"/","attachments":0})"});
  EXPECT_EQ(one(R"(40{"token":"123"})"),
            Texts{R"({"eio":"message","type":"connect","ns":"/","attachments":0,"data":{"token":"123"}})"});
  EXPECT_EQ(
      one(R"(40/admin,{"sid":"oSO0OpakMV_3jnilAAAA"})"),
      Texts{
          R"({"eio":"message","type":"connect","ns":"/admin","attachments":0,"data":{"sid":"oSO0OpakMV_3jnilAAAA"}})"});
  EXPECT_EQ(
      one(R"(44{"message":"Not authorized"})"),
      Texts{
          R"({"eio":"message","type":"connect_error","ns":"/","attachments":0,"data":{"message":"Not authorized"}})"});
  EXPECT_EQ(
      one(R"(44/admin,"Invalid namespace")"),
      Texts{R"({"eio":"message","type":"connect_error","ns":"/admin","attachments":0,"data":"Invalid namespace"})"});
  EXPECT_EQ(one(R"(42["foo"])"),
            Texts{R"({"eio":"message","type":"event","ns":"/","event":"foo","attachments":0,"data":["foo"]})"});
  EXPECT_EQ(
      one(R"(42/admin,12["foo",1])"),
      Texts{
          R"({"eio":"message","type":"event","ns":"/admin","ack":12,"event":"foo","attachments":0,"data":["foo",1]})"});
  EXPECT_EQ(one(R"(43/admin,012["bar"])"),
            Texts{R"({"eio":"message","type":"ack","ns":"/admin","ack":12,"attachments":0,"data":["bar"]})"});
  EXPECT_EQ(one("430[]"), Texts{R"({"eio":"message","type":"ack","ns":"/","ack":0,"attachments":0,"data":[]})"});
  EXPECT_EQ(one("41/admin,"), Texts{R"({"eio":"message","type":"disconnect","ns":"/admin","attachments":0})"});
  EXPECT_EQ(one("41"), Texts{R"({"eio":"message","type":"disconnect","ns":"/","attachments":0})"});
}

TEST(SocketIo, NamesOfEvents) {
  EXPECT_EQ(one(R"(42[ "a\"]b" ,2])"),
            Texts{R"({"eio":"message","type":"event","ns":"/","event":"a\"]b","attachments":0,"data":[ "a\"]b" ,2]})"});
  EXPECT_EQ(one("42[1]"), Texts{R"({"eio":"message","type":"event","ns":"/","attachments":0,"data":[1]})"});
  EXPECT_EQ(one("42[]"), Texts{R"({"eio":"message","type":"event","ns":"/","attachments":0,"data":[]})"});
  const std::string name(5000, 'n');
  EXPECT_EQ(one("42[\"" + name + "\"]"),
            Texts{R"({"eio":"message","type":"event","ns":"/","attachments":0,"data":[")" + name + "\"]}"});
}

TEST(SocketIo, TheQueryOfANamespaceIsLeftOut) {
  EXPECT_EQ(one("40/admin?token=secret,"),
            Texts{R"({"eio":"message","type":"connect","ns":"/admin","attachments":0})"});
}

TEST(SocketIo, AttachmentsBelongToTheirPacket) {
  DecodeSession session(Decode::socket_io);
  const std::string_view head = R"(452-/admin,7["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
  EXPECT_EQ(session(head), Texts{});
  EXPECT_TRUE(session.feed("\x01\x02\x03", Side::client, Opcode::binary));
  EXPECT_EQ(session("2"), Texts{R"({"eio":"ping"})"});  // a heartbeat may come between
  EXPECT_FALSE(session.feed("\x01", Side::server, Opcode::binary));
  EXPECT_TRUE(session.feed("\x04", Side::client, Opcode::binary));
  EXPECT_EQ(
      session.all().documents.back(),
      R"({"eio":"message","type":"event","ns":"/admin","ack":7,"event":"baz","attachments":2,"data":["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]})");
  EXPECT_EQ(session.all().wire_bytes.back(), head.size() + 4);
  EXPECT_FALSE(session.feed("\x05", Side::client, Opcode::binary));  // nothing waits any more
  EXPECT_EQ(session(R"(461-15["bar",{"_placeholder":true,"num":0}])"), Texts{});
  EXPECT_EQ(
      session("bAQIDBA=="),  // in base64
      Texts{
          R"({"eio":"message","type":"ack","ns":"/","ack":15,"attachments":1,"data":["bar",{"_placeholder":true,"num":0}]})"});
  EXPECT_EQ(session(R"(450-["x"])"),
            Texts{R"({"eio":"message","type":"event","ns":"/","event":"x","attachments":0,"data":["x"]})"});
  EXPECT_EQ(session.all().dropped, 0U);
}

TEST(SocketIo, APacketInsteadOfAnAttachment) {
  DecodeSession session(Decode::socket_io);
  EXPECT_TRUE(session.feed(R"(451-["a",{"_placeholder":true,"num":0}])"));
  EXPECT_FALSE(session.feed(R"(42["b"])"));
  EXPECT_EQ(session.all().documents,
            Texts{R"({"eio":"message","type":"event","ns":"/","event":"b","attachments":0,"data":["b"]})"});
  EXPECT_EQ(session.all().dropped, 1U);
  EXPECT_FALSE(session.feed("\x01", Side::client, Opcode::binary));
  EXPECT_TRUE(session.feed(R"(42["b"])"));
}

TEST(SocketIo, RefusesWhatTheReferenceParserRefuses) {
  for (const auto bad : {"",
                         "7",
                         "x",
                         "hello",
                         "4",
                         "47",
                         "49[]",
                         "45[\"a\"]",
                         "45-[\"a\"]",
                         "45x-[\"a\"]",
                         "451[\"a\"]",
                         "4599999999999-[]",
                         "45100000-[]",
                         "42",
                         "42{}",
                         "42\"a\"",
                         "43",
                         "41{}",
                         "40[]",
                         "40\"a\"",
                         "44[]",
                         "421",
                         "42/",
                         "42/a",
                         "421234567890123456[\"a\"]",
                         "0",
                         "0[]",
                         "0{"})
    EXPECT_TRUE(refused(bad)) << bad;
  EXPECT_TRUE(refused("42/"s + std::string(2000, 'n') + ",[\"a\"]"));
}

TEST(SocketIo, DataCannotLeaveItsPlace) {
  for (const auto bad :
       {R"(42["a"],"ack":5,"x":[1])", R"(42["a"]})", R"(42["a"},"ack":5,{"b"])", R"(42[\"],"ack":5,["])", R"(42["a)",
        R"(42["a\"])", R"(40{},"ns":"/x","y":{})", R"(44"a","ack":5)", R"(0{},"eio":"close")"})
    EXPECT_TRUE(refused(bad)) << bad;
}

TEST(SocketIo, WhatIsTooLongForADocumentHasNoData) {
  const std::string data = "[\"big\",\""s + std::string(2'000'000, 'x') + "\"]";
  EXPECT_EQ(one("427" + data),
            Texts{R"({"eio":"message","type":"event","ns":"/","ack":7,"event":"big","attachments":0})"});
  DecodeSession session(Decode::socket_io);
  EXPECT_EQ(session("451-" + data), Texts{});
  EXPECT_TRUE(session.feed("\x01", Side::client, Opcode::binary));
  EXPECT_EQ(session.all().documents,
            Texts{R"({"eio":"message","type":"event","ns":"/","event":"big","attachments":1})"});
  EXPECT_EQ(session.all().wire_bytes.back(), 4 + data.size() + 1);
}

}  // namespace
}  // namespace sockeye::dialect
