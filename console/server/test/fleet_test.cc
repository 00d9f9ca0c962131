#include "fleet.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <map>

namespace sockeye::console {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 1'700'000'000 * second;  // a multiple of ten seconds

base::SessionId id(std::uint64_t n) {
  base::SessionId out;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  out.bytes[0] = 1;
  return out;
}

live::Hello hello(const std::string& instance = "i-1", std::uint64_t started = start) {
  live::Hello out;
  out.instance = instance;
  out.service = "gate";
  out.host = "h";
  out.started_unix_ns = started;
  return out;
}

model::SessionFacts opened(std::uint64_t n, std::uint64_t at = start) {
  model::SessionFacts out;
  out.id = id(n);
  out.route = "r";
  out.client = "192.0.2." + std::to_string(n % 250) + ":1";
  out.target = "/Chat/" + std::to_string(n);
  out.host = "example.com";
  out.opened_unix_ns = at;
  return out;
}

model::SessionUpdate changed(std::uint64_t n, std::uint64_t messages = 0, std::uint64_t bytes = 0) {
  model::SessionUpdate out;
  out.id = id(n);
  out.figures.messages = {messages, 0};
  out.figures.bytes = {bytes, 0};
  return out;
}

live::Ended ended(std::uint64_t n, std::string why = "normal", std::uint64_t at = start + second) {
  live::Ended out;
  out.last = changed(n, 3, 30);
  out.end.unix_ns = at;
  out.end.code = why == "normal" ? 1000 : 1006;
  out.end.why = std::move(why);
  out.end.initiator = "client";
  return out;
}

live::Report greeting(const std::string& instance = "i-1", bool all_reported = true) {
  live::Report out;
  out.hello = hello(instance);
  out.all_reported = all_reported;
  return out;
}

// What a test says to a fleet must be taken.
void deliver(Fleet& fleet, Fleet::Link link, live::Report report, std::uint64_t now) {
  report.time_unix_ns = now;
  const auto taken = fleet.apply(link, std::move(report), now);
  ASSERT_TRUE(taken) << taken.error().message;
}
void open(Fleet& fleet, Fleet::Link link, std::initializer_list<std::uint64_t> sessions, std::uint64_t now) {
  live::Report report;
  for (const auto n : sessions) {
    report.opened.push_back(opened(n, now));
    report.changed.push_back(changed(n));
  }
  deliver(fleet, link, std::move(report), now);
}
void change(Fleet& fleet, Fleet::Link link, model::SessionUpdate what, std::uint64_t now) {
  live::Report report;
  report.changed.push_back(std::move(what));
  deliver(fleet, link, std::move(report), now);
}

std::vector<std::uint64_t> numbers(const Window& window) {
  std::vector<std::uint64_t> out;
  for (const auto& each : window.sessions)
    out.push_back((std::uint64_t{each.session.id.bytes[14]} << 8U) + each.session.id.bytes[15]);
  return out;
}

using State = ProxyNow::State;
constexpr std::uint64_t silence = Fleet::silence_ns;

const store::Session* find(const store::Batch& batch, std::uint64_t n) {
  for (const auto& each : batch.sessions)
    if (each.id == id(n)) return &each;
  return nullptr;
}

TEST(Fleet, wants_hello_first) {
  Fleet fleet;
  live::Report report;
  report.opened.push_back(opened(1));
  EXPECT_FALSE(fleet.apply(1, live::Report(report), start));
  EXPECT_FALSE(fleet.knows(id(1)));
  report.hello = hello("");
  EXPECT_FALSE(fleet.apply(1, live::Report(report), start));
  report.hello = hello();
  EXPECT_TRUE(fleet.apply(1, live::Report(report), start));
  EXPECT_TRUE(fleet.knows(id(1)));
  EXPECT_FALSE(fleet.apply(2, live::Report(), start)) << "hello is of one connection";
}

TEST(Fleet, a_connection_is_one_proxys) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  EXPECT_FALSE(fleet.apply(1, greeting("b"), start));
  EXPECT_EQ(fleet.proxies(start).size(), 1U);
}

TEST(Fleet, the_newer_connection_of_a_proxy_counts) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  deliver(fleet, 2, greeting(), start + silence + second);
  EXPECT_FALSE(fleet.apply(1, live::Report(), start + silence + second));
  fleet.lost(1, start + silence + 2 * second);
  ASSERT_EQ(fleet.proxies(start + silence + 2 * second).size(), 1U);
  EXPECT_EQ(fleet.proxies(start + silence + 2 * second)[0].state, State::connected);
}

TEST(Fleet, an_instance_that_is_heard_is_nobody_elses) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  const auto refused = fleet.apply(2, greeting(), start + second);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("over another connection"), std::string::npos);
  fleet.lost(2, start + second);
  live::Report stolen = greeting("i-2");
  stolen.opened.push_back(opened(1));
  deliver(fleet, 3, stolen, start + second);
  EXPECT_EQ(fleet.session(id(1), start + second)->session.instance, "i-1");
  EXPECT_TRUE(fleet.apply(1, live::Report(), start + second));
  // Its connection broke: nobody else has it, and it may be back at once.
  fleet.lost(1, start + 2 * second);
  EXPECT_TRUE(fleet.apply(4, greeting(), start + 2 * second));
}

live::Report wide(std::uint64_t from, std::uint64_t count, std::size_t text) {
  live::Report report;
  for (std::uint64_t n = from; n < from + count; ++n) {
    report.opened.push_back(opened(n));
    report.opened.back().target = std::string(text, 'x');
  }
  return report;
}

