#include "sockeye/signal/invocations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace sockeye::signal::invocations_test {
namespace {

using namespace std::chrono_literals;
using model::Invocation;
using model::InvocationEnd;
using model::InvocationStatus;

constexpr base::WallOffset wall{1'700'000'000'000'000'000};
const base::TraceId trace = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c");
const base::TraceId other_trace = *base::parse_trace_id("1af7651916cd43dd8448eb211c80319c");
const base::SpanId span_id = *base::parse_span_id("b7ad6b7169203331");
const base::SpanId parent_id = *base::parse_span_id("00f067aa0ba902b7");
const base::SpanId connection_id = *base::parse_span_id("10f067aa0ba902b7");
const SessionAttributes of_session{
    .id = *base::parse_session_id("01890a5d-ac96-774b-bcce-b302099a8057"), .vantage = "proxy", .route = "calls"};

base::Time at(base::Duration d) { return base::Time(10s + d); }

// Text, then audio: opened at 0, spoken to until -1 s.
Invocation answer() {
  Invocation i;
  i.number = 3;
  i.parent = 2;
  i.operation = "realtime_inference";
  i.opened = at(0s);
  i.anchor = at(-1s);
  i.anchor_name = "vad";
  i.trigger = "vad";
  i.request_bytes = 40;
  i.reply_bytes = 600;
  for (const auto& [lane, when] : std::initializer_list<std::pair<std::size_t, base::Duration>>{
           {0, 200ms}, {0, 300ms}, {1, 500ms}, {1, 600ms}, {1, 1000ms}}) {
    i.chunks.add(at(when), 100);
    i.lanes[lane].lane = lane == 0 ? "text" : "audio";
    i.lanes[lane].add(at(when), 100);
  }
  i.ended = at(1100ms);
  i.events = {{"interrupted", at(700ms)}, {"accepted", at(100ms)}};
  i.trace_id = trace;
  i.span_id = span_id;
  i.parent_span_id = parent_id;
  i.trace_flags = 1;
  i.parent_is_remote = true;
  return i;
}

std::string text(const model::AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real);
  return std::get<bool>(value) ? "true" : "false";
}
std::map<std::string, std::string> attributes(const model::Span& span) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : span.attributes) EXPECT_TRUE(out.emplace(key, text(value)).second) << key << " twice";
  return out;
}
std::string attribute(const model::Span& span, const std::string& key) {
  const auto all = attributes(span);
  const auto found = all.find(key);
  return found == all.end() ? "(none)" : found->second;
}
model::Span build(const Invocation& i, const Belonging& belonging = {}, const InvocationSettings& settings = {}) {
  return invocation_span(of_session, i, "a=b", belonging, settings, wall);
}

TEST(InvocationSpan, SaysWhereItStandsAndHowItStreamed) {
  const auto span = build(answer());
  EXPECT_EQ(span.name, "realtime_inference");
  EXPECT_EQ(span.kind, model::SpanKind::server);
  EXPECT_EQ(span.trace_id, trace);
  EXPECT_EQ(span.span_id, span_id);
  EXPECT_EQ(span.parent_id, parent_id);
  EXPECT_TRUE(span.parent_is_remote);
  EXPECT_EQ(span.trace_state, "a=b");
  EXPECT_EQ(span.start_unix_ns, wall.unix_ns(at(0s)));
  EXPECT_EQ(span.end_unix_ns, wall.unix_ns(at(1100ms)));
  EXPECT_EQ(span.status, model::SpanStatus::unset);
  EXPECT_EQ(attributes(span), (std::map<std::string, std::string>{
                                  {"websocket.session.id", "01890a5d-ac96-774b-bcce-b302099a8057"},
                                  {"network.protocol.name", "websocket"},
                                  {"sockeye.vantage", "proxy"},
                                  {"sockeye.route", "calls"},
                                  {"url.scheme", "ws"},
                                  {"websocket.invocation.number", "3"},
                                  {"websocket.invocation.parent", "2"},
                                  {"websocket.invocation.opened_by", "c2s"},
                                  {"websocket.invocation.trigger", "vad"},
                                  {"websocket.invocation.request_bytes", "40"},
                                  {"websocket.invocation.reply_bytes", "600"},
                                  {"websocket.invocation.status", "ok"},
                                  {"websocket.invocation.end", "reply"},
                                  {"websocket.chunk.count", "5"},
                                  {"websocket.time_to_first_chunk", "0.200000"},
                                  {"websocket.time_to_last_chunk", "1.000000"},
                                  {"websocket.time_to_first_chunk.perceived", "1.500000"},
                                  {"websocket.time_to_first_chunk.anchor", "vad"},
                                  {"websocket.chunk.interval.mean", "0.200000"},
                                  {"websocket.chunk.interval.max", "0.400000"},
                                  {"websocket.lane.text.chunk.count", "2"},
                                  {"websocket.lane.text.time_to_first_chunk", "0.200000"},
                                  {"websocket.lane.audio.chunk.count", "3"},
                                  {"websocket.lane.audio.time_to_first_chunk", "0.500000"},
                              }));
}

