#include <gtest/gtest.h>

#include <cmath>

#include "request.h"
#include "show.h"

namespace sockeye::intake {
namespace {

using namespace test;
using store::Batch;
using store::Value;

// A request of one span with ids, and `fields` after them.
std::string one_span(const std::string& fields) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",)"
         R"("spanId":"eee19b7ec3c1b174")" +
         (fields.empty() ? "" : "," + fields) + "}]}]}]}";
}

base::Result<Tally> decode_json(std::string json, Batch& batch, Signal signal = Signal::traces) {
  return decode(signal, Format::json, std::move(json), batch);
}

Batch good(const std::string& fields) {
  Batch batch;
  const auto tally = decode_json(one_span(fields), batch);
  EXPECT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(batch.spans.size(), 1U);
  return batch;
}

std::string attribute(const std::string& value) { return R"("attributes":[{"key":"k","value":)" + value + "}]"; }

TEST(Json, stores_the_same_as_protobuf) {
  Batch json;
  ASSERT_TRUE(decode_json(
      R"({"resourceSpans":[{"unknown":"x","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},
        "scopeSpans":[{"scope":{"name":"lib","version":"2","attributes":[]},"spans":[{
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":"","traceState":"a=b",
        "name":"n\u00fc\ud83c\udf40","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1700000000000000007",
        "endTimeUnixNano":1700000000000000009,"flags":257,"droppedAttributesCount":1,"droppedEventsCount":"2",
        "droppedLinksCount":3,"attributes":[
          {"key":"t","value":{"stringValue":"<b>"}},{"key":"b","value":{"boolValue":true}},
          {"key":"i","value":{"intValue":"-9223372036854775808"}},{"key":"d","value":{"doubleValue":1}},
          {"key":"n","value":{"doubleValue":"NaN"}},{"key":"y","value":{"bytesValue":"AP-A"}},
          {"key":"a","value":{"arrayValue":{"values":[{"intValue":1},{},null,{"arrayValue":{}}]}}},
          {"key":"m","value":{"kvlistValue":{"values":[{"key":"x","value":{"stringValue":""}}]}}},
          {"key":"e","value":{}},{"key":"z","value":null}],
        "events":[{"timeUnixNano":5,"name":"e","attributes":[{"key":"q","value":{"intValue":2}}]}],
        "links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","flags":1}],
        "status":{"code":"STATUS_CODE_ERROR","message":"m"}}]}]}]})",
      json));

  const auto list = [](const std::vector<std::string>& elements) {
    return message([&](pbf_writer& w) {
      for (const auto& each : elements) w.add_message(1, each);
    });
  };
  const auto any = [](auto write) { return message(write); };
  Batch protobuf;
  ASSERT_TRUE(decode_copy(
      Signal::traces,
      request({span([&](pbf_writer& w) {
                w.add_string(3, "a=b");
                w.add_string(5, "nü🍀");
                w.add_enum(6, 3);
                w.add_fixed64(7, 1'700'000'000'000'000'007);
                w.add_fixed64(8, 1'700'000'000'000'000'009);
                w.add_message(9, key_value("t", text_value("<b>")));
                w.add_message(9, key_value("b", any([](pbf_writer& v) { v.add_bool(2, true); })));
                w.add_message(9, key_value("i", int_value(INT64_MIN)));
                w.add_message(9, key_value("d", any([](pbf_writer& v) { v.add_double(4, 1); })));
                w.add_message(9, key_value("n", any([](pbf_writer& v) { v.add_double(4, std::nan("")); })));
                w.add_message(9, key_value("y", any([](pbf_writer& v) { v.add_bytes(7, "\0\xff\x80", 3); })));
                w.add_message(9, key_value("a", any([&](pbf_writer& v) {
                                             v.add_message(5, list({int_value(1), "", "", any([](pbf_writer& x) {
                                                                      x.add_message(5, std::string());
                                                                    })}));
                                           })));
                w.add_message(9, key_value("m", any([&](pbf_writer& v) {
                                             v.add_message(6, list({key_value("x", text_value(""))}));
                                           })));
                w.add_message(9, key_value("e", ""));
                w.add_message(9, key_value("z", ""));
                w.add_uint32(10, 1);
                w.add_message(11, message([](pbf_writer& e) {
                                e.add_fixed64(1, 5);
                                e.add_string(2, "e");
                                e.add_message(3, key_value("q", int_value(2)));
                              }));
                w.add_uint32(12, 2);
                w.add_message(13, message([](pbf_writer& l) {
                                l.add_bytes(1, trace_id);
                                l.add_bytes(2, span_id);
                                l.add_fixed32(6, 1);
                              }));
                w.add_uint32(14, 3);
                w.add_message(15, message([](pbf_writer& s) {
                                s.add_string(2, "m");
                                s.add_enum(3, 2);
                              }));
                w.add_fixed32(16, 257);
              })},
              list({key_value("service.name", text_value("s"))}), message([](pbf_writer& s) {
                s.add_string(1, "lib");
                s.add_string(2, "2");
              })),
      protobuf));
  EXPECT_EQ(show(json), show(protobuf));
  ASSERT_EQ(json.attributes.size(), protobuf.attributes.size());
  for (std::size_t i = 0; i < json.attributes.size(); ++i)
    EXPECT_EQ(json.attributes[i].value.text, protobuf.attributes[i].value.text) << json.attributes[i].key;
}