TEST(Fleet, holds_so_many_bytes_of_one_proxy) {
  constexpr std::size_t limit = 3 << 20;
  Fleet fleet("", limit);
  deliver(fleet, 1, greeting(), start);
  for (std::uint64_t n = 0; n < 10'000; n += 100) deliver(fleet, 1, wide(n, 100, 2000), start);
  EXPECT_LE(fleet.held_now(), limit / 3 * 2);
  EXPECT_GT(fleet.held_now(), limit / 3);
  EXPECT_GT(fleet.not_kept().sessions, 8000U);
  EXPECT_TRUE(fleet.knows(id(0)));
  EXPECT_FALSE(fleet.knows(id(9999)));
  // What it may hold is free again when sessions end.
  live::Report ends;
  for (std::uint64_t n = 0; n < 500; ++n)
    ends.ended.push_back({changed(n, 1), {start, 1000, "normal", "client", ""}, {}});
  deliver(fleet, 1, ends, start);
  deliver(fleet, 1, wide(20'000, 10, 2000), start);
  EXPECT_TRUE(fleet.knows(id(20'009)));
  fleet.lost(1, start, true);
  EXPECT_EQ(fleet.held_now(), 0U);
}

TEST(Fleet, who_holds_most_makes_room) {
  constexpr std::size_t limit = 3 << 20;
  Fleet fleet("", limit);
  for (const std::uint64_t link : {1, 2}) {
    deliver(fleet, link, greeting("greedy-" + std::to_string(link)), start);
    for (std::uint64_t n = 0; n < 2000; n += 100) deliver(fleet, link, wide(link * 100'000 + n, 100, 2000), start);
  }
  EXPECT_LE(fleet.held_now(), limit);
  deliver(fleet, 3, greeting("modest"), start);
  deliver(fleet, 3, wide(900'000, 50, 100), start);
  for (std::uint64_t n = 900'000; n < 900'050; ++n) EXPECT_TRUE(fleet.knows(id(n))) << n;
  EXPECT_LE(fleet.held_now(), limit);
}

TEST(Fleet, keeps_so_many_bytes_of_ends_and_collects_so_many) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  constexpr std::size_t text = 20'000, rounds = 2 * Fleet::most_unwritten_bytes / text;
  for (std::uint64_t n = 0; n < rounds; ++n) {
    auto report = wide(n, 1, text);
    report.ended.push_back({changed(n, 1), {start, 1000, "normal", "client", ""}, {}});
    deliver(fleet, 1, report, start);
  }
  EXPECT_GT(fleet.not_kept().ends, rounds / 3);
  EXPECT_EQ(fleet.held_now(), 0U);
  const auto batch = fleet.collect_ends(start);
  EXPECT_LE(batch.sessions.size() * text, Fleet::most_unwritten_bytes);
  fleet.stored(Fleet::receipt(batch));
  for (std::uint64_t n = 0; n < rounds; ++n) deliver(fleet, 1, wide(rounds + n, 1, text), start);
  std::size_t collected = 0, times = 0;
  for (std::uint64_t now = start; collected < rounds && times < 10; ++times, now += 2 * second) {
    const auto open = fleet.collect(now);
    EXPECT_LE(open.sessions.size() * text, Fleet::most_collected_bytes + text);
    collected += open.sessions.size();
  }
  EXPECT_EQ(collected, rounds);
  EXPECT_GT(times, 1U);
}

TEST(Fleet, a_proxy_with_long_names_or_a_long_dialect_is_not_taken) {
  Fleet fleet;
  EXPECT_FALSE(fleet.apply(1, greeting(std::string(Fleet::longest_name + 1, 'i')), start));
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  auto now = changed(1, 1);
  now.figures.dialect = std::string(Fleet::longest_dialect + 1, 'd');
  change(fleet, 1, now, start);
  EXPECT_EQ(fleet.session(id(1), start)->session.dialect, "");
}

TEST(Fleet, a_session_opens_changes_and_ends) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start + second);
  auto now = changed(1, 20, 1000);
  now.figures.dialect = "graphql";
  now.figures.rtt_ns[1] = 5'000'000;
  now.figures.state = model::SessionState::closing;
  change(fleet, 1, now, start + 3 * second);

  const auto session = fleet.session(id(1), start + 3 * second);
  ASSERT_TRUE(session && session->live);
  EXPECT_EQ(session->session.instance, "i-1");
  EXPECT_EQ(session->session.service, "gate");
  EXPECT_EQ(session->session.dialect, "graphql");
  EXPECT_EQ(session->session.messages[0], 20U);
  EXPECT_EQ(session->session.state, model::SessionState::closing);
  EXPECT_DOUBLE_EQ(session->live->messages_per_second[0], 10);  // in the two seconds since the report before
  EXPECT_DOUBLE_EQ(session->live->bytes_per_second[0], 500);
  EXPECT_FALSE(session->session.rtt_ns[0]);
  EXPECT_EQ(session->session.rtt_ns[1], 5'000'000U);
  // It is not in the reports that follow: it does nothing.
  EXPECT_DOUBLE_EQ(fleet.session(id(1), start + 6 * second)->live->messages_per_second[0], 0);

  auto batch = fleet.collect(start + 4 * second);
  ASSERT_NE(find(batch, 1), nullptr);
  EXPECT_FALSE(find(batch, 1)->ended());
  EXPECT_EQ(find(fleet.collect(start + 6 * second), 1), nullptr) << "nothing new for the store";

  live::Report last;
  last.ended.push_back(ended(1, "reset", start + 7 * second));
  last.ended[0].recorder.resize(2);
  deliver(fleet, 1, last, start + 7 * second);
  EXPECT_FALSE(fleet.knows(id(1)));
  batch = fleet.collect(start + 8 * second);
  const auto* row = find(batch, 1);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->end.unix_ns, start + 7 * second);
  EXPECT_EQ(row->end.why, "reset");
  EXPECT_EQ(row->end.code, 1006);
  EXPECT_EQ(row->dialect, "graphql");
  EXPECT_EQ(live::decode_recorder(base::as_bytes(row->recorder))->size(), 2U);
  ASSERT_EQ(fleet.ended_lately().size(), 1U);
  EXPECT_EQ(fleet.ended_lately()[0].session.id, id(1));
}

TEST(Fleet, a_long_session_is_written_again_while_it_does_something) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  EXPECT_NE(find(fleet.collect(start + second), 1), nullptr);
  change(fleet, 1, changed(1, 5), start + 2 * second);
  EXPECT_EQ(find(fleet.collect(start + 30 * second), 1), nullptr);
  const auto batch = fleet.collect(start + 62 * second);
  ASSERT_NE(find(batch, 1), nullptr);
  EXPECT_EQ(find(batch, 1)->messages[0], 5U);
  EXPECT_EQ(find(fleet.collect(start + 200 * second), 1), nullptr) << "nothing happened since";
}

TEST(Fleet, a_resync_is_no_burst_of_traffic) {
  Fleet fleet;
  auto report = greeting("i-1", false);
  report.opened = {opened(1), opened(2)};
  report.changed = {changed(1, 1'000'000)};
  deliver(fleet, 1, report, start);
  change(fleet, 1, changed(2, 1'000'000), start + second / 10);  // the resync goes on
  EXPECT_DOUBLE_EQ(fleet.session(id(1), start + second / 10)->live->messages_per_second[0], 0);
  EXPECT_DOUBLE_EQ(fleet.session(id(2), start + second / 10)->live->messages_per_second[0], 0);
  live::Report complete;
  complete.all_reported = true;
  deliver(fleet, 1, complete, start + second);
  change(fleet, 1, changed(2, 1'000'010), start + 2 * second);
  EXPECT_DOUBLE_EQ(fleet.session(id(2), start + 2 * second)->live->messages_per_second[0], 10 / 1.9);
}

// Two messages every 1.5 s are 1.33/s, in whichever of the reports, one a second, they come.
TEST(Fleet, rates_are_those_of_a_rhythm_that_is_not_the_reports) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  double seen = 0;
  double charted = 0;
  unsigned points = 0;
  for (std::uint64_t s = 1; s <= 300; ++s) {
    const auto so_far = [](std::uint64_t at) { return at * 2 / 3 * 2; };
    if (so_far(s) != so_far(s - 1))
      change(fleet, 1, changed(1, so_far(s)), start + s * second);
    else
      deliver(fleet, 1, {}, start + s * second);
    seen += fleet.session(id(1), start + s * second)->live->messages_per_second[0];
    for (const auto& point : fleet.collect(start + s * second).points) {
      if (s < 60) continue;
      ++points;
      charted += point.messages_per_second[0];
      EXPECT_NEAR(point.messages_per_second[0], 4.0 / 3, 0.15);
    }
  }
  EXPECT_NEAR(charted / points, 4.0 / 3, 0.02);
  EXPECT_NEAR(seen / 300, 4.0 / 3, 0.25);
}

TEST(Fleet, a_peer_that_does_not_answer_has_no_round_trip) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  auto now = changed(1, 1);
  now.figures.rtt_ns[0] = 5'000'000;
  change(fleet, 1, now, start + second);
  EXPECT_EQ(fleet.session(id(1), start + second)->session.rtt_ns[0], 5'000'000U);
  now.figures.misses[0] = 1;
  change(fleet, 1, now, start + 2 * second);
  EXPECT_FALSE(fleet.session(id(1), start + 2 * second)->session.rtt_ns[0]);
  now.figures.misses[0] = 0;
  change(fleet, 1, now, start + 3 * second);
  EXPECT_TRUE(fleet.session(id(1), start + 3 * second)->session.rtt_ns[0]);
}

// Nothing is called well ten minutes after a proxy died, nor because the console was started again.
TEST(Fleet, a_lost_proxy_is_named_until_another_takes_its_place) {
  std::vector<store::Presence> known;
  const auto lost = [](const Fleet& fleet, std::uint64_t at) {
    std::vector<std::string> out;
    for (const auto& each : fleet.proxies(at))
      if (each.state == ProxyNow::State::lost) out.push_back(each.hello.instance + " of " + each.hello.service);
    return out;
  };
  const std::vector<std::string> one = {"i-1 of gate"};
  {
    Fleet fleet;
    fleet.tick(start);
    deliver(fleet, 1, greeting(), start);
    fleet.lost(1, start + second);
    for (std::uint64_t s = 2; s <= 1200; ++s) {
      fleet.tick(start + s * second);
      for (auto& each : fleet.collect(start + s * second).presences) known.push_back(each);
    }
    EXPECT_EQ(lost(fleet, start + 1200 * second), one);
  }
  Fleet next;
  next.resume(known, {}, {}, start + 1210 * second);
  EXPECT_EQ(lost(next, start + 1210 * second), one);
  deliver(next, 1, greeting("i-2"), start + 1220 * second);
  EXPECT_TRUE(lost(next, start + 1220 * second).empty()) << "its successor is there";
}

TEST(Fleet, what_is_not_reported_again_is_lost) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1, 2}, start);
  fleet.lost(1, start + 10 * second);
  ASSERT_EQ(fleet.proxies(start + 10 * second).size(), 1U);
  EXPECT_EQ(fleet.proxies(start + 10 * second)[0].state, State::unheard);
  EXPECT_TRUE(fleet.knows(id(1)));
  EXPECT_FALSE(fleet.session(id(1), start + 11 * second)->live) << "nobody reports it now";

  auto again = greeting("i-1", false);
  again.opened = {opened(2)};
  deliver(fleet, 2, again, start + 20 * second);
  EXPECT_TRUE(fleet.knows(id(1))) << "not all is reported yet";
  live::Report complete;
  complete.all_reported = true;
  deliver(fleet, 2, complete, start + 21 * second);
  EXPECT_FALSE(fleet.knows(id(1)));
  EXPECT_TRUE(fleet.knows(id(2)));
  const auto batch = fleet.collect(start + 22 * second);
  ASSERT_NE(find(batch, 1), nullptr);
  EXPECT_EQ(find(batch, 1)->end.why, "lost");
  EXPECT_EQ(find(batch, 1)->end.unix_ns, start) << "when it was last heard of";
  ASSERT_NE(find(batch, 2), nullptr);
  EXPECT_FALSE(find(batch, 2)->ended());
}

