// Sessions as they are reported and as spans tell of them; points, fleet, closes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

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
  session.end.unix_ns = session.seen_unix_ns = when;
  session.end.why = why;
  session.end.initiator = "client";
  session.end.code = code;
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
  was.end.initiator = "proxy";
  was.end.reason = "'; DROP TABLE session; --";
  was.messages[0] = 1;
  was.messages[1] = 2;
  was.bytes[0] = UINT32_MAX * 8ULL;
  was.bytes[1] = 4;
  was.missed_total = 5;
  was.anomalies = 6;
  was.reconnect_of = session_id(99);
  was.recorder = std::string("\0\1\2\xff", 4);
  write(world, {was});
  const Session is = get(world, 1);
  EXPECT_EQ(is.id, was.id);
  EXPECT_EQ(is.instance, was.instance);
  EXPECT_EQ(is.service, was.service);
  EXPECT_EQ(static_cast<const model::SessionFacts&>(is), was);
  EXPECT_EQ(is.dialect, was.dialect);
  EXPECT_EQ(is.end, was.end);
  EXPECT_EQ(is.recorder, was.recorder);
  EXPECT_EQ(is.seen_unix_ns, was.seen_unix_ns);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(is.messages[i], was.messages[i]);
    EXPECT_EQ(is.bytes[i], was.bytes[i]);
  }
  EXPECT_EQ(is.missed_total, 5U);
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
  EXPECT_FALSE(get(world, 1).ended());
  session.seen_unix_ns = at(5);
  session.messages[0] = 7;
  session.dialect = "mcp";
  write(world, {session});
  EXPECT_EQ(get(world, 1).messages[0], 7U);
  EXPECT_EQ(get(world, 1).dialect, "mcp");
  session = ended(session, at(9), "normal", 1000);
  session.recorder = "flight";
  write(world, {session});
  EXPECT_EQ(get(world, 1).end.unix_ns, at(9));
  // A report that was under way: it opens nothing again.
  Session late = report(1, at(0));
  late.seen_unix_ns = at(8);
  late.messages[0] = 6;
  write(world, {late});
  const Session is = get(world, 1);
  EXPECT_EQ(is.end.unix_ns, at(9));
  EXPECT_EQ(is.end.why, "normal");
  EXPECT_EQ(is.end.code, 1000);
  EXPECT_EQ(is.messages[0], 7U);
  EXPECT_EQ(is.seen_unix_ns, at(9));
  EXPECT_EQ(is.recorder, "flight");
  EXPECT_EQ(world.store().stats().sessions, 1U);
  // Found again at the next start.
  world.reopen();
  EXPECT_EQ(get(world, 1).end.why, "normal");
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
  EXPECT_EQ(is.end.unix_ns, at(11));
  EXPECT_EQ(is.end.code, 1001);
  EXPECT_EQ(is.end.why, "normal");
  EXPECT_EQ(is.end.initiator, "server");
  EXPECT_EQ(is.end.reason, "going");
  // The client sends what the service receives.
  EXPECT_EQ(is.messages[0], 4U);
  EXPECT_EQ(is.messages[1], 3U);
  EXPECT_EQ(is.bytes[0], 400U);
  EXPECT_EQ(is.bytes[1], 300U);
  EXPECT_EQ(is.missed_total, 3U);
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
    EXPECT_EQ(is.end.unix_ns, at(12)) << id;
    EXPECT_EQ(is.end.why, "reset") << id;
    EXPECT_EQ(is.end.code, 1006) << id;
    EXPECT_EQ(is.messages[0], 40U) << id;
    // What the report does not say.
    EXPECT_EQ(is.dialect, "mcp") << id;
    EXPECT_EQ(is.subprotocol, "mcp") << id;
    EXPECT_EQ(is.messages[1], 3U) << id;
    EXPECT_EQ(is.end.reason, "going") << id;
  }
  // A span ends what was reported open.
  Session early = report(3, at(2));
  early.missed_total = 1;
  write(world, {early});
  world.must_write(batch_of({connection(3)}));
  EXPECT_EQ(get(world, 3).missed_total, 3U) << "what came behind the report";
  EXPECT_EQ(get(world, 3).end.unix_ns, at(11));
  EXPECT_EQ(get(world, 3).end.why, "normal");
  EXPECT_EQ(get(world, 3).route, "chat");
  // And says how that one ended whose reporter was lost.
  write(world, {ended(report(4, at(2)), at(90), "lost", 0)});
  world.must_write(batch_of({connection(4)}));
  EXPECT_EQ(get(world, 4).end.unix_ns, at(11));
  EXPECT_EQ(get(world, 4).end.why, "normal");
  // Which of the two comes first is the same.
  write(world, {report(5, at(2))});
  world.must_write(batch_of({connection(5)}));
  write(world, {ended(report(5, at(2)), at(90), "lost", 1006)});
  EXPECT_EQ(get(world, 5).end.unix_ns, at(11));
  EXPECT_EQ(get(world, 5).end.why, "normal");
  EXPECT_EQ(get(world, 5).end.code, 1001);
}

