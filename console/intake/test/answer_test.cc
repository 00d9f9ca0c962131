#include <gtest/gtest.h>

#include "request.h"

namespace sockeye::intake {
namespace {

using namespace test;

TEST(Answer, partial_success_says_how_many_and_why) {
  const Tally tally{.accepted = 5, .rejected = 300, .message = "why \"so\"\n<b>\xff"};
  const std::string text = "why \"so\"\n<b>\xef\xbf\xbd";
  const std::string protobuf = message([&](pbf_writer& w) {
    w.add_message(1, message([&](pbf_writer& p) {
                    p.add_int64(1, 300);
                    p.add_string(2, text);
                  }));
  });
  for (const auto& [signal, name] : {std::pair{Signal::traces, "rejectedSpans"},
                                     {Signal::logs, "rejectedLogRecords"},
                                     {Signal::metrics, "rejectedDataPoints"}}) {
    EXPECT_EQ(success(signal, Format::protobuf, tally), protobuf);
    EXPECT_EQ(success(signal, Format::json, tally),
              std::string("{\"partialSuccess\":{\"") + name +
                  "\":\"300\",\"errorMessage\":\"why \\\"so\\\"\\n<b>\xef\xbf\xbd\"}}");
    EXPECT_EQ(success(signal, Format::protobuf, {1, 0, ""}), "");
    EXPECT_EQ(success(signal, Format::json, {1, 0, ""}), "{}");
  }
}

TEST(Answer, a_status_has_code_message_and_when_to_come_back) {
  EXPECT_EQ(status(Format::json, 3, "bad \x01\xc0"), "{\"code\":3,\"message\":\"bad \\u0001\xef\xbf\xbd\"}");
  EXPECT_EQ(status(Format::json, 8, "full", 1500),
            "{\"code\":8,\"message\":\"full\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
            "\"retryDelay\":\"1.500s\"}]}");
  EXPECT_NE(status(Format::json, 8, "full", 2000).find("\"retryDelay\":\"2s\""), std::string::npos);
  EXPECT_NE(status(Format::json, 8, "", UINT64_MAX).find("\"315576000000s\""), std::string::npos);

  EXPECT_EQ(status(Format::protobuf, 3, "bad \xc0"), message([](pbf_writer& w) {
              w.add_int32(1, 3);
              w.add_string(2, "bad \xef\xbf\xbd");
            }));
  const std::string delay = message([](pbf_writer& w) {
    w.add_int64(1, 61);
    w.add_int32(2, 5'000'000);
  });
  EXPECT_EQ(status(Format::protobuf, 8, "full", 61'005), message([&](pbf_writer& w) {
              w.add_int32(1, 8);
              w.add_string(2, "full");
              w.add_message(3, message([&](pbf_writer& any) {
                              any.add_string(1, "type.googleapis.com/google.rpc.RetryInfo");
                              any.add_message(2, message([&](pbf_writer& info) { info.add_message(1, delay); }));
                            }));
            }));
}

TEST(Answer, a_value_that_cannot_be_read_is_null_in_json) {
  store::Value value;
  value.type = store::Value::Type::map;
  value.text = "\x0a\x7f";
  EXPECT_EQ(to_json(value), "null");
}

}  // namespace
}  // namespace sockeye::intake