TEST(InvocationSpan, EventsAreInTimeOrder) {
  const auto span = build(answer());
  std::string all;
  for (const auto& event : span.events) {
    all += std::string(event.name) + "@" + std::to_string((event.time_unix_ns - span.start_unix_ns) / 1'000'000);
    for (const auto& [key, value] : event.attributes) all += " " + std::string(key) + "=" + text(value);
    all += "\n";
  }
  EXPECT_EQ(all,
            "accepted@100\n"
            "first_chunk@200 websocket.lane=text websocket.chunk.count=2\n"
            "first_chunk@500 websocket.lane=audio websocket.chunk.count=3\n"
            "interrupted@700\n"
            "chunk_gap@1000 websocket.chunk.interval=0.400000\n");
}

TEST(InvocationSpan, AFirstChunkOfNoLaneHasItsOwnEvent) {
  auto i = answer();
  i.lanes = {};
  i.lanes[0].lane = "pictures";  // no attribute has its name: its event says it
  i.lanes[0].add(at(300ms), 1);
  const auto span = build(i);
  ASSERT_EQ(span.events.size(), 5U);
  EXPECT_TRUE(span.events[1].attributes.empty());
  ASSERT_EQ(span.events[2].attributes.size(), 2U);
  EXPECT_EQ(text(span.events[2].attributes[0].second), "pictures");
  EXPECT_EQ(attribute(span, "websocket.time_to_first_chunk.perceived"), "1.200000") << "nothing to hear: to the first";
}

TEST(InvocationSpan, WithoutChunksOrAnchorThereIsNothingToSayOfThem) {
  auto i = answer();
  i.anchor = base::never;
  EXPECT_EQ(attribute(build(i), "websocket.time_to_first_chunk.perceived"), "(none)");
  EXPECT_EQ(attribute(build(i), "websocket.time_to_first_chunk.anchor"), "(none)");
  i = answer();
  i.chunks = {};
  i.lanes = {};
  const auto all = attributes(build(i));
  EXPECT_EQ(all.at("websocket.chunk.count"), "0");
  for (const auto& [key, value] : all) EXPECT_EQ(key.find("time_to"), std::string::npos) << key;
  i.chunks.add(at(1s), 1);
  EXPECT_EQ(attribute(build(i), "websocket.chunk.interval.mean"), "(none)") << "one chunk has no interval";
}

// The offsets that a reader of websocket.chunk.times gets, in microseconds.
std::vector<std::int64_t> offsets(const model::Span& span) {
  std::vector<std::int64_t> out;
  std::istringstream list(attribute(span, "websocket.chunk.times"));
  std::int64_t sum = 0;
  for (std::string number; std::getline(list, number, ',');) out.push_back(sum += std::stoll(number));
  return out;
}

Invocation stream(std::size_t chunks, base::Duration interval) {
  Invocation i;
  i.operation = "stream";
  i.opened = at(0s);
  i.times_kept = true;
  for (std::size_t n = 1; n <= chunks; ++n) i.add_chunk(at(static_cast<std::int64_t>(n) * interval), 1);
  i.ended = i.chunks.last;
  return i;
}

