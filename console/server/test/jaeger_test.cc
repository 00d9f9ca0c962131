// What Jaeger's page and its data sources ask, and what they get.
#include <gtest/gtest.h>
#include <simdjson.h>

#include "api.h"
#include "has.h"
#include "jaeger.h"
#include "sockeye/intake/decode.h"
#include "store_double.h"

namespace sockeye::console {
namespace {

constexpr std::string_view trace = R"({"resourceSpans":[{"schemaUrl":"https://r/1","resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"h1"}}]},
    "scopeSpans":[{"schemaUrl":"https://s/1","scope":{"name":"lib","version":"1.2","attributes":[
      {"key":"lib.key","value":{"stringValue":"v"}}]},"spans":[
    {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b170","name":"POST /checkout","kind":2,
     "traceState":"a=b","flags":257,"droppedEventsCount":4,
     "startTimeUnixNano":"1700000000000000007","endTimeUnixNano":"1700000000030000007",
     "attributes":[{"key":"n","value":{"intValue":"9007199254740993"}},{"key":"b","value":{"bytesValue":"AP96"}},
       {"key":"l","value":{"arrayValue":{"values":[{"intValue":"9007199254740993"}]}}}],
     "events":[{"timeUnixNano":"1700000000010000007","name":"exception","attributes":[
       {"key":"exception.type","value":{"stringValue":"Declined"}}]}],
     "links":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","traceState":"l=1"}],
     "status":{"code":2,"message":"card refused"}}]}]}]})";

class JaegerTest : public testing::Test {
 protected:
  void SetUp() override {
    store::Batch batch;
    ASSERT_TRUE(intake::decode(intake::Signal::traces, intake::Format::json, std::string(trace), batch));
    store_.write(std::move(batch), [](const store::Written&) {});
  }
  Response get(const std::string& path, const std::string& query = "") {
    Request request;
    request.method = "GET";
    request.path = path;
    request.query = query;
    auto out = answer(api_, request);
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(out.body).error(), simdjson::SUCCESS) << path << ": " << out.body;
    return out;
  }
  std::size_t traces(const std::string& query) {
    const auto out = get("/api/traces", query);
    EXPECT_EQ(out.status, 200) << out.body;
    simdjson::dom::parser parser;
    return parser.parse(out.body)["data"].get_array().size();
  }

  const Options options_{};
  test::StoreDouble store_;
  Fleet fleet_;
  Api api_{options_, store_, fleet_, "", "", 1};
};

TEST_F(JaegerTest, a_span_has_all_that_jaeger_would_show) {
  const auto body = get("/api/traces/5B8EFFF798038103D269B633813FC60C", "raw=true&prettyPrint=true").body;
  for (const auto* part :
       {R"("flags":1,"operationName":"POST /checkout")", R"("startTime":1700000000000000,"duration":30000)",
        R"({"key":"n","type":"int64","value":"9007199254740993"})", R"({"key":"b","type":"binary","value":"AP96"})",
        R"({"key":"l","type":"string","value":"[\"9007199254740993\"]"})",
        R"({"key":"span.kind","type":"string","value":"server"})",
        R"({"key":"otel.status_code","type":"string","value":"ERROR"})",
        R"({"key":"error","type":"bool","value":true})",
        R"({"key":"otel.status_description","type":"string","value":"card refused"})",
        R"({"key":"w3c.tracestate","type":"string","value":"a=b"})",
        R"({"key":"otel.scope.name","type":"string","value":"lib"})",
        R"({"key":"otel.scope.version","type":"string","value":"1.2"})",
        R"({"key":"lib.key","type":"string","value":"v"})",
        R"({"key":"otel.dropped_events_count","type":"int64","value":4})",
        R"("logs":[{"timestamp":1700000000010000,"fields":[{"key":"event","type":"string","value":"exception"},)",
        R"({"key":"exception.type","type":"string","value":"Declined"}]}])",
        R"({"refType":"FOLLOWS_FROM","traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331"})",
        R"("warnings":null)", R"("errors":null)"})
    EXPECT_TRUE(has(body, part)) << part << " in " << body;
}

