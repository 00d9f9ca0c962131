#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "sockeye/observer/handshake.h"
#include "sockeye/signal/propagation.h"
#include "sockeye/wire/http.h"

namespace sockeye::observer {
namespace {

using model::Anomaly;

struct Spans final : model::SpanSink {
  void offer(model::Span&& span) override { all.push_back(std::move(span)); }
  std::deque<model::Span> all;  // references stay good while more arrive
};

std::string attribute(const model::Span& span, std::string_view key) {
  for (const auto& [name, value] : span.attributes) {
    if (name != key) continue;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  }
  return "(none)";
}

constexpr const char* remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class HandshakeTest : public testing::Test {
 protected:
  // Parsed heads live as long as the fixture.
  const model::HttpHead& request(const std::string& more = "", const std::string& target = "/chat") {
    return read(wire::HeadParser::Kind::request, "GET " + target +
                                                     " HTTP/1.1\r\nHost: voice.example\r\nUpgrade: websocket\r\n"
                                                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                                                     more + "\r\n");
  }
  const model::HttpHead& response(const std::string& more = "") {
    return read(wire::HeadParser::Kind::response,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
                    more + "\r\n");
  }
  const model::HttpHead& read(wire::HeadParser::Kind kind, const std::string& text) {
    texts_.push_back(std::make_unique<std::string>(text));
    parsers_.push_back(std::make_unique<wire::HeadParser>(kind));
    EXPECT_EQ(parsers_.back()->parse(base::as_bytes(*texts_.back())), wire::HeadParser::Progress::done);
    return parsers_.back()->head();
  }
  Handshake begin() { return {options_, {"192.0.2.7", 4711, "127.0.0.1", 8084, true}, start_, at()}; }
  // A call, so long after the first byte.
  [[nodiscard]] Call at(base::Duration after = {}) { return {workspace_, *metrics_, start_ + after}; }
  std::string propagated(Handshake& handshake, std::string_view name) {
    for (const auto& [key, value] : handshake.propagated())
      if (key == name) return value;
    return "(none)";
  }
  std::uint64_t anomalies(Anomaly kind) const { return metrics_->anomalies[static_cast<std::size_t>(kind)].value(); }
  std::uint64_t handshakes_timed() const {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < model::DurationHistogram::buckets; ++i) n += metrics_->handshake_duration.count(i);
    return n;
  }