TEST(Fleet, another_proxys_sessions_are_not_touched) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  deliver(fleet, 2, greeting("b"), start);
  open(fleet, 1, {1}, start);
  live::Report report;
  report.changed = {changed(1, 99)};
  report.ended = {ended(1)};
  report.all_reported = true;
  deliver(fleet, 2, report, start + second);
  ASSERT_TRUE(fleet.knows(id(1)));
  EXPECT_EQ(fleet.session(id(1), start + second)->session.messages[0], 0U);
}

// Its process hangs, or the network swallows everything: the connection is as it was.
TEST(Fleet, a_proxy_that_says_nothing_is_unheard_within_five_seconds) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  deliver(fleet, 2, greeting("b"), start);
  open(fleet, 1, {1, 2}, start + second);
  open(fleet, 2, {3}, start + second);
  live::Report nothing;
  for (std::uint64_t s = 1; s <= 20; ++s) {
    const auto now = start + s * second;
    fleet.tick(now);
    if (s <= 10) deliver(fleet, 1, nothing, now);
    deliver(fleet, 2, nothing, now);
    EXPECT_EQ(fleet.unheard(now).has_value(), now > start + 10 * second + silence) << s;
  }
  const auto now = start + 20 * second;
  const auto unheard = fleet.unheard(now);
  EXPECT_EQ(unheard->sessions, 2U);
  EXPECT_EQ(unheard->of, 3U);
  EXPECT_EQ(unheard->since_unix_ns, start + 10 * second);
  EXPECT_EQ(fleet.proxies(now)[0].state, State::unheard);
  EXPECT_EQ(fleet.proxies(now)[0].heard_unix_ns, start + 10 * second);
  EXPECT_EQ(fleet.proxies(now)[1].state, State::connected);
  const auto session = fleet.session(id(1), now);
  EXPECT_FALSE(session->live);
  EXPECT_EQ(session->session.seen_unix_ns, start + 10 * second) << "it did nothing, and was there all the same";
  EXPECT_TRUE(fleet.session(id(3), now)->live);
  // It goes on where it stopped: on the same connection there is nothing to resync.
  deliver(fleet, 1, nothing, now);
  EXPECT_FALSE(fleet.unheard(now));
  EXPECT_TRUE(fleet.session(id(1), now)->live);
}

