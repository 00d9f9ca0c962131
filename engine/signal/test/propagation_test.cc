#include "sockeye/signal/propagation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sockeye/signal/sampling.h"

namespace sockeye::signal::propagation_test {
namespace {

using Headers = std::vector<model::HttpField>;
using namespace std::string_literals;

model::HttpHead head(Headers fields) {
  model::HttpHead out;
  out.fields = std::move(fields);
  return out;
}

constexpr const char* trace_hex = "12345678901234567890123456789012";
constexpr const char* good = "00-12345678901234567890123456789012-1234567890123456-01";

std::string text(const model::TraceContext& c) {
  return base::to_hex(c.trace_id) + "-" + base::to_hex(c.span_id) + "-" + std::to_string(c.flags);
}

// The cases of the W3C's own validation service (w3c/trace-context, test/test.py), by their names there.
TEST(Traceparent, W3cCases) {
  const std::string ids = "-12345678901234567890123456789012-1234567890123456";
  struct Row {
    const char* name;
    std::string value;
    bool valid;
  };
  for (const auto& [name, value, valid] : std::vector<Row>{
           {"valid", good, true},
           {"version_0x00 too long", good + ".01"s, false},
           {"version_0x00 what the future will be like", good + "-what-the-future-will-be-like"s, false},
           {"version_0xcc", "cc" + ids + "-01", true},
           {"version_0xcc future", "cc" + ids + "-01-what-the-future-will-be-like", true},
           {"version_0xcc without dash", "cc" + ids + "-01.what-the-future-will-not-be-like", false},
           {"version_0xff", "ff" + ids + "-01", false},
           {"version upper case", "0A" + ids + "-01", false},
           {"version_illegal_characters", ".0" + ids + "-01", false},
           {"version_illegal_characters 2", "0." + ids + "-01", false},
           {"version_too_long", "000" + ids + "-01", false},
           {"version_too_long 2", "0000" + ids + "-01", false},
           {"version_too_short", "0" + ids + "-01", false},
           {"trace_id_all_zero", "00-00000000000000000000000000000000-1234567890123456-01", false},
           {"trace_id_illegal_characters", "00-.2345678901234567890123456789012-1234567890123456-01", false},
           {"trace_id_illegal_characters 2", "00-1234567890123456789012345678901.-1234567890123456-01", false},
           {"trace_id_upper_case", "00-1234567890123456789012345678901A-1234567890123456-01", false},
           {"trace_id_too_long", "00-123456789012345678901234567890123-1234567890123456-01", false},
           {"trace_id_too_short", "00-1234567890123456789012345678901-1234567890123456-01", false},
           {"parent_id_all_zero", "00-12345678901234567890123456789012-0000000000000000-01", false},
           {"parent_id_illegal_characters", "00-12345678901234567890123456789012-.234567890123456-01", false},
           {"parent_id_illegal_characters 2", "00-12345678901234567890123456789012-123456789012345.-01", false},
           {"parent_id_too_long", "00-12345678901234567890123456789012-12345678901234567-01", false},
           {"parent_id_too_short", "00-12345678901234567890123456789012-123456789012345-01", false},
           {"trace_flags_illegal_characters", "00" + ids + "-.0", false},
           {"trace_flags_illegal_characters 2", "00" + ids + "-0.", false},
           {"trace_flags_illegal_characters 3", "00" + ids + "-A0", false},
           {"trace_flags_too_long", "00" + ids + "-001", false},
           {"trace_flags_too_short", "00" + ids + "-1", false},
           {"missing parts", "00-12345678901234567890123456789012", false},
           {"empty", "", false},
           {"dashes", std::string(55, '-'), false},
           {"underscores for dashes", "00_12345678901234567890123456789012_1234567890123456_01", false},
       }) {
    const auto out = extract(head({{"TraceParent", value}}), {});
    EXPECT_EQ(out.parent.has_value(), valid) << name;
    EXPECT_EQ(out.invalid, !valid) << name;
    EXPECT_EQ(out.parent ? base::to_hex(out.parent->trace_id) : "", valid ? trace_hex : "") << name;
  }
}

TEST(Traceparent, KeepsKnownFlagsOnly) {
  EXPECT_TRUE(extract(head({{"traceparent", good}}), {}).sampled.value());
  const auto all = parse_traceparent("00-12345678901234567890123456789012-1234567890123456-ff");
  EXPECT_EQ(all->flags, 3);
  const auto none = extract(head({{"traceparent", "00-12345678901234567890123456789012-1234567890123456-00"}}), {});
  EXPECT_FALSE(none.sampled.value());
  EXPECT_TRUE(none.parent->remote);
}

TEST(Traceparent, TwiceIsNone) {  // W3C: test_traceparent_duplicated
  const auto out = extract(head({{"traceparent", good}, {"traceparent", good}}), {});
  EXPECT_FALSE(out.parent);
  EXPECT_TRUE(out.invalid);
}

TEST(Traceparent, AbsentIsNoFault) {
  EXPECT_FALSE(extract(head({{"tracestate", "a=b"}}), {}).invalid);
  EXPECT_FALSE(extract(head({{"tracestate", "a=b"}}), {}).parent);
}

std::string members(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += (out.empty() ? "bar" : ",bar") + std::to_string(i) + "=" + std::to_string(i);
  return out;
}

TEST(Tracestate, W3cCases) {
  struct Row {
    const char* name;
    std::vector<std::string> values;
    const char* kept;  // null: not valid
  };
  const std::string key256 = "z" + std::string(255, 'a');
  const std::string tenant = "t" + std::string(240, 'a') + "@v" + std::string(13, 'a');
  for (const auto& [name, values, kept] : std::vector<Row>{
           {"included", {"foo=1,bar=2"}, "foo=1,bar=2"},
           {"multiple_headers_different_keys",
            {"foo=1,bar=2", "rojo=1,congo=2", "baz=3"},
            "foo=1,bar=2,rojo=1,congo=2,baz=3"},
           {"empty_header", {"foo=1", ""}, "foo=1"},
           {"empty_header first", {"", "foo=1"}, "foo=1"},
           {"ows_handling", {"foo=1 \t , \t bar=2, \t baz=3"}, "foo=1,bar=2,baz=3"},
           {"ows around", {" foo=1"}, "foo=1"},
           {"empty members", {",foo=1,, ,bar=2,"}, "foo=1,bar=2"},
           {"key_illegal_characters space", {"foo =1"}, nullptr},
           {"key_illegal_characters upper", {"FOO=1"}, nullptr},
           {"key_illegal_characters dot", {"foo.bar=1"}, nullptr},
           {"key_illegal_vendor_format", {"foo@=1,bar=2"}, nullptr},
           {"key_illegal_vendor_format 2", {"@foo=1,bar=2"}, nullptr},
           {"key_illegal_vendor_format 3", {"foo@@bar=1,bar=2"}, nullptr},
           {"key_illegal_vendor_format 4", {"foo@bar@baz=1,bar=2"}, nullptr},
           {"key starts with a digit", {"1foo=1"}, nullptr},
           {"tenant starts with a digit", {"1a-2f@foo=bar1"}, "1a-2f@foo=bar1"},
           {"system starts with a digit", {"a@1foo=1"}, nullptr},
           {"key_length too long", {"zz" + std::string(255, 'a') + "=1"}, nullptr},
           {"tenant too long", {"t" + tenant + "=1"}, nullptr},
           {"system too long", {tenant + "v=1"}, nullptr},
           {"value_illegal_characters equals", {"foo=bar=baz"}, nullptr},
           {"value_illegal_characters empty", {"foo=,bar=3"}, nullptr},
           {"value with control byte", {"foo=a\x01"}, nullptr},
           {"value with byte from 0x80", {"foo=\xc3\xa4"}, nullptr},
           {"value too long", {"foo=" + std::string(257, 'a')}, nullptr},
           {"no equals", {"foo"}, nullptr},
           {"duplicated keys", {"foo=1,foo=2"}, nullptr},
           {"all_allowed_characters",
            {"a_-*/09@b_-*/9= !\"#$%&'()*+-./0:;<>?@A[\\]^_`a{|}~"},
            "a_-*/09@b_-*/9= !\"#$%&'()*+-./0:;<>?@A[\\]^_`a{|}~"},
           {"member_count_limit", {members(33)}, nullptr},
       }) {
    Headers fields{{"traceparent", good}};
    for (const auto& v : values) fields.push_back({"tracestate", v});
    const auto out = extract(head(fields), {});
    ASSERT_TRUE(out.parent) << name;
    EXPECT_EQ(out.parent->trace_state, kept != nullptr ? kept : "") << name;
    EXPECT_EQ(out.invalid, kept == nullptr) << name;
  }
  EXPECT_EQ(parse_tracestate(members(32)), members(32));
  EXPECT_EQ(parse_tracestate(key256 + "=1"), key256 + "=1");
  EXPECT_EQ(parse_tracestate(tenant + "=1"), tenant + "=1");
}

TEST(Tracestate, KeepsTo512Bytes) {  // §3.3.1.5: long members first, then from the end
  const std::string long_one = "l=" + std::string(200, 'x');
  const std::string fits = "a=" + std::string(125, '1') + ",b=" + std::string(125, '2') + ",c=" + std::string(125, '3');
  EXPECT_EQ(parse_tracestate(fits + ",d=" + std::string(125, '4'))->size(), 511U);
  EXPECT_EQ(parse_tracestate(long_one + "," + fits), fits);
  const std::string four = fits + ",d=" + std::string(126, '4');
  EXPECT_EQ(parse_tracestate(four)->size(), 512U);
  EXPECT_EQ(parse_tracestate(four + ",e=5"), four);
  EXPECT_EQ(parse_tracestate("e=5," + four), "e=5," + fits);
}

TEST(Tracestate, NeedsATraceparent) {
  EXPECT_FALSE(extract(head({{"traceparent", "00-bad"}, {"tracestate", "foo=1"}}), {}).parent);
}

TEST(B3, Single) {
  const std::string span = "e457b5a2e4d86bd1";
  const std::string ids = "80f198ee56343ba864fe8b2a57d3eff7-" + span;
  struct Row {
    std::string value;
    const char* context;  // "": none
    int sampled;          // -1 undecided
    bool invalid;
  };
  for (const auto& [value, context, sampled, invalid] : std::vector<Row>{
           {ids + "-1-05e3ac9a4f6e3b90", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1", 1, false},
           {ids + "-1", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1", 1, false},
           {ids + "-d", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1", 1, false},
           {ids + "-0", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0", 0, false},
           {ids, "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0", -1, false},
           {"64fe8b2a57d3eff7-" + span, "000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-0", -1, false},
           {"0", "", 0, false},
           {"1", "", 1, false},
           {"d", "", 1, false},
           {"", "", -1, true},
           {"x", "", -1, true},
           {ids + "-", "", -1, true},
           {ids + "-2", "", -1, true},
           {ids + "-true", "", -1, true},
           {ids + "-1-", "", -1, true},
           {ids + "-1-05e3ac9a4f6e3b9", "", -1, true},
           {ids + "-1-05e3ac9a4f6e3b90-1", "", -1, true},
           {"80F198EE56343BA864FE8B2A57D3EFF7-" + span, "", -1, true},
           {"0000000000000000-" + span, "", -1, true},
           {"64fe8b2a57d3eff7-0000000000000000", "", -1, true},
           {"64fe8b2a57d3eff-" + span, "", -1, true},
           {std::string(5000, '-'), "", -1, true},
       }) {
    const auto out = extract(head({{"b3", value}}), {});
    EXPECT_EQ(out.parent ? text(*out.parent) : "", context) << value;
    EXPECT_EQ(out.sampled ? static_cast<int>(*out.sampled) : -1, sampled) << value;
    EXPECT_EQ(out.invalid, invalid) << value;
  }
}

TEST(B3, Multiple) {
  const Headers ids{{"X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7"}, {"x-b3-spanid", "e457b5a2e4d86bd1"}};
  const auto with = [&](Headers more) {
    more.insert(more.end(), ids.begin(), ids.end());
    return extract(head(more), {});
  };
  EXPECT_TRUE(with({}).parent);
  EXPECT_FALSE(with({}).sampled);
  EXPECT_EQ(with({{"X-B3-Sampled", "1"}}).sampled, true);
  EXPECT_EQ(with({{"X-B3-Sampled", "0"}}).sampled, false);
  EXPECT_EQ(with({{"X-B3-Sampled", "true"}}).sampled, true);
  EXPECT_EQ(with({{"X-B3-Flags", "1"}}).sampled, true);
  EXPECT_TRUE(with({{"X-B3-Sampled", "7"}}).invalid);
  EXPECT_FALSE(with({{"X-B3-Sampled", "7"}}).parent);
  EXPECT_TRUE(extract(head({ids[0]}), {}).invalid);
  EXPECT_TRUE(extract(head({ids[1]}), {}).invalid);
  EXPECT_TRUE(extract(head({{"X-B3-TraceId", "zz"}, ids[1]}), {}).invalid);
  EXPECT_EQ(extract(head({{"X-B3-Sampled", "0"}}), {}).sampled, false);
  EXPECT_FALSE(extract(head({{"X-B3-Sampled", "0"}}), {}).parent);
}

TEST(Extract, Precedence) {
  const std::string b3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1";
  EXPECT_EQ(base::to_hex(extract(head({{"b3", b3}, {"traceparent", good}}), {}).parent->trace_id), trace_hex);
  // a traceparent that is not valid does not hide a good b3, but is counted
  const auto fallen = extract(head({{"b3", b3}, {"traceparent", "junk"}}), {});
  EXPECT_EQ(text(*fallen.parent), "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1");
  EXPECT_TRUE(fallen.invalid);
  // the same from single to multiple b3
  const auto multiple =
      extract(head({{"b3", "junk"}, {"X-B3-TraceId", "64fe8b2a57d3eff7"}, {"X-B3-SpanId", "e457b5a2e4d86bd1"}}), {});
  EXPECT_TRUE(multiple.parent);
  EXPECT_TRUE(multiple.invalid);
  // switched off is not looked at
  EXPECT_FALSE(extract(head({{"traceparent", "junk"}}), {.tracecontext = false}).invalid);
  EXPECT_FALSE(extract(head({{"b3", b3}}), {.b3 = false}).parent);
}

const base::TraceId trace = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c");
const base::SpanId span = *base::parse_span_id("b7ad6b7169203331");
const base::SpanId parent = *base::parse_span_id("00f067aa0ba902b7");

TEST(Inject, W3c) {
  EXPECT_EQ(inject(head({}), {}, trace, span, parent, 1, ""),
            (Fields{{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}));
  EXPECT_EQ(
      inject(head({}), {}, trace, span, parent, 0, "a=b"),
      (Fields{{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}, {"tracestate", "a=b"}}));
  // A stale tracestate goes.
  EXPECT_EQ(inject(head({{"TraceState", "junk"}}), {}, trace, span, parent, 1, "")[1],
            (std::pair<std::string, std::string>{"tracestate", ""}));
  EXPECT_TRUE(inject(head({}), {.tracecontext = false}, trace, span, parent, 1, "a=b").empty());
}

TEST(Inject, B3WhereAskedFor) {
  const Formats formats{.tracecontext = false, .b3_inject = true};
  EXPECT_EQ(inject(head({}), formats, trace, span, parent, 1, ""),
            (Fields{{"b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"}}));
  EXPECT_EQ(inject(head({{"x-b3-traceid", "1"}}), formats, trace, span, parent, 0, ""),
            (Fields{{"b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"},
                    {"X-B3-TraceId", "0af7651916cd43dd8448eb211c80319c"},
                    {"X-B3-SpanId", "b7ad6b7169203331"},
                    {"X-B3-ParentSpanId", "00f067aa0ba902b7"},
                    {"X-B3-Sampled", "0"}}));
}

TEST(Inject, WhatWeInjectWeExtract) {
  const auto fields = inject(head({}), {.b3_inject = true}, trace, span, parent, 1, "a=b");
  Headers sent;
  for (const auto& [name, value] : fields) sent.push_back({name, value});
  const auto out = extract(head(sent), {});
  EXPECT_EQ(out.parent->span_id, span);
  EXPECT_EQ(out.parent->trace_state, "a=b");
  EXPECT_EQ(extract(head(sent), {.tracecontext = false}).parent->span_id, span);
}

TEST(Sample, ParentDecides) {
  EXPECT_FALSE(sample({.ratio = 1}, trace, false));
  EXPECT_TRUE(sample({.ratio = 0}, trace, true));
  EXPECT_TRUE(sample({.ratio = 1}, trace, std::nullopt));
  EXPECT_FALSE(sample({.ratio = 0}, trace, std::nullopt));
  EXPECT_TRUE(sample({.ratio = 1, .parent_based = false}, trace, false));
  EXPECT_FALSE(sample({.ratio = -1}, trace, std::nullopt));
  EXPECT_FALSE(sample({.ratio = 0.0 / 0.0}, trace, std::nullopt));
}

// The bound of OpenTelemetry's Go SDK: the low 8 bytes, shifted right by one, below ratio · 2^63.
TEST(Sample, RatioIsOfTheTraceIdsLowBytes) {
  const auto id = [](const char* low) { return *base::parse_trace_id("ffffffffffffffff"s + low); };
  EXPECT_TRUE(sample({.ratio = 0.5}, id("0000000000000001"), std::nullopt));
  EXPECT_TRUE(sample({.ratio = 0.5}, id("7fffffffffffffff"), std::nullopt));
  EXPECT_FALSE(sample({.ratio = 0.5}, id("8000000000000000"), std::nullopt));
  EXPECT_FALSE(sample({.ratio = 0.9999}, id("ffffffffffffffff"), std::nullopt));
  base::Random random(7);
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) kept += sample({.ratio = 0.1}, base::make_trace_id(random), std::nullopt) ? 1 : 0;
  EXPECT_NEAR(kept, 10'000, 400);  // 4 standard deviations
}

}  // namespace
}  // namespace sockeye::signal::propagation_test
