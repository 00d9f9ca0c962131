#include "write.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <limits>

namespace sockeye::console {
namespace {

using namespace std::string_literals;
using store::Value;
using Type = store::Value::Type;

std::string json_of(const Value& value) {
  base::Json json;
  write_value(json, value);
  return json.take();
}
Value integer(std::int64_t number) {
  Value out;
  out.type = Type::integer;
  out.integer = number;
  return out;
}
Value real(double number) {
  Value out;
  out.type = Type::real;
  out.real = number;
  return out;
}
Value boolean(bool value) {
  Value out;
  out.type = Type::boolean;
  out.boolean = value;
  return out;
}
Value texts(Type type, std::string_view text) {
  Value out;
  out.type = type;
  out.text = text;
  return out;
}

bool well_formed(const std::string& json) {
  simdjson::dom::parser parser;
  return parser.parse(json).error() == simdjson::SUCCESS;
}

TEST(WriteValue, every_type) {
  EXPECT_EQ(json_of(Value()), "null");
  EXPECT_EQ(json_of(boolean(true)), "true");
  EXPECT_EQ(json_of(boolean(false)), "false");
  EXPECT_EQ(json_of(integer(-7)), "-7");
  EXPECT_EQ(json_of(real(0.1)), "0.1");
  EXPECT_EQ(json_of(texts(Type::text, "a\"b")), R"("a\"b")");
  EXPECT_EQ(json_of(texts(Type::bytes, "\x00\xFFz"s)), R"("AP96")");
  // ArrayValue{values: [{int_value: 5}, {string_value: "x"}]}
  EXPECT_EQ(json_of(texts(Type::array, "\x0A\x02\x18\x05\x0A\x03\x0A\x01x"s)), R"([5,"x"])");
  // KeyValueList{values: [{key: "k", value: {bool_value: true}}]}
  EXPECT_EQ(json_of(texts(Type::map, "\x0A\x07\x0A\x01k\x12\x02\x10\x01"s)), R"({"k":true})");
  EXPECT_EQ(json_of(texts(Type::array, "")), "[]");
  EXPECT_EQ(json_of(texts(Type::map, "")), "{}");
}

TEST(WriteValue, integers_that_a_page_cannot_hold_are_text) {
  EXPECT_EQ(json_of(integer(9'007'199'254'740'991)), "9007199254740991");
  EXPECT_EQ(json_of(integer(-9'007'199'254'740'991)), "-9007199254740991");
  EXPECT_EQ(json_of(integer(9'007'199'254'740'992)), "\"9007199254740992\"");
  EXPECT_EQ(json_of(integer(std::numeric_limits<std::int64_t>::min())), "\"-9223372036854775808\"");
  // ArrayValue{values: [{int_value: 2^53}]}
  EXPECT_EQ(json_of(texts(Type::array, "\x0A\x09\x18\x80\x80\x80\x80\x80\x80\x80\x10"s)), "[\"9007199254740992\"]");
}

// The rule is of every integer in an answer: counters and durations, too.
TEST(Write, integers_of_figures_follow_the_same_rule) {
  store::Session session;
  session.bytes[0] = 9'007'199'254'740'991;
  session.bytes[1] = UINT64_MAX;
  base::Json json;
  write_session(json, session, std::nullopt);
  EXPECT_NE(json.take().find(R"("bytes":[9007199254740991,"18446744073709551615"])"), std::string::npos);
  store::Batch batch;
  store::Span span;
  span.end_unix_ns = 1ULL << 62U;
  base::Json longest;
  write_span(longest, batch, span);
  EXPECT_NE(longest.take().find(R"("duration_ns":"4611686018427387904")"), std::string::npos);
}

TEST(WriteAttributes, say_what_their_text_is) {
  store::Batch batch;
  const auto bytes = "\x00\xFFz"s;
  batch.attributes = {{"text", texts(Type::text, "AP96")},
                      {"bytes", texts(Type::bytes, bytes)},
                      {"int", integer(INT64_MAX)},
                      {"double", real(std::nan(""))},
                      {"small", integer(7)}};
  base::Json json;
  json.open('{');
  write_attributes(json, "attributes", batch.of({0, 5}));
  json.close('}');
  EXPECT_EQ(json.take(),
            R"({"attributes":[{"key":"text","value":"AP96"},{"key":"bytes","value":"AP96","type":"bytes"},)"
            R"({"key":"int","value":"9223372036854775807","type":"int"},)"
            R"({"key":"double","value":"NaN","type":"double"},{"key":"small","value":7}]})");
}

TEST(WriteValue, reals_that_json_has_not_are_words) {
  EXPECT_EQ(json_of(real(std::nan(""))), "\"NaN\"");
  EXPECT_EQ(json_of(real(std::numeric_limits<double>::infinity())), "\"Infinity\"");
  EXPECT_EQ(json_of(real(-std::numeric_limits<double>::infinity())), "\"-Infinity\"");
  EXPECT_EQ(json_of(real(1e308)), "1e+308");
}

TEST(Write, figures_that_are_not_known_are_null) {
  base::Json json;
  json.open('{');
  seconds(json, "a", std::nan(""));
  time_ms(json, "b", 0);
  time_ms(json, "c", 1'700'000'000'000'250'999);
  json.close('}');
  EXPECT_EQ(json.take(), R"({"a":null,"b":null,"c":1700000000000.25})");
}

TEST(Write, hostile_texts_stay_texts) {
  const std::vector<std::string> hostile = {"</script><script>alert(1)</script>",
                                            "\"},{\"x\":\"",
                                            "\\\"",
                                            "\x00\x01\x1F\x7F"s,
                                            "\xFF\xC0\x80\xED\xA0\x80"s,
                                            "\xE2\x80\xA8\n\r\t",
                                            std::string(100'000, '"')};
  for (const auto& text : hostile) {
    store::Session session;
    session.route = session.target = session.client = session.end.reason = session.end.why = text;
    session.end.unix_ns = 5;
    base::Json json;
    write_session(json, session, std::nullopt);
    const std::string out = json.take();
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    ASSERT_EQ(parser.parse(out).get(object), simdjson::SUCCESS);
    std::string_view target;
    ASSERT_EQ(object["target"].get(target), simdjson::SUCCESS);
    if (simdjson::validate_utf8(text)) {
      EXPECT_EQ(target, text);
    }
    EXPECT_TRUE(well_formed(json_of(texts(Type::text, text))));
  }
}

TEST(WriteSpan, has_every_field_of_a_span) {
  store::Batch batch;
  store::Span span;
  span.trace_id.bytes[0] = 0xAB;
  span.span_id.bytes[7] = 1;
  span.start_unix_ns = 1'700'000'000'123'456'789;
  span.end_unix_ns = span.start_unix_ns - 5;  // another's clock
  span.name = "GET";
  span.kind = 200;
  span.status = 2;
  batch.origins.push_back({"shop", {}, "lib", "1.2", {0, 1}, "https://r/1", "https://s/2"});
  batch.attributes = {{"k", integer(1)}, {"cut", texts(Type::text, "x")}};
  batch.attributes[1].value.truncated = true;
  batch.events.push_back({span.start_unix_ns - 1000, "e", {0, 1}, 3});
  batch.links.push_back({span.trace_id, span.span_id, "l=1", 0x100, {1, 1}, 2});
  span.flags = 0x301;
  span.trace_state = "a=b";
  span.attributes = {0, 2};
  span.events = {0, 1};
  span.links = {0, 1};
  span.dropped_events = 4;
  base::Json json;
  write_span(json, batch, span);
  EXPECT_EQ(
      json.take(),
      R"({"trace_id":"ab000000000000000000000000000000","span_id":"0000000000000001","parent_id":"","name":"GET",)"
      R"("kind":"unspecified","status":"error","status_message":"","flags":769,"trace_state":"a=b",)"
      R"("start_ms":1700000000123.456,)"
      R"("start_unix_ns":"1700000000123456789","duration_ns":-5,"session":null,)"
      R"("attributes":[{"key":"k","value":1},{"key":"cut","value":"x","truncated":true}],)"
      R"("events":[{"name":"e","time_ms":1700000000123.455,"offset_ns":-1000,"attributes":[{"key":"k","value":1}],)"
      R"("dropped_attributes":3}],)"
      R"("links":[{"trace_id":"ab000000000000000000000000000000","span_id":"0000000000000001",)"
      R"("trace_state":"l=1","flags":256,"attributes":[{"key":"cut","value":"x","truncated":true}],"dropped_attributes":2}],)"
      R"("service":"shop","resource":[],"resource_schema_url":"https://r/1",)"
      R"("scope":{"name":"lib","version":"1.2","attributes":[{"key":"k","value":1}],"schema_url":"https://s/2"},)"
      R"("dropped":{"attributes":0,"events":4,"links":0}})");
}

TEST(WriteSpan, without_an_origin) {
  store::Batch batch;
  store::Span span;
  span.origin = 7;
  base::Json json;
  write_span(json, batch, span);
  const std::string out = json.take();
  EXPECT_TRUE(well_formed(out));
  EXPECT_NE(out.find(R"("service":"")"), std::string::npos);
}

TEST(WriteSession, live_figures_or_null) {
  store::Session session;
  session.end.unix_ns = 7'000'000;
  session.end.why = "lost";
  base::Json ended;
  write_session(ended, session, std::nullopt);
  const std::string past = ended.take();
  EXPECT_TRUE(well_formed(past));
  for (const auto* part :
       {R"("dialect":"none")", R"("state":"ended","live":false,"close_code":null)",
        R"("end_reason":"lost","initiator":null)", R"("ended_ms":7,)", R"("rtt_seconds":null)", R"("trace_id":"",)"})
    EXPECT_NE(past.find(part), std::string::npos) << part << " in " << past;

  LiveRates live;
  session.rtt_ns[1] = 250'000'000;
  live.messages_per_second = {1.5, std::nan("")};
  session.last_message_unix_ns[0] = 3'000'000;
  base::Json now;
  write_session(now, session, live);  // its proxy came back with it
  const std::string present = now.take();
  EXPECT_TRUE(well_formed(present));
  for (const auto* part :
       {R"("state":"open","live":true)", R"("ended_ms":null)", R"("end_reason":null)", R"("rtt_seconds":[null,0.25])",
        R"("messages_per_second":[1.5,null])", R"("last_message_ms":[3,null])", R"("misses_now":[0,0])"})
    EXPECT_NE(present.find(part), std::string::npos) << part << " in " << present;
}

TEST(WriteRecorder, names_opcodes) {
  std::vector<live::Recorded> recorder;
  for (const int opcode : {0, 1, 2, 8, 9, 10, 15}) {
    recorder.emplace_back().opcode = static_cast<std::uint8_t>(opcode);
    recorder.back().time_unix_ns = 2'000'000;
  }
  base::Json json;
  json.open('{');
  write_recorder(json, "recorder", recorder);
  json.close('}');
  const std::string out = json.take();
  EXPECT_TRUE(well_formed(out));
  for (const auto* type : {"continuation", "text", "binary", "close", "ping", "pong"})
    EXPECT_NE(out.find("\"type\":\"" + std::string(type) + '"'), std::string::npos) << type;
  EXPECT_TRUE(out.starts_with(R"({"recorder":[{"time_ms":2,"side":0,"type":"continuation","length":0,)"
                              R"("compressed":false,"injected":false,"answered":false})"));
}

}  // namespace
}  // namespace sockeye::console
