#include "read_json.h"

#include <gtest/gtest.h>

namespace sockeye::console {
namespace {

std::string problem(std::string_view json) {
  const auto out = read_subscription(json);
  return out ? "" : out.error().message;
}

TEST(ReadToken, takes_a_string_named_token) {
  EXPECT_EQ(read_token(R"({"token":"a\u0062c"})"), "abc");
  EXPECT_EQ(read_token(R"({"other":1,"token":""})"), "");
  for (const auto* bad : {"", "{", "[]", "1", "{}", R"({"token":1})", R"({"token":["x"]})", "{\"token\":\"\xFF\"}"})
    EXPECT_FALSE(read_token(bad)) << bad;
  EXPECT_FALSE(read_token("{\"token\":\"" + std::string(8192, 'a') + "\"}"));
}

TEST(ReadSubscription, takes_all_of_it) {
  const auto out = read_subscription(R"({"fleet":true,"session":"0190163d-8694-739b-aea5-966c26f8ad91","sessions":{
      "route":"r","instance":"i","dialect":"d","client":"c","text":"t","trouble":true,"sort":"silence","order":"asc",
      "offset":20,"limit":500}})");
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_TRUE(out->fleet);
  ASSERT_TRUE(out->session);
  EXPECT_EQ(base::to_uuid(*out->session), "0190163d-8694-739b-aea5-966c26f8ad91");
  ASSERT_TRUE(out->sessions);
  const auto& s = *out->sessions;
  EXPECT_EQ(s.route + s.instance + s.dialect + s.client + s.text, "ridct");
  EXPECT_TRUE(s.trouble);
  EXPECT_TRUE(s.ascending);
  EXPECT_EQ(s.sort, Subscription::Sessions::Sort::silence);
  EXPECT_EQ(s.offset, 20U);
  EXPECT_EQ(s.limit, 500U);
}

TEST(ReadSubscription, wants_nothing_by_default) {
  const auto out = read_subscription(R"({"fleet":null,"sessions":null,"session":null})");
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_FALSE(out->fleet || out->sessions || out->session);
  const auto window = read_subscription(R"({"sessions":{}})");
  ASSERT_TRUE(window && window->sessions);
  EXPECT_EQ(window->sessions->sort, Subscription::Sessions::Sort::opened);
  EXPECT_FALSE(window->sessions->ascending);
  EXPECT_EQ(window->sessions->limit, 100U);
  EXPECT_EQ(window->sessions->max_duration_ns, UINT64_MAX);
  const auto filtered = read_subscription(
      R"({"sessions":{"min_duration_seconds":1.5,"max_duration_seconds":60,"attribute":["a:b:c","d"],"abnormal":true}})");
  ASSERT_TRUE(filtered && filtered->sessions);
  EXPECT_EQ(filtered->sessions->min_duration_ns, 1'500'000'000U);
  EXPECT_EQ(filtered->sessions->max_duration_ns, 60'000'000'000U);
  EXPECT_EQ(filtered->sessions->attributes,
            (std::vector<std::pair<std::string, std::string>>{{"a", "b:c"}, {"d", ""}}));
  EXPECT_TRUE(filtered->sessions->abnormal);
}

TEST(ReadSubscription, says_what_is_wrong) {
  EXPECT_EQ(problem(R"({"fleet":1})"), "fleet: expected true or false");
  EXPECT_EQ(problem(R"({"sesions":{}})"),
            "sesions: expected nothing of that name; there are fleet, sessions and session");
  EXPECT_EQ(problem(R"({"sessions":[]})"), "sessions: expected an object");
  EXPECT_EQ(problem(R"({"session":"x"})"), "session: expected a session's id");
  EXPECT_TRUE(problem(R"({"session":7})").starts_with("session: expected a string"));
  EXPECT_EQ(problem(R"({"sessions":{"limit":501}})"), "limit: expected a whole number up to 500");
  for (const auto* bad : {"-1", "1.5", "\"1\"", "true", "null", "10000001"})
    EXPECT_TRUE(problem(std::string(R"({"sessions":{"offset":)") + bad + "}}").starts_with("offset: ")) << bad;
  EXPECT_TRUE(problem(R"({"sessions":{"sort":"size"}})").starts_with("sort: expected opened, "));
  EXPECT_EQ(problem(R"({"sessions":{"order":"up"}})"), "order: expected asc or desc");
  EXPECT_EQ(problem(R"({"sessions":{"trouble":"yes"}})"), "trouble: expected true or false");
  EXPECT_EQ(problem(R"({"sessions":{"min_duration_seconds":-1}})"),
            "min_duration_seconds: expected a number of seconds");
  EXPECT_EQ(problem(R"({"sessions":{"max_duration_seconds":"1"}})"),
            "max_duration_seconds: expected a number of seconds");
  EXPECT_EQ(problem(R"({"sessions":{"attribute":"a:b"}})"), "attribute: expected a list of key:value");
  EXPECT_EQ(problem(R"({"sessions":{"attribute":[":b"]}})"), "attribute: expected key:value");
  EXPECT_EQ(problem(R"({"sessions":{"attribute":[1]}})"), "attribute: expected a string of at most 1024 bytes");
  EXPECT_EQ(
      problem(
          R"({"sessions":{"attribute":["1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:","1:"]}})"),
      "attribute: expected at most 16 of them");
  EXPECT_EQ(problem(R"({"sessions":{"rout":"r"}})"), "rout: expected nothing of that name");
  EXPECT_TRUE(problem("{\"sessions\":{\"text\":\"" + std::string(1025, 'a') + "\"}}").starts_with("text: "));
  EXPECT_EQ(problem("{\"sessions\":{\"text\":\"" + std::string(1024, 'a') + "\"}}"), "");
}

TEST(ReadSubscription, refuses_what_is_no_object) {
  for (const std::string bad : {"", " ", "[]", "1", "null", "{", "{}}", "{\"fleet\":}", "{\"a\xFF\":1}", "{'fleet':1}"})
    EXPECT_EQ(problem(bad), "expected a JSON object") << bad;
}

TEST(ReadSubscription, is_bounded_in_depth_and_size) {
  const auto nested = [](std::size_t depth) {
    return R"({"sessions":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(problem(nested(3)), "sessions: expected an object");
  EXPECT_EQ(problem(nested(100)), "expected a JSON object");
  EXPECT_EQ(problem(nested(30'000)), "expected a JSON object");
  EXPECT_EQ(problem("{" + std::string(65'534, ' ') + "}"), "");
  EXPECT_EQ(problem("{" + std::string(65'535, ' ') + "}"), "expected a JSON object");
}

}  // namespace
}  // namespace sockeye::console