// A machine that stood still: reports wait in the socket, and are read a moment after the clock is looked at.
TEST(Fleet, what_this_process_slept_through_is_not_held_against_proxies) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start + second);
  fleet.tick(start + second);
  fleet.tick(start + 60 * second);
  EXPECT_FALSE(fleet.unheard(start + 60 * second));
  EXPECT_FALSE(fleet.unheard(start + 64 * second));
  fleet.tick(start + 64 * second);
  EXPECT_TRUE(fleet.unheard(start + 65 * second)) << "by then it would have spoken";
}

TEST(Fleet, a_goodbye_is_a_drain_and_no_loss) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1, 2}, start);
  live::Report last;
  last.ended = {ended(1, "drain", start + 2 * second)};
  last.ended[0].end.code = 1001;
  deliver(fleet, 1, last, start + 2 * second);
  fleet.lost(1, start + 3 * second, true);
  EXPECT_EQ(fleet.proxies(start + 3 * second)[0].state, State::drained);
  EXPECT_EQ(fleet.proxies(start + 3 * second)[0].sessions, 0U);
  EXPECT_FALSE(fleet.unheard(start + 30 * second));
  const auto batch = fleet.collect(start + 4 * second);
  ASSERT_NE(find(batch, 1), nullptr);
  EXPECT_EQ(store::abnormal(*find(batch, 1)), "");
  // It had no time to report this one, whose end no Close had announced.
  ASSERT_NE(find(batch, 2), nullptr);
  EXPECT_EQ(find(batch, 2)->end.why, "drain");
  EXPECT_EQ(find(batch, 2)->end.initiator, "proxy");
  EXPECT_EQ(find(batch, 2)->end.unix_ns, start + 2 * second);
  EXPECT_EQ(store::abnormal(*find(batch, 2)), "1006 no Close");
}

TEST(Fleet, a_proxy_that_stays_away_has_lost_its_sessions) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  for (std::uint64_t s = 1; s <= 300; ++s) EXPECT_EQ(find(fleet.collect(start + s * second), 1) != nullptr, s == 1);
  EXPECT_EQ(fleet.proxies(start + 300 * second)[0].state, State::unheard);
  const auto batch = fleet.collect(start + 301 * second);
  ASSERT_NE(find(batch, 1), nullptr);
  EXPECT_EQ(find(batch, 1)->end.why, "lost");
  EXPECT_EQ(find(batch, 1)->end.unix_ns, start) << "when it was last heard of";
  EXPECT_FALSE(fleet.knows(id(1)));
  ASSERT_FALSE(batch.presences.empty());
  EXPECT_EQ(batch.presences[0].end, store::Presence::End::lost);
  EXPECT_EQ(fleet.proxies(start + 301 * second)[0].state, State::lost);
}

// Killed while it had open sessions, and come back: what the store has is all that is known of them.
TEST(Fleet, after_a_restart_the_sessions_of_proxies_that_are_not_back_are_known_as_not_heard) {
  store::Presence run, proxy;
  run.from_unix_ns = start - 100 * second;
  run.until_unix_ns = start - 20 * second;
  proxy.who = store::Presence::Who::proxy;
  proxy.instance = "i-1";
  proxy.from_unix_ns = proxy.until_unix_ns = start - 90 * second;
  store::Session session;
  session.id = id(1);
  session.instance = "i-1";
  session.opened_unix_ns = session.seen_unix_ns = start - 80 * second;
  session.messages[0] = 7;
  auto other = session;
  other.id = id(2);
  Fleet fleet;
  fleet.resume({run, proxy}, {}, {session, other}, start);
  fleet.tick(start);
  const auto unheard = fleet.unheard(start + second);
  ASSERT_TRUE(unheard);
  EXPECT_EQ(unheard->sessions, 2U);
  EXPECT_EQ(unheard->since_unix_ns, start - 20 * second) << "as long as there was a console, it was heard";
  EXPECT_EQ(fleet.session(id(1), start + second)->session.messages[0], 7U);
  EXPECT_EQ(fleet.proxies(start + second)[0].sessions, 2U);
  auto again = greeting("i-1", false);
  again.opened = {opened(2, start - 80 * second)};
  again.all_reported = true;
  deliver(fleet, 1, again, start + 2 * second);
  EXPECT_FALSE(fleet.unheard(start + 2 * second));
  EXPECT_FALSE(fleet.knows(id(1)));
  EXPECT_EQ(find(fleet.collect(start + 3 * second), 1)->end.unix_ns, start - 20 * second);
}

TEST(Fleet, what_the_store_refused_is_given_again) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1, 2, 3}, start);
  live::Report report;
  report.ended = {ended(2, "reset"), ended(3, "reset")};
  deliver(fleet, 1, report, start + second);
  ASSERT_EQ(fleet.collect(start + second).sessions.size(), 3U);
  fleet.give_back({{id(1), id(2)}, {}, {}});
  fleet.stored({{id(3)}, {}, {}});
  const auto batch = fleet.collect(start + 3 * second);
  EXPECT_EQ(batch.sessions.size(), 2U);
  EXPECT_NE(find(batch, 1), nullptr);
  ASSERT_NE(find(batch, 2), nullptr) << "an end is reported once: it must not be forgotten";
  EXPECT_EQ(find(batch, 2)->end.why, "reset");
  fleet.stored({{id(1), id(2)}, {}, {}});
  fleet.give_back({{id(2), id(3)}, {}, {}});
  EXPECT_TRUE(fleet.collect(start + 5 * second).sessions.empty());
}

