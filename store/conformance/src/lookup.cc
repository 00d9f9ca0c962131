// One word and everything it may mean; opens and ends by step.
#include <tuple>

#include "world.h"

namespace sockeye::conformance {
namespace {

using Place = store::LookupPlace;

store::Session session(const char* id, std::uint64_t opened) {
  store::Session out;
  out.id = *base::parse_session_id(id);
  out.instance = "i-1";
  out.route = "chat";
  out.client = "192.0.2.7:50123";
  out.target = "/graphql?x=1";
  out.opened_unix_ns = out.seen_unix_ns = noon + opened * second;
  return out;
}

std::vector<std::string> values(const store::Lookup& found, Place place) {
  std::vector<std::string> out;
  for (const auto& each : found.places[static_cast<std::size_t>(place)].values) out.push_back(each.value);
  return out;
}

void a_word_and_what_it_may_mean(World& world) {
  const auto look = [&](const store::LookupQuery& query) {
    auto found = world.store().lookup(query, soon());
    EXPECT_TRUE(found);
    return found ? *std::move(found) : store::Lookup();
  };
  EXPECT_TRUE(look({.text = "chat"}).complete);
  auto one = session("0190163d-8694-739b-aea5-966c26f8ad91", 1);
  auto two = session("0190163d-9999-7000-8000-0000aabbccdd", 2);
  two.client = "[2001:db8::1]:9";
  two.route = "calls";
  two.target = "/live";
  two.end.unix_ns = noon + 9 * second;
  two.end.code = 4001;
  two.end.why = "normal";
  two.end.reason = "Token expired";
  auto three = session("0190163e-0000-7000-8000-0000ffffccdd", 3);
  three.client = "192.0.2.9:1";
  Batch batch =
      batch_of({{.trace = 0xabcdef, .name = "tools/list"}, {.trace = 0xabcdff, .id = 2, .name = "Tools/call"}});
  batch.sessions = {one, two, three};
  world.must_write(std::move(batch));
  using Strings = std::vector<std::string>;

  // Ids: the whole, the beginning, the end; the latest first.
  for (const auto* digits : {"0190163d8694739baea5966c26f8ad91", "0190163d8694", "26f8ad91", "c26f8ad91", "ad91"}) {
    const auto found = look({.text = digits, .digits = digits});
    ASSERT_EQ(found.sessions.size(), 1U) << digits;
    EXPECT_EQ(found.sessions[0].id, one.id);
    EXPECT_EQ(found.sessions[0].route, "chat");
  }
  auto found = look({.text = "0190163d", .digits = "0190163d"});
  ASSERT_EQ(found.sessions.size(), 2U);
  EXPECT_EQ(found.sessions[0].id, two.id);
  found = look({.text = "ccdd", .digits = "ccdd", .limit = 1});
  ASSERT_EQ(found.sessions.size(), 1U);
  EXPECT_EQ(found.sessions[0].id, three.id);
  EXPECT_TRUE(found.more_sessions);
  EXPECT_TRUE(look({.text = "deadbeef", .digits = "deadbeef"}).sessions.empty());
  const std::string trace = base::to_hex(trace_id(0xabcdef));
  EXPECT_EQ(look({.text = trace, .digits = trace}).traces, std::vector{trace_id(0xabcdef)});
  const std::string head = trace.substr(0, 30);
  EXPECT_EQ(look({.text = head, .digits = head}).traces.size(),
            base::to_hex(trace_id(0xabcdff)).starts_with(head) ? 2U : 1U);

  // Texts, whatever the case.
  found = look({.text = "GRAPHQL"});
  EXPECT_EQ(values(found, Place::target), Strings{"/graphql?x=1"});
  EXPECT_EQ(found.places[static_cast<std::size_t>(Place::target)].values[0].count, 2U);
  EXPECT_EQ(found.places[static_cast<std::size_t>(Place::target)].values[0].last_unix_ns, noon + 3 * second);
  EXPECT_EQ(values(look({.text = "token"}), Place::close_reason), Strings{"Token expired"});
  EXPECT_EQ(values(look({.text = "4001"}), Place::end), Strings{"4001"});
  EXPECT_EQ(values(look({.text = "ca"}), Place::route), Strings{"calls"});
  EXPECT_EQ(values(look({.text = "I-1"}), Place::instance), Strings{"i-1"});
  EXPECT_EQ(values(look({.text = "192.0.2"}), Place::client), (Strings{"192.0.2.9", "192.0.2.7"}));
  EXPECT_EQ(values(look({.text = "2001:db8"}), Place::client), Strings{"2001:db8::1"});
  found = look({.text = "tools", .limit = 1});
  EXPECT_EQ(values(found, Place::operation).size(), 1U);
  EXPECT_EQ(found.places[static_cast<std::size_t>(Place::operation)].total, 2U);
  EXPECT_EQ(found.places[static_cast<std::size_t>(Place::operation)].values[0].service, "shop");
  found = look({.text = "192.0.2.0/24", .network = store::read_network("192.0.2.0/24")});
  EXPECT_EQ(found.network_sessions, 2U);
  EXPECT_EQ(found.network_last_unix_ns, noon + 3 * second);
  EXPECT_EQ(values(found, Place::client), (Strings{"192.0.2.9", "192.0.2.7"}));
}

using What = std::tuple<std::uint64_t, bool, std::string, std::string, unsigned, std::uint64_t, std::uint64_t>;

void opens_and_ends_by_step(World& world) {
  Batch batch;
  const auto add = [&](std::uint64_t opened, std::uint64_t ended, const char* route, unsigned code,
                       bool again = false) {
    store::Session s = session("0190163d-8694-739b-aea5-966c26f8ad91", opened);
    s.id = session_id(batch.sessions.size() + 1);
    s.route = route;
    if (again) s.reconnect_of = session_id(1);
    if (ended > 0) {
      s.end.unix_ns = noon + ended * second;
      s.end.why = code == 1000 ? "normal" : "reset";
      s.end.code = static_cast<std::uint16_t>(code);
    }
    batch.sessions.push_back(s);
  };
  add(0, 0, "a", 0);
  add(9, 11, "a", 1000, true);
  add(10, 11, "a", 1000);
  add(12, 25, "b", 1006);
  world.must_write(std::move(batch));
  const auto all = [&](const store::HappeningsQuery& query) {
    const auto page = world.store().happenings(query, soon());
    EXPECT_TRUE(page);
    std::vector<What> out;
    if (!page) return out;
    EXPECT_TRUE(page->complete);
    for (const auto& h : page->items) {
      EXPECT_EQ(h.time_unix_ns % query.step_ns, 0U);
      EXPECT_EQ(h.sessions.size(), std::min<std::size_t>(h.count, store::happening_samples));
      out.emplace_back((h.time_unix_ns - noon) / second, h.end, h.route, h.end_reason, h.close_code, h.count,
                       h.reconnects);
    }
    return out;
  };
  EXPECT_EQ(all({}), (std::vector<What>{{0, false, "a", "", 0, 2, 1},
                                        {10, false, "a", "", 0, 1, 0},
                                        {10, false, "b", "", 0, 1, 0},
                                        {10, true, "a", "normal", 1000, 2, 0},
                                        {20, true, "b", "reset", 1006, 1, 0}}));
  EXPECT_EQ(all({.time = {noon + 9 * second, noon + 11 * second}}),
            (std::vector<What>{{0, false, "a", "", 0, 1, 1}, {10, false, "a", "", 0, 1, 0}}));
  EXPECT_EQ(all({.route = "b"}),
            (std::vector<What>{{10, false, "b", "", 0, 1, 0}, {20, true, "b", "reset", 1006, 1, 0}}));
  EXPECT_EQ(all({.instance = "other"}), std::vector<What>{});
  EXPECT_EQ(all({.time = {noon, noon}}), std::vector<What>{});
  const auto one = [&](const store::HappeningsQuery& query, bool last) -> std::optional<std::uint64_t> {
    const auto found = world.store().happening(query, last, soon());
    EXPECT_TRUE(found);
    return found && *found ? std::optional((**found - noon) / second) : std::nullopt;
  };
  EXPECT_EQ(one({}, false), 0U);
  EXPECT_EQ(one({}, true), 25U);
  EXPECT_EQ(one({.time = {noon + 1 * second, noon + 25 * second}}, false), 9U);
  EXPECT_EQ(one({.time = {noon + 1 * second, noon + 25 * second}}, true), 12U);
  EXPECT_EQ(one({.route = "a"}, true), 11U);
  EXPECT_EQ(one({.time = {noon + 13 * second, noon + 25 * second}}, true), std::nullopt);
  EXPECT_EQ(one({.instance = "other"}, false), std::nullopt);
}

void sessions_by_when_they_opened_and_ended(World& world) {
  Batch batch;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    store::Session s = session("0190163d-8694-739b-aea5-966c26f8ad91", i * 10);
    s.id = session_id(i);
    s.client = "10.0." + std::to_string(i) + ".1:5";
    s.target = "/t" + std::to_string(i % 2);
    s.host = "h" + std::to_string(i % 3);
    if (i > 3) s.reconnect_of = session_id(1);
    if (i < 6) {
      s.end.unix_ns = noon + (i * 10 + 5) * second;
      s.end.why = "normal";
      s.end.reason = i % 2 == 0 ? "bye" : "bye for now";
    }
    batch.sessions.push_back(s);
  }
  world.must_write(std::move(batch));
  const auto at = [](std::uint64_t s) { return noon + s * second; };
  const auto found = [&](const store::SessionQuery& query) {
    std::vector<std::uint64_t> out;
    for (const auto& s : world.all_sessions(query))
      for (std::uint64_t i = 1; i <= 6; ++i)
        if (s.id == session_id(i)) out.push_back(i);
    return out;
  };
  using Numbers = std::vector<std::uint64_t>;
  for (const auto sort : {store::SessionQuery::Sort::opened, store::SessionQuery::Sort::ended}) {
    EXPECT_EQ(found({.sort = sort, .opened = {at(20), at(40)}}), (Numbers{3, 2}));
    EXPECT_EQ(found({.sort = sort, .ended = {at(25), at(45)}}), (Numbers{3, 2}));
    EXPECT_EQ(found({.sort = sort, .ended = {at(0), UINT64_MAX - 1}}), (Numbers{5, 4, 3, 2, 1})) << "not the open one";
    EXPECT_EQ(found({.sort = sort, .opened = {at(30), at(60)}, .ended = {at(0), at(50)}}), (Numbers{4, 3}));
    EXPECT_EQ(found({.client = "10.0.4.0/23", .sort = sort}), (Numbers{5, 4}));
    EXPECT_EQ(found({.sort = sort, .reconnects = true}), (Numbers{6, 5, 4}));
    EXPECT_EQ(found({.sort = sort, .target = "/t1", .host = "h2"}), (Numbers{5}));
    EXPECT_EQ(found({.sort = sort, .close_reason = "bye"}), (Numbers{4, 2})) << "the whole of it";
  }
}

}  // namespace

std::vector<Case> lookup_cases() {
  return {{"AWordAndWhatItMayMean", a_word_and_what_it_may_mean},
          {"OpensAndEndsByStep", opens_and_ends_by_step},
          {"SessionsByWhenTheyOpenedAndEnded", sessions_by_when_they_opened_and_ended}};
}

}  // namespace sockeye::conformance