void every_filter_of_sessions(World& world) {
  Session other = ended(report(3, at(20)), at(25), "reset", 1006);
  other.instance = "proxy-2";
  other.route = "feed";
  other.dialect = "mqtt";
  other.client = "2001:db8::1";
  other.host = "100%_sure.example";
  Session missed = report(4, at(30));
  missed.missed_total = 1;
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
  EXPECT_EQ(with([](Q& q) { q.text = "WS/4"; }), (Numbers{4})) << "as the live list is searched";
  EXPECT_EQ(with([](Q& q) {
              q.text = "Example.ORG";
              q.sort = Q::Sort::messages;
            }).size(),
            5U);
  EXPECT_EQ(with([](Q& q) { q.text = "%_sure"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.text = "%"; }), (Numbers{3}));
  EXPECT_EQ(with([](Q& q) { q.text = "' OR 1=1 --"; }), Numbers{});
  EXPECT_EQ(with([](Q& q) { q.abnormal = true; }), (Numbers{6, 3}));
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

void sessions_in_any_order(World& world) {
  // Number n: opened at 100 - n, lives n % 7 · 10 s, n % 5 messages, n % 3 misses; every fourth is open.
  std::vector<Session> all;
  for (std::uint64_t n = 1; n <= 60; ++n) {
    Session one = report(n, at(100 - n));
    one.seen_unix_ns = one.opened_unix_ns + n % 7 * 10 * second;
    if (n % 4 != 0) one = ended(one, one.seen_unix_ns, "normal", 1000);
    one.messages[n % 2] = n % 5;
    one.bytes[0] = 1000 * n;
    one.missed_total = n % 3;
    all.push_back(one);
  }
  write(world, all);
  using Sort = SessionQuery::Sort;
  const auto rank = [](const Session& s, Sort sort) -> std::uint64_t {
    switch (sort) {
      case Sort::opened:
        return s.opened_unix_ns;
      case Sort::ended:
        return s.ended() ? s.end.unix_ns : UINT64_MAX;
      case Sort::duration:
        return (s.ended() ? s.end.unix_ns : s.seen_unix_ns) - s.opened_unix_ns;
      case Sort::messages:
        return s.messages[0] + s.messages[1];
      case Sort::bytes:
        return s.bytes[0] + s.bytes[1];
      case Sort::misses:
        return s.missed_total;
    }
    return 0;
  };
  for (const auto sort : {Sort::opened, Sort::ended, Sort::duration, Sort::messages, Sort::bytes, Sort::misses}) {
    for (const bool ascending : {false, true}) {
      SessionQuery query;
      query.sort = sort;
      query.ascending = ascending;
      query.limit = 7;
      const auto found = world.all_sessions(query);  // page by page
      ASSERT_EQ(found.size(), 60U) << static_cast<int>(sort) << ascending;
      std::set<base::SessionId> once;
      for (std::size_t i = 0; i < found.size(); ++i) {
        once.insert(found[i].id);
        if (i == 0) continue;
        const auto a = rank(found[i - 1], sort), b = rank(found[i], sort);
        EXPECT_TRUE(ascending ? a <= b : a >= b) << static_cast<int>(sort) << ascending << i;
      }
      EXPECT_EQ(once.size(), 60U);
    }
  }
  SessionQuery query;
  query.sort = Sort::messages;
  query.limit = 3;
  query.state = SessionQuery::State::ended;
  query.min_duration_ns = 10 * second;
  query.text = "ws/";
  std::uint64_t expected = 0;
  for (const auto& one : all) expected += one.ended() && one.seen_unix_ns - one.opened_unix_ns >= 10 * second ? 1 : 0;
  const auto page = world.store().sessions(query, soon());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->total, expected) << "the whole range is sorted, and counted, whatever the page";
  EXPECT_EQ(world.all_sessions(query).size(), expected);
}

