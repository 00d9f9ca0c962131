// Search, the tape and what changed, over a store that is asked for what happened.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "api.h"
#include "has.h"
#include "store_double.h"

namespace sockeye::console {
namespace {

constexpr std::uint64_t one_second = 1'000'000'000;
constexpr std::uint64_t tape_start = 1'700'000'000ULL * one_second;  // a multiple of ten seconds

class QuestionTest : public testing::Test {
 protected:
  std::string get(const std::string& path, const std::string& query, int status = 200) {
    Request request;
    request.method = "GET";
    request.path = path;
    request.query = query;
    const auto out = answer(api_, request);
    EXPECT_EQ(out.status, status) << path << "?" << query << ": " << out.body;
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(out.body).error(), simdjson::SUCCESS) << out.body;
    return out.body;
  }
  store::Session& add(std::uint64_t opened, std::uint64_t ended = 0, const char* why = "", unsigned code = 0) {
    store::Session s;
    const auto n = ++count_;
    s.id = *base::parse_session_id("0190163d-8694-739b-aea5-000000000000");
    for (unsigned i = 0; i < 4; ++i) s.id.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
    s.instance = "i-1";
    s.route = "chat";
    s.client = "192.0.2." + std::to_string(n % 200) + ":5";
    s.target = "/ws";
    s.opened_unix_ns = tape_start + opened * one_second;
    s.seen_unix_ns = s.opened_unix_ns;
    if (ended > 0) {
      s.end.unix_ns = tape_start + ended * one_second;
      s.end.why = why;
      s.end.code = static_cast<std::uint16_t>(code);
    }
    batch_.sessions.push_back(s);
    return batch_.sessions.back();
  }
  void write() {
    store_.write(std::move(batch_), [](const store::Written&) {});
    batch_ = {};
  }
  static std::string range(std::uint64_t from, std::uint64_t to) {
    return "from_ms=" + std::to_string((tape_start + from * one_second) / 1'000'000) +
           "&to_ms=" + std::to_string((tape_start + to * one_second) / 1'000'000);
  }
  // All pages.
  std::vector<std::string> entries(const std::string& query, std::size_t limit) {
    std::vector<std::string> out;
    std::string cursor;
    do {
      const auto body = get("/api/v1/tape", query + "&limit=" + std::to_string(limit) + "&cursor=" + cursor);
      simdjson::dom::parser parser;
      const auto answer = parser.parse(body);
      std::size_t page = 0;
      for (const auto entry : answer["entries"].get_array()) {
        ++page;
        out.push_back(std::string(entry["kind"].get_string().value()) + " " +
                      std::string(entry["route"].get_string().value()) + " " +
                      std::to_string(entry["count"].get_uint64().value()));
      }
      EXPECT_LE(page, limit);
      cursor = answer["cursor"].get_string().value();
    } while (!cursor.empty() && out.size() < 1000);
    return out;
  }