TEST(Json, fields_may_be_spelled_as_in_the_proto_files) {
  Batch batch;
  const auto tally = decode_json(
      R"({"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"5b8efff798038103d269b633813fc60c",
        "span_id":"eee19b7ec3c1b174","parent_span_id":"0102030405060708","start_time_unix_nano":"5",
        "attributes":[{"key":"k","value":{"string_value":"v"}}]}]}]}]})",
      batch);
  ASSERT_TRUE(tally) << tally.error().message;
  ASSERT_EQ(batch.spans.size(), 1U);
  EXPECT_EQ(base::to_hex(batch.spans[0].parent_id), "0102030405060708");
  EXPECT_EQ(batch.spans[0].start_unix_ns, 5U);
  EXPECT_EQ(batch.attributes.at(0).value.text, "v");
}

TEST(Json, null_and_unknown_fields_are_nothing) {
  const Batch batch =
      good(R"("name":null,"attributes":null,"status":null,"kind":null,"events":null,"startTimeUnixNano":null,)"
           R"("fromTheFuture":{"deep":[1,2,{"x":null}]},"":3)");
  EXPECT_EQ(batch.spans[0].name, "");
  Batch empty;
  const auto tally = decode_json(R"({"resourceSpans":[{"resource":null,"scopeSpans":null},null]})", empty);
  ASSERT_TRUE(tally);
  EXPECT_EQ(tally->accepted, 0U);
}

