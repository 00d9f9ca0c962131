#include <gtest/gtest.h>

#include "sockeye/otlp/transport.h"

namespace sockeye::otlp {
namespace {

std::string url(const std::string& endpoint, const std::string& traces = "") {
  Options options;
  options.endpoint = endpoint;
  options.traces_endpoint = traces;
  return traces_url(options);
}

TEST(TracesUrl, TheBaseEndpointGetsThePathAppended) {
  EXPECT_EQ(traces_url({}), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(url("http://c:4318"), "http://c:4318/v1/traces");
  EXPECT_EQ(url("http://c:4318/"), "http://c:4318/v1/traces");
  EXPECT_EQ(url("https://c/mycollector/"), "https://c/mycollector/v1/traces");
  EXPECT_EQ(url("https://c/mycollector"), "https://c/mycollector/v1/traces");
  EXPECT_EQ(url("https://c/p?tenant=1"), "https://c/p/v1/traces?tenant=1");
}

TEST(TracesUrl, TheTracesEndpointIsUsedAsItIs) {
  EXPECT_EQ(url("http://c:4318", "http://t:4318"), "http://t:4318");
  EXPECT_EQ(url("http://c:4318", "http://t:4318/any/where/"), "http://t:4318/any/where/");
}

TEST(ParsePairs, ReadsTheEnvironmentsGrammar) {
  EXPECT_EQ(*parse_pairs(""), Pairs{});
  EXPECT_EQ(*parse_pairs(" , ,"), Pairs{});
  EXPECT_EQ(*parse_pairs("api-key=key"), (Pairs{{"api-key", "key"}}));
  EXPECT_EQ(*parse_pairs("a=1, b = 2 ,c="), (Pairs{{"a", "1"}, {"b", "2"}, {"c", ""}}));
  EXPECT_EQ(*parse_pairs("Authorization=Basic%20a%3D%3D"), (Pairs{{"Authorization", "Basic a=="}}));
  EXPECT_EQ(*parse_pairs("a=b=c"), (Pairs{{"a", "b=c"}}));
  EXPECT_EQ(*parse_pairs("a=1,a=2"), (Pairs{{"a", "2"}}));
}

TEST(ParsePairs, NamesThePositionAndNeverTheContent) {
  for (const auto* text : {"a=1,secret", "a=1,=secret", "a=1,k=secret%2", "a=1,k=secret%zz"}) {
    const auto parsed = parse_pairs(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("pair 2"), std::string::npos);
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
  }
}

TEST(MakeTransport, SaysWhatIsWrongAndNeverAHeadersValue) {
  const auto refused = [](auto change) {
    Options options;
    change(options);
    const auto made = make_transport(options);
    EXPECT_FALSE(made);
    return made ? std::string() : made.error().message;
  };
  EXPECT_NE(refused([](Options& o) { o.endpoint = "ftp://x"; }), "");
  EXPECT_NE(refused([](Options& o) { o.endpoint = "no url at all"; }), "");
  EXPECT_NE(refused([](Options& o) { o.traces_endpoint = "http://"; }), "");
  EXPECT_NE(refused([](Options& o) { o.timeout = {}; }), "");
  EXPECT_NE(refused([](Options& o) { o.tls.ca = "/does/not/exist.pem"; }), "");
  EXPECT_NE(refused([](Options& o) { o.tls.certificate = "/etc/hostname"; }), "");
  EXPECT_NE(refused([](Options& o) { o.headers = {{"Content-Length", "5"}}; }), "");
  for (const auto& bad : {Pairs{{"api key", "secret"}}, Pairs{{"", "secret"}}, Pairs{{"k", "secret\r\nX: y"}}}) {
    const auto message = refused([&](Options& o) { o.headers = bad; });
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
  }
}

TEST(MakeTransport, TheDestinationShowsNoCredentials) {
  Options options;
  options.endpoint = "https://user:hunter2@collector.example:4318/p?token=abc";
  const auto made = make_transport(options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->destination(), "https://collector.example:4318/p/v1/traces");
}

}  // namespace
}  // namespace sockeye::otlp