void sessions_by_attributes(World& world) {
  std::vector<Session> all;
  for (std::uint64_t n = 1; n <= 20; ++n) {
    all.push_back(ended(report(n, at(n)), at(100 + n % 5), "normal", 1000));
    all.back().messages[0] = 100 - n;
    Sketch span{
        .trace = n, .id = n, .start = at(n), .duration = second, .service = "edge", .name = "call", .session = n};
    const std::string user = "u" + std::to_string(n);
    span.attributes = {{"tenant", text(n % 2 == 0 ? "even" : "odd")}, {"user", text(user)}};
    Sketch second_one = span;  // a session is found once all the same
    second_one.id = 100 + n;
    world.must_write(batch_of({span, second_one}));
  }
  write(world, all);
  SessionQuery query;
  query.attributes = {{"tenant", "even"}};
  query.limit = 3;
  EXPECT_EQ(find(world, query), (Numbers{20, 18, 16, 14, 12, 10, 8, 6, 4, 2}));
  query.ascending = true;
  EXPECT_EQ(find(world, query), (Numbers{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
  query.ascending = false;
  query.sort = SessionQuery::Sort::messages;
  EXPECT_EQ(find(world, query), (Numbers{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
  EXPECT_EQ(world.store().sessions(query, soon())->items.size(), 3U) << "the limit holds";
  EXPECT_EQ(world.store().sessions(query, soon())->total, 10U);
  query.attributes.emplace_back("user", "u4");
  EXPECT_EQ(find(world, query), Numbers{4});
  query.attributes = {{"user", ""}};
  query.time = {at(103), at(200)};
  query.sort = SessionQuery::Sort::opened;
  EXPECT_EQ(find(world, query).size(), 8U) << "of those that were open in the range";
  query.attributes = {{"user", "nobody"}};
  EXPECT_TRUE(find(world, query).empty());
}

// What lives is not stored again with every report: it is found and sorted by what is newer.
void open_sessions_as_they_are_now(World& world) {
  std::vector<Session> all;
  for (std::uint64_t n = 1; n <= 9; ++n) all.push_back(report(n, at(n)));
  all.push_back(ended(report(10, at(0)), at(50), "normal", 1000));
  write(world, all);
  // The first six are heard, two were heard last at 20 s, and of the ninth nobody knows more than is stored.
  SessionQuery query;
  query.latest = [](const store::SessionId& id) -> std::optional<store::Latest> {
    const std::uint64_t n = id.bytes[15];
    if (n > 8) return std::nullopt;
    store::Latest out;
    out.seen_unix_ns = n > 6 ? at(20) : UINT64_MAX;
    out.figures.messages[0] = out.figures.bytes[1] = 100 - n;
    out.figures.missed_total = n % 2;
    return out;
  };
  query.now_unix_ns = at(60);
  query.limit = 3;
  query.sort = SessionQuery::Sort::duration;
  EXPECT_EQ(find(world, query), (Numbers{1, 2, 3, 4, 5, 6, 10, 7, 8, 9}));
  query.ascending = true;
  EXPECT_EQ(find(world, query), (Numbers{9, 8, 7, 10, 6, 5, 4, 3, 2, 1}));
  query.sort = SessionQuery::Sort::messages;
  EXPECT_EQ(find(world, query), (Numbers{9, 10, 8, 7, 6, 5, 4, 3, 2, 1}));
  query.sort = SessionQuery::Sort::bytes;
  EXPECT_EQ(find(world, query), (Numbers{9, 10, 8, 7, 6, 5, 4, 3, 2, 1}));
  query.ascending = false;
  query.sort = SessionQuery::Sort::misses;
  EXPECT_EQ(find(world, query), (Numbers{7, 5, 3, 1, 10, 9, 8, 6, 4, 2}));
  for (const auto sort : {SessionQuery::Sort::opened, SessionQuery::Sort::duration}) {
    query.sort = sort;
    query.ascending = false;
    query.min_duration_ns = 51 * second;
    EXPECT_EQ(find(world, query).size(), 6U) << "those that last since before the ninth second";
    query.limit = 50;
    EXPECT_EQ(world.store().sessions(query, soon())->total, 6U);
    query.limit = 3;
    query.min_duration_ns = 0;
    query.max_duration_ns = 13 * second;
    EXPECT_EQ(find(world, query).size(), 3U);
    query.max_duration_ns = UINT64_MAX;
  }
  // All live sessions grow older from page to page: none is passed over, and none is listed twice.
  const auto first = world.store().sessions(query, soon());
  ASSERT_TRUE(first);
  query.cursor = first->cursor;
  query.now_unix_ns = at(100);
  EXPECT_EQ(find(world, query), (Numbers{4, 5, 6, 10, 7, 8, 9}));
}

// One definition for the list, the counts and who asks for a single one.
void abnormal_ends(World& world) {
  Session misses = ended(report(3, at(0)), at(13), "normal", 1000);
  misses.missed_total = 2;
  write(world, {ended(report(1, at(0)), at(11), "normal", 1000), ended(report(2, at(0)), at(12), "drain", 1001), misses,
                ended(report(4, at(0)), at(14), "normal", 1011), ended(report(5, at(0)), at(15), "normal", 4001),
                ended(report(6, at(0)), at(16), "protocol_error", 1002), ended(report(7, at(0)), at(17), "lost", 1006),
                ended(report(8, at(0)), at(18), "heartbeat_timeout", 1001), report(9, at(0)),
                ended(report(10, at(0)), at(19), "normal", 1005)});
  SessionQuery query;
  query.abnormal = true;
  query.limit = 2;
  EXPECT_EQ(find(world, query), (Numbers{8, 7, 6, 5, 4}));
  query.sort = SessionQuery::Sort::ended;
  query.state = SessionQuery::State::ended;
  EXPECT_EQ(find(world, query), (Numbers{8, 7, 6, 5, 4}));
  EXPECT_EQ(store::abnormal(get(world, 4)), "1011 server error");
  EXPECT_EQ(store::abnormal(get(world, 5)), "4001 application error");
  EXPECT_EQ(store::abnormal(get(world, 6)), "protocol error");
  EXPECT_EQ(store::abnormal(get(world, 7)), "proxy lost");
  EXPECT_EQ(store::abnormal(get(world, 8)), "heartbeat timeout");
  for (const std::uint64_t n : {1U, 2U, 3U, 9U, 10U}) EXPECT_EQ(store::abnormal(get(world, n)), "") << n;
  const auto closes = world.store().closes({.time = {noon, at(120)}, .step_ns = 60 * second}, soon());
  ASSERT_TRUE(closes);
  std::uint64_t calm = 0, abnormal = 0;
  for (const auto& each : *closes) (each.abnormal.empty() ? calm : abnormal) += each.count;
  EXPECT_EQ(calm, 4U);
  EXPECT_EQ(abnormal, 5U);
  // What was lost and then found to have ended well is not abnormal any more.
  world.must_write(batch_of({connection(7)}));
  EXPECT_EQ(find(world, query), (Numbers{8, 6, 5, 4}));
}

// Whoever looks at the console is no session of the fleet.
void the_consoles_own_page_is_no_session(World& world) {
  Sketch page = connection(1);
  page.attributes.emplace_back("sockeye.vantage", text("console"));
  world.must_write(batch_of({page}));
  EXPECT_FALSE(world.store().session(session_id(1), soon())->has_value());
  EXPECT_TRUE(world.store().closes({.time = {noon, at(120)}, .step_ns = 60 * second}, soon())->empty());
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
      point.missing_pongs = i == 2 ? 3 : 0;
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
  // An average hides a peak; the peak stands beside it.
  EXPECT_EQ(one.active_min, 10U);
  EXPECT_EQ(one.active_max, 15U);
  EXPECT_EQ(one.missing_pongs, 1U);
  EXPECT_EQ(one.missing_pongs_max, 3U);
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
  // Counts that were made good after a gap: of what is measured nothing is known then.
  store::FleetPoint unseen;
  unseen.time_unix_ns = at(60);
  unseen.instance = "a";
  unseen.route = "chat";
  unseen.opened = 50;
  unseen.covered_ms = 0;
  unseen.interval_ms = 20'000;
  store::FleetPoint after = unseen;
  after.time_unix_ns = at(80);
  after.active = 40;
  after.covered_ms = 7'000;
  after.interval_ms = 10'000;
  Batch more;
  more.fleet = {unseen, after};
  world.must_write(std::move(more));
  const auto gap = world.store().fleet({.time = {at(60), at(90)}, .instance = "a"}, soon());
  ASSERT_TRUE(gap);
  ASSERT_EQ(gap->size(), 2U);
  EXPECT_EQ((*gap)[0].opened, 50U);
  EXPECT_EQ((*gap)[0].covered_ms, 0U);
  EXPECT_EQ((*gap)[0].interval_ms, 20'000U);
  EXPECT_TRUE(std::isnan((*gap)[0].rtt_max_seconds[0]));
  EXPECT_EQ((*gap)[1].covered_ms, 7'000U);
  const auto over = world.store().fleet({.time = {at(60), at(90)}, .instance = "a", .step_ns = 60 * second}, soon());
  EXPECT_EQ(over->front().opened, 100U);
  EXPECT_EQ(over->front().active, 40U) << "the mean of what was seen";
  EXPECT_EQ(over->front().active_min, 40U);
  EXPECT_EQ(over->front().covered_ms, 7'000U);
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
  const auto found = world.store().closes({.time = {noon, at(120)}, .step_ns = 60 * second}, soon());
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
  EXPECT_EQ(world.store().closes({.time = {at(10), at(55)}, .step_ns = 60 * second}, soon())->front().count, 2U);
  EXPECT_TRUE(world.store().closes({.time = {at(200), at(300)}, .step_ns = 60 * second}, soon())->empty());
  store::ClosesQuery one{.time = {noon, at(120)}, .route = "chat"};
  EXPECT_EQ(world.store().closes(one, soon())->size(), 2U) << "normal, and reset";
  one.instance = get(world, 1).instance;
  EXPECT_EQ(world.store().closes(one, soon())->size(), 2U);
  for (auto* which : {&one.route, &one.instance}) {
    const std::string before = std::exchange(*which, "another");
    EXPECT_TRUE(world.store().closes(one, soon())->empty());
    *which = before;
  }
}

void presences_and_totals(World& world) {
  store::Presence run, proxy;
  run.from_unix_ns = run.started_unix_ns = at(0);
  run.until_unix_ns = at(10);
  run.version = "1.0";
  proxy.who = store::Presence::Who::proxy;
  proxy.instance = "i-1";
  proxy.service = "gate";
  proxy.host = "h";
  proxy.started_unix_ns = at(1);
  proxy.from_unix_ns = proxy.until_unix_ns = at(2);
  store::RouteTotals totals{"i-1", "chat", at(10), {1, 2, 3, 4, 5, 6, 7, 8, UINT64_MAX}};
  Batch batch;
  batch.presences = {proxy, run};
  batch.totals = {totals};
  world.must_write(std::move(batch));
  // It went on, and it ended.
  run.until_unix_ns = at(20);
  proxy.until_unix_ns = at(18);
  proxy.end = store::Presence::End::away;
  auto again = proxy;
  again.from_unix_ns = again.until_unix_ns = at(30);
  again.end = store::Presence::End::none;
  totals.time_unix_ns = at(20);
  totals.counts[0] = 9;
  batch = Batch();
  batch.presences = {run, proxy, again};
  batch.totals = {totals, {"i-1", "feed", at(20), {}}};
  world.must_write(std::move(batch));
  // One that comes late changes nothing.
  batch = Batch();
  batch.totals = {{"i-1", "chat", at(10), {}}};
  world.must_write(std::move(batch));
  world.reopen();
  const auto all = world.store().presences({}, soon());
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ((*all)[0].who, store::Presence::Who::console);
  EXPECT_EQ((*all)[0].version, "1.0");
  EXPECT_EQ((*all)[0].until_unix_ns, at(20));
  EXPECT_EQ((*all)[0].end, store::Presence::End::none);
  EXPECT_EQ((*all)[1].instance, "i-1");
  EXPECT_EQ((*all)[1].service, "gate");
  EXPECT_EQ((*all)[1].host, "h");
  EXPECT_EQ((*all)[1].started_unix_ns, at(1));
  EXPECT_EQ((*all)[1].from_unix_ns, at(2));
  EXPECT_EQ((*all)[1].until_unix_ns, at(18));
  EXPECT_EQ((*all)[1].end, store::Presence::End::away);
  EXPECT_EQ(world.store().presences({at(19), at(25)}, soon())->size(), 1U);
  EXPECT_EQ(world.store().presences({at(25), at(31)}, soon())->size(), 1U);
  const auto last = world.store().totals(soon());
  ASSERT_TRUE(last);
  ASSERT_EQ(last->size(), 2U);
  const auto& chat = (*last)[(*last)[0].route == "chat" ? 0 : 1];
  EXPECT_EQ(chat.time_unix_ns, at(20));
  EXPECT_EQ(chat.counts, totals.counts);
}

}  // namespace

std::vector<Case> session_cases() {
  return {{"EverythingOfASession", everything_of_a_session},
          {"ASessionLivesAndEndsOnce", a_session_lives_and_ends_once},
          {"AConnectionSpanTellsOfItsSession", a_connection_span_tells_of_its_session},
          {"AReportWinsOverASpanWhereItSaysSomething", a_report_wins_over_a_span_where_it_says_something},
          {"EveryFilterOfSessions", every_filter_of_sessions},
          {"SessionsInAnyOrder", sessions_in_any_order},
          {"SessionsByAttributes", sessions_by_attributes},
          {"OpenSessionsAsTheyAreNow", open_sessions_as_they_are_now},
          {"AbnormalEnds", abnormal_ends},
          {"TheConsolesOwnPageIsNoSession", the_consoles_own_page_is_no_session},
          {"PointsOfASession", points_of_a_session},
          {"TheFleetOverTime", the_fleet_over_time},
          {"PresencesAndTotals", presences_and_totals},
          {"ClosesByReasonOverTime", closes_by_reason_over_time}};
}

}  // namespace sockeye::conformance
