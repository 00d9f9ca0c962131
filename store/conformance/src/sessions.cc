// Sessions as they are reported and as spans tell of them; points, fleet, closes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "world.h"

namespace sockeye::conformance {
namespace {

using store::Session;
using store::SessionQuery;

constexpr std::uint64_t at(std::uint64_t s) { return noon + s * second; }

Session report(std::uint64_t id, std::uint64_t opened) {
  Session out;
  out.id = session_id(id);
  out.instance = "proxy-1";
  out.service = "gateway";
  out.route = "chat";
  out.client = "10.0.0." + std::to_string(id);
  out.target = "/ws/" + std::to_string(id);
  out.host = "example.org";
  out.opened_unix_ns = opened;
  out.seen_unix_ns = opened;
  return out;
}

Session ended(Session session, std::uint64_t when, const std::string& why, std::uint16_t code) {
  session.ended_unix_ns = session.seen_unix_ns = when;
  session.end_reason = why;
  session.initiator = "client";
  session.close_code = code;
  return session;
}

void write(World& world, std::vector<Session> sessions) {
  Batch batch;
  batch.sessions = std::move(sessions);
  world.must_write(std::move(batch));
}

Session get(World& world, std::uint64_t id) {
  const auto found = world.store().session(session_id(id), soon());
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->has_value());
  return found->value_or(Session{});
}

std::vector<std::uint64_t> find(World& world, const SessionQuery& query) {
  std::vector<std::uint64_t> out;
  for (const auto& each : world.all_sessions(query)) out.push_back(each.id.bytes[15]);
  return out;
}
using Numbers = std::vector<std::uint64_t>;

void everything_of_a_session(World& world) {
  Session was = ended(report(1, at(0)), at(9), "heartbeat_timeout", 1006);
  was.dialect = "mcp";
  was.subprotocol = "<b>mcp</b>";
  was.trace_id = trace_id(5);
  was.initiator = "proxy";
  was.close_reason = "'; DROP TABLE session; --";
  was.messages[0] = 1;
  was.messages[1] = 2;
  was.bytes[0] = UINT32_MAX * 8ULL;
  was.bytes[1] = 4;
  was.misses = 5;
  was.anomalies = 6;
  was.reconnect_of = session_id(99);
  was.recorder = std::string("\0\1\2\xff", 4);
  write(world, {was});
  const Session is = get(world, 1);
  EXPECT_EQ(is.id, was.id);
  for (const auto field : {&Session::instance, &Session::service, &Session::route, &Session::dialect, &Session::client,
                           &Session::target, &Session::host, &Session::subprotocol, &Session::end_reason,
                           &Session::initiator, &Session::close_reason, &Session::recorder})
    EXPECT_EQ(is.*field, was.*field);
  EXPECT_EQ(is.trace_id, was.trace_id);
  EXPECT_EQ(is.opened_unix_ns, was.opened_unix_ns);
  EXPECT_EQ(is.seen_unix_ns, was.seen_unix_ns);
  EXPECT_EQ(is.ended_unix_ns, was.ended_unix_ns);
  EXPECT_EQ(is.close_code, 1006);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(is.messages[i], was.messages[i]);
    EXPECT_EQ(is.bytes[i], was.bytes[i]);
  }
  EXPECT_EQ(is.misses, 5U);
  EXPECT_EQ(is.anomalies, 6U);
  EXPECT_EQ(is.reconnect_of, session_id(99));
  // A list leaves the recorder out.
  const auto all = world.all_sessions({});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].recorder.empty());
  EXPECT_FALSE(world.store().session(session_id(2), soon())->has_value());
}

