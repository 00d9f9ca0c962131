#include "sockeye/signal/collect.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace sockeye::signal {
namespace {

using model::MetricFamily;
using model::MetricType;
using model::RouteMetrics;
using namespace std::chrono_literals;

struct Fleet {
  std::unique_ptr<RouteMetrics> one = std::make_unique<RouteMetrics>(), two = std::make_unique<RouteMetrics>(),
                                other = std::make_unique<RouteMetrics>();
  std::vector<MetricFamily> families() const {
    const std::vector<model::RouteCounters> routes{{"calls", {one.get(), two.get()}}, {"chat", {other.get()}}};
    return collect(routes);
  }
};

const MetricFamily& family(const std::vector<MetricFamily>& all, std::string_view name) {
  for (const auto& f : all)
    if (f.name == name) return f;
  ADD_FAILURE() << "no family " << name;
  static const MetricFamily none;
  return none;
}

std::string text(const model::MetricSample& sample) {
  std::string out;
  for (const auto& [key, value] : sample.labels)
    out.append(out.empty() ? "" : ",").append(key).append("=").append(value);
  return out;
}
const model::MetricSample& sample(const MetricFamily& f, std::string_view labels) {
  for (const auto& s : f.samples)
    if (text(s) == labels) return s;
  ADD_FAILURE() << f.name << " has no {" << labels << "}";
  static const model::MetricSample none;
  return none;
}

TEST(Collect, TheSeedNamesAreThereBeforeAnythingHappened) {
  const auto all = Fleet{}.families();
  for (const auto& [name, type] : {std::pair{"websocket_connections_active", MetricType::gauge},
                                   {"websocket_connections_total", MetricType::counter},
                                   {"websocket_message_duration_seconds", MetricType::histogram},
                                   {"websocket_handshake_duration_seconds", MetricType::histogram},
                                   {"websocket_buffered_amount_bytes", MetricType::gauge},
                                   {"websocket_pong_missed_total", MetricType::counter}}) {
    EXPECT_EQ(family(all, name).type, type) << name;
    EXPECT_FALSE(family(all, name).samples.empty()) << name;
  }
  EXPECT_EQ(sample(family(all, "websocket_connections_total"), "route=calls,result=accept").value, 0);
  EXPECT_EQ(sample(family(all, "websocket_handshake_duration_seconds"), "route=chat").histogram.counts.size(),
            model::DurationHistogram::buckets);
  EXPECT_FALSE(collect({}).empty());
}

TEST(Collect, SumsOverWorkersAndKeepsRoutesApart) {
  Fleet fleet;
  fleet.one->connections_active.add(3);
  fleet.two->connections_active.add(4);
  fleet.other->connections_active.add(1);
  fleet.one->connections_accepted.add(5);
  fleet.two->connections_rejected.add(6);
  fleet.two->connections_closed.add(7);
  fleet.one->messages[1][static_cast<std::size_t>(model::MessageType::binary)].add(8);
  fleet.two->messages[1][static_cast<std::size_t>(model::MessageType::binary)].add(9);
  fleet.one->message_bytes[0].add(10);
  fleet.two->pong_missed[1].add(11);
  fleet.two->pong_late[1].add(21);
  fleet.one->heartbeat_timeouts[0].add(22);
  fleet.one->anomalies[static_cast<std::size_t>(model::Anomaly::smuggling)].add(12);
  fleet.one->reconnects[static_cast<std::size_t>(model::ReconnectBasis::query)].add(13);
  fleet.one->buffered_bytes.set(14);
  fleet.two->buffered_sessions.set(2);
  fleet.other->http_requests.add(15);
  const auto all = fleet.families();
  EXPECT_EQ(sample(family(all, "websocket_connections_active"), "route=calls").value, 7);
  EXPECT_EQ(sample(family(all, "websocket_connections_active"), "route=chat").value, 1);
  const auto& total = family(all, "websocket_connections_total");
  EXPECT_EQ(sample(total, "route=calls,result=accept").value, 5);
  EXPECT_EQ(sample(total, "route=calls,result=reject").value, 6);
  EXPECT_EQ(sample(total, "route=calls,result=close").value, 7);
  EXPECT_EQ(sample(family(all, "websocket_messages_total"), "route=calls,direction=s2c,type=binary").value, 17);
  EXPECT_EQ(sample(family(all, "websocket_messages_total"), "route=calls,direction=c2s,type=binary").value, 0);
  EXPECT_EQ(sample(family(all, "websocket_message_bytes_total"), "route=calls,direction=c2s").value, 10);
  EXPECT_EQ(sample(family(all, "websocket_pong_missed_total"), "route=calls,leg=upstream").value, 11);
  EXPECT_EQ(sample(family(all, "websocket_pong_late_total"), "route=calls,leg=upstream").value, 21);
  EXPECT_EQ(sample(family(all, "websocket_heartbeat_timeouts_total"), "route=calls,leg=client").value, 22);
  EXPECT_EQ(sample(family(all, "websocket_anomalies_total"), "route=calls,kind=smuggling").value, 12);
  EXPECT_EQ(sample(family(all, "websocket_reconnects_total"), "route=calls,basis=query").value, 13);
  EXPECT_EQ(sample(family(all, "websocket_reconnects_total"), "route=calls,basis=guess").value, 0);
  EXPECT_EQ(sample(family(all, "websocket_buffered_amount_bytes"), "route=calls").value, 14);
  EXPECT_EQ(sample(family(all, "websocket_buffered_sessions"), "route=calls").value, 2);
  EXPECT_EQ(sample(family(all, "sockeye_http_requests_total"), "route=chat").value, 15);
}

TEST(Collect, SumsHistogramsBucketByBucket) {
  Fleet fleet;
  fleet.one->ping_rtt[0].observe(100us);
  fleet.two->ping_rtt[0].observe(3ms);
  fleet.two->ping_rtt[0].observe(1h);
  fleet.one->message_size[1].observe(17);
  fleet.one->session_duration.observe(3s);
  const auto all = fleet.families();
  const auto& rtt = sample(family(all, "websocket_ping_rtt_seconds"), "route=calls,leg=client").histogram;
  ASSERT_EQ(rtt.bounds.size() + 1, rtt.counts.size());
  EXPECT_DOUBLE_EQ(rtt.bounds[0], 1e-4);
  EXPECT_EQ(rtt.counts[0], 1U);
  EXPECT_EQ(rtt.counts[5], 1U);  // 3.2 ms
  EXPECT_EQ(rtt.counts.back(), 1U);
  EXPECT_NEAR(rtt.sum, 3600.0031, 1e-9);
  EXPECT_EQ(sample(family(all, "websocket_message_size_bytes"), "route=calls,direction=s2c").histogram.counts[1], 1U);
  EXPECT_EQ(sample(family(all, "websocket_session_duration_seconds"), "route=calls").histogram.counts[2], 1U);
}

TEST(Collect, ListsClosesAndTheRest) {
  Fleet fleet;
  fleet.one->count_close(1000, model::Initiator::client, model::EndReason::normal);
  fleet.two->count_close(1000, model::Initiator::client, model::EndReason::normal);
  fleet.two->count_close(1001, model::Initiator::proxy, model::EndReason::heartbeat_timeout);
  for (std::uint16_t code = 3000; code < 3100; ++code)
    fleet.other->count_close(code, model::Initiator::server, model::EndReason::normal);
  const auto all = fleet.families();
  const auto& closes = family(all, "websocket_closes_total");
  EXPECT_EQ(sample(closes, "route=calls,code=1000,initiator=client,reason=normal").value, 2);
  EXPECT_EQ(sample(closes, "route=calls,code=1001,initiator=proxy,reason=heartbeat_timeout").value, 1);
  EXPECT_EQ(sample(closes, "route=chat,code=other,initiator=other,reason=other").value, 100.0 - 24);
}

model::OperationRow& operation(RouteMetrics& metrics, const std::string& name) {
  return metrics.operations.row(metrics.operations.index_of(name));
}

TEST(Collect, InvocationsByOperationOverWorkers) {
  Fleet fleet;
  operation(*fleet.one, "a").ended[0].add(1);
  operation(*fleet.two, "b");
  operation(*fleet.two, "a").ended[0].add(2);
  operation(*fleet.two, "a").ended[3].add(4);
  operation(*fleet.one, "a").active.add(5);
  operation(*fleet.two, "b").active.add(6);
  operation(*fleet.one, "a").time_to_first_chunk.observe(3ms);
  operation(*fleet.two, "a").time_to_first_chunk.observe(3ms);
  operation(*fleet.two, "a").chunk_interval.observe(1s);
  const model::Exemplar older{{}, {}, 0.003, 100};
  const model::Exemplar newer{{}, {}, 0.0031, 200};
  operation(*fleet.one, "a").time_to_first_chunk.keep(3ms, newer);
  operation(*fleet.two, "a").time_to_first_chunk.keep(3ms, older);
  const auto all = fleet.families();
  const auto& ended = family(all, "websocket_invocations_total");
  EXPECT_EQ(sample(ended, "route=calls,operation=a,status=ok").value, 3);
  EXPECT_EQ(sample(ended, "route=calls,operation=a,status=incomplete").value, 4);
  EXPECT_EQ(sample(ended, "route=calls,operation=b,status=error").value, 0) << "the zero before the one";
  EXPECT_EQ(ended.samples.size(), 8U) << "two operations of one route, four statuses";
  EXPECT_EQ(sample(family(all, "websocket_invocations_active"), "route=calls").value, 11);
  EXPECT_EQ(sample(family(all, "websocket_invocations_active"), "route=chat").value, 0);
  const auto& first = sample(family(all, "websocket_time_to_first_chunk_seconds"), "route=calls,operation=a").histogram;
  EXPECT_EQ(first.counts[5], 2U);
  ASSERT_EQ(first.exemplars.size(), first.counts.size());
  EXPECT_EQ(first.exemplars[5], newer);
  EXPECT_FALSE(first.exemplars[4]);
  const auto& interval = sample(family(all, "websocket_chunk_interval_seconds"), "route=calls,operation=a").histogram;
  EXPECT_NEAR(interval.sum, 1, 1e-9);
  EXPECT_TRUE(interval.exemplars.empty());
}

TEST(Collect, OperationsAreBoundedAndTextWhateverPeersCallThem) {
  Fleet fleet;
  operation(*fleet.one, "x\xff").ended[0].add(1);
  operation(*fleet.one, "x\xfe").ended[0].add(1);
  for (int i = 0; i < 1000; ++i) operation(*fleet.one, "one " + std::to_string(i)).ended[0].add(1);
  for (int i = 0; i < 1000; ++i) operation(*fleet.two, "two " + std::to_string(i)).ended[0].add(1);
  const auto all = fleet.families();
  const auto& ended = family(all, "websocket_invocations_total");
  EXPECT_EQ(sample(ended, "route=calls,operation=x\uFFFD,status=ok").value, 2);
  EXPECT_EQ(sample(ended, "route=calls,operation=one 0,status=ok").value, 1);
  EXPECT_EQ(sample(ended, "route=calls,operation=two 0,status=ok").value, 1) << "no worker crowds out the others";
  EXPECT_EQ(ended.samples.size(), 4 * (model::OperationTable::names + 1));
  double total = 0;
  std::set<std::string> labels;
  for (const auto& s : ended.samples) {
    total += s.value;
    EXPECT_TRUE(labels.insert(text(s)).second) << text(s) << " twice";
  }
  EXPECT_EQ(total, 2002) << "none is lost";
}

TEST(Collect, WhatADialectMakesOfMessages) {
  Fleet fleet;
  fleet.one->dialect_errors[static_cast<std::size_t>(model::DialectError::orphan)].add(1);
  fleet.two->dialect_errors[static_cast<std::size_t>(model::DialectError::orphan)].add(2);
  fleet.one->beats[1].add(3);
  fleet.one->media_messages[0].add(4);
  fleet.one->media_bytes[0].add(5);
  fleet.one->tokens[1].observe(6);
  const auto all = fleet.families();
  EXPECT_EQ(sample(family(all, "sockeye_dialect_errors_total"), "route=calls,kind=orphan").value, 3);
  EXPECT_EQ(sample(family(all, "sockeye_dialect_errors_total"), "route=chat,kind=too_large").value, 0);
  EXPECT_EQ(sample(family(all, "websocket_application_heartbeats_total"), "route=calls,direction=s2c").value, 3);
  EXPECT_EQ(sample(family(all, "websocket_media_messages_total"), "route=calls,direction=c2s").value, 4);
  EXPECT_EQ(sample(family(all, "websocket_media_bytes_total"), "route=calls,direction=c2s").value, 5);
  const auto& tokens = sample(family(all, "gen_ai_client_token_usage"), "route=calls,gen_ai_token_type=output");
  EXPECT_EQ(tokens.histogram.sum, 6);
  EXPECT_EQ(tokens.histogram.bounds.front(), 1);
}

TEST(Collect, ARouteNamedTwiceIsOneRoute) {
  RouteMetrics a;
  RouteMetrics b;
  a.reconnects[0].add(1);
  b.reconnects[0].add(2);
  const std::vector<model::RouteCounters> routes{{"r", {&a}}, {"r", {&b}}};
  const auto all = collect(routes);
  ASSERT_EQ(family(all, "websocket_reconnects_total").samples.size(), a.reconnects.size());
  EXPECT_EQ(sample(family(all, "websocket_reconnects_total"), "route=r,basis=guess").value, 3);
}

TEST(Collect, NamesAreLintCleanAndLabelSetsUnique) {
  Fleet fleet;
  fleet.one->count_close(1000, model::Initiator::client, model::EndReason::normal);
  operation(*fleet.one, "a");
  operation(*fleet.other, "a");
  std::set<std::string> names;
  for (const auto& f : fleet.families()) {
    const std::string name(f.name);
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
    EXPECT_EQ(f.type == MetricType::counter, name.ends_with("_total")) << name;
    EXPECT_FALSE(f.help.empty()) << name;
    // OpenMetrics: the unit is the name's suffix, before _total.
    std::string base = name;
    if (base.ends_with("_total")) base.resize(base.size() - 6);
    const std::string last = base.substr(base.rfind('_') + 1);
    EXPECT_EQ(f.unit, last == "seconds" || last == "bytes" ? last : "") << name;
    std::set<std::string> labels;
    for (const auto& s : f.samples) EXPECT_TRUE(labels.insert(text(s)).second) << name << " {" << text(s) << "} twice";
  }
}

}  // namespace
}  // namespace sockeye::signal