TEST(Fleet, points_are_dense_while_a_session_is_young) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  std::size_t young = 0;
  std::size_t middle = 0;
  std::size_t old = 0;
  for (std::uint64_t s = 1; s <= 1200; ++s) {
    change(fleet, 1, changed(1, s * 7), start + s * second);
    const auto points = fleet.collect(start + s * second).points;
    ASSERT_LE(points.size(), 1U);
    if (points.empty()) continue;
    EXPECT_EQ(points[0].time_unix_ns, start + s * second);
    EXPECT_FLOAT_EQ(points[0].messages_per_second[0], 7);
    EXPECT_TRUE(std::isnan(points[0].rtt_seconds[0]));
    ++(s < 60 ? young : s < 600 ? middle : old);
  }
  EXPECT_NEAR(static_cast<double>(young), 30, 1);   // each 2 s
  EXPECT_NEAR(static_cast<double>(middle), 54, 1);  // each 10 s
  EXPECT_NEAR(static_cast<double>(old), 20, 1);     // each 30 s
}

TEST(Fleet, a_quiet_session_has_one_point_that_says_so) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  change(fleet, 1, changed(1, 10), start + second);
  std::size_t points = 0;
  float last = -1;
  for (std::uint64_t s = 1; s < 100; ++s)
    for (const auto& point : fleet.collect(start + s * second).points) {
      ++points;
      last = point.messages_per_second[0];
    }
  EXPECT_GE(points, 2U);
  EXPECT_LE(points, 3U);
  EXPECT_EQ(last, 0);
}

live::Summary summary(std::uint64_t accepted, std::uint64_t messages, std::uint64_t active) {
  live::Summary out;
  out.route = "r";
  out.active = active;
  out.accepted_total = accepted;
  out.closed_total = accepted - active;
  out.messages_total = {messages, 2 * messages};
  out.rtt_p50_ns[0] = 2'000'000;
  return out;
}

TEST(Fleet, routes_have_rates_from_totals) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  live::Report report;
  report.summaries = {summary(10, 100, 5)};
  deliver(fleet, 1, report, start + second);
  report.summaries = {summary(14, 140, 7)};
  deliver(fleet, 1, report, start + 3 * second);
  const auto routes = fleet.routes(start + 3 * second);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_DOUBLE_EQ(routes[0].opened_per_second, 2);
  EXPECT_DOUBLE_EQ(routes[0].ended_per_second, 1);
  EXPECT_DOUBLE_EQ(routes[0].messages_per_second[0], 20);
  EXPECT_DOUBLE_EQ(routes[0].messages_per_second[1], 40);
  EXPECT_EQ(fleet.proxies(start + 3 * second)[0].sessions, 7U);
  fleet.lost(1, start + 4 * second);
  EXPECT_TRUE(fleet.routes(start + 4 * second).empty());
}

TEST(Fleet, figures_of_each_ten_seconds_add_up_to_the_totals) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start + second);
  std::uint64_t messages = 0;
  std::uint64_t opened_sum = 0;
  std::vector<std::uint64_t> times;
  for (std::uint64_t s = 1; s <= 45; ++s) {
    live::Report report;
    report.summaries = {summary(s, 10 * s, 1)};
    deliver(fleet, 1, report, start + s * second);
    for (const auto& point : fleet.collect(start + s * second).fleet) {
      EXPECT_EQ(point.instance, "i-1");
      EXPECT_EQ(point.route, "r");
      EXPECT_FLOAT_EQ(point.rtt_p50_seconds[0], 0.002F);
      EXPECT_TRUE(std::isnan(point.rtt_p99_seconds[0]));
      messages += point.messages[0];
      opened_sum += point.opened;
      times.push_back(point.time_unix_ns);
    }
  }
  EXPECT_EQ(times, (std::vector<std::uint64_t>{start, start + 10 * second, start + 20 * second, start + 30 * second}));
  EXPECT_EQ(messages, 400U);  // all until the last full interval, from the start: the proxy is as young as its totals
  EXPECT_EQ(opened_sum, 40U);
}

TEST(Fleet, what_a_proxy_counted_before_this_console_came_is_not_of_now) {
  Fleet fleet;
  auto report = greeting();
  report.hello = hello("i-1", start - 3600 * second);
  report.summaries = {summary(1'000'000, 5'000'000, 100)};
  deliver(fleet, 1, report, start + second);
  static_cast<void>(fleet.collect(start + second));
  live::Report next;
  next.summaries = {summary(1'000'003, 5'000'030, 100)};
  for (std::uint64_t s = 2; s <= 9; ++s) deliver(fleet, 1, next, start + s * second);
  for (std::uint64_t s = 4; s < 10; s += 3) fleet.tick(start + s * second);
  const auto batch = fleet.collect(start + 10 * second);
  ASSERT_EQ(batch.fleet.size(), 1U);
  EXPECT_EQ(batch.fleet[0].opened, 3U);
  EXPECT_EQ(batch.fleet[0].messages[0], 30U);
  EXPECT_EQ(batch.fleet[0].messages[1], 60U);
  EXPECT_EQ(batch.fleet[0].active, 100U);
}

// What happened in `seconds` of a proxy that opens one session and passes ten messages a second.
class Counting {
 public:
  void run(Fleet& fleet, Fleet::Link link, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t s = from; s <= to; ++s) {
      live::Report report;
      report.summaries = {summary(s, 10 * s, 1)};
      deliver(fleet, link, report, start + s * second);
      keep(fleet, start + s * second);
    }
  }
  void keep(Fleet& fleet, std::uint64_t now) {
    const auto batch = fleet.collect(now);
    for (const auto& point : batch.fleet) points[point.time_unix_ns] = point;
    for (const auto& each : batch.totals) totals = {each};
    presences.insert(presences.end(), batch.presences.begin(), batch.presences.end());
    if (refuse)
      fleet.give_back(Fleet::receipt(batch));
    else
      fleet.stored(Fleet::receipt(batch));
  }
  [[nodiscard]] std::uint64_t sum(std::uint64_t from, std::uint64_t to) const {
    std::uint64_t out = 0;
    for (const auto& [at, point] : points)
      if (at >= start + from * second && at < start + to * second) out += point.messages[0];
    return out;
  }
  [[nodiscard]] std::vector<std::uint32_t> covered() const {
    std::vector<std::uint32_t> out;
    for (const auto& [at, point] : points) out.push_back(point.covered_ms / 1000);
    return out;
  }

  bool refuse = false;
  std::map<std::uint64_t, store::FleetPoint> points;  // as a store keeps them: the later one replaces the one before
  std::vector<store::RouteTotals> totals;
  std::vector<store::Presence> presences;
};
using Seconds = std::vector<std::uint32_t>;