  const Options options_{};
  test::StoreDouble store_;
  Fleet fleet_;
  Api api_{options_, store_, fleet_, "", "", 1};
  store::Batch batch_;
  std::uint64_t count_ = 0;
};

TEST_F(QuestionTest, the_tape_folds_opens_and_ends_and_names_deaths) {
  for (int i = 0; i < 3; ++i) add(1, 15, "normal", 1000);
  for (int i = 0; i < 7; ++i) add(2, 16, "heartbeat_timeout", 1006);
  add(3, 17, "drain", 1001);
  add(3).route = "calls";
  write();
  const std::vector<std::string> listed = {"opens chat 11", "opens calls 1", "ends chat 3", "death chat 7",
                                           "drain chat 1"};
  const std::string query = range(0, 20) + "&step_seconds=10&order=asc";
  for (const std::size_t limit : {1U, 2U, 3U, 100U}) EXPECT_EQ(entries(query, limit), listed) << limit;
  const std::vector<std::string> back(listed.rbegin(), listed.rend());
  for (const std::size_t limit : {1U, 2U, 100U}) EXPECT_EQ(entries(range(0, 20) + "&step_seconds=10", limit), back);
  EXPECT_EQ(entries(query + "&kind=death&kind=drain", 1), (std::vector<std::string>{"death chat 7", "drain chat 1"}));
  EXPECT_EQ(entries(query + "&route=calls", 5), (std::vector<std::string>{"opens calls 1"}));
  EXPECT_EQ(entries(range(2, 16) + "&step_seconds=10&order=asc", 5),
            (std::vector<std::string>{"opens chat 8", "opens calls 1", "ends chat 3"}))
      << "only what lies in the range";
  const auto body = get("/api/v1/tape", query + "&kind=death");
  for (
      const auto* part :
      {R"x("title":"7 sessions ended: heartbeat_timeout (1006)")x", R"("level":"bad")", R"("instance":"i-1")",
       R"("query":{"ended_from_ms":1700000010000,"ended_to_ms":1700000020000,"route":"chat","end_reason":"heartbeat_timeout","close_code":"1006"})"})
    EXPECT_TRUE(has(body, part)) << part << " in " << body;
}

TEST_F(QuestionTest, what_cannot_be_asked_for_has_no_question) {
  add(1, 11, "normal", 1000).route = "";  // of another's instrumentation
  add(2, 22, "normal", 0);
  add(3, 33, "", 1000);
  write();
  const auto asks = [&](std::uint64_t from) {
    const auto body = get("/api/v1/tape", range(from, from + 10) + "&step_seconds=10");
    simdjson::dom::parser parser;
    const auto answer = parser.parse(body);
    EXPECT_EQ(answer["entries"].at(0)["count"].get_uint64().value(), 1U) << body;
    return !answer["entries"].at(0)["query"].is_null();
  };
  EXPECT_FALSE(asks(10)) << "of no route";
  EXPECT_FALSE(asks(20)) << "without a code";
  EXPECT_FALSE(asks(30)) << "for no reason";
  EXPECT_TRUE(has(
      get("/api/v1/tape", range(0, 10) + "&step_seconds=10&kind=opens"),
      R"("route":"","instance":"i-1","count":1,"level":"info","sessions":["0190163d-8694-739b-aea5-000000000001"],"query":null)"));
}

// Days without anything cost a look each, however short the steps are.
TEST_F(QuestionTest, the_tape_goes_on_to_what_happened_next) {
  constexpr std::uint64_t days = 86'400;
  add(3);
  add(100 * days + 5, 100 * days + 7, "normal", 1000);
  add(300 * days).route = "calls";
  write();
  const std::vector<std::string> listed = {"opens chat 1", "opens chat 1", "ends chat 1", "opens calls 1"};
  const std::string query = range(0, 365 * days) + "&step_seconds=1";
  EXPECT_EQ(entries(query + "&order=asc", 100), listed);
  EXPECT_EQ(entries(query, 100), (std::vector<std::string>(listed.rbegin(), listed.rend())));
  for (const std::size_t limit : {1U, 2U}) EXPECT_EQ(entries(query + "&order=asc", limit), listed);
  EXPECT_EQ(entries(query + "&route=calls", 100), (std::vector<std::string>{"opens calls 1"}));
  EXPECT_LT(store_.happenings_asked + store_.happening_asked, 200);
  store_.happenings_asked = store_.happening_asked = 0;
  EXPECT_EQ(entries(query + "&kind=deploy", 100), std::vector<std::string>{});
  EXPECT_EQ(store_.happenings_asked + store_.happening_asked, 0) << "sessions were not asked for";
}

TEST_F(QuestionTest, no_storm_where_nobody_knows_what_is_usual) {
  for (int i = 0; i < 40; ++i) add(121);
  write();
  const std::string query = range(0, 140) + "&step_seconds=10&kind=storm";
  EXPECT_EQ(entries(query, 10), (std::vector<std::string>{"storm chat 40"}));
  const auto console_from = [&](std::uint64_t from) {
    store::Presence console;
    console.from_unix_ns = console.started_unix_ns = tape_start + from * one_second;
    console.until_unix_ns = tape_start + 200 * one_second;
    batch_.presences.push_back(console);
    write();
  };
  console_from(95);  // two whole steps before
  EXPECT_EQ(entries(query, 10), std::vector<std::string>{});
  auto body = get("/api/v1/changes", range(90, 150));
  EXPECT_TRUE(has(body, R"("missing_seconds":5,"against_missing_seconds":60,)")) << body;
  console_from(85);
  EXPECT_EQ(entries(query, 10), (std::vector<std::string>{"storm chat 40"}));
  store_.kept_since_unix_ns = tape_start + 100 * one_second;
  EXPECT_EQ(entries(query, 10), std::vector<std::string>{}) << "not kept any more";
  body = get("/api/v1/changes", range(90, 150));
  EXPECT_TRUE(has(body, R"("missing_seconds":10,)")) << body;
}

TEST_F(QuestionTest, a_storm_is_far_above_what_is_usual) {
  for (std::uint64_t step = 0; step < 12; ++step)
    for (int i = 0; i < 4; ++i) add(step * 10 + 1);
  for (int i = 0; i < 40; ++i) add(121).reconnect_of = base::parse_session_id("0190163d-8694-739b-aea5-966c26f8ad91");
  for (int i = 0; i < 15; ++i) add(131);
  write();
  EXPECT_EQ(entries(range(0, 140) + "&step_seconds=10&kind=storm", 10), (std::vector<std::string>{"storm chat 40"}));
  const auto body = get("/api/v1/tape", range(100, 140) + "&step_seconds=10&kind=storm");
  EXPECT_TRUE(has(body, R"("title":"40 sessions opened within 10 s, usually 4; 40 are reconnects")")) << body;
  EXPECT_TRUE(has(body, R"("level":"warn")"));
}

// Stretches as a store has them: the page learns who came and went, and an absence is whose it was.
TEST_F(QuestionTest, the_tape_shows_proxies_and_consoles_as_they_come_and_go) {
  using Presence = store::Presence;
  const auto there = [&](const char* instance, const char* version, std::uint64_t from, std::uint64_t until,
                         Presence::End end, const char* host = "host-1") {
    Presence p;
    p.who = *instance == 0 ? Presence::Who::console : Presence::Who::proxy;
    p.instance = instance;
    p.version = version;
    if (*instance != 0) {
      p.service = "bridge";
      p.host = host;
    }
    p.started_unix_ns = p.from_unix_ns = tape_start + from * one_second;
    p.until_unix_ns = tape_start + until * one_second;
    p.end = end;
    batch_.presences.push_back(p);
  };
  // Three consoles: the second after a kill, the third at once after a stop.
  there("", "1.0", 0, 100, Presence::End::none);
  there("", "1.0", 122, 300, Presence::End::stopped);
  there("", "1.1", 300, 2000, Presence::End::none);
  there("a", "1.0", 5, 5, Presence::End::none);  // was there all the time
  there("a", "1.0", 124, 124, Presence::End::none);
  there("a", "1.0", 301, 301, Presence::End::none);
  there("b", "1.0", 6, 50, Presence::End::stopped, "host-2");  // gave way to a later version
  there("c", "2.0", 52, 52, Presence::End::none, "host-2");
  there("c", "2.0", 123, 200, Presence::End::away, "host-2");  // was not heard for half a minute
  there("c", "2.0", 230, 230, Presence::End::none, "host-2");
  there("c", "2.0", 302, 400, Presence::End::lost, "host-2");
  there("d", "1.0", 7, 7, Presence::End::none, "host-3");  // went with the first console, and was never seen again
  write();
  std::vector<std::string> listed;
  const auto listing = [&](const std::string& query) {
    listed.clear();
    simdjson::dom::parser parser;
    const auto answer = parser.parse(get("/api/v1/tape", range(0, 1000) + "&step_seconds=10&order=asc" + query));
    for (const auto entry : answer["entries"].get_array())
      listed.push_back(
          std::to_string((static_cast<std::uint64_t>(entry["time_ms"].get_double().value()) - tape_start / 1'000'000) /
                         1000) +
          " " + std::string(entry["kind"].get_string().value()) + " " +
          std::string(entry["title"].get_string().value()));
    return listed;
  };
  EXPECT_EQ(listing(""),
            (std::vector<std::string>{
                "0 console_start console started (1.0)",
                "5 proxy_up bridge on host-1 connected (1.0)",
                "6 proxy_up bridge on host-2 connected (1.0)",
                "7 proxy_up bridge on host-3 connected (1.0)",
                "50 drain bridge on host-2 drained and stopped",
                "52 deploy bridge on host-2: 1.0 → 2.0",
                "100 console_gap console away for 22 s: of this time is known what the proxies told afterwards",
                "100 proxy_lost bridge on host-3 was not heard any more",
                "122 console_start console started (1.0)",
                "200 proxy_lost bridge on host-2 was not heard any more",
                "230 proxy_up bridge on host-2 is heard again after 30 s",
                "300 console_start console started (1.1)",
                "300 console_stop console stopped",
                "400 proxy_lost bridge on host-2 was not heard any more",
            }));
  EXPECT_EQ(listing("&instance=b"), (std::vector<std::string>{"6 proxy_up bridge on host-2 connected (1.0)",
                                                              "50 drain bridge on host-2 drained and stopped"}));
  EXPECT_EQ(listing("&kind=deploy"), (std::vector<std::string>{"52 deploy bridge on host-2: 1.0 → 2.0"}));
  EXPECT_TRUE(listing("&route=chat").empty()) << "they are of no route";
  EXPECT_TRUE(has(get("/api/v1/tape", range(0, 1000) + "&kind=console_gap"),
                  R"("count":0,"level":"warn","sessions":[],"query":null)"));
}

TEST_F(QuestionTest, the_tape_refuses_what_is_no_question) {
  for (const auto* bad :
       {"kind=nonsense", "cursor=nonsense", "cursor=a.1.2.3.4.5", "limit=0", "limit=1001", "step_seconds=0", "order=up",
        "from_ms=2&to_ms=1", "x=1", "cursor=d.1.zzzzzzzzzzzzz.5yc1z7ep2goko.0.0"})
    get("/api/v1/tape", bad, 400);
  EXPECT_TRUE(has(get("/api/v1/tape", "from_ms=0&to_ms=0"), R"("entries":[],"cursor":"","complete":true)"));
  // Since 1970 in steps of a second: bounded by the deadline, and it says so.
  get("/api/v1/tape", "from_ms=1&step_seconds=2678400");
}

TEST_F(QuestionTest, deaths_share_what_they_share) {
  // 38 of 40 in one minute, of one proxy and network; two elsewhere. Others live, and end well.
  for (int i = 0; i < 38; ++i) {
    auto& s = add(1, 65, "reset", 1006);
    s.instance = "i-2";
    s.client = "203.0.113." + std::to_string(i) + ":9";
  }
  add(1, 300, "reset", 1006).route = "calls";
  add(1, 500, "protocol_error", 1002);
  for (int i = 0; i < 100; ++i) add(2, 600, "normal", 1000);
  for (int i = 0; i < 60; ++i) add(3);
  write();
  const auto body = get("/api/v1/changes", range(0, 900) + "&against_from_ms=1&against_to_ms=2");
  simdjson::dom::parser parser;
  const auto answer = parser.parse(body);
  EXPECT_EQ(answer["deaths"].get_uint64().value(), 40U);
  EXPECT_FALSE(answer["few"].get_bool().value());
  const auto first = answer["cohorts"].at(0);
  EXPECT_EQ(first["count"].get_uint64().value(), 38U) << body;
  EXPECT_EQ(first["of"].get_uint64().value(), 40U);
  EXPECT_EQ(first["against_count"].get_uint64().value(), 0U);
  std::map<std::string, std::string> share;
  std::map<std::string, double> usual;
  for (const auto each : first["share"].get_array()) {
    const std::string name(each["dimension"].get_string().value());
    share[name] = each["value"].get_string().value();
    double value = 0;
    if (each["usual"].get(value) == simdjson::SUCCESS) usual[name] = value;
  }
  EXPECT_EQ(share, (std::map<std::string, std::string>{{"proxy", "i-2"},
                                                       {"client_network", "203.0.113.0/24"},
                                                       {"minute", "2023-11-14T22:14Z"},
                                                       {"end_reason", "reset"},
                                                       {"close_code", "1006"}}))
      << "all share the route: it says nothing";
  EXPECT_NEAR(usual["proxy"], 38.0 / 200, 1e-9);
  EXPECT_TRUE(has(body, R"("instance":"i-2")"));
  EXPECT_TRUE(has(body, R"("client":"203.0.113.0/24")"));
  EXPECT_TRUE(has(body, R"("ended_from_ms":1700000040000,"ended_to_ms":1700000100000)")) << body;
  EXPECT_EQ(answer["cohorts"].get_array().size(), 1U) << "two others are no cohort: " << body;
  EXPECT_EQ(get("/api/v1/changes", range(0, 900) + "&against_from_ms=1&against_to_ms=2"), body) << "the same each time";
  get("/api/v1/changes", "against_from_ms=2&against_to_ms=1", 400);
}

TEST_F(QuestionTest, what_all_sessions_share_hides_nothing) {
  // One proxy, one network, one minute; two routes fail in two ways, the third one works.
  for (int i = 0; i < 6; ++i) add(1, 65, "reset", 1006);
  for (int i = 0; i < 4; ++i) add(1, 66, "heartbeat_timeout", 1001).route = "phones";
  for (int i = 0; i < 10; ++i) add(1).route = "feed";
  write();
  const auto body = get("/api/v1/changes", range(0, 900));
  simdjson::dom::parser parser;
  const auto answer = parser.parse(body);
  std::vector<std::string> listed;
  for (const auto cohort : answer["cohorts"].get_array()) {
    std::string line = std::to_string(cohort["count"].get_uint64().value());
    for (const auto each : cohort["share"].get_array()) line += " " + std::string(each["value"].get_string().value());
    listed.push_back(line);
  }
  EXPECT_EQ(listed, (std::vector<std::string>{"6 chat 2023-11-14T22:14Z reset 1006",
                                              "4 phones 2023-11-14T22:14Z heartbeat_timeout 1001"}))
      << body;
}

TEST_F(QuestionTest, a_minute_alone_is_a_cohort_where_nothing_else_is) {
  const char* reasons[] = {"reset", "limit", "stuck", "protocol_error"};
  for (unsigned i = 0; i < 4; ++i) add(1, 65 + i, reasons[i], 1006 + i).route = "route-" + std::to_string(i);
  for (int i = 0; i < 4; ++i) add(1);
  write();
  const auto body = get("/api/v1/changes", range(0, 900));
  EXPECT_TRUE(
      has(body, R"("cohorts":[{"share":[{"dimension":"minute","value":"2023-11-14T22:14Z","usual":null}],"count":4)"))
      << body;
}

TEST_F(QuestionTest, a_cohort_counts_what_its_query_lists) {
  for (int i = 0; i < 12; ++i) add(1, 65, i % 2 == 0 ? "reset" : "limit", 1006).instance = "i-2";
  for (unsigned i = 0; i < 5; ++i) add(1, 300 + 60 * i, "reset", 1002 + i).instance = "i-" + std::to_string(3 + i);
  for (int i = 0; i < 100; ++i) add(2, 600, "normal", 1000);
  write();
  const auto body = get("/api/v1/changes", range(0, 900) + "&against_from_ms=1&against_to_ms=2");
  simdjson::dom::parser parser;
  const auto answer = parser.parse(body);
  ASSERT_EQ(answer["cohorts"].get_array().size(), 2U) << body;
  const auto first = answer["cohorts"].at(0), second = answer["cohorts"].at(1);
  EXPECT_EQ(first["count"].get_uint64().value(), 12U) << body;
  EXPECT_EQ(first["query"]["instance"].get_string().value(), "i-2");
  EXPECT_EQ(second["query"]["end_reason"].get_string().value(), "reset");
  EXPECT_EQ(second["count"].get_uint64().value(), 11U) << "all that its query lists, those of the first among them";
}

TEST_F(QuestionTest, what_changed_is_of_the_time_that_is_known) {
  const auto point = [&](std::uint64_t at, std::uint32_t interval_s, std::uint32_t covered_s, std::uint64_t active) {
    store::FleetPoint p;
    p.time_unix_ns = tape_start + at * one_second;
    p.interval_ms = interval_s * 1000;
    p.covered_ms = covered_s * 1000;
    p.instance = "i-1";
    p.opened = 10;
    p.active = active;
    batch_.fleet.push_back(p);
    p.instance = "i-2";
    p.opened = 0;
    batch_.fleet.push_back(p);
  };
  point(0, 10, 10, 4);
  point(10, 20, 0, 0);  // nobody saw it: made good afterwards
  point(30, 10, 10, 6);
  write();
  const auto body = get("/api/v1/changes", range(0, 45) + "&against_from_ms=1&against_to_ms=2");
  EXPECT_TRUE(has(body, R"("name":"opened_per_second","before":null,"after":0.75)")) << "30 in 40 s: " << body;
  EXPECT_TRUE(has(body, R"("name":"active","before":null,"after":10)"))
      << "of two proxies, while they were seen: " << body;
}

TEST_F(QuestionTest, few_deaths_are_said_to_be_few) {
  add(1, 2, "reset", 1006);
  add(1, 2, "reset", 1006);
  write();
  const auto body = get("/api/v1/changes", range(0, 900));
  EXPECT_TRUE(has(
      body, R"("deaths":2,"against_deaths":0,"missing_seconds":0,"against_missing_seconds":0,"few":true,"cohorts":[])"))
      << body;
}

TEST_F(QuestionTest, a_search_answers_by_kind) {
  add(1, 5, "reset", 1006).trace_id.bytes[0] = 0xAB;
  write();
  const auto groups = [&](const std::string& q) {
    const auto body = get("/api/v1/search", "q=" + q);
    std::set<std::string> out;
    simdjson::dom::parser parser;
    for (const auto group : parser.parse(body)["groups"].get_array()) {
      EXPECT_GT(group["items"].get_array().size(), 0U);
      out.insert(std::string(group["kind"].get_string().value()));
    }
    return out;
  };
  using Kinds = std::set<std::string>;
  for (const auto* id :
       {"0190163d-8694-739b-aea5-000000000001", "0190163D8694739BAEA5000000000001", "00000001", "0190163d"})
    EXPECT_EQ(groups(id), Kinds{"session"}) << id;
  EXPECT_EQ(groups("CHAT"), Kinds{"route"});
  EXPECT_EQ(groups("/ws"), Kinds{"target"});
  EXPECT_EQ(groups("192.0.2.0/24"), (Kinds{"network", "client"}));
  EXPECT_EQ(groups("reset"), Kinds{"close_reason"});
  EXPECT_EQ(groups(""), Kinds{});
  EXPECT_EQ(groups("nothing%20of%20that%20name"), Kinds{});
  const auto body = get("/api/v1/search", "q=192.0.2.1");
  EXPECT_TRUE(has(body, R"("query":{"client":"192.0.2.1/32"})")) << body;
  EXPECT_TRUE(has(get("/api/v1/search", "q=ws"), R"("query":{"target":"/ws"})")) << "and no other that contains it";
  EXPECT_TRUE(
      has(get("/api/v1/search", "q=00000001"), R"("label":"00000001","detail":"chat · 192.0.2.1:5 · /ws · reset")"));
  get("/api/v1/search", "q=" + std::string(600, 'a'), 400);
  get("/api/v1/search", "q=a&limit=0", 400);
  get("/api/v1/search", "q=a&nonsense=1", 400);
}

TEST_F(QuestionTest, a_search_takes_trace_ids_and_whole_contexts) {
  store::Batch batch;
  batch.origins.push_back({"shop", {}, "", "", {}});
  store::Span span;
  span.trace_id = *base::parse_trace_id("5b8efff798038103d269b633813fc60c");
  span.span_id.bytes[0] = 1;
  span.name = "POST /checkout";
  span.start_unix_ns = tape_start + 1 * one_second;
  batch.spans.push_back(span);
  store_.write(std::move(batch), [](const store::Written&) {});
  for (const auto* q : {"5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C", "5b8efff7",
                        "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b170-01",
                        "traceparent:%2000-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b170-01"}) {
    const auto body = get("/api/v1/search", "q=" + std::string(q));
    EXPECT_TRUE(
        has(body, R"({"kind":"trace","total":1,"more":false,"items":[{"id":"5b8efff798038103d269b633813fc60c")"))
        << body;
    EXPECT_TRUE(has(body, R"("detail":"shop · POST /checkout","time_ms":1700000001000)")) << body;
    EXPECT_EQ(has(body, R"("span_id":"eee19b7ec3c1b170")"), std::string(q).find("eee1") != std::string::npos);
  }
}

}  // namespace
}  // namespace sockeye::console