void a_session_lives_and_ends_once(World& world) {
  Session session = report(1, at(0));
  session.messages[0] = 1;
  write(world, {session});
  EXPECT_FALSE(get(world, 1).ended_unix_ns);
  session.seen_unix_ns = at(5);
  session.messages[0] = 7;
  session.dialect = "mcp";
  write(world, {session});
  EXPECT_EQ(get(world, 1).messages[0], 7U);
  EXPECT_EQ(get(world, 1).dialect, "mcp");
  session = ended(session, at(9), "normal", 1000);
  session.recorder = "flight";
  write(world, {session});
  EXPECT_EQ(get(world, 1).ended_unix_ns, at(9));
  // A report that was under way: it opens nothing again.
  Session late = report(1, at(0));
  late.seen_unix_ns = at(8);
  late.messages[0] = 6;
  write(world, {late});
  const Session is = get(world, 1);
  EXPECT_EQ(is.ended_unix_ns, at(9));
  EXPECT_EQ(is.end_reason, "normal");
  EXPECT_EQ(is.close_code, 1000);
  EXPECT_EQ(is.messages[0], 7U);
  EXPECT_EQ(is.seen_unix_ns, at(9));
  EXPECT_EQ(is.recorder, "flight");
  EXPECT_EQ(world.store().stats().sessions, 1U);
  // Found again at the next start.
  world.close();
  world.open();
  EXPECT_EQ(get(world, 1).end_reason, "normal");
  EXPECT_EQ(world.store().stats().sessions, 1U);
}

Sketch connection(std::uint64_t session) {
  Sketch out{.trace = session,
             .id = session,
             .start = at(1),
             .duration = 10 * second,
             .service = "edge",
             .name = "websocket.connection",
             .kind = 1,
             .session = session};
  out.attributes = {{"sockeye.route", text("span-route")},
                    {"sockeye.dialect", text("mcp")},
                    {"client.address", text("192.0.2.7")},
                    {"url.path", text("/span")},
                    {"server.address", text("span.example")},
                    {"websocket.subprotocol", text("mcp")},
                    {"websocket.messages.sent", integer(3)},
                    {"websocket.messages.received", integer(4)},
                    {"websocket.bytes.sent", integer(300)},
                    {"websocket.bytes.received", integer(400)},
                    {"websocket.close.code", integer(1001)},
                    {"websocket.close.reason", text("going")},
                    {"websocket.close.initiator", text("server")},
                    {"websocket.end_reason", text("normal")},
                    {"websocket.ping.client.missed", integer(1)},
                    {"websocket.ping.upstream.missed", integer(2)},
                    {"websocket.anomalies", integer(5)},
                    {"websocket.reconnect_of", text("00000000-0000-0000-0000-000000000063")}};
  return out;
}

void a_connection_span_tells_of_its_session(World& world) {
  world.must_write(batch_of({connection(1)}));
  const Session is = get(world, 1);
  EXPECT_EQ(is.instance, "");
  EXPECT_EQ(is.service, "edge");
  EXPECT_EQ(is.route, "span-route");
  EXPECT_EQ(is.dialect, "mcp");
  EXPECT_EQ(is.client, "192.0.2.7");
  EXPECT_EQ(is.target, "/span");
  EXPECT_EQ(is.host, "span.example");
  EXPECT_EQ(is.subprotocol, "mcp");
  EXPECT_EQ(is.trace_id, trace_id(1));
  EXPECT_EQ(is.opened_unix_ns, at(1));
  EXPECT_EQ(is.ended_unix_ns, at(11));
  EXPECT_EQ(is.close_code, 1001);
  EXPECT_EQ(is.end_reason, "normal");
  EXPECT_EQ(is.initiator, "server");
  EXPECT_EQ(is.close_reason, "going");
  // The client sends what the service receives.
  EXPECT_EQ(is.messages[0], 4U);
  EXPECT_EQ(is.messages[1], 3U);
  EXPECT_EQ(is.bytes[0], 400U);
  EXPECT_EQ(is.bytes[1], 300U);
  EXPECT_EQ(is.misses, 3U);
  EXPECT_EQ(is.anomalies, 5U);
  EXPECT_EQ(is.reconnect_of, session_id(99));
}

