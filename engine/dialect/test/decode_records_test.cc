#include <simdjson.h>

#include "../src/decoders.h"
#include "decode_rig.h"

namespace sockeye::dialect {
namespace {

using namespace test;

std::string json(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

TEST(AppendJson, EscapesWhatRfc8259Requires) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("a/b"), "\"a/b\"");
  EXPECT_EQ(json("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json("a\0b\x1f\x7f"sv), "\"a\\u0000b\\u001f\x7f\"");
  EXPECT_EQ(json("grüß \xf0\x9f\x90\x9f"), "\"grüß \xf0\x9f\x90\x9f\"");
}

TEST(AppendJson, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(json("a\xff\x62"), "\"a\xef\xbf\xbd\x62\"");
  EXPECT_EQ(json("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(json("\"\xe2\x82"), "\"\\\"\xef\xbf\xbd\"");
}

TEST(AppendJson, EveryByteGivesAStringThatReadsBack) {
  simdjson::dom::parser parser;
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  std::string_view read;
  ASSERT_EQ(parser.parse(simdjson::padded_string("["s + json(all) + "]")).at(0).get_string().get(read),
            simdjson::SUCCESS);
  EXPECT_EQ(read, all);
}

TEST(IsOneValue, KnowsWhereAValueEnds) {
  for (const auto good : {"{}", "[]", " [1,{\"a\":\"]\"}] ", R"("a\"b")", R"(["\\"])", "1", "-1.5e3", "true", "null",
                          "[{\"}\":[\"\\\\\\\"]\"]}]"})
    EXPECT_TRUE(is_one_value(good)) << good;
  for (const auto bad : {"",
                         " ",
                         "{",
                         "[",
                         "]",
                         "[]]",
                         "[],[]",
                         "{}{}",
                         "1,2",
                         "1}",
                         "1 2",
                         "\"a",
                         "\"a\"b",
                         "\"a\\\"",
                         "\"a\" \"b\"",
                         "[\"]",
                         R"(["a\"])",
                         "[},\"ack\":5,{]",
                         R"([\"],"ack":5,["])",
                         "1:2",
                         "a\"b\""})
    EXPECT_FALSE(is_one_value(bad)) << bad;
}

TEST(MakeDecoder, HasNothingToDecodeInPlainJson) {
  EXPECT_EQ(make_decoder(Decode::json), nullptr);
  EXPECT_EQ(make_decoder(Decode::none), nullptr);
}

Decoded stream(std::string_view text) { return decode_stream(Decode::records, Opcode::text, text); }

// SignalR: HubProtocol.md, "JSON Encoding".
TEST(Records, SignalR) {
  EXPECT_EQ(stream("{\"protocol\":\"json\",\"version\":1}\x1e"),
            (Decoded{.documents = {R"({"protocol":"json","version":1})"}, .wire_bytes = {32}}));
  EXPECT_EQ(
      stream("{}\x1e{\"type\":1,\"invocationId\":\"123\",\"target\":\"Send\",\"arguments\":[42]}\x1e{\"type\":6}\x1e"),
      (Decoded{
          .documents = {"{}", R"({"type":1,"invocationId":"123","target":"Send","arguments":[42]})", R"({"type":6})"},
          .wire_bytes = {3, 65, 11}}));
}

TEST(Records, SidesHaveStreamsOfTheirOwn) {
  DecodeSession session(Decode::records);
  EXPECT_EQ(session("{\"a\":", Side::client), Texts{});
  EXPECT_EQ(session("{\"b\":2}\x1e", Side::server), Texts{R"({"b":2})"});
  EXPECT_EQ(session("1}\x1e", Side::client), Texts{R"({"a":1})"});
}

TEST(Records, WhatIsNoRecordIsPassedOver) {
  EXPECT_EQ(stream("\x1e"), (Decoded{.good = false}));
  EXPECT_EQ(stream("\x95\x01\x80\xc0\x1e{}\x1e"), (Decoded{.documents = {"{}"}, .wire_bytes = {3}, .good = false}));
  DecodeSession session(Decode::records);
  EXPECT_FALSE(session.feed("hello"));
  EXPECT_FALSE(session.feed("{}"));  // still the same record, which is none
  EXPECT_FALSE(session.feed("\x1e{}\x1e"));
  EXPECT_TRUE(session.feed("{}\x1e"));
}

TEST(Records, ALongRecordIsDroppedAndCounted) {
  const std::string piece = "["s + std::string(100'000, ' ');
  DecodeSession session(Decode::records);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(session.feed(piece));
  EXPECT_EQ(session.all().dropped, 1U);
  EXPECT_EQ(session("]\x1e{}\x1e"), Texts{"{}"});
  const Decoded huge = decode(Decode::records, Opcode::text, {"["s + std::string(2'000'000, ' ') + "]\x1e{}\x1e"});
  EXPECT_EQ(huge, (Decoded{.documents = {"{}"}, .wire_bytes = {3}, .dropped = 1}));
}

TEST(Records, ManyRecordsAreBounded) {
  std::string many;
  for (std::size_t i = 0; i < Documents::most + 10; ++i) many += "{}\x1e";
  const Decoded all = decode(Decode::records, Opcode::text, {many});
  EXPECT_EQ(all.documents.size(), Documents::most);
  EXPECT_EQ(all.dropped, 10U);
}

}  // namespace
}  // namespace sockeye::dialect