TEST_F(JaegerTest, tags_ask_for_what_is_no_attribute) {
  for (const auto* tag : {"error:true", "error:TRUE", "otel.status_code:ERROR", "otel.status_code:error",
                          "span.kind:server", "span.kind:SERVER", "span.kind:SPAN_KIND_SERVER"})
    EXPECT_EQ(traces("tag=" + std::string(tag)), 1U) << tag;
  for (const auto* tag : {"error:false", "otel.status_code:OK", "otel.status_code:nonsense", "span.kind:client",
                          "span.kind:sever", "span.kind:"})
    EXPECT_EQ(traces("tag=" + std::string(tag)), 0U) << tag;
  EXPECT_EQ(traces("tags={\"error\":true,\"span.kind\":\"Server\"}"), 1U);
  EXPECT_EQ(traces("tag=error:true&tag=otel.status_code:OK"), 0U);
  EXPECT_EQ(traces("tag=span.kind:server&tag=span.kind:client"), 0U);
  JaegerSearch search;
  Parameters with("");
  add_tags(search, with, "tags", {"otel.library.name:lib", "otel.library.version:1", "event:exception"}, {});
  EXPECT_TRUE(search.query.fields);
  EXPECT_EQ(search.query.attributes[0], std::pair(std::string("otel.scope.name"), std::string("lib")));
  EXPECT_EQ(search.query.attributes[1].first, "otel.scope.version");
  EXPECT_EQ(search.query.attributes[2].first, "event");
}