  Options options_;
  std::unique_ptr<model::RouteMetrics> metrics_ = std::make_unique<model::RouteMetrics>();
  Spans spans_;
  Workspace workspace_{.spans = &spans_, .random = base::Random(7), .wall = {.ns = 1'700'000'000'000'000'000}};
  base::Time start_ = base::Time{} + 1000s;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::unique_ptr<wire::HeadParser>> parsers_;
};

TEST_F(HandshakeTest, AcceptedBecomesAConnection) {
  Handshake handshake = begin();
  const auto& asked = request(
      "User-Agent: curl/8\r\nSec-WebSocket-Protocol: chat\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
      "/chat?room=1&token=s3cret");
  handshake.request(asked, at());
  const auto id = handshake.id();
  const auto connection = handshake.accepted(asked,
                                             response("Sec-WebSocket-Protocol: chat\r\n"
                                                      "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                                             nullptr, at(5ms));
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->id(), id);
  EXPECT_EQ(metrics_->connections_accepted.value(), 1U);
  EXPECT_EQ(metrics_->connections_active.value(), 1);
  for (const auto& counter : metrics_->reconnects) EXPECT_EQ(counter.value(), 0U);
  EXPECT_EQ(handshakes_timed(), 1U);
  EXPECT_DOUBLE_EQ(metrics_->handshake_duration.sum(), 0.005);

  const auto facts = connection->facts(workspace_.wall);
  EXPECT_EQ(facts.target, "/chat?room=1&token=REDACTED");
  EXPECT_EQ(facts.subprotocol, "chat");
  EXPECT_EQ(facts.extensions, "permessage-deflate");
  EXPECT_EQ(facts.client, "192.0.2.7");
  EXPECT_EQ(facts.host, "voice.example");
  EXPECT_EQ(connection->detail().opened, start_ + 5ms);

  ASSERT_EQ(spans_.all.size(), 1U);
  const auto& span = spans_.all[0];
  EXPECT_EQ(span.name, "websocket.handshake");
  EXPECT_TRUE(span.parent_id.is_zero());
  EXPECT_EQ(span.start_unix_ns, 1'700'001'000'000'000'000U);
  EXPECT_EQ(span.end_unix_ns, 1'700'001'000'005'000'000U);
  EXPECT_EQ(attribute(span, "websocket.session.id"), base::to_uuid(id));
  EXPECT_EQ(attribute(span, "url.query"), "room=1&token=REDACTED");
  EXPECT_EQ(attribute(span, "user_agent.original"), "curl/8");
  EXPECT_EQ(attribute(span, "websocket.extensions"), "permessage-deflate");
  EXPECT_EQ(facts.trace_id, span.trace_id);
  // UUIDv7: the time of the first byte leads.
  EXPECT_EQ(base::to_uuid(id).substr(0, 13), "018bcff4-aa40");

  connection->finish(at(2s));
  EXPECT_EQ(metrics_->connections_active.value(), 0) << "up and down balance";
  ASSERT_EQ(spans_.all.size(), 2U);
  EXPECT_EQ(spans_.all[1].name, "websocket.connection");
  EXPECT_EQ(spans_.all[1].trace_id, span.trace_id);
  EXPECT_EQ(spans_.all[1].parent_id, span.span_id);
  EXPECT_EQ(spans_.all[1].start_unix_ns, span.end_unix_ns);
}

TEST_F(HandshakeTest, JoinsTheCallersTraceAndPassesItOn) {
  Handshake handshake = begin();
  const auto& asked = request(std::string("traceparent: ") + remote + "\r\ntracestate: a=b\r\n");
  handshake.request(asked, at());
  const auto sent = signal::parse_traceparent(propagated(handshake, "traceparent"));
  ASSERT_TRUE(sent);
  EXPECT_EQ(propagated(handshake, "tracestate"), "a=b");
  const auto connection = handshake.accepted(asked, response(), nullptr, at());
  const auto& span = spans_.all.at(0);
  EXPECT_EQ(base::to_hex(span.trace_id), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(base::to_hex(span.parent_id), "b7ad6b7169203331");
  EXPECT_TRUE(span.parent_is_remote);
  EXPECT_EQ(span.trace_state, "a=b");
  EXPECT_EQ(sent->span_id, span.span_id) << "the upstream's parent is the handshake span";
  EXPECT_EQ(sent->trace_id, span.trace_id);
  EXPECT_TRUE(sent->sampled());
  connection->finish(at());
  EXPECT_EQ(spans_.all.at(1).trace_state, "a=b");
}

TEST_F(HandshakeTest, AnUnsampledParentIsPassedOnAndNothingIsEmitted) {
  Handshake handshake = begin();
  const auto& asked = request("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n");
  handshake.request(asked, at());
  const auto sent = propagated(handshake, "traceparent");
  EXPECT_TRUE(sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-")) << sent;
  EXPECT_TRUE(sent.ends_with("-00")) << sent;
  EXPECT_EQ(sent.find("b7ad6b7169203331"), std::string::npos) << "a span id of our own";
  const auto connection = handshake.accepted(asked, response(), nullptr, at());
  EXPECT_TRUE(connection->facts(workspace_.wall).trace_id.is_zero());
  connection->finish(at());
  EXPECT_TRUE(spans_.all.empty());
  EXPECT_EQ(metrics_->connections_accepted.value(), 1U) << "metrics are not sampled";
}

TEST_F(HandshakeTest, HostileTraceContextIsCountedAndIgnored) {
  Handshake handshake = begin();
  const auto& asked =
      request("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\ntracestate: a=b\r\n");
  handshake.request(asked, at());
  EXPECT_EQ(anomalies(Anomaly::trace_context_invalid), 1U);
  EXPECT_TRUE(signal::parse_traceparent(propagated(handshake, "traceparent")));
  EXPECT_EQ(propagated(handshake, "tracestate"), "") << "it belonged to no trace: taken away";
  handshake.refused(503, Anomaly::none, "too many sessions", at());
  EXPECT_TRUE(spans_.all.at(0).parent_id.is_zero());
  EXPECT_TRUE(spans_.all.at(0).trace_state.empty());
}

TEST_F(HandshakeTest, WithoutSinkTheClientsContextPassesUntouched) {
  workspace_.spans = nullptr;
  Handshake handshake = begin();
  const auto& asked = request(std::string("traceparent: ") + remote + "\r\n");
  handshake.request(asked, at());
  EXPECT_TRUE(handshake.propagated().empty());
  handshake.accepted(asked, response(), nullptr, at())->finish(at());
  EXPECT_EQ(metrics_->connections_accepted.value(), 1U);
}

TEST_F(HandshakeTest, B3IsReadAndWrittenWhereAsked) {
  options_.propagation.b3_inject = true;
  Handshake handshake = begin();
  handshake.request(request("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\r\n"), at());
  EXPECT_TRUE(propagated(handshake, "b3").starts_with("80f198ee56343ba864fe8b2a57d3eff7-"));
  EXPECT_TRUE(propagated(handshake, "b3").ends_with("-1"));
  EXPECT_TRUE(propagated(handshake, "traceparent").starts_with("00-80f198ee56343ba864fe8b2a57d3eff7-"));
}

TEST_F(HandshakeTest, BaggageCanBeStopped) {
  const auto& asked = request("baggage: user=1\r\n");
  Handshake passing = begin();
  passing.request(asked, at());
  EXPECT_EQ(propagated(passing, "baggage"), "(none)");
  options_.propagation.baggage = false;
  Handshake stopping = begin();
  stopping.request(asked, at());
  EXPECT_EQ(propagated(stopping, "baggage"), "");
}

TEST_F(HandshakeTest, WhatAPageSaysCanBeKeptFromTheUpstream) {
  using Browser = PropagationOptions::Browser;
  const std::string in_query = std::string("/chat?room=1&traceparent=") + remote;
  const std::string item = std::string("traceparent.") + remote;
  for (const Browser how : {Browser::extract, Browser::remove, Browser::off}) {
    options_.propagation.browser = how;
    Handshake by_query = begin();
    by_query.request(request("", in_query), at());
    EXPECT_EQ(propagated(by_query, "traceparent").substr(3, 32) == std::string(remote).substr(3, 32),
              how != Browser::off);
    EXPECT_EQ(by_query.upstream_target(), how == Browser::remove ? "/chat?room=1" : "");
    EXPECT_EQ(by_query.bare_target(), how == Browser::off ? in_query : "/chat?room=1");

    Handshake by_item = begin();
    by_item.request(request("Sec-WebSocket-Protocol: chat, " + item + "\r\n"), at());
    EXPECT_EQ(propagated(by_item, "traceparent").substr(3, 32) == std::string(remote).substr(3, 32),
              how != Browser::off);
    EXPECT_EQ(propagated(by_item, "Sec-WebSocket-Protocol"), how == Browser::remove ? "chat" : "(none)");
    EXPECT_EQ(by_item.answered_subprotocol(), "");

    Handshake only_that = begin();
    only_that.request(request("Sec-WebSocket-Protocol: " + item + "\r\n"), at());
    EXPECT_EQ(propagated(only_that, "Sec-WebSocket-Protocol"), how == Browser::remove ? "" : "(none)");
    EXPECT_EQ(only_that.answered_subprotocol(), how == Browser::remove ? item : "");
  }
}

// RFC 9112 §3.2.2: clients may send the absolute form, and proxies in front of us do. What is said of it is its path.
TEST_F(HandshakeTest, AnAbsoluteTargetIsReadAsItsPath) {
  options_.dialect.mode = DialectOptions::Mode::automatic;
  Handshake handshake = begin();
  const std::string path = "/v1/realtime";
  const std::string query = "model=a&traceparent=" + std::string(remote);
  const auto& asked = request("", "ws://voice.example" + path + "?" + query);
  handshake.request(asked, at());
  EXPECT_EQ(handshake.bare_target(), path + "?model=a") << "what tells a reconnect";
  const auto connection = handshake.accepted(asked, response(), nullptr, at());
  const auto facts = connection->facts(workspace_.wall);
  EXPECT_EQ(facts.target, path + "?" + query);
  EXPECT_EQ(connection->dialect(), "openai-realtime") << connection->detail().dialect_basis;
  EXPECT_EQ(base::to_hex(facts.trace_id), std::string(remote).substr(3, 32));
  EXPECT_EQ(attribute(spans_.all.at(0), "url.path"), path);
  EXPECT_EQ(attribute(spans_.all.at(0), "url.query"), query);
  connection->finish(at());
  EXPECT_EQ(attribute(spans_.all.at(1), "url.path"), path);
}

TEST_F(HandshakeTest, AnAbsoluteTargetWithoutAPathIsTheRoot) {
  for (const std::string target : {"ws://voice.example", "HTTP://voice.example?x=/y"}) {
    spans_.all.clear();
    Handshake handshake = begin();
    handshake.request(request("", target), at());
    handshake.refused(404, Anomaly::none, "", at());
    EXPECT_EQ(attribute(spans_.all.at(0), "url.path"), "/") << target;
  }
}

TEST_F(HandshakeTest, WhatWasWrongAndPassedOnIsCountedInTheSessionToo) {
  Handshake handshake = begin();
  const auto& asked = request("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  handshake.request(asked, at());
  handshake.passed_on(Anomaly::upstream_invalid, at());
  const auto connection = handshake.accepted(
      asked, response("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"), nullptr, at());
  EXPECT_EQ(anomalies(Anomaly::upstream_invalid), 1U);
  EXPECT_EQ(connection->figures(workspace_.wall).anomalies, 1U);
  const std::string compressed("\xc1\x03\x4a\x04\x00", 5);  // "a"
  connection->bytes(model::Side::server, base::as_bytes(std::string_view(compressed)), at());
  EXPECT_EQ(connection->figures(workspace_.wall).anomalies, 1U) << "both peers take it for compressed, and so do we";
  connection->finish(at());
}

TEST_F(HandshakeTest, ARefusalIsCountedTimedAndSaid) {
  Handshake handshake = begin();
  handshake.request(request("Cookie: c=1\r\nAuthorization: Bearer s3cret\r\n", "/a?access_token=s3cret"), at());
  handshake.refused(502, Anomaly::upstream_invalid, "no valid upgrade", at(1s));
  EXPECT_EQ(metrics_->connections_rejected.value(), 1U);
  EXPECT_EQ(metrics_->connections_active.value(), 0);
  EXPECT_EQ(anomalies(Anomaly::upstream_invalid), 1U);
  EXPECT_EQ(handshakes_timed(), 1U);
  const auto& span = spans_.all.at(0);
  EXPECT_EQ(span.status, model::SpanStatus::error);
  EXPECT_EQ(span.status_message, "no valid upgrade");
  EXPECT_EQ(attribute(span, "error.type"), "upstream_invalid");
  EXPECT_EQ(attribute(span, "http.response.status_code"), "502");
  for (const auto& [key, value] : span.attributes)
    if (const auto* text = std::get_if<std::string>(&value)) {
      EXPECT_EQ(text->find("s3cret"), std::string::npos) << key;
    }
}

TEST_F(HandshakeTest, ARefusalNeedsNoRequest) {
  Handshake handshake = begin();
  handshake.refused(408, Anomaly::handshake_timeout, "no request", at(10s));
  EXPECT_EQ(anomalies(Anomaly::handshake_timeout), 1U);
  const auto& span = spans_.all.at(0);
  EXPECT_FALSE(span.trace_id.is_zero());
  EXPECT_EQ(attribute(span, "http.request.method"), "(none)");
  EXPECT_EQ(attribute(span, "url.path"), "(none)");
  EXPECT_EQ(attribute(span, "error.type"), "handshake_timeout");
}

TEST_F(HandshakeTest, ARefusalWithoutKindCountsNoAnomaly) {
  Handshake handshake = begin();
  handshake.refused(404, Anomaly::none, "no route", at());
  for (const auto& counter : metrics_->anomalies) EXPECT_EQ(counter.value(), 0U);
}

TEST_F(HandshakeTest, AReconnectIsCountedWhenItSucceeds) {
  const auto before = base::make_session_id(workspace_.random, 1);
  Handshake handshake = begin();
  handshake.request(request(), at());
  handshake.reconnect_of(before, model::ReconnectBasis::cookie);
  for (const auto& counter : metrics_->reconnects) EXPECT_EQ(counter.value(), 0U);
  const auto connection = handshake.accepted(request(), response(), nullptr, at());
  EXPECT_EQ(metrics_->reconnects[static_cast<std::size_t>(model::ReconnectBasis::cookie)].value(), 1U);
  EXPECT_EQ(metrics_->reconnects[static_cast<std::size_t>(model::ReconnectBasis::guess)].value(), 0U);
  EXPECT_EQ(connection->detail().reconnect_basis, model::ReconnectBasis::cookie);
  EXPECT_EQ(attribute(spans_.all.at(0), "websocket.reconnect_of.basis"), "cookie");
  EXPECT_EQ(connection->facts(workspace_.wall).reconnect_of, before);
  EXPECT_EQ(attribute(spans_.all.at(0), "websocket.reconnect_of"), base::to_uuid(before));
  connection->finish(at());
}

TEST_F(HandshakeTest, WhatPeersSendIsMadeValidAndCut) {
  Handshake handshake = begin();
  const auto& asked = request("User-Agent: \xff" + std::string(5000, 'u') + "\r\n", "/\xff" + std::string(5000, 'p'));
  handshake.request(asked, at());
  const auto connection = handshake.accepted(asked, response(), nullptr, at());
  EXPECT_EQ(connection->facts(workspace_.wall).target, "/\xef\xbf\xbd" + std::string(512 - 4, 'p'));
  EXPECT_EQ(attribute(spans_.all.at(0), "user_agent.original"), "\xef\xbf\xbd" + std::string(253, 'u'));
  connection->finish(at());
}

TEST_F(HandshakeTest, RatioDropsSpansNotContext) {
  options_.sampling.ratio = 0;
  Handshake handshake = begin();
  handshake.request(request(), at());
  EXPECT_TRUE(propagated(handshake, "traceparent").ends_with("-00"));
  handshake.refused(503, Anomaly::none, "", at());
  EXPECT_TRUE(spans_.all.empty());
}

}  // namespace
}  // namespace sockeye::observer