TEST(InvocationSpan, SaysWhenEachChunkCame) {
  Invocation i = stream(0, 0s);
  EXPECT_EQ(attribute(build(i), "websocket.chunk.times"), "(none)");
  for (const base::Duration when : {210'400us, 250'412us, 250'412us, 290'400us}) i.add_chunk(at(when), 1);
  EXPECT_EQ(attribute(build(i), "websocket.chunk.times"), "210400,40012,0,39988");
  EXPECT_EQ(attribute(build(i), "websocket.chunk.times.every"), "(none)");
  EXPECT_EQ(attribute(interim_span(of_session, i, connection_id, 0, {}, at(2s), wall), "websocket.chunk.times"),
            "210400,40012,0,39988");
  i = Invocation();
  i.add_chunk(at(1s), 1);
  EXPECT_EQ(attribute(build(i), "websocket.chunk.times"), "(none)")
      << "they are kept only where somebody may want them";
}

TEST(InvocationSpan, TimesOfChunksStayExactAfterHoursAndAThirdOfAMicrosecond) {
  EXPECT_EQ(offsets(build(stream(256, 333ns))).back(), 85) << "256 * 0.333";
  Invocation i = stream(3, 4h);
  i.add_chunk(at(12h + 20ms), 1);
  EXPECT_EQ(offsets(build(i)),
            (std::vector<std::int64_t>{14'400'000'000, 28'800'000'000, 43'200'000'000, 43'200'020'000}));
}