TEST(Gap, what_a_proxy_counted_while_it_was_not_heard_is_made_good) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  Counting counting;
  counting.run(fleet, 1, 1, 13);
  fleet.lost(1, start + 13 * second);
  for (std::uint64_t s = 14; s < 43; ++s) counting.keep(fleet, start + s * second);
  EXPECT_EQ(counting.sum(0, 100), 130U) << "what it had said is not lost, should it never come back";
  EXPECT_EQ(counting.covered(), (Seconds{10, 3}));
  deliver(fleet, 2, greeting(), start + 43 * second);
  counting.run(fleet, 2, 43, 60);
  EXPECT_EQ(counting.sum(0, 60), 600U);
  EXPECT_EQ(counting.covered(), (Seconds{10, 3, 0, 0, 7, 10}));
  // No spike: what it did in 30 seconds that nobody saw is of all of them.
  for (const std::uint64_t at : {20U, 30U}) {
    const auto& point = counting.points[start + at * second];
    EXPECT_NEAR(static_cast<double>(point.messages[0]), 100, 35) << at;  // over whole intervals
    EXPECT_EQ(point.active, 0U) << "not known";
  }
}

TEST(Gap, a_console_that_was_away_makes_good_from_what_it_had_written) {
  Counting counting;
  {
    Fleet before;
    before.tick(start);
    deliver(before, 1, greeting(), start);
    counting.run(before, 1, 1, 21);
  }
  EXPECT_EQ(counting.sum(0, 100), 200U);
  Fleet after;
  after.resume(counting.presences, counting.totals, {}, start + 50 * second);
  auto report = greeting();
  report.summaries = {summary(50, 500, 1)};
  deliver(after, 1, report, start + 50 * second);
  counting.run(after, 1, 51, 70);
  EXPECT_EQ(counting.sum(0, 70), 700U);
  EXPECT_EQ(counting.sum(20, 50), 300U);
  EXPECT_EQ(counting.covered(), (Seconds{10, 10, 0, 0, 0, 10, 10}));
}

TEST(Gap, a_proxy_that_began_while_the_console_was_away_is_counted_from_its_beginning) {
  store::Presence run;
  run.from_unix_ns = start - 1000 * second;
  run.until_unix_ns = start - 900 * second;
  Fleet fleet;
  fleet.resume({run}, {}, {}, start + 40 * second);
  deliver(fleet, 1, greeting(), start + 40 * second);  // it began at `start`
  Counting counting;
  counting.run(fleet, 1, 41, 50);
  EXPECT_EQ(counting.sum(0, 50), 500U);
}

TEST(Gap, what_a_proxy_reported_once_is_counted_should_it_never_come_back) {
  Counting counting;
  {
    Fleet before;
    before.tick(start);
    deliver(before, 1, greeting(), start);
    counting.run(before, 1, 1, 21);
  }
  Fleet after;
  after.resume(counting.presences, counting.totals, {}, start + 52 * second);
  after.tick(start + 52 * second);
  auto report = greeting();
  report.summaries = {summary(53, 530, 1)};
  counting.keep(after, start + 52 * second);
  deliver(after, 1, report, start + 53 * second);
  after.lost(1, start + 53 * second);
  for (std::uint64_t s = 54; s < 90; ++s) counting.keep(after, start + s * second);
  EXPECT_EQ(counting.sum(0, 100), 530U);
  EXPECT_EQ(counting.covered(), (Seconds{10, 10, 0, 0, 0, 0})) << "nobody saw more than this one report";
}

TEST(Gap, what_the_store_refused_of_a_proxy_that_is_gone_is_written_all_the_same) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  Counting counting;
  counting.run(fleet, 1, 1, 12);
  const auto kept = counting.points;
  fleet.lost(1, start + 12 * second);
  counting.refuse = true;
  for (std::uint64_t s = 13; s < 25; ++s) counting.keep(fleet, start + s * second);
  counting.points = kept;
  counting.refuse = false;
  for (std::uint64_t s = 25; s < 45; ++s) counting.keep(fleet, start + s * second);
  EXPECT_EQ(counting.sum(0, 100), 120U);
}

TEST(Gap, what_the_store_refused_is_written_with_what_follows) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  Counting counting;
  counting.run(fleet, 1, 1, 15);
  auto kept = counting.points;
  counting.refuse = true;
  counting.run(fleet, 1, 16, 35);
  counting.points = kept;  // nothing of it is there
  counting.refuse = false;
  counting.run(fleet, 1, 36, 50);
  EXPECT_EQ(counting.sum(0, 50), 500U);
}

TEST(Gap, a_day_is_made_good_in_few_points) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  Counting counting;
  counting.run(fleet, 1, 1, 10);
  fleet.lost(1, start + 10 * second);
  constexpr std::uint64_t day = 86'400;
  for (std::uint64_t s = 11; s < day; s += 4) fleet.tick(start + s * second);
  counting.keep(fleet, start + day * second);
  deliver(fleet, 2, greeting(), start + day * second);
  counting.run(fleet, 2, day, day + 20);
  EXPECT_EQ(counting.sum(0, 2 * day), 10 * (day + 20));
  EXPECT_LT(counting.points.size(), 400U);
}