void a_report_wins_over_a_span_where_it_says_something(World& world) {
  // Whichever comes first.
  for (const std::uint64_t id : {1U, 2U}) {
    Session reported = ended(report(id, at(2)), at(12), "reset", 1006);
    reported.messages[0] = 40;
    if (id == 1) write(world, {reported});
    world.must_write(batch_of({connection(id)}));
    if (id == 2) write(world, {reported});
    const Session is = get(world, id);
    EXPECT_EQ(is.instance, "proxy-1") << id;
    EXPECT_EQ(is.route, "chat") << id;
    EXPECT_EQ(is.opened_unix_ns, at(2)) << id;
    EXPECT_EQ(is.ended_unix_ns, at(12)) << id;
    EXPECT_EQ(is.end_reason, "reset") << id;
    EXPECT_EQ(is.close_code, 1006) << id;
    EXPECT_EQ(is.messages[0], 40U) << id;
    // What the report does not say.
    EXPECT_EQ(is.dialect, "mcp") << id;
    EXPECT_EQ(is.subprotocol, "mcp") << id;
    EXPECT_EQ(is.messages[1], 3U) << id;
    EXPECT_EQ(is.close_reason, "going") << id;
  }
  // A span ends what was reported open.
  write(world, {report(3, at(2))});
  world.must_write(batch_of({connection(3)}));
  EXPECT_EQ(get(world, 3).ended_unix_ns, at(11));
  EXPECT_EQ(get(world, 3).end_reason, "normal");
  EXPECT_EQ(get(world, 3).route, "chat");
  // And says how that one ended whose reporter was lost.
  write(world, {ended(report(4, at(2)), at(90), "lost", 0)});
  world.must_write(batch_of({connection(4)}));
  EXPECT_EQ(get(world, 4).ended_unix_ns, at(11));
  EXPECT_EQ(get(world, 4).end_reason, "normal");
}

void every_filter_of_sessions(World& world) {
  Session other = ended(report(3, at(20)), at(25), "reset", 1006);
  other.instance = "proxy-2";
  other.route = "feed";
  other.dialect = "mqtt";
  other.client = "2001:db8::1";
  other.host = "100%_sure.example";
  Session missed = report(4, at(30));
  missed.misses = 1;
  write(world, {ended(report(1, at(0)), at(10), "normal", 1000), report(2, at(5)), other, missed,
                ended(report(5, at(40)), at(40), "drain", 1001), ended(report(6, at(41)), at(100), "idle", 4000)});
  EXPECT_EQ(find(world, {}), (Numbers{6, 5, 4, 3, 2, 1}));
  const auto with = [&](auto change) {
    SessionQuery query;
    query.limit = 2;
    change(query);
    return find(world, query);
  };
  using Q = SessionQuery;
  EXPECT_EQ(with([](Q& q) { q.state = Q::State::open; }), (Numbers{4, 2}));
  EXPECT_EQ(with([](Q& q) { q.state = Q::State::ended; }), (Numbers{6, 5, 3, 1}));
  EXPECT_EQ(with([](Q& q) { q.instance = "proxy-2"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.route = "chat"; }), (Numbers{6, 5, 4, 2, 1}));
  EXPECT_EQ(with([](Q& q) { q.dialect = "mqtt"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.client = "2001:"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.client = "0.0"; }), Numbers{});
  EXPECT_EQ(with([](Q& q) { q.end_reason = "drain"; }), (Numbers{5}));
  EXPECT_EQ(with([](Q& q) { q.text = "ws/4"; }), (Numbers{4}));
  EXPECT_EQ(with([](Q& q) { q.text = "%_sure"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.text = "%"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.text = "' OR 1=1 --"; }), Numbers{});
  EXPECT_EQ(with([](Q& q) { q.abnormal = true; }), (Numbers{4, 3}));
  EXPECT_EQ(with([](Q& q) { q.close_code = std::uint16_t{4000}; }), (Numbers{6}));
  EXPECT_EQ(with([](Q& q) { q.min_duration_ns = 10 * second; }), (Numbers{6, 1}));
  EXPECT_EQ(with([](Q& q) {
              q.max_duration_ns = 5 * second;
              q.state = Q::State::ended;
            }),
            (Numbers{5, 3}));
  // Open at T, and within a range.
  EXPECT_EQ(with([](Q& q) { q.time = {at(7), at(7)}; }), (Numbers{2, 1}));
  EXPECT_EQ(with([](Q& q) { q.time = {at(22), at(22)}; }), (Numbers{3, 2}));
  EXPECT_EQ(with([](Q& q) { q.time = {at(50), at(50)}; }), (Numbers{6, 4, 2}));
  EXPECT_EQ(with([](Q& q) { q.time = {at(200), at(300)}; }), (Numbers{4, 2}));
  EXPECT_EQ(with([](Q& q) { q.time = {0, at(5)}; }), (Numbers{1}));
  EXPECT_EQ(with([](Q& q) { q.time = {at(11), at(21)}; }), (Numbers{3, 2}));
  // By their end: open ones are the latest.
  EXPECT_EQ(with([](Q& q) {
              q.sort = Q::Sort::ended;
              q.state = Q::State::ended;
            }),
            (Numbers{6, 5, 3, 1}));
  const auto by_end = with([](Q& q) { q.sort = Q::Sort::ended; });
  ASSERT_EQ(by_end.size(), 6U);
  EXPECT_EQ(Numbers(by_end.begin() + 2, by_end.end()), (Numbers{6, 5, 3, 1}));
}