TEST(InvocationSpan, TimesOfChunksAreThinnedEvenlyOverALongReply) {
  for (const std::size_t chunks : {256U, 257U, 258U, 511U, 512U, 513U, 1000U, 1025U, 100'000U}) {
    const auto span = build(stream(chunks, 20ms));
    const std::string text = attribute(span, "websocket.chunk.times.every");
    const std::size_t every = text == "(none)" ? 1 : std::stoul(text);
    const auto marks = offsets(span);
    EXPECT_EQ(every == 1, chunks == 256) << chunks;
    ASSERT_EQ(marks.size(), (chunks - 1) / every + 1) << chunks << ": one for each 1 + n * every";
    EXPECT_GE(marks.size(), 128U) << chunks;
    EXPECT_LE(marks.size(), 256U) << chunks;
    for (std::size_t mark = 0; mark < marks.size(); ++mark) {
      const auto when = static_cast<double>(mark * every + 1) * 20'000;
      ASSERT_NEAR(static_cast<double>(marks[mark]), when, 1 + when * 1e-7) << chunks << " #" << mark;
    }
  }
}

TEST(InvocationSpan, TimesOfChunksHaveABoundInBytes) {
  const auto span = build(stream(256, 100s));  // nine digits each
  EXPECT_LE(attribute(span, "websocket.chunk.times").size(), 2047U);
  EXPECT_EQ(attribute(span, "websocket.chunk.times.every"), "2");
  const auto marks = offsets(span);
  ASSERT_EQ(marks.size(), 128U);
  EXPECT_EQ(marks.back(), 255 * 100'000'000LL);
}

TEST(InvocationSpan, Status) {
  struct Case {
    InvocationStatus status;
    InvocationEnd end;
    std::string type;
    model::SpanStatus expected;
    std::string error_type, message;
  };
  using enum InvocationStatus;
  using S = model::SpanStatus;
  for (const auto& c : {
           Case{ok, InvocationEnd::reply, "", S::unset, "(none)", ""},
           Case{ok, InvocationEnd::reply, "ignored", S::unset, "(none)", ""},
           Case{cancelled, InvocationEnd::cancel, "", S::unset, "(none)", ""},
           Case{error, InvocationEnd::reply, "", S::error, "_OTHER", "the reply is an error"},
           Case{error, InvocationEnd::reply, "rate\nlimit", S::error, "rate\uFFFDlimit", "rate\uFFFDlimit"},
           Case{incomplete, InvocationEnd::timeout, "", S::error, "timeout", "no reply in time"},
           Case{incomplete, InvocationEnd::connection_lost, "", S::error, "connection_lost",
                "the connection ended before the reply did"},
           Case{incomplete, InvocationEnd::evicted, "", S::error, "evicted",
                "given up: too many were open, or its key was used again"},
           Case{incomplete, InvocationEnd::reply, "", S::error, "incomplete", "the reply is incomplete"},
           Case{incomplete, InvocationEnd::reply, "max_output_tokens", S::error, "max_output_tokens",
                "the reply is incomplete"},
       }) {
    auto i = answer();
    i.status = c.status;
    i.end = c.end;
    i.error_type = c.type;
    i.cancel_requested = c.status == cancelled;
    const auto span = build(i);
    EXPECT_EQ(span.status, c.expected) << c.message;
    EXPECT_EQ(span.status_message, c.message);
    EXPECT_EQ(attribute(span, "error.type"), c.error_type);
    EXPECT_EQ(attribute(span, "websocket.invocation.status"), model::name(c.status));
    EXPECT_EQ(attribute(span, "websocket.invocation.end"), model::name(c.end));
    EXPECT_EQ(attribute(span, "websocket.invocation.cancel_requested"), c.status == cancelled ? "true" : "(none)");
  }
}

TEST(InvocationSpan, WhatPeersWriteIsMadeTextAndReplacesNothingOfOurs) {
  auto i = answer();
  i.operation = "to\xffols/call\x1b[2J";
  i.attributes = {{"tool", std::string("a\xf0\x28"
                                       "b\n")},
                  {"flag", true},
                  {"websocket.chunk.count", std::int64_t{99}},
                  {"tool", std::string("again")}};
  const auto span = build(i);
  EXPECT_EQ(span.name, "to\uFFFDols/call\uFFFD[2J");
  EXPECT_EQ(attribute(span, "tool"), "a\uFFFD(b\uFFFD");
  EXPECT_EQ(attribute(span, "flag"), "true");
  EXPECT_EQ(attribute(span, "websocket.chunk.count"), "5");
}

TEST(InvocationSpan, GenAiNamesAreThoseOfTheConventionsAndCanBeLeftOut) {
  auto i = answer();
  i.attributes = {{"gen_ai.system", std::string("openai")}, {"gen_ai.usage.input_tokens", std::string("12")},
                  {"gen_ai.usage.completion_tokens", 34.0}, {"gen_ai.request.model", std::string("small")},
                  {"gen_ai.response.id", std::int64_t{7}},  {"gen_ai.request.max_tokens", std::string("inf")},
                  {"gen_ai.novel", std::string("kept")},    {"tool", std::string("kept")}};
  const model::Attributes session{{"gen_ai.request.model", std::string("large")},
                                  {"gen_ai.conversation.id", std::string("c1")},
                                  {"call", std::string("of the session, not of the invocation")}};
  auto span = build(i, {.session = &session});
  EXPECT_EQ(attribute(span, "gen_ai.provider.name"), "openai");
  EXPECT_EQ(attribute(span, "gen_ai.system"), "(none)");
  EXPECT_EQ(attribute(span, "gen_ai.usage.input_tokens"), "12");
  EXPECT_EQ(attribute(span, "gen_ai.usage.output_tokens"), "34");
  EXPECT_EQ(attribute(span, "gen_ai.request.model"), "small");
  EXPECT_EQ(attribute(span, "gen_ai.conversation.id"), "c1");
  EXPECT_EQ(attribute(span, "gen_ai.request.max_tokens"), "inf");
  EXPECT_EQ(attribute(span, "gen_ai.novel"), "kept");
  EXPECT_EQ(attribute(span, "call"), "(none)");
  for (const auto& [key, value] : span.attributes) {
    if (key.starts_with("gen_ai.usage.")) {
      EXPECT_TRUE(std::holds_alternative<std::int64_t>(value)) << key;
    }
    if (key == "gen_ai.response.id") {
      EXPECT_EQ(value, model::AttributeValue(std::string("7")));
    }
  }
  span = build(i, {.session = &session}, {.gen_ai = false});
  for (const auto& [key, value] : attributes(span)) EXPECT_FALSE(key.starts_with("gen_ai.")) << key;
  EXPECT_EQ(attribute(span, "tool"), "kept");
}

TEST(InvocationSpan, LinksToAConnectionOfAnotherTrace) {
  EXPECT_TRUE(build(answer(), {trace, connection_id}).links.empty());
  EXPECT_TRUE(build(answer(), {}).links.empty());
  const auto span = build(answer(), {other_trace, connection_id});
  ASSERT_EQ(span.links.size(), 1U);
  EXPECT_EQ(span.links[0].trace_id, other_trace);
  EXPECT_EQ(span.links[0].span_id, connection_id);
  ASSERT_EQ(span.links[0].attributes.size(), 1U);
  EXPECT_EQ(span.links[0].attributes[0].first, "websocket.link");
  EXPECT_EQ(text(span.links[0].attributes[0].second), "connection");
}

TEST(InvocationSpan, SeedNamesAreAddedWhenAskedFor) {
  EXPECT_EQ(attribute(build(answer()), "websocket.chunk_count"), "(none)");
  const auto span = build(answer(), {}, {.seed_names = true});
  EXPECT_EQ(attribute(span, "websocket.time_to_first_chunk_ms"), "200.000000");
  EXPECT_EQ(attribute(span, "websocket.time_per_output_chunk_ms"), "200.000000");
  EXPECT_EQ(attribute(span, "websocket.chunk_count"), "5");
  EXPECT_EQ(attribute(span, "websocket.time_to_first_chunk"), "0.200000");
}

TEST(InterimSpan, IsAChildThatSaysWhatIsKnown) {
  auto i = answer();
  i.ended = base::never;
  i.attributes.emplace_back("tool.name", std::string("search"));
  const auto span = interim_span(of_session, i, connection_id, 4, {}, at(2s), wall);
  EXPECT_EQ(span.name, "websocket.invocation.interim");
  EXPECT_EQ(span.kind, model::SpanKind::internal);
  EXPECT_EQ(span.trace_id, trace);
  EXPECT_EQ(span.span_id, connection_id);
  EXPECT_EQ(span.parent_id, span_id);
  EXPECT_FALSE(span.parent_is_remote);
  EXPECT_EQ(span.start_unix_ns, wall.unix_ns(at(0s)));
  EXPECT_EQ(span.end_unix_ns, wall.unix_ns(at(2s)));
  EXPECT_EQ(attribute(span, "websocket.invocation.operation"), "realtime_inference");
  EXPECT_EQ(attribute(span, "websocket.invocation.interim.index"), "4");
  EXPECT_EQ(attribute(span, "websocket.invocation.number"), "3");
  EXPECT_EQ(attribute(span, "websocket.chunk.count"), "5");
  EXPECT_EQ(attribute(span, "websocket.invocation.status"), "(none)") << "it has none yet";
  EXPECT_EQ(attribute(span, "tool.name"), "search") << "what was read of it so far";
  EXPECT_EQ(span.events.size(), 5U);
}

TEST(TransferSpan, SumsABurst) {
  const TracePlace place{.trace_id = trace, .span_id = span_id, .parent_id = connection_id};
  Transfer transfer{model::Side::client, "audio.in", at(1s), at(3s), 100, 16000, 40ms};
  auto span = transfer_span(of_session, place, transfer, wall);
  EXPECT_EQ(span.name, "websocket.transfer");
  EXPECT_EQ(span.kind, model::SpanKind::internal);
  EXPECT_EQ(span.parent_id, connection_id);
  EXPECT_EQ(span.end_unix_ns - span.start_unix_ns, 2'000'000'000U);
  EXPECT_EQ(attribute(span, "websocket.transfer.name"), "audio.in");
  EXPECT_EQ(attribute(span, "websocket.transfer.direction"), "c2s");
  EXPECT_EQ(attribute(span, "websocket.transfer.messages"), "100");
  EXPECT_EQ(attribute(span, "websocket.transfer.bytes"), "16000");
  EXPECT_EQ(attribute(span, "websocket.transfer.longest_gap"), "0.040000");
  transfer.messages = 1;
  EXPECT_EQ(attribute(transfer_span(of_session, place, transfer, wall), "websocket.transfer.longest_gap"), "(none)");
}

}  // namespace
}  // namespace sockeye::signal::invocations_test
