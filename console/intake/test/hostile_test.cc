// What peers should not send.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "request.h"
#include "show.h"

namespace sockeye::intake {
namespace {

using namespace test;
using store::Batch;
using store::Value;

// The one span of a request that has these attributes.
const store::Span& only(const Batch& batch) {
  EXPECT_EQ(batch.spans.size(), 1U);
  return batch.spans.at(0);
}

Batch with_attributes(const std::vector<std::string>& key_values) {
  Batch batch;
  const auto tally = decode_copy(Signal::traces, request({span([&](pbf_writer& w) {
                                   for (const auto& each : key_values) w.add_message(9, each);
                                 })}),
                                 batch);
  EXPECT_TRUE(tally) << tally.error().message;
  return batch;
}

std::string any(auto write) { return message(write); }
std::string bytes_value(const std::string& b) {
  return any([&](pbf_writer& w) { w.add_bytes(7, b); });
}
std::string array_value(const std::vector<std::string>& values) {
  const std::string list = message([&](pbf_writer& w) {
    for (const auto& each : values) w.add_message(1, each);
  });
  return any([&](pbf_writer& w) { w.add_message(5, list); });
}
std::string map_value(const std::vector<std::string>& key_values) {
  const std::string list = message([&](pbf_writer& w) {
    for (const auto& each : key_values) w.add_message(1, each);
  });
  return any([&](pbf_writer& w) { w.add_message(6, list); });
}
std::string nested_arrays(int levels) {
  std::string value = text_value("core");
  for (int i = 0; i < levels; ++i) value = array_value({value});
  return value;
}

TEST(Hostile, an_empty_request_is_a_success) {
  for (const Signal signal : {Signal::traces, Signal::logs, Signal::metrics}) {
    for (const Format format : {Format::protobuf, Format::json}) {
      Batch batch;
      const auto tally = decode_copy(signal, format == Format::json ? "{}" : "", batch, format);
      ASSERT_TRUE(tally);
      EXPECT_EQ(tally->accepted + tally->rejected, 0U);
      EXPECT_EQ(success(signal, format, *tally), format == Format::json ? "{}" : "");
    }
  }
}

TEST(Hostile, every_type_of_value_arrives) {
  const Batch batch = with_attributes({
      key_value("text", text_value("a")),
      key_value("empty text", text_value("")),
      key_value("yes", any([](pbf_writer& w) { w.add_bool(2, true); })),
      key_value("no", any([](pbf_writer& w) { w.add_bool(2, false); })),
      key_value("least", int_value(INT64_MIN)),
      key_value("most", int_value(INT64_MAX)),
      key_value("real", any([](pbf_writer& w) { w.add_double(4, -2.5e-300); })),
      key_value("nan", any([](pbf_writer& w) { w.add_double(4, std::nan("")); })),
      key_value("inf", any([](pbf_writer& w) { w.add_double(4, -HUGE_VAL); })),
      key_value("bytes", bytes_value(std::string("\0\xff\x80", 3))),
      key_value("array", array_value({text_value("x"), int_value(1), "", array_value({})})),
      key_value("map", map_value({key_value("k", text_value("v")), key_value("m", map_value({}))})),
      key_value("empty", ""),
  });
  EXPECT_EQ(
      show(batch).substr(show(batch).find('{', show(batch).find("span"))),
      "{text=text \"a\";empty text=text \"\";yes=boolean true;no=boolean false;least=integer \"-9223372036854775808\";"
      "most=integer \"9223372036854775807\";real=real -2.5e-300;nan=real \"NaN\";inf=real \"-Infinity\";"
      "bytes=bytes \"AP+A\";array=array [\"x\",1,null,[]];map=map {\"k\":\"v\",\"m\":{}};empty=empty null;}\n");
}

TEST(Hostile, zero_and_short_ids_cost_their_span_and_no_other) {
  const auto with_ids = [](const std::string& trace, const std::string& id) {
    return message([&](pbf_writer& w) {
      w.add_bytes(1, trace);
      w.add_bytes(2, id);
      w.add_message(9, key_value("k", text_value("v")));
    });
  };
  Batch batch;
  const auto tally = decode_copy(
      Signal::traces,
      request({with_ids(std::string(16, '\0'), span_id), with_ids(trace_id, std::string(8, '\0')), span(),
               with_ids(trace_id.substr(1), span_id), with_ids(trace_id, span_id + "x"), with_ids("", ""), span()}),
      batch);
  ASSERT_TRUE(tally);
  EXPECT_EQ(tally->accepted, 2U);
  EXPECT_EQ(tally->rejected, 5U);
  EXPECT_EQ(
      tally->message,
      "spans rejected: 3 without a valid trace id (16 bytes, not all zero); 2 without a valid span id (8 bytes, not "
      "all zero)");
  EXPECT_EQ(batch.spans.size(), 2U);
  EXPECT_TRUE(batch.attributes.empty());

  Batch none;
  const auto all_bad = decode_copy(Signal::traces, request({with_ids("", "")}), none);
  ASSERT_TRUE(all_bad);
  EXPECT_EQ(all_bad->rejected, 1U);
  EXPECT_TRUE(none.empty() && none.origins.empty());
  EXPECT_EQ(none.footprint(),
            none.origins.capacity() * sizeof(store::Origin) + none.attributes.capacity() * sizeof(store::Attribute))
      << "a body of which nothing is kept is not kept";
}

TEST(Hostile, odd_times_kinds_and_parents_are_accepted_as_they_are) {
  Batch batch;
  const auto tally = decode_copy(Signal::traces, request({span([](pbf_writer& w) {
                                   w.add_bytes(4, span_id);  // its own parent
                                   w.add_enum(6, 77);
                                   w.add_fixed64(7, UINT64_MAX);
                                   w.add_fixed64(8, 1);
                                   w.add_message(15, message([](pbf_writer& s) { s.add_enum(3, -1); }));
                                 })}),
                                 batch);
  ASSERT_TRUE(tally);
  EXPECT_EQ(only(batch).parent_id, only(batch).span_id);
  EXPECT_EQ(only(batch).kind, 0);
  EXPECT_EQ(only(batch).status, 0);
  EXPECT_EQ(only(batch).start_unix_ns, UINT64_MAX);
  EXPECT_EQ(only(batch).end_unix_ns, 1U);
  EXPECT_EQ(only(batch).duration_ns(), 0U);
}

TEST(Hostile, the_last_value_of_a_key_wins_in_its_place) {
  for (const int others : {0, 5, 15, 16, 17, 100}) {
    std::vector<std::string> list = {key_value("k", text_value("first"))};
    for (int i = 0; i < others; ++i) list.push_back(key_value("o" + std::to_string(i), int_value(i)));
    list.push_back(key_value("k", text_value("last")));
    if (others > 0) list.push_back(key_value("o0", int_value(-1)));
    const Batch batch = with_attributes(list);
    const auto kept = batch.of(only(batch).attributes);
    ASSERT_EQ(kept.size(), 1U + static_cast<std::size_t>(others));
    EXPECT_EQ(kept[0].key, "k");
    EXPECT_EQ(kept[0].value.text, "last");
    if (others > 0) {
      EXPECT_EQ(kept[1].value.integer, -1);
    }
    EXPECT_EQ(only(batch).dropped_attributes, 0U);
  }
}

TEST(Hostile, lists_are_bounded_and_what_is_over_is_counted) {
  Batch batch;
  const auto tally = decode_copy(Signal::traces, request({span([](pbf_writer& w) {
                                   for (std::uint32_t i = 0; i < store::most_attributes + 7; ++i)
                                     w.add_message(9, key_value("k" + std::to_string(i), int_value(i)));
                                   w.add_message(9, key_value("", int_value(1)));
                                   w.add_uint32(10, UINT32_MAX - 3);
                                   for (std::uint32_t i = 0; i < store::most_events + 3; ++i)
                                     w.add_message(11, message([](pbf_writer& e) { e.add_fixed64(1, 1); }));
                                   w.add_uint32(12, 10);
                                   const std::string link = message([](pbf_writer& l) {
                                     l.add_bytes(1, trace_id);
                                     l.add_bytes(2, span_id);
                                   });
                                   w.add_message(13, std::string());  // names nothing and says nothing
                                   for (std::uint32_t i = 0; i < store::most_links + 2; ++i) w.add_message(13, link);
                                 })}),
                                 batch);
  ASSERT_TRUE(tally);
  const store::Span& s = only(batch);
  EXPECT_EQ(s.attributes.count, store::most_attributes);
  EXPECT_EQ(s.dropped_attributes, UINT32_MAX);  // does not wrap
  EXPECT_EQ(s.events.count, store::most_events);
  EXPECT_EQ(s.dropped_events, 13U);
  EXPECT_EQ(s.links.count, store::most_links);
  EXPECT_EQ(s.dropped_links, 3U);
}

TEST(Hostile, what_says_nothing_takes_no_memory) {
  Batch batch;
  const std::string one = span([](pbf_writer& w) {
    for (int i = 0; i < 4000; ++i) w.add_message(11, std::string());
    for (int i = 0; i < 500; ++i) w.add_message(13, std::string());
    w.add_message(11, message([](pbf_writer& e) { e.add_string(2, "kept"); }));
  });
  ASSERT_TRUE(decode_copy(Signal::traces, request({one}), batch));
  EXPECT_EQ(only(batch).dropped_events, 4000U);
  EXPECT_EQ(only(batch).dropped_links, 500U);
  ASSERT_EQ(only(batch).events.count, 1U);
  EXPECT_EQ(batch.events_of(only(batch))[0].name, "kept");

  Batch decoded;
  std::vector<std::string> records(1000);
  records.push_back(message([](pbf_writer& w) { w.add_string(3, "INFO"); }));
  const auto tally = decode_copy(Signal::logs, request(records), decoded);
  ASSERT_TRUE(tally);
  EXPECT_EQ(tally->accepted, 1U);
  EXPECT_EQ(tally->rejected, 1000U);
  EXPECT_EQ(tally->message, "log records rejected: 1000 without time, body, attributes, event name and severity text");
  EXPECT_EQ(decoded.logs.size(), 1U);
}

TEST(Hostile, long_values_are_cut_at_a_character) {
  std::string euros = "x";
  while (euros.size() < (1U << 20U)) euros += "\xe2\x82\xac";
  const Batch batch = with_attributes({key_value("euros", text_value(euros)),
                                       key_value("exact", text_value(std::string(store::longest_value, 'a'))),
                                       key_value("bytes", bytes_value(std::string(1U << 20U, '\xff'))),
                                       key_value("torn", text_value(std::string(1U << 20U, '\x80'))),
                                       key_value(std::string(1U << 20U, 'k'), text_value("long key"))});
  const auto kept = batch.of(only(batch).attributes);
  ASSERT_EQ(kept.size(), 5U);
  EXPECT_TRUE(kept[0].value.truncated);
  EXPECT_EQ(kept[0].value.text, euros.substr(0, 16'384));  // 1 + 3 · 5461
  EXPECT_FALSE(kept[1].value.truncated);
  EXPECT_EQ(kept[1].value.text.size(), store::longest_value);
  EXPECT_TRUE(kept[2].value.truncated);
  EXPECT_EQ(kept[2].value.text.size(), store::longest_value);
  EXPECT_TRUE(kept[3].value.truncated);
  EXPECT_EQ(kept[3].value.text.size(), store::longest_value / 3 * 3);
  EXPECT_EQ(kept[3].value.text.substr(0, 6), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(kept[4].key.size(), store::longest_value);

  const Batch shifted = with_attributes({key_value("euros", text_value("x" + euros))});
  EXPECT_EQ(batch.of(only(shifted).attributes)[0].value.text.size() % 3, 1U);
}

TEST(Hostile, long_nested_values_lose_whole_elements) {
  std::vector<std::string> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(text_value("0123456789"));
  const Batch batch = with_attributes({key_value("array", array_value(many)),
                                       key_value("one", array_value({text_value(std::string(1U << 20U, 'a'))}))});
  const auto kept = batch.of(only(batch).attributes);
  EXPECT_TRUE(kept[0].value.truncated);
  EXPECT_EQ(kept[0].value.text.size(), store::longest_value / 14 * 14);
  const std::string json = to_json(kept[0].value);
  EXPECT_EQ(json.size(), store::longest_value / 14 * 13 + 1);
  EXPECT_TRUE(json.ends_with(",\"0123456789\"]"));
  EXPECT_TRUE(kept[1].value.truncated);
  EXPECT_EQ(to_json(kept[1].value), "[]");
}

TEST(Hostile, text_that_is_no_utf8_is_mended_everywhere) {
  const std::string bad = "a\xff\xc0z";
  const std::string good = "a\xef\xbf\xbd\xef\xbf\xbdz";
  Batch batch;
  const auto tally = decode_copy(
      Signal::traces,
      request({span([&](pbf_writer& w) {
                w.add_string(3, bad);
                w.add_string(5, bad);
                w.add_message(9, key_value(bad, text_value(bad)));
                w.add_message(9, key_value("nested", map_value({key_value(bad, array_value({text_value(bad), ""}))})));
                w.add_message(11, message([&](pbf_writer& e) { e.add_string(2, bad); }));
                w.add_message(15, message([&](pbf_writer& s) { s.add_string(2, bad); }));
              })},
              message([&](pbf_writer& w) { w.add_message(1, key_value("service.name", text_value(bad))); }),
              message([&](pbf_writer& w) { w.add_string(1, bad); })),
      batch);
  ASSERT_TRUE(tally);
  const store::Span& s = only(batch);
  EXPECT_EQ(s.trace_state, good);
  EXPECT_EQ(s.name, good);
  EXPECT_EQ(s.status_message, good);
  EXPECT_EQ(batch.events_of(s)[0].name, good);
  EXPECT_EQ(batch.of(s.attributes)[0].key, good);
  EXPECT_EQ(batch.of(s.attributes)[0].value.text, good);
  EXPECT_EQ(to_json(batch.of(s.attributes)[1].value), "{\"" + good + "\":[\"" + good + "\",null]}");
  EXPECT_EQ(batch.origins[0].service, good);
  EXPECT_EQ(batch.origins[0].scope_name, good);
}

TEST(Hostile, markup_and_control_characters_pass_as_text) {
  const std::string nasty = "<script>alert('\"\\')</script>\n\t\x01' OR 1=1; --\xc3\xa9" + std::string(1, '\0');
  const Batch batch = with_attributes({key_value(nasty, array_value({text_value(nasty)}))});
  const auto& kept = batch.of(only(batch).attributes)[0];
  EXPECT_EQ(kept.key, nasty);
  EXPECT_EQ(to_json(kept.value), "[\"<script>alert('\\\"\\\\')</script>\\n\\t\\u0001' OR 1=1; --\xc3\xa9\\u0000\"]");
}

TEST(Hostile, deep_nesting_is_replaced_by_a_note) {
  for (const int levels : {1, 32, 33, 10'000}) {
    const Batch batch = with_attributes({key_value("deep", nested_arrays(levels)), key_value("next", int_value(1))});
    const auto kept = batch.of(only(batch).attributes);
    ASSERT_EQ(kept.size(), 2U);
    if (levels <= 32) {
      EXPECT_EQ(to_json(kept[0].value, 40), std::string(static_cast<std::size_t>(levels), '[') + "\"core\"" +
                                                std::string(static_cast<std::size_t>(levels), ']'));
      EXPECT_FALSE(kept[0].value.truncated);
    } else {
      EXPECT_EQ(kept[0].value.type, levels < 10'000 ? Value::Type::text : Value::Type::array);
      EXPECT_TRUE(kept[0].value.truncated);
      EXPECT_EQ(to_json(kept[0].value), levels < 10'000 ? "\"(not kept: nested more than 32 levels deep)\"" : "[]");
    }
  }
  EXPECT_EQ(to_json(with_attributes({key_value("k", nested_arrays(5))}).attributes[0].value, 3), "[[[\"…\"]]]");
}

TEST(Hostile, lengths_beyond_the_body_are_malformed) {
  for (const std::string& tail :
       {std::string("\x0a\xff\xff\xff\xff\x07"), std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), std::string("\x0a\x7f"),
        std::string("\x00", 1), std::string("\x0b"), std::string("\xff\xff\xff")}) {
    Batch batch;
    const auto tally = decode_copy(Signal::traces, request({span()}) + tail, batch);
    ASSERT_FALSE(tally);
    EXPECT_NE(tally.error().message.find("malformed protobuf"), std::string::npos) << tally.error().message;
    EXPECT_TRUE(batch.empty() && batch.origins.empty());
  }
}

TEST(Hostile, an_error_keeps_what_the_batch_had) {
  Batch batch;
  ASSERT_TRUE(decode_copy(Signal::traces, request({span([](pbf_writer& w) { w.add_string(5, "kept"); })}), batch));
  const std::string before = show(batch);
  EXPECT_FALSE(decode_copy(Signal::traces, request({span(), span()}) + "\x0a", batch));
  EXPECT_FALSE(decode_copy(Signal::logs, "{", batch, Format::json));
  EXPECT_EQ(show(batch), before);
}

TEST(Hostile, unknown_fields_and_wrong_wire_types_are_skipped) {
  Batch batch;
  const auto tally = decode_copy(Signal::traces,
                                 request({span([](pbf_writer& w) {
                                   w.add_string(5, "name");
                                   w.add_string(7, "a start is no text");
                                   w.add_uint64(9, 3);
                                   w.add_fixed32(5, 1);
                                   w.add_string(4000, "what is this");
                                   w.add_message(9, key_value("k", any([](pbf_writer& v) {
                                                                v.add_string(3, "not a number");
                                                                v.add_uint32(8, 1);  // a string table's, of profiles
                                                              })));
                                 })}) +
                                     message([](pbf_writer& w) { w.add_fixed64(99, 1); }),
                                 batch);
  ASSERT_TRUE(tally) << tally.error().message;
  EXPECT_EQ(only(batch).name, "name");
  EXPECT_EQ(only(batch).start_unix_ns, 0U);
  ASSERT_EQ(only(batch).attributes.count, 1U);
  EXPECT_EQ(batch.attributes[0].value.type, Value::Type::empty);
}

TEST(Hostile, resource_and_scope_may_come_last) {
  Batch batch;
  const std::string body = message([](pbf_writer& w) {
    pbf_writer of_resource(w, 1);
    {
      pbf_writer of_scope(of_resource, 2);
      of_scope.add_message(2, span());
      of_scope.add_message(1, message([](pbf_writer& s) { s.add_string(1, "late"); }));
    }
    of_resource.add_message(
        1, message([](pbf_writer& r) { r.add_message(1, key_value("service.name", text_value("s"))); }));
  });
  ASSERT_TRUE(decode_copy(Signal::traces, body, batch));
  EXPECT_EQ(batch.origins.at(only(batch).origin).service, "s");
  EXPECT_EQ(batch.origins.at(only(batch).origin).scope_name, "late");
}

TEST(Hostile, a_session_that_is_no_uuid_is_only_text) {
  for (const char* const id :
       {"", "nonsense", "0190163d-8694-739b-aea5-966c26f8ad9", "0190163d-8694-739b-aea5-966c26f8ad9g",
        "0190163d08694-739b-aea5-966c26f8ad91", "00000000-0000-0000-0000-000000000000"}) {
    const Batch batch = with_attributes({key_value("websocket.session.id", text_value(id))});
    EXPECT_FALSE(only(batch).session) << id;
    EXPECT_EQ(batch.attributes.at(0).value.text, id);
  }
  EXPECT_FALSE(only(with_attributes({key_value("websocket.session.id", int_value(1))})).session);
}

// Lists of many keys that collide, many origins: all near linear. Bounds are of seconds, only to catch squares.
TEST(Hostile, time_is_about_linear) {
  std::vector<std::string> keys;
  for (int i = 0; i < 512; ++i) keys.push_back(key_value(std::to_string(i), int_value(i)));
  const std::string full = span([&](pbf_writer& w) {
    for (int round = 0; round < 20; ++round)
      for (const auto& each : keys) w.add_message(9, each);
  });
  Batch batch;
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(decode_copy(Signal::traces, request(std::vector<std::string>(20, full)), batch));
  std::string many;
  for (int i = 0; i < 50'000; ++i)
    many += request({span()}, message([&](pbf_writer& w) { w.add_message(1, key_value("i", int_value(i))); }));
  Batch origins;
  ASSERT_TRUE(decode(Signal::traces, Format::protobuf, std::move(many), origins));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(batch.attributes.size(), 20U * 512);
  EXPECT_EQ(origins.origins.size(), 50'000U);
}

}  // namespace
}  // namespace sockeye::intake
