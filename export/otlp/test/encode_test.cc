#include <gtest/gtest.h>

#include "decode.h"
#include "sockeye/otlp/transport.h"

namespace sockeye::otlp {
namespace {

using test::decode;
using test::Value;

test::DecodedRequest round_trip(const std::vector<model::Span>& spans, Options options = {}) {
  options.compression = Compression::none;
  auto transport = make_transport(std::move(options));
  if (!transport) std::abort();
  const auto batch = (*transport)->encode(spans);
  EXPECT_EQ(batch.spans, spans.size());
  return decode(batch.body);
}

template <std::size_t N, class Tag>
std::string raw(const base::Id<N, Tag>& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), N};
}

model::Span full_span() {
  base::Random random(5);
  model::Span span;
  span.name = "websocket.handshake";
  span.trace_id = base::make_trace_id(random);
  span.span_id = base::make_span_id(random);
  span.parent_id = base::make_span_id(random);
  span.parent_is_remote = true;
  span.trace_state = "vendor=1,other=2";
  span.kind = model::SpanKind::server;
  span.status = model::SpanStatus::error;
  span.status_message = "upstream refused";
  span.start_unix_ns = 1'700'000'000'123'456'789;
  span.end_unix_ns = 1'700'000'001'000'000'000;
  span.attributes = {{"url.path", std::string("/media/ä")},
                     {"http.response.status_code", std::int64_t{502}},
                     {"negative", std::int64_t{-3}},
                     {"ratio", 0.25},
                     {"tls", true},
                     {"off", false},
                     {"empty", std::string()}};
  span.events.push_back({"first_chunk", 1'700'000'000'500'000'000, {{"n", std::int64_t{1}}}});
  span.links.push_back({base::make_trace_id(random), base::make_span_id(random), {{"why", std::string("connection")}}});
  return span;
}

TEST(Encode, EveryFieldComesBack) {
  const model::Span span = full_span();
  Options options;
  options.resource.service_name = "voice-bridge";
  options.resource.service_version = "2.0";
  options.resource.service_instance_id = "i-1";
  options.resource.host_name = "box";
  options.resource.attributes = {
      {"deployment.environment", "test"}, {"service.name", "overridden"}, {"host.name", "given"}, {"empty", ""}};
  const auto request = round_trip({span}, options);
  EXPECT_EQ(request.scope_name, "sockeye");
  EXPECT_FALSE(request.scope_version.empty());
  test::Values resource = request.resource;
  EXPECT_EQ(resource["service.name"], Value("voice-bridge"));
  EXPECT_EQ(resource["service.version"], Value("2.0"));
  EXPECT_EQ(resource["service.instance.id"], Value("i-1"));
  EXPECT_EQ(resource["host.name"], Value("given"));
  EXPECT_EQ(resource["telemetry.sdk.name"], Value("sockeye"));
  EXPECT_EQ(resource["telemetry.sdk.language"], Value("cpp"));
  EXPECT_EQ(resource["telemetry.sdk.version"], Value(request.scope_version));
  EXPECT_EQ(resource["deployment.environment"], Value("test"));
  EXPECT_EQ(resource.size(), 8U);

  ASSERT_EQ(request.spans.size(), 1U);
  const auto& out = request.spans[0];
  EXPECT_EQ(out.trace_id, raw(span.trace_id));
  EXPECT_EQ(out.span_id, raw(span.span_id));
  EXPECT_EQ(out.parent_id, raw(span.parent_id));
  EXPECT_EQ(out.trace_state, span.trace_state);
  EXPECT_EQ(out.name, span.name);
  EXPECT_EQ(out.kind, 2);    // SPAN_KIND_SERVER
  EXPECT_EQ(out.status, 2);  // STATUS_CODE_ERROR
  EXPECT_EQ(out.status_message, span.status_message);
  EXPECT_EQ(out.start, span.start_unix_ns);
  EXPECT_EQ(out.end, span.end_unix_ns);
  EXPECT_EQ(out.flags, 0x301U);  // sampled, has_is_remote, is_remote
  const test::Values expected{{"url.path", "/media/ä"},
                              {"http.response.status_code", std::int64_t{502}},
                              {"negative", std::int64_t{-3}},
                              {"ratio", 0.25},
                              {"tls", true},
                              {"off", false},
                              {"empty", ""}};
  EXPECT_EQ(out.attributes, expected);
  ASSERT_EQ(out.events.size(), 1U);
  EXPECT_EQ(out.events[0].name, "first_chunk");
  EXPECT_EQ(out.events[0].time, span.events[0].time_unix_ns);
  EXPECT_EQ(out.events[0].attributes, (test::Values{{"n", std::int64_t{1}}}));
  ASSERT_EQ(out.links.size(), 1U);
  EXPECT_EQ(out.links[0].trace_id, raw(span.links[0].trace_id));
  EXPECT_EQ(out.links[0].span_id, raw(span.links[0].span_id));
  EXPECT_EQ(out.links[0].attributes, (test::Values{{"why", "connection"}}));
}

