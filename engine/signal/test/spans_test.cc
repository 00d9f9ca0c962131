#include "sockeye/signal/spans.h"

#include <gtest/gtest.h>

#include <string>

namespace sockeye::signal {
namespace {

using namespace std::chrono_literals;

SessionAttributes session() {
  return {.id = *base::parse_session_id("01890a5d-ac96-774b-bcce-b302099a8057"),
          .vantage = "proxy",
          .route = "calls",
          .dialect = "none",
          .target = "/media?room=1&token=REDACTED",
          .host = "voice.example:8443",
          .subprotocol = "chat",
          .extensions = "permessage-deflate",
          .client_address = "192.0.2.7",
          .upstream_address = "127.0.0.1",
          .client_port = 4711,
          .upstream_port = 8084,
          .tls = true};
}
const TracePlace place{.trace_id = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c"),
                       .span_id = *base::parse_span_id("b7ad6b7169203331"),
                       .parent_id = *base::parse_span_id("00f067aa0ba902b7"),
                       .flags = 1,
                       .parent_is_remote = true,
                       .trace_state = "a=b"};

std::string attribute(const model::Span& span, std::string_view key) {
  std::string found = "(none)";
  int times = 0;
  for (const auto& [name, value] : span.attributes) {
    if (name != key) continue;
    ++times;
    if (const auto* text = std::get_if<std::string>(&value)) found = *text;
    if (const auto* number = std::get_if<std::int64_t>(&value)) found = std::to_string(*number);
    if (const auto* real = std::get_if<double>(&value)) found = std::to_string(*real);
  }
  EXPECT_LE(times, 1) << key;
  return found;
}

TEST(HandshakeSpan, Accepted) {
  const auto span = handshake_span(session(), place, {100, 200}, {.user_agent = "curl/8"});
  EXPECT_EQ(span.name, "websocket.handshake");
  EXPECT_EQ(span.kind, model::SpanKind::server);
  EXPECT_EQ(span.status, model::SpanStatus::unset);
  EXPECT_EQ(span.span_id, place.span_id);
  EXPECT_EQ(span.parent_id, place.parent_id);
  EXPECT_TRUE(span.parent_is_remote);
  EXPECT_EQ(span.trace_state, "a=b");
  EXPECT_EQ(span.start_unix_ns, 100U);
  EXPECT_EQ(span.end_unix_ns, 200U);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"websocket.session.id", "01890a5d-ac96-774b-bcce-b302099a8057"},
           {"network.protocol.name", "websocket"},
           {"sockeye.vantage", "proxy"},
           {"sockeye.route", "calls"},
           {"sockeye.dialect", "none"},
           {"http.request.method", "GET"},
           {"http.response.status_code", "101"},
           {"url.scheme", "wss"},
           {"url.path", "/media"},
           {"url.query", "room=1&token=REDACTED"},
           {"server.address", "voice.example"},
           {"server.port", "8443"},
           {"client.address", "192.0.2.7"},
           {"client.port", "4711"},
           {"sockeye.upstream.address", "127.0.0.1"},
           {"sockeye.upstream.port", "8084"},
           {"user_agent.original", "curl/8"},
           {"websocket.subprotocol", "chat"},
           {"websocket.extensions", "permessage-deflate"},
           {"error.type", "(none)"},
           {"websocket.reconnect_of", "(none)"}})
    EXPECT_EQ(attribute(span, key), value) << key;
}

TEST(HandshakeSpan, HostForms) {
  const auto server = [](std::string_view host, bool tls) {
    auto f = session();
    f.host = host;
    f.tls = tls;
    const auto span = handshake_span(f, place, {}, {});
    return attribute(span, "server.address") + " " + attribute(span, "server.port");
  };
  EXPECT_EQ(server("h", false), "h 80");
  EXPECT_EQ(server("h", true), "h 443");
  EXPECT_EQ(server("h:", true), "h 443");
  EXPECT_EQ(server("[::1]", false), "[::1] 80");
  EXPECT_EQ(server("[::1]:8080", false), "[::1] 8080");
  EXPECT_EQ(server("", false), "(none) (none)");
}

TEST(HandshakeSpan, Refused) {
  auto span =
      handshake_span(session(), place, {5, 4},
                     {.method = "BREW", .status = 400, .kind = model::Anomaly::smuggling, .why = "two lengths"});
  EXPECT_EQ(span.status, model::SpanStatus::error);
  EXPECT_EQ(span.status_message, "two lengths");
  EXPECT_EQ(attribute(span, "error.type"), "smuggling");
  EXPECT_EQ(attribute(span, "http.request.method"), "_OTHER");
  EXPECT_EQ(attribute(span, "http.response.status_code"), "400");
  EXPECT_EQ(span.end_unix_ns, 5U) << "a span does not end before it starts";
  span = handshake_span(session(), place, {}, {.status = 503, .why = "too many sessions"});
  EXPECT_EQ(attribute(span, "error.type"), "503");
}

constexpr base::WallOffset wall{1'700'000'000'000'000'000};

ConnectionFigures figures() {
  ConnectionFigures out;
  out.counts[0].messages = {3, 4, 50, 60, 1};
  out.counts[0].bytes = 700;
  out.counts[1].messages = {1, 1, 0, 0, 1};
  out.counts[1].bytes = 20;
  out.pings[0] = {.rtt_last = 20ms, .rtt_min = 10ms, .missed = 3, .late = 2};
  out.longest_gap[1] = 1500ms;
  return out;
}