TEST_F(JaegerTest, says_what_it_leaves_out) {
  auto out = get("/api/traces", "traceID=5b8efff798038103d269b633813fc60c&traceID=1");
  EXPECT_EQ(out.status, 200);
  EXPECT_TRUE(has(out.body, R"("total":1)")) << out.body;
  EXPECT_TRUE(has(out.body, R"("errors":[{"msg":"trace not found","traceID":"00000000000000000000000000000001"}])"))
      << out.body;
  EXPECT_EQ(get("/api/traces", "limit=1500").status, 200);
  EXPECT_EQ(get("/api/traces", "limit=1501").status, 400);
  EXPECT_EQ(get("/api/traces", "limit=0").status, 400);
  EXPECT_TRUE(has(get("/api/traces", "service=shop").body, R"("cursor":"")"));

  // One trace of more spans than an answer of several holds, beside another.
  store::Batch batch;
  batch.origins.push_back({"big", {}, "", "", {}});
  for (std::uint64_t i = 1; i <= most_jaeger_trace_spans + 1; ++i) {
    store::Span span;
    span.trace_id.bytes[15] = 7;
    for (unsigned byte = 0; byte < 8; ++byte) span.span_id.bytes[byte] = static_cast<std::uint8_t>(i >> (8 * byte));
    span.start_unix_ns = i;
    batch.spans.push_back(span);
  }
  store_.write(std::move(batch), [](const store::Written&) {});
  out = get("/api/traces", "traceID=7");
  EXPECT_TRUE(has(out.body, R"("warnings":["only the earliest 10000 spans of this trace are here)"));
  EXPECT_FALSE(has(get("/api/traces/7").body, "only the earliest"));
}

TEST_F(JaegerTest, operations_by_kind) {
  EXPECT_TRUE(has(get("/api/operations", "service=shop").body,
                  R"("data":[{"name":"POST /checkout","spanKind":"server"}],"total":1)"));
  EXPECT_TRUE(has(get("/api/operations", "service=shop&spanKind=SERVER").body, R"("total":1)"));
  EXPECT_TRUE(has(get("/api/operations", "service=shop&spanKind=client").body, R"("data":[],"total":0)"));
  EXPECT_TRUE(has(get("/api/operations", "service=shop&spanKind=nonsense").body, R"("data":[],"total":0)"));
  EXPECT_TRUE(has(get("/api/services/shop/operations").body, R"("data":["POST /checkout"])"));
}

TEST_F(JaegerTest, dependencies_of_the_time_asked) {
  store::Batch batch;
  for (const char* service : {"gate", "shop"}) batch.origins.push_back({service, {}, "", "", {}});
  for (std::uint8_t i = 0; i <= 7; ++i) {  // the first is the parent of the others
    auto& span = batch.spans.emplace_back();
    span.trace_id.bytes[0] = 1;
    span.span_id.bytes[0] = static_cast<std::uint8_t>(i + 1);
    span.parent_id.bytes[0] = i == 0 ? 0 : 1;
    span.origin = i == 0 ? 0 : 1;
    span.start_unix_ns = 1;
  }
  store_.write(std::move(batch), [](const store::Written&) {});
  auto out = get("/api/dependencies", "endTs=2&lookback=2");
  EXPECT_TRUE(has(out.body, R"("data":[{"parent":"gate","child":"shop","callCount":7}],"total":1)")) << out.body;
  EXPECT_EQ(store_.asked_dependencies.from_unix_ns, 0U);
  EXPECT_EQ(store_.asked_dependencies.to_unix_ns, 2'000'000U);
  EXPECT_TRUE(has(get("/api/dependencies", "endTs=2&lookback=2&service=other").body, R"("data":[],"total":0)"));
  get("/api/dependencies", "endTs=100000000&lookback=1000");
  EXPECT_EQ(store_.asked_dependencies.from_unix_ns, 99'999'000'000'000U);
  get("/api/dependencies", "endTs=100000000");
  EXPECT_EQ(store_.asked_dependencies.from_unix_ns, 13'600'000'000'000U) << "a day";
  EXPECT_EQ(get("/api/dependencies", "endTs=x").status, 400);
  EXPECT_EQ(get("/api/dependencies", "endTs=-1").status, 400);
}

TEST_F(JaegerTest, the_third_version_speaks_otlp) {
  const auto body = get("/api/v3/traces/5B8EFFF798038103D269B633813FC60C", "raw_traces=true").body;
  for (
      const auto* part :
      {R"({"result":{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}})",
       R"("scope":{"name":"lib","version":"1.2","attributes":[{"key":"lib.key","value":{"stringValue":"v"}}]})",
       R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b170","traceState":"a=b","parentSpanId":"")",
       R"("flags":257,"name":"POST /checkout","kind":2,"startTimeUnixNano":"1700000000000000007")",
       R"({"key":"n","value":{"intValue":"9007199254740993"}},{"key":"b","value":{"bytesValue":"AP96"}})",
       R"({"key":"l","value":{"arrayValue":{"values":[{"intValue":"9007199254740993"}]}}})",
       R"("droppedEventsCount":4)", R"("status":{"message":"card refused","code":2})",
       R"("schemaUrl":"https://s/1"}],"schemaUrl":"https://r/1"}]})"})
    EXPECT_TRUE(has(body, part)) << part << " in " << body;
  // What it answers is what it takes.
  store::Batch again;
  const auto begin = body.find(R"({"resourceSpans")"), end = body.find(R"(,"left_out")");
  ASSERT_NE(end, std::string::npos);
  const auto tally =
      intake::decode(intake::Signal::traces, intake::Format::json, body.substr(begin, end - begin), again);
  ASSERT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(tally->accepted, 1U);
  EXPECT_EQ(again.spans[0].flags, 257U);
  EXPECT_EQ(again.origins[0].scope_schema_url, "https://s/1");

  EXPECT_EQ(get("/api/v3/services").body, R"({"services":["shop"]})");
  EXPECT_TRUE(has(get("/api/v3/operations", "service=shop").body,
                  R"({"operations":[{"name":"POST /checkout","spanKind":"server"}])"));
  EXPECT_TRUE(has(get("/api/v3/operations", "service=shop&span_kind=nonsense").body, R"({"operations":[])"));
  const std::string times =
      "query.start_time_min=2023-11-14T22:13:19Z&query.start_time_max=2023-11-14T22:13:21.5%2B00:00";
  EXPECT_EQ(get("/api/v3/traces", "query.service_name=shop&" + times + "&query.search_depth=5").status, 200);
  EXPECT_EQ(get("/api/v3/traces", "query.service_name=other&" + times).status, 404);
  EXPECT_EQ(get("/api/v3/traces", "query.attributes={\"error\":\"false\"}").status, 404);
  for (const auto* bad : {"query.start_time_min=yesterday", "query.duration_min=fast", "query.num_traces=x",
                          "query.attributes=x", "query.nonsense=1"})
    EXPECT_EQ(get("/api/v3/traces", bad).status, 400) << bad;
  EXPECT_TRUE(has(get("/api/v3/traces/nonsense").body, R"({"error":{"httpCode":400,"message":"malformed parameter)"));
  EXPECT_TRUE(has(get("/api/v3/traces/1").body, R"({"error":{"httpCode":404,"message":"No traces found"}})"));
}

TEST(Rfc3339, times_and_what_is_none) {
  EXPECT_EQ(rfc3339("1970-01-01T00:00:00Z"), 0U);
  EXPECT_EQ(rfc3339("2023-11-14T22:13:20Z"), 1'700'000'000'000'000'000U);
  EXPECT_EQ(rfc3339("2023-11-14T22:13:20.000000007Z"), 1'700'000'000'000'000'007U);
  EXPECT_EQ(rfc3339("2023-11-14T22:13:20.5z"), 1'700'000'000'500'000'000U);
  EXPECT_EQ(rfc3339("2023-11-15T00:13:20.0000000079999+02:00"), 1'700'000'000'000'000'007U);
  EXPECT_EQ(rfc3339("2023-11-14t20:43:20-01:30"), 1'700'000'000'000'000'000U);
  EXPECT_EQ(rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000'000'000U);
  for (const auto* bad :
       {"", "2023", "2023-02-29T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z",
        "2023-11-14 22:13:20Z", "2023-11-14T22:13:20+2:00", "2023-11-14T22:13:20+02:0x", "2023-13-14T22:13:20Z",
        "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "2023-11-14T22:13:20ZZ", "-023-11-14T22:13:20Z"})
    EXPECT_FALSE(rfc3339(bad)) << bad;
}

}  // namespace
}  // namespace sockeye::console