TEST(Window, sorts_and_pages) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  live::Report report;
  for (std::uint64_t n = 1; n <= 5; ++n) {
    report.opened.push_back(opened(n, start + n * second));
    auto now = changed(n, 10 * (n % 3), 100 - n);
    now.figures.rtt_ns[n % 2] = n * 1000;
    now.figures.missed_total = n == 4 ? 7 : 0;
    now.figures.buffered_bytes[1] = n == 2 ? 1 : 0;
    now.figures.last_message_unix_ns[0] = start + (10 - n) * second;
    report.changed.push_back(now);
  }
  deliver(fleet, 1, report, start + 10 * second);
  using Ask = Subscription::Sessions;
  const auto window = [&](Ask::Sort sort, bool ascending = false, std::size_t offset = 0, std::size_t limit = 100) {
    Ask ask;
    ask.sort = sort;
    ask.ascending = ascending;
    ask.offset = offset;
    ask.limit = limit;
    return numbers(fleet.window(ask, start + 10 * second));
  };
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(window(Ask::Sort::opened), (Numbers{5, 4, 3, 2, 1}));
  EXPECT_EQ(window(Ask::Sort::opened, true), (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(window(Ask::Sort::messages), (Numbers{2, 5, 1, 4, 3})) << "equal ones by id";
  EXPECT_EQ(window(Ask::Sort::bytes), (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(window(Ask::Sort::rtt), (Numbers{5, 4, 3, 2, 1}));
  EXPECT_EQ(window(Ask::Sort::misses).front(), 4U);
  EXPECT_EQ(window(Ask::Sort::buffered).front(), 2U);
  EXPECT_EQ(window(Ask::Sort::silence).front(), 5U) << "the longest without a message";
  EXPECT_EQ(window(Ask::Sort::opened, true, 1, 2), (Numbers{2, 3}));
  EXPECT_EQ(window(Ask::Sort::opened, true, 4, 2), (Numbers{5}));
  EXPECT_EQ(window(Ask::Sort::opened, true, 5, 2), Numbers{});
  EXPECT_EQ(window(Ask::Sort::opened, true, 10'000'000, 500), Numbers{});
  EXPECT_EQ(window(Ask::Sort::opened, true, 0, 0), Numbers{});
}

TEST(Window, filters) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  deliver(fleet, 2, greeting("b"), start);
  open(fleet, 1, {1, 2}, start);
  live::Report report;
  report.opened = {opened(3)};
  report.opened[0].route = "other";
  report.opened[0].subprotocol = "graphql-ws";
  report.changed = {changed(3)};
  report.changed[0].figures.dialect = "graphql";
  deliver(fleet, 2, report, start);
  const auto window = [&](auto&& set) {
    Subscription::Sessions ask;
    ask.ascending = true;
    set(ask);
    const auto out = fleet.window(ask, start);
    EXPECT_EQ(out.total, 3U);
    EXPECT_EQ(out.matched, out.sessions.size());
    return numbers(out);
  };
  using Ask = Subscription::Sessions;
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(window([](Ask&) {}), (Numbers{1, 2, 3}));
  EXPECT_EQ(window([](Ask& a) { a.route = "other"; }), Numbers{3});
  EXPECT_EQ(window([](Ask& a) { a.instance = "a"; }), (Numbers{1, 2}));
  EXPECT_EQ(window([](Ask& a) { a.dialect = "graphql"; }), Numbers{3});
  EXPECT_EQ(window([](Ask& a) { a.client = "192.0.2.2"; }), Numbers{2});
  EXPECT_EQ(window([](Ask& a) { a.text = "chat/1"; }), Numbers{1}) << "whatever the case";
  EXPECT_EQ(window([](Ask& a) { a.text = "GRAPHQL"; }), Numbers{3});
  EXPECT_EQ(window([](Ask& a) { a.text = "EXAMPLE.com"; }), (Numbers{1, 2, 3}));
  EXPECT_EQ(window([](Ask& a) { a.text = "nothing"; }), Numbers{});
}

TEST(Window, filters_by_duration_and_by_those_with_attributes) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  deliver(fleet, 2, greeting("b"), start);
  open(fleet, 1, {1}, start);
  open(fleet, 2, {2}, start + second);
  open(fleet, 2, {3}, start + 3 * second);
  Subscription::Sessions ask;
  ask.ascending = true;
  ask.min_duration_ns = 4 * second;
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(numbers(fleet.window(ask, start + 4 * second)), Numbers{1});
  // Of a session that is not heard, the time stands still.
  deliver(fleet, 1, live::Report(), start + 4 * second);
  fleet.lost(2, start + 4 * second);
  EXPECT_EQ(numbers(fleet.window(ask, start + 100 * second)), Numbers{1});
  ask.min_duration_ns = 0;
  ask.max_duration_ns = 2 * second;
  EXPECT_EQ(numbers(fleet.window(ask, start + 5 * second)), (Numbers{2, 3}));
  ask.max_duration_ns = UINT64_MAX;
  const std::set<base::SessionId> only = {id(2), id(9)};
  EXPECT_EQ(numbers(fleet.window(ask, start + 4 * second, &only)), Numbers{2});
  ask.abnormal = true;
  EXPECT_EQ(fleet.window(ask, start + 4 * second).matched, 0U);
}

TEST(Window, trouble_is_a_missed_heartbeat_or_bytes_that_wait_for_five_seconds) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1, 2, 3}, start);
  auto waits = changed(1);
  waits.figures.buffered_bytes[0] = 10;
  auto misses = changed(2);
  misses.figures.misses[1] = 1;
  misses.figures.missed_total = 1;
  auto missed = changed(3);
  missed.figures.missed_total = 4;  // but answers again
  live::Report report;
  report.changed = {waits, misses, missed};
  deliver(fleet, 1, report, start + second);
  Subscription::Sessions ask;
  ask.trouble = true;
  ask.ascending = true;
  const auto at = [&](std::uint64_t seconds) { return numbers(fleet.window(ask, start + seconds * second)); };
  using Numbers = std::vector<std::uint64_t>;
  const live::Report nothing;
  EXPECT_EQ(at(1), Numbers{2});
  EXPECT_EQ(at(5), Numbers{2});
  EXPECT_EQ(at(6), (Numbers{1, 2}));
  deliver(fleet, 1, nothing, start + 6 * second);
  EXPECT_EQ(fleet.session(id(1), start + 6 * second)->live->buffered_since_unix_ns, start + second);
  waits.figures.buffered_bytes[0] = 20;
  change(fleet, 1, waits, start + 7 * second);
  EXPECT_EQ(at(7), (Numbers{1, 2})) << "other bytes, but without a pause";
  waits.figures.buffered_bytes[0] = 0;
  change(fleet, 1, waits, start + 8 * second);
  EXPECT_EQ(at(8), Numbers{2});
  waits.figures.buffered_bytes[0] = 20;
  change(fleet, 1, waits, start + 9 * second);
  EXPECT_EQ(at(9), Numbers{2});
}