void points_of_a_session(World& world) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  Batch batch;
  for (std::uint64_t i = 0; i < 100; ++i) {
    for (const std::uint64_t id : {1U, 257U, 2U}) {  // the first two look alike in their last byte
      store::SessionPoint point;
      point.id = session_id(id);
      point.time_unix_ns = at((i * 37 % 100) * 30);
      point.rtt_seconds[0] = static_cast<float>(id);
      point.rtt_seconds[1] = none;
      point.buffered_bytes[1] = 5;
      point.messages_per_second[0] = 6;
      point.bytes_per_second[1] = static_cast<float>(i * 37 % 100);
      batch.points.push_back(point);
    }
    if (i % 10 == 9) {
      world.must_write(std::move(batch));
      batch = Batch();
    }
  }
  const auto all = world.store().points(session_id(257), {}, soon());
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 100U);
  for (std::size_t i = 0; i < all->size(); ++i) {
    const auto& point = (*all)[i];
    EXPECT_EQ(point.id, session_id(257));
    EXPECT_EQ(point.time_unix_ns, at(i * 30));
    EXPECT_EQ(point.rtt_seconds[0], 257.0F);
    EXPECT_TRUE(std::isnan(point.rtt_seconds[1]));
    EXPECT_EQ(point.buffered_bytes[1], 5.0F);
    EXPECT_EQ(point.messages_per_second[0], 6.0F);
    EXPECT_EQ(point.bytes_per_second[1], static_cast<float>(i));
  }
  EXPECT_EQ(world.store().points(session_id(1), {at(30), at(90)}, soon())->size(), 2U);
  EXPECT_EQ(world.store().points(session_id(1), {at(90), at(30)}, soon())->size(), 0U);
  EXPECT_EQ(world.store().points(session_id(3), {}, soon())->size(), 0U);
}