TEST(Json, numbers_come_in_many_spellings) {
  const auto start = [](const std::string& number) {
    return good("\"startTimeUnixNano\":" + number).spans[0].start_unix_ns;
  };
  EXPECT_EQ(start("\"18446744073709551615\""), UINT64_MAX);
  EXPECT_EQ(start("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(start("1.7e18"), 1'700'000'000'000'000'000U);
  const auto value = [](const std::string& v) { return show(good(attribute(v))).substr(0, std::string::npos); };
  EXPECT_NE(value(R"({"intValue":"42"})").find("k=integer 42;"), std::string::npos);
  EXPECT_NE(value(R"({"intValue":-42})").find("k=integer -42;"), std::string::npos);
  EXPECT_NE(value(R"({"intValue":42.0})").find("k=integer 42;"), std::string::npos);
  EXPECT_NE(value(R"({"doubleValue":"-1.5e3"})").find("k=real -1500;"), std::string::npos);
  EXPECT_NE(value(R"({"doubleValue":18446744073709551615})").find("k=real 18446744073709551616;"), std::string::npos);
  EXPECT_NE(value(R"({"doubleValue":"Infinity"})").find("k=real \"Infinity\";"), std::string::npos);
  EXPECT_NE(value(R"({"doubleValue":null})").find("k=empty null;"), std::string::npos);  // NaN as JSON.stringify has it
  EXPECT_EQ(good(R"("kind":"SPAN_KIND_FROM_THE_FUTURE")").spans[0].kind, 0);
  EXPECT_EQ(good(R"("kind":"5")").spans[0].kind, 5);
}

TEST(Json, bytes_come_in_many_spellings) {
  for (const char* const bytes : {R"("AP+A")", R"("AP-A")", R"([0,255,128])", R"({"0":0,"1":255,"2":128})",
                                  R"({"type":"Buffer","data":[0,255,128]})"}) {
    const Batch batch = good(attribute(std::string(R"({"bytesValue":)") + bytes + "}"));
    EXPECT_EQ(batch.attributes.at(0).value.type, Value::Type::bytes);
    EXPECT_EQ(batch.attributes.at(0).value.text, std::string_view("\0\xff\x80", 3)) << bytes;
  }
  EXPECT_EQ(good(attribute(R"({"bytesValue":"YQ"})")).attributes.at(0).value.text, "a");
  EXPECT_EQ(good(attribute(R"({"bytesValue":"YWI="})")).attributes.at(0).value.text, "ab");
}

TEST(Json, what_does_not_fit_is_named) {
  struct Case {
    std::string json;
    const char* message;
  };
  const std::string prefix = "malformed OTLP/JSON: resource_spans.scope_spans.spans.";
  for (const auto& [json, expected] : std::initializer_list<Case>{
           {one_span(R"("name":5)"), "name is not a text"},
           {one_span(R"("startTimeUnixNano":-1)"), "start_time_unix_nano is not a whole number of 64 bits"},
           {one_span(R"("startTimeUnixNano":1.5)"), "start_time_unix_nano is not a whole number of 64 bits"},
           {one_span(R"("startTimeUnixNano":"12x")"), "start_time_unix_nano is not a whole number of 64 bits"},
           {one_span(R"("startTimeUnixNano":18446744073709551616.0)"),
            "start_time_unix_nano is not a whole number of 64 bits"},
           {one_span(R"("flags":4294967296)"), "flags is not a whole number of 32 bits"},
           {one_span(R"("kind":[])"), "kind is not one of its names or numbers"},
           {one_span(R"("attributes":{})"), "attributes is not a list"},
           {one_span(R"("attributes":[7])"), "attributes is not an object"},
           {one_span(R"("status":[])"), "status is not an object"},
           {one_span(attribute(R"({"boolValue":1})")), "attributes.value.bool_value is not true or false"},
           {one_span(attribute(R"({"bytesValue":"A"})")), "attributes.value.bytes_value is not base64"},
           {one_span(attribute(R"({"bytesValue":[256]})")), "attributes.value.bytes_value is not base64"},
           {one_span(attribute(R"({"bytesValue":{"1":1}})")), "attributes.value.bytes_value is not base64"},
           {one_span(attribute(R"({"doubleValue":"x"})")), "attributes.value.double_value is not a number"},
           {one_span(R"("parentSpanId":5)"), "parent_span_id is not a text of hexadecimal digits"},
       }) {
    Batch batch;
    const auto tally = decode_json(json, batch);
    ASSERT_FALSE(tally) << json;
    EXPECT_EQ(tally.error().message, prefix + expected);
    EXPECT_TRUE(batch.empty());
  }
  for (const char* const json :
       {"", " ", "[]", "null", "5", "\"x\"", "{\"resourceSpans\":[}", "{} {}", "{}x", "{\"a\":01}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\x\"}]}]}]}", "\xff\xfe{}"}) {
    Batch batch;
    const auto tally = decode_json(json, batch);
    ASSERT_FALSE(tally) << json;
    EXPECT_EQ(tally.error().message.find("malformed"), 0U) << tally.error().message;
  }
}

TEST(Json, wrong_ids_cost_their_span_only) {
  Batch batch;
  const auto tally = decode_json(
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"00000000000000000000000000000000","spanId":"eee19b7ec3c1b174"},
        {"traceId":"5b8efff798038103d269b633813fc60","spanId":"eee19b7ec3c1b174"},
        {"traceId":"not hexadecimal but 32 long!!!!!","spanId":"eee19b7ec3c1b174"},
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":""},{},null,
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"good"}]}]}]})",
      batch);
  ASSERT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(tally->accepted, 1U);
  EXPECT_EQ(tally->rejected, 6U);
  EXPECT_EQ(batch.spans.at(0).name, "good");
}

TEST(Json, text_that_is_no_unicode_is_mended) {
  const Batch batch = good("\"name\":\"a\\ud800b\\udc00\\\\ud800\\uD83C\\uDF40\\ud83c\\u0041\xff\"");
  EXPECT_EQ(batch.spans[0].name,
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd\\ud800\xf0\x9f\x8d\x80\xef\xbf\xbd"
            "A\xef\xbf\xbd");
  Batch nothing;
  for (const char* const torn : {"{\"a\":\"\\ud800", "{\"a\":\"\\ud8", "{\"a\":\"\\", "\\", "\\ud800\\udc0"})
    EXPECT_FALSE(decode_json(torn, nothing)) << torn;
}

