#include <gtest/gtest.h>

#include "request.h"

namespace sockeye::intake {
namespace {

using namespace test;
using store::Batch;
using store::Value;

TEST(Traces, a_whole_span_arrives) {
  const std::string resource =
      message([](pbf_writer& w) { w.add_message(1, key_value("service.name", text_value("shop"))); });
  const std::string scope = message([](pbf_writer& w) {
    w.add_string(1, "lib");
    w.add_string(2, "1.2");
    w.add_message(3, key_value("of", text_value("scope")));
  });
  const std::string one = span([](pbf_writer& w) {
    w.add_string(3, "a=b");
    w.add_bytes(4, std::string("\1\2\3\4\5\6\7\x08"));
    w.add_string(5, "GET /");
    w.add_enum(6, 3);
    w.add_fixed64(7, 1'700'000'000'000'000'000);
    w.add_fixed64(8, 1'700'000'000'000'000'005);
    w.add_message(9, key_value("n", int_value(-7)));
    w.add_uint32(10, 2);
    w.add_message(11, message([](pbf_writer& e) {
                    e.add_fixed64(1, 9);
                    e.add_string(2, "boom");
                    e.add_message(3, key_value("k", text_value("v")));
                    e.add_uint32(4, 1);
                  }));
    w.add_message(9, key_value("websocket.session.id", text_value("0190163D-8694-739b-aea5-966c26f8ad91")));
    w.add_uint32(12, 3);
    w.add_message(13, message([](pbf_writer& l) {
                    l.add_bytes(1, trace_id);
                    l.add_bytes(2, span_id);
                    l.add_string(3, "c=d");
                    l.add_message(4, key_value("why", text_value("because")));
                    l.add_uint32(5, 4);
                    l.add_fixed32(6, 1);
                  }));
    w.add_uint32(14, 5);
    w.add_message(15, message([](pbf_writer& s) {
                    s.add_string(2, "broken");
                    s.add_enum(3, 2);
                  }));
    w.add_fixed32(16, 0x101);
  });

  Batch batch;
  const auto tally = decode_copy(Signal::traces, request({one, one}, resource, scope), batch);
  ASSERT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(tally->accepted, 2U);
  EXPECT_EQ(tally->rejected, 0U);
  EXPECT_EQ(tally->message, "");
  ASSERT_EQ(batch.spans.size(), 2U);
  const store::Span& s = batch.spans[1];
  EXPECT_EQ(base::to_hex(s.trace_id), "5b8efff798038103d269b633813fc60c");
  EXPECT_EQ(base::to_hex(s.span_id), "eee19b7ec3c1b174");
  EXPECT_EQ(base::to_hex(s.parent_id), "0102030405060708");
  EXPECT_EQ(s.trace_state, "a=b");
  EXPECT_EQ(s.name, "GET /");
  EXPECT_EQ(s.kind, 3);
  EXPECT_EQ(s.start_unix_ns, 1'700'000'000'000'000'000U);
  EXPECT_EQ(s.duration_ns(), 5U);
  EXPECT_EQ(s.flags, 0x101U);
  EXPECT_EQ(s.status, 2);
  EXPECT_EQ(s.status_message, "broken");
  EXPECT_EQ(s.dropped_attributes, 2U);
  EXPECT_EQ(s.dropped_events, 3U);
  EXPECT_EQ(s.dropped_links, 5U);
  ASSERT_TRUE(s.session);
  EXPECT_EQ(base::to_uuid(*s.session), "0190163d-8694-739b-aea5-966c26f8ad91");
  ASSERT_EQ(s.attributes.count, 2U);
  EXPECT_EQ(batch.of(s.attributes)[0].key, "n");
  EXPECT_EQ(batch.of(s.attributes)[0].value.integer, -7);
  ASSERT_EQ(s.events.count, 1U);
  const store::Event& e = batch.events_of(s)[0];
  EXPECT_EQ(e.time_unix_ns, 9U);
  EXPECT_EQ(e.name, "boom");
  EXPECT_EQ(e.dropped_attributes, 1U);
  EXPECT_EQ(store::find(batch.of(e.attributes), "k")->text, "v");
  ASSERT_EQ(s.links.count, 1U);
  const store::Link& l = batch.links_of(s)[0];
  EXPECT_EQ(l.trace_id, s.trace_id);
  EXPECT_EQ(l.span_id, s.span_id);
  EXPECT_EQ(l.trace_state, "c=d");
  EXPECT_EQ(l.flags, 1U);
  EXPECT_EQ(l.dropped_attributes, 4U);
  EXPECT_EQ(store::find(batch.of(l.attributes), "why")->text, "because");

  ASSERT_EQ(batch.origins.size(), 1U);
  EXPECT_EQ(s.origin, 0U);
  const store::Origin& o = batch.origins[0];
  EXPECT_EQ(o.service, "shop");
  EXPECT_EQ(o.scope_name, "lib");
  EXPECT_EQ(o.scope_version, "1.2");
  EXPECT_EQ(store::find(batch.of(o.resource), "service.name")->text, "shop");
  EXPECT_EQ(store::find(batch.of(o.scope), "of")->text, "scope");
}

TEST(Traces, schemas_are_of_their_origin) {
  const auto sent = [](const char* resource_schema, const char* scope_schema) {
    return message([&](pbf_writer& w) {
      pbf_writer of_resource(w, 1);
      {
        pbf_writer of_scope(of_resource, 2);
        of_scope.add_message(2, span());
        of_scope.add_string(3, scope_schema);
      }
      of_resource.add_string(3, resource_schema);
    });
  };
  Batch batch;
  for (const auto& [resource_schema, scope_schema] : {std::pair("https://opentelemetry.io/schemas/1.30.0", ""),
                                                      {"", "https://opentelemetry.io/schemas/1.30.0"},
                                                      {"https://opentelemetry.io/schemas/1.30.0", ""}})
    ASSERT_TRUE(decode_copy(Signal::traces, sent(resource_schema, scope_schema), batch));
  ASSERT_EQ(batch.origins.size(), 2U);
  EXPECT_EQ(batch.origins[0].resource_schema_url, "https://opentelemetry.io/schemas/1.30.0");
  EXPECT_EQ(batch.origins[0].scope_schema_url, "");
  EXPECT_EQ(batch.origins[1].resource_schema_url, "");
  EXPECT_EQ(batch.origins[1].scope_schema_url, "https://opentelemetry.io/schemas/1.30.0");
  EXPECT_EQ(batch.spans[2].origin, 0U);
}

}  // namespace
}  // namespace sockeye::intake