TEST(ConnectionSpan, SaysHowItEnded) {
  const model::CloseInfo close{1001, model::Initiator::client, model::EndReason::normal, "bye"};
  auto f = figures();
  f.close = &close;
  auto said = session();
  said.reconnect_of = said.id;
  said.reconnect_basis = model::ReconnectBasis::query;
  const auto span = connection_span(said, place, {1, 2}, f, wall);
  EXPECT_EQ(span.name, "websocket.connection");
  EXPECT_EQ(span.kind, model::SpanKind::internal);
  EXPECT_EQ(span.status, model::SpanStatus::unset);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"websocket.messages.received", "7"},
           {"websocket.messages.sent", "2"},
           {"websocket.bytes.received", "700"},
           {"websocket.bytes.sent", "20"},
           {"websocket.close.code", "1001"},
           {"websocket.close.reason", "bye"},
           {"websocket.close.initiator", "client"},
           {"websocket.end_reason", "normal"},
           {"websocket.ping.client.rtt", "0.020000"},
           {"websocket.ping.client.rtt_min", "0.010000"},
           {"websocket.ping.client.missed", "3"},
           {"websocket.ping.client.late", "2"},
           {"websocket.ping.upstream.rtt", "(none)"},
           {"websocket.ping.upstream.missed", "0"},
           {"websocket.ping.upstream.late", "(none)"},
           {"websocket.silent.leg", "(none)"},
           {"websocket.silent.since", "(none)"},
           {"websocket.longest_gap.sent", "1.500000"},
           {"websocket.longest_gap.received", "(none)"},
           {"websocket.reconnect_of", "01890a5d-ac96-774b-bcce-b302099a8057"},
           {"websocket.reconnect_of.basis", "query"},
           {"error.type", "(none)"}})
    EXPECT_EQ(attribute(span, key), value) << key;
}

TEST(ConnectionSpan, SaysWhoWasSilentSinceWhen) {
  const model::CloseInfo close{1001, model::Initiator::proxy, model::EndReason::heartbeat_timeout,
                               "",   model::Side::server,     base::Time(1234567ms)};
  auto f = figures();
  f.close = &close;
  const auto span = connection_span(session(), place, {1, 2}, f, wall);
  EXPECT_EQ(attribute(span, "websocket.close.initiator"), "proxy");
  EXPECT_EQ(attribute(span, "websocket.end_reason"), "heartbeat_timeout");
  EXPECT_EQ(attribute(span, "websocket.silent.leg"), "upstream");
  EXPECT_EQ(attribute(span, "websocket.silent.since"), "1700001234.567000");
}

TEST(ConnectionSpan, FaultsAreErrors) {
  const auto error = [](std::uint16_t code, model::EndReason why) {
    const model::CloseInfo close{code, model::Initiator::network, why, "\xff"};
    auto f = figures();
    f.close = &close;
    const auto span = connection_span(session(), place, {}, f, wall);
    EXPECT_EQ(attribute(span, "websocket.close.reason"), "\xef\xbf\xbd");
    EXPECT_EQ(span.status == model::SpanStatus::error, attribute(span, "error.type") != "(none)");
    return attribute(span, "error.type");
  };
  using model::EndReason;
  EXPECT_EQ(error(1000, EndReason::normal), "(none)");
  EXPECT_EQ(error(1001, EndReason::drain), "(none)");
  EXPECT_EQ(error(1001, EndReason::idle), "(none)");
  EXPECT_EQ(error(1012, EndReason::normal), "(none)");
  EXPECT_EQ(error(4001, EndReason::normal), "4001");
  EXPECT_EQ(error(1011, EndReason::normal), "1011");
  EXPECT_EQ(error(1006, EndReason::reset), "reset");
  EXPECT_EQ(error(1001, EndReason::heartbeat_timeout), "heartbeat_timeout");
  EXPECT_EQ(error(1002, EndReason::protocol_error), "protocol_error");
  EXPECT_EQ(error(1009, EndReason::limit), "limit");
}

TEST(SegmentSpan, IsAChildWithTotalsAndDeltas) {
  const base::SpanId id = *base::parse_span_id("1111111111111111");
  const Totals before{.messages = {2, 2}, .bytes = {100, 20}};
  const auto span = segment_span(session(), place, id, {10, 20}, figures(), before, 3);
  EXPECT_EQ(span.name, "websocket.connection.segment");
  EXPECT_EQ(span.span_id, id);
  EXPECT_EQ(span.parent_id, place.span_id);
  EXPECT_FALSE(span.parent_is_remote);
  EXPECT_EQ(span.trace_id, place.trace_id);
  EXPECT_EQ(attribute(span, "websocket.segment.index"), "3");
  EXPECT_EQ(attribute(span, "websocket.messages.received"), "7");
  EXPECT_EQ(attribute(span, "websocket.segment.messages.received"), "5");
  EXPECT_EQ(attribute(span, "websocket.segment.messages.sent"), "0");
  EXPECT_EQ(attribute(span, "websocket.segment.bytes.received"), "600");
  EXPECT_EQ(attribute(span, "websocket.segment.bytes.sent"), "0");
  EXPECT_EQ(attribute(span, "websocket.close.code"), "(none)");
}

}  // namespace
}  // namespace sockeye::signal