TEST(Json, nesting_is_bounded) {
  const auto nested = [](int levels) {
    std::string value;
    for (int i = 0; i < levels; ++i) value += R"({"arrayValue":{"values":[)";
    value += R"({"intValue":1})";
    for (int i = 0; i < levels; ++i) value += "]}}";
    return value;
  };
  EXPECT_EQ(to_json(good(attribute(nested(32))).attributes.at(0).value, 40),
            std::string(32, '[') + "1" + std::string(32, ']'));
  const Batch noted = good(attribute(nested(33)));
  EXPECT_TRUE(noted.attributes.at(0).value.truncated);
  EXPECT_EQ(noted.attributes.at(0).value.text, "(not kept: nested more than 32 levels deep)");
  for (const int levels : {36, 50, 500}) {  // deeper than anything is read, and yet only that value is lost
    const Batch deeper = good(attribute(nested(levels)));
    ASSERT_EQ(deeper.spans.size(), 1U) << levels;
    EXPECT_EQ(deeper.attributes.at(0).value.text, "(not kept: nested more than 32 levels deep)") << levels;
  }
  Batch batch;
  for (const std::string& json :
       {one_span(attribute(nested(10'000))), "{\"x\":" + std::string(10'000, '[') + std::string(10'000, ']') + "}"}) {
    const auto tally = decode_json(json, batch);
    ASSERT_FALSE(tally);
    EXPECT_EQ(tally.error().message, "malformed OTLP/JSON: nested too deep");
  }
  EXPECT_FALSE(decode_json(std::string(1'000'000, '['), batch));
  EXPECT_FALSE(decode_json(one_span(attribute(std::string(1'000'000, '{'))), batch));
}

TEST(Json, long_values_are_cut_as_they_are_from_protobuf) {
  const Batch batch = good(attribute("{\"stringValue\":\"" + std::string(1U << 20U, 'a') + "\"}"));
  EXPECT_TRUE(batch.attributes.at(0).value.truncated);
  EXPECT_EQ(batch.attributes.at(0).value.text.size(), store::longest_value);
}

TEST(Json, logs_have_names_and_names_of_severities) {
  Batch batch;
  const auto tally = decode_json(
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[
        {"observedTimeUnixNano":"7","severityNumber":"SEVERITY_NUMBER_WARN2","severityText":"W","eventName":"e.n",
         "traceId":"","droppedAttributesCount":1,"body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}}]}}},
        {"timeUnixNano":"6","observedTimeUnixNano":"7","severityNumber":25,"traceId":"5b8efff798038103d269b633813fc60c"},{}]}]}]})",
      batch, Signal::logs);
  ASSERT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(show(batch),
            "origin unknown_service   {}{}\n"
            "log 7 00000000000000000000000000000000 0000000000000000 14 [W] [e.n] 0 1 map {\"a\":1}{}\n"
            "log 6 5b8efff798038103d269b633813fc60c 0000000000000000 0 [] [] 0 0 empty null{}\n");
  EXPECT_EQ(tally->rejected, 1U);
}

TEST(Json, logs_keep_their_flags_and_schemas) {
  Batch batch;
  ASSERT_TRUE(decode_json(R"({"resourceLogs":[{"schemaUrl":"r","scopeLogs":[{"schemaUrl":"s","logRecords":[
        {"timeUnixNano":"6","flags":1,"traceId":"5B8EFFF798038103D269B633813FC60C"}]}]}]})",
                          batch, Signal::logs));
  EXPECT_EQ(show(batch),
            "origin unknown_service   {}{} resource schema r scope schema s\n"
            "log 6 5b8efff798038103d269b633813fc60c 0000000000000000 0 [] [] 0 0 flags 1 empty null{}\n");
}

// One rule at every depth, and every value back as OTLP/JSON spells it.
TEST(Json, values_are_exact_at_every_depth) {
  const std::string inner =
      R"({"values":[{"intValue":"9007199254740991"},{"intValue":"9007199254740992"},{"intValue":"-9007199254740993"},)"
      R"({"doubleValue":"NaN"},{"doubleValue":"-Infinity"},{"doubleValue":0.5},{"bytesValue":"AP+A"},)"
      R"({"boolValue":true},{"stringValue":"\"x"},{}]})";
  const std::string plain =
      R"([9007199254740991,"9007199254740992","-9007199254740993","NaN","-Infinity",0.5,"AP+A",true,"\"x",null])";
  const std::string array = "{\"arrayValue\":" + inner + "}";
  const std::string map = R"({"kvlistValue":{"values":[{"key":"k","value":)" + array + "}]}}";
  for (const auto& [value, shown] :
       {std::pair(array, plain), std::pair(map, R"({"k":)" + plain + "}"),
        std::pair(std::string(R"({"intValue":"-9223372036854775808"})"), std::string("\"-9223372036854775808\"")),
        std::pair(std::string(R"({"bytesValue":"AP+A"})"), std::string("\"AP+A\""))}) {
    const Batch batch = good(attribute(value));
    EXPECT_EQ(to_json(batch.attributes.at(0).value), shown);
    EXPECT_EQ(to_otlp_json(batch.attributes.at(0).value), value);
  }
  std::string deepest = R"({"stringValue":"core"})";
  for (int i = 0; i < 32; ++i) deepest = R"({"arrayValue":{"values":[)" + deepest + "]}}";
  const Batch batch = good(attribute(deepest));
  EXPECT_EQ(to_json(batch.attributes.at(0).value), std::string(32, '[') + "\"core\"" + std::string(32, ']'))
      << "what is kept is shown";
}

}  // namespace
}  // namespace sockeye::intake