void the_fleet_over_time(World& world) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  Batch batch;
  for (const char* instance : {"b", "a"})
    for (std::uint64_t i = 0; i < 6; ++i) {
      store::FleetPoint point;
      point.time_unix_ns = at(i * 10);
      point.instance = instance;
      point.route = "chat";
      point.active = 10 + i;
      point.opened = 1;
      point.bytes[1] = 100;
      point.rtt_p50_seconds[0] = i % 2 == 0 ? 0.25F : none;
      point.stuck = i == 2 ? 3 : 0;
      point.buffered_bytes = i == 4 ? 5000 : 10;
      point.rtt_p99_seconds[0] = i == 3 ? 2.5F : i == 0 ? none : 0.5F;
      point.rtt_p99_seconds[1] = none;
      batch.fleet.push_back(point);
    }
  world.must_write(std::move(batch));
  const auto fine = world.store().fleet({.time = {}, .instance = "a"}, soon());
  ASSERT_TRUE(fine);
  ASSERT_EQ(fine->size(), 6U);
  EXPECT_EQ((*fine)[3].time_unix_ns, at(30));
  EXPECT_EQ((*fine)[3].active, 13U);
  EXPECT_EQ((*fine)[3].interval_ms, 10'000U);
  EXPECT_TRUE(std::isnan((*fine)[3].rtt_p50_seconds[0]));
  EXPECT_EQ((*fine)[3].active_min, 13U);
  EXPECT_EQ((*fine)[3].active_max, 13U);
  EXPECT_EQ((*fine)[3].covered_ms, 10'000U);
  store::FleetQuery query;
  query.step_ns = 60 * second;
  const auto coarse = world.store().fleet(query, soon());
  ASSERT_TRUE(coarse);
  ASSERT_EQ(coarse->size(), 2U);
  EXPECT_EQ((*coarse)[0].instance, "a");
  EXPECT_EQ((*coarse)[1].instance, "b");
  const auto& one = coarse->front();
  EXPECT_EQ(one.time_unix_ns, noon);
  EXPECT_EQ(one.interval_ms, 60'000U);
  EXPECT_EQ(one.opened, 6U);
  EXPECT_EQ(one.bytes[1], 600U);
  EXPECT_NEAR(static_cast<double>(one.active), 12.5, 0.5);
  EXPECT_FLOAT_EQ(one.rtt_p50_seconds[0], 0.25F);
  EXPECT_TRUE(std::isnan(one.rtt_p99_seconds[1]));
  // An average hides a peak; the peak is told beside it.
  EXPECT_EQ(one.active_min, 10U);
  EXPECT_EQ(one.active_max, 15U);
  EXPECT_EQ(one.stuck, 1U);
  EXPECT_EQ(one.stuck_max, 3U);
  EXPECT_EQ(one.buffered_bytes_max, 5000U);
  EXPECT_FLOAT_EQ(one.rtt_max_seconds[0], 2.5F);
  EXPECT_TRUE(std::isnan(one.rtt_max_seconds[1]));
  EXPECT_EQ(one.covered_ms, 60'000U);
  // Of the last step only so much is known as was reported.
  query.step_ns = 40 * second;
  const auto partial = world.store().fleet(query, soon());
  ASSERT_TRUE(partial);
  ASSERT_EQ(partial->size(), 4U);
  EXPECT_EQ((*partial)[2].interval_ms, 40'000U);
  EXPECT_EQ((*partial)[0].covered_ms, 40'000U);
  EXPECT_EQ((*partial)[2].covered_ms, 20'000U);
  query.step_ns = 60 * second;
  query.time = {at(10), at(30)};
  query.route = "chat";
  EXPECT_EQ((*world.store().fleet(query, soon()))[0].opened, 2U);
  query.route = "feed";
  EXPECT_TRUE(world.store().fleet(query, soon())->empty());
}

void closes_by_reason_over_time(World& world) {
  write(world, {ended(report(1, at(0)), at(10), "normal", 1000), ended(report(2, at(0)), at(50), "normal", 1000),
                ended(report(3, at(0)), at(55), "reset", 1006), ended(report(4, at(0)), at(70), "normal", 1000),
                report(5, at(0))});
  const auto found = world.store().closes({noon, at(120)}, 60 * second, soon());
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3U);
  const auto count = [&](std::uint64_t time, const std::string& why) -> std::uint64_t {
    for (const auto& each : *found)
      if (each.time_unix_ns == time && each.end_reason == why && each.route == "chat" && each.initiator == "client")
        return each.count;
    return 0;
  };
  EXPECT_EQ(count(noon, "normal"), 2U);
  EXPECT_EQ(count(noon, "reset"), 1U);
  EXPECT_EQ(count(at(60), "normal"), 1U);
  EXPECT_EQ(world.store().closes({at(10), at(55)}, 60 * second, soon())->front().count, 2U);
  EXPECT_TRUE(world.store().closes({at(200), at(300)}, 60 * second, soon())->empty());
}

}  // namespace

std::vector<Case> session_cases() {
  return {{"EverythingOfASession", everything_of_a_session},
          {"ASessionLivesAndEndsOnce", a_session_lives_and_ends_once},
          {"AConnectionSpanTellsOfItsSession", a_connection_span_tells_of_its_session},
          {"AReportWinsOverASpanWhereItSaysSomething", a_report_wins_over_a_span_where_it_says_something},
          {"EveryFilterOfSessions", every_filter_of_sessions},
          {"PointsOfASession", points_of_a_session},
          {"TheFleetOverTime", the_fleet_over_time},
          {"ClosesByReasonOverTime", closes_by_reason_over_time}};
}

}  // namespace sockeye::conformance