TEST(Fleet, asks_a_proxy_for_what_somebody_looks_at) {
  Fleet fleet;
  deliver(fleet, 1, greeting("a"), start);
  deliver(fleet, 2, greeting("b"), start);
  open(fleet, 1, {1, 2}, start);
  EXPECT_TRUE(fleet.asks(start).empty());
  fleet.watch(id(2), start + 5 * second);
  auto asks = fleet.asks(start);
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].first, 1U);
  EXPECT_EQ(asks[0].second.watch, std::vector{id(2)});
  EXPECT_TRUE(fleet.asks(start + second).empty()) << "asked already";

  EXPECT_FALSE(fleet.detail(id(2)));
  live::Report report;
  report.details.resize(2);
  report.details[0].id = id(2);
  report.details[0].calls.resize(1);
  report.details[1].id = id(1);
  deliver(fleet, 1, report, start + second);
  ASSERT_TRUE(fleet.detail(id(2)));
  EXPECT_EQ(fleet.detail(id(2))->calls.size(), 1U);
  EXPECT_FALSE(fleet.detail(id(1))) << "nobody looks at it";

  asks = fleet.asks(start + 6 * second);
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_TRUE(asks[0].second.watch.empty()) << "nobody looks any more";
  EXPECT_FALSE(fleet.detail(id(2)));
}

TEST(Fleet, asks_for_sixteen_at_most_and_again_after_a_reconnect) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  live::Report report;
  for (std::uint64_t n = 0; n < 40; ++n) {
    report.opened.push_back(opened(n));
    fleet.watch(id(n), start + 60 * second);
  }
  deliver(fleet, 1, report, start);
  auto asks = fleet.asks(start);
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].second.watch.size(), 16U);
  fleet.lost(1, start + second);
  EXPECT_TRUE(fleet.asks(start + second).empty());
  deliver(fleet, 2, greeting("i-1", false), start + 2 * second);
  asks = fleet.asks(start + 2 * second);
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].first, 2U);
}

TEST(Fleet, the_recorder_of_a_watched_session_outlives_it) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  fleet.watch(id(1), start + 60 * second);
  live::Report report;
  report.ended = {ended(1)};
  report.ended[0].recorder.resize(3);
  deliver(fleet, 1, report, start + second);
  ASSERT_TRUE(fleet.detail(id(1)));
  EXPECT_EQ(fleet.detail(id(1))->recorder.size(), 3U);
}

TEST(Fleet, remembers_ends_that_matter_longer) {
  Fleet fleet;
  deliver(fleet, 1, greeting(), start);
  const auto end = [&](std::uint64_t n, std::string why) {
    live::Report report;
    report.opened = {opened(n)};
    report.ended = {ended(n, std::move(why), start + n * second)};
    deliver(fleet, 1, report, start + n * second);
  };
  for (std::uint64_t n = 1; n <= 20; ++n) end(n, "reset");
  for (std::uint64_t n = 21; n <= 60; ++n) end(n, "normal");
  auto lately = fleet.ended_lately();
  ASSERT_EQ(lately.size(), 20U);
  EXPECT_EQ(lately.front().session.id, id(60));
  EXPECT_EQ(lately[5].session.id, id(20));
  EXPECT_EQ(lately.back().session.id, id(6));
  EXPECT_TRUE(lately.back().session.recorder.empty());
  end(60, "normal");  // reported again, for it was not confirmed
  lately = fleet.ended_lately();
  EXPECT_EQ(lately.size(), 20U);
  EXPECT_NE(lately[1].session.id, id(60));
}

// Killed before its next second, it must not be said to have been away when it stored an end.
TEST(Fleet, who_stores_an_end_was_there) {
  Fleet fleet;
  fleet.tick(start);
  deliver(fleet, 1, greeting(), start);
  open(fleet, 1, {1}, start);
  EXPECT_TRUE(fleet.collect_ends(start + second / 2).empty());
  live::Report report;
  report.ended = {ended(1, "reset", start + second / 2)};
  deliver(fleet, 1, report, start + second * 3 / 4);
  const auto batch = fleet.collect_ends(start + second * 3 / 4);
  ASSERT_EQ(batch.sessions.size(), 1U);
  ASSERT_EQ(batch.presences.size(), 1U);
  EXPECT_EQ(batch.presences[0].who, store::Presence::Who::console);
  EXPECT_EQ(batch.presences[0].from_unix_ns, start);
  EXPECT_EQ(batch.presences[0].until_unix_ns, start + second * 3 / 4);
}

TEST(Fleet, knows_a_bounded_number_of_proxies) {
  Fleet fleet;
  std::size_t taken = 0;
  for (std::uint64_t n = 1; n <= Fleet::most_proxies + 10; ++n)
    taken += fleet.apply(n, greeting("i-" + std::to_string(n)), start) ? 1 : 0;
  EXPECT_EQ(taken, Fleet::most_proxies);
  EXPECT_EQ(fleet.proxies(start).size(), Fleet::most_proxies);
  // One that is gone, and had nothing open, makes room.
  fleet.lost(5, start);
  EXPECT_TRUE(fleet.apply(5000, greeting("i-new"), start));
  EXPECT_FALSE(fleet.apply(5001, greeting("i-newer"), start));
}

TEST(Fleet, a_hundred_thousand_sessions) {
  Fleet fleet;
  deliver(fleet, 1, greeting("i-1", false), start);
  constexpr std::uint64_t count = 100'000;
  for (std::uint64_t n = 0; n < count;) {
    live::Report report;
    for (std::size_t i = 0; i < 10'000; ++i, ++n) {
      report.opened.push_back(opened(n));
      report.changed.push_back(changed(n, n));
    }
    report.all_reported = n == count;
    deliver(fleet, 1, report, start + second);
  }
  const auto timed = [](const char* what, auto&& action) {
    const auto begin = std::chrono::steady_clock::now();
    action();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::cout << what << ": " << took.count() << " ms\n";
  };
  EXPECT_EQ(fleet.not_kept().sessions, 0U);
  timed("collect, all new", [&] {
    std::size_t collected = 0;
    for (int i = 0; collected < count && i < 50; ++i) collected += fleet.collect(start + 2 * second).sessions.size();
    EXPECT_EQ(collected, count);
  });
  timed("collect, none new", [&] { EXPECT_TRUE(fleet.collect(start + 4 * second).sessions.empty()); });
  Subscription::Sessions ask;
  ask.sort = Subscription::Sessions::Sort::messages;
  timed("window", [&] { EXPECT_EQ(fleet.window(ask, start + 4 * second).sessions.size(), 100U); });
  ask.text = "/chat/99";
  timed("window, text", [&] { EXPECT_EQ(fleet.window(ask, start + 4 * second).matched, 1111U); });
}

}  // namespace
}  // namespace sockeye::console