TEST(Encode, ARootHasNoParentAndNoRemoteBits) {
  model::Span span = full_span();
  span.parent_id = {};
  span.status = model::SpanStatus::unset;
  span.flags = 0;
  const auto out = round_trip({span}).spans.at(0);
  EXPECT_EQ(out.parent_id, "");
  EXPECT_EQ(out.flags, 0U);
  EXPECT_EQ(out.status, 0);
  span = full_span();
  span.parent_is_remote = false;
  EXPECT_EQ(round_trip({span}).spans.at(0).flags, 0x101U);
}

TEST(Encode, WhatIsOverTheLimitsIsLeftOutAndCounted) {
  model::Span span = full_span();
  for (int i = 0; i < 10; ++i) span.events.push_back(span.events[0]);
  for (int i = 0; i < 10; ++i) span.links.push_back(span.links[0]);
  Options options;
  options.limits = {.attributes = 3, .events = 4, .links = 5, .value_bytes = 8};
  span.attributes[0].second = std::string("1234567€tail");  // the limit falls inside the €
  span.events[0].attributes.assign(5, {"n", std::int64_t{1}});
  for (std::size_t i = 0; i < 5; ++i) span.events[0].attributes[i].first = std::array{"a", "b", "c", "d", "e"}[i];
  const auto out = round_trip({span}, options).spans.at(0);
  EXPECT_EQ(out.attributes.size(), 3U);
  EXPECT_EQ(out.dropped_attributes, 4U);
  EXPECT_EQ(out.events.size(), 4U);
  EXPECT_EQ(out.dropped_events, 7U);
  EXPECT_EQ(out.links.size(), 5U);
  EXPECT_EQ(out.dropped_links, 6U);
  EXPECT_EQ(out.events[0].dropped, 2U);
  EXPECT_EQ(out.attributes.at("url.path"), Value("1234567"));
}

TEST(Encode, TextThatIsNotUtf8IsRepaired) {
  model::Span span = full_span();
  span.name = "a\xff";
  span.trace_state = "\xc3";
  span.status_message = "\xed\xa0\x80";
  span.attributes = {{"url.path", std::string("/\xfe/x")}, {"long", std::string(40'000, '\xff')}};
  const auto out = round_trip({span}).spans.at(0);
  EXPECT_EQ(out.name, "a\xef\xbf\xbd");
  EXPECT_EQ(out.trace_state, "\xef\xbf\xbd");
  EXPECT_EQ(out.status_message, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(out.attributes.at("url.path"), Value("/\xef\xbf\xbd/x"));
  EXPECT_EQ(std::get<std::string>(out.attributes.at("long")).size(), 16383U);  // whole characters under 16,384 bytes
}

TEST(Encode, GzipIsTheSameRequest) {
  const std::vector<model::Span> spans(300, full_span());
  auto plain = make_transport([] {
    Options o;
    o.compression = Compression::none;
    return o;
  }());
  auto gzip = make_transport({});
  ASSERT_TRUE(plain && gzip);
  const auto a = (*plain)->encode(spans);
  for (int i = 0; i < 3; ++i) {  // the compressor is used again
    const auto b = (*gzip)->encode(spans);
    EXPECT_LT(b.body.size(), a.body.size() / 10);
    EXPECT_NE(a.encoding, b.encoding);
    EXPECT_EQ(test::gunzip(b.body), a.body);
  }
}

}  // namespace
}  // namespace sockeye::otlp
