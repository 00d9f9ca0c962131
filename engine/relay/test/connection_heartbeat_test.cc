// H1 in simulated time: 90 seconds of silence take microseconds.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "rig.h"

namespace sockeye::relay::test {
namespace {

struct Beating : Rig {
  Beating() {
    options.heartbeat = {.interval = 30s, .timeout = 10s, .misses = 2, .client = true, .upstream = true};
    observe.segment = 0s;
  }
  // A pong as `from` answers the n-th ping it got.
  [[nodiscard]] std::string answer(Side from, std::size_t n) const {
    return frame(from, Opcode::pong, frames(injected[model::index(from)].at(n).bytes).at(0).payload);
  }
  // Lets time pass; each peer in `alive` answers its pings after `rtt`.
  void live(base::Duration time, std::set<Side> alive, base::Duration rtt = 5ms) {
    const base::Time end = now + time;
    for (;;) {
      base::Time next = connection->next_deadline();
      for (const Side side : alive) {
        const std::size_t i = model::index(side);
        if (answered[i] < injected[i].size()) next = std::min(next, injected[i][answered[i]].when + rtt);
      }
      if (next > end || !finished[0].empty()) break;
      now = std::max(now, next);
      for (const Side side : alive) {
        const std::size_t i = model::index(side);
        while (answered[i] < injected[i].size() && injected[i][answered[i]].when + rtt <= now)
          feed(side, answer(side, answered[i]++));
      }
      connection->tick(call());
    }
    now = std::max(now, end);
  }
  std::array<std::size_t, 2> answered{};
};

TEST(Heartbeat, healthy_idle_session_pings_each_interval_and_stays_silent) {
  Beating rig;
  rig.open();
  rig.live(1h, {Side::client, Side::server});
  for (const Side side : {Side::client, Side::server}) {
    const auto& pings = rig.injected[model::index(side)];
    EXPECT_EQ(pings.size(), 120U);
    EXPECT_LE(pings[0].when, rig.detail().opened + 30s);
    for (std::size_t i = 1; i < pings.size(); ++i) EXPECT_EQ(pings[i].when - pings[i - 1].when, 30s);
    const auto got = frames(rig.to(side));
    ASSERT_EQ(got.size(), pings.size());
    for (const auto& f : got) {
      EXPECT_EQ(f.opcode, Opcode::ping);
      EXPECT_EQ(f.masked, side == Side::server);
    }
    const auto leg = rig.detail().pings[model::index(side)];
    EXPECT_TRUE(rig.connection->heartbeat(side));
    EXPECT_EQ(leg.rtt, std::optional<base::Duration>(5ms));
    EXPECT_EQ(leg.rtt_min, std::optional<base::Duration>(5ms));
    EXPECT_EQ(leg.missed_total, 0U);
    EXPECT_DOUBLE_EQ(rig.metrics->ping_rtt[model::index(side)].sum(), 0.6);
  }
  EXPECT_EQ(rig.figures().anomalies, 0U);
  EXPECT_EQ(rig.metrics->messages[0][3].value(), 0U);  // pongs to us are nobody's message
  EXPECT_LE(rig.connection->observed().recorder().size(), 2U);
}

TEST(Heartbeat, frozen_peer_is_closed_at_the_second_miss) {
  for (const Side dead : {Side::client, Side::server}) {
    Beating rig;
    rig.open();
    const Side alive = model::other(dead);
    rig.live(100s, {Side::client, Side::server});
    const base::Time last_good = rig.injected[model::index(dead)].back().when;
    rig.live(200s, {alive});
    const auto& pings = rig.injected[model::index(dead)];
    const auto got = frames(rig.to(dead));
    EXPECT_EQ(got.back().opcode, Opcode::close);
    EXPECT_EQ(got.back().code(), 1001);
    EXPECT_EQ(got.back().payload.substr(2),
              "heartbeat timeout: nothing from the " + std::string(model::leg_name(dead)) + " for 69 s");
    EXPECT_EQ(frames(rig.to(alive)).back().code(), 1001);
    EXPECT_EQ(pings.back().when, last_good + 30s + 30s + 10s);  // ping, ping, timeout
    EXPECT_TRUE(rig.was_finished(dead, Finish::flush));
    EXPECT_TRUE(rig.was_finished(alive, Finish::flush));
    EXPECT_EQ(rig.metrics->pong_missed[model::index(dead)].value(), 2U);
    EXPECT_EQ(rig.metrics->pong_missed[model::index(alive)].value(), 0U);
    EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::heartbeat_timeout);
    EXPECT_EQ(rig.connection->observed().close_info()->initiator, model::Initiator::proxy);
    EXPECT_EQ(rig.connection->observed().close_info()->code, 1001);
    EXPECT_EQ(rig.connection->observed().close_info()->silent, dead);
    EXPECT_EQ(rig.connection->observed().close_info()->silent_since, last_good + 5ms) << "its last pong";
    EXPECT_EQ(rig.silences, (std::vector{std::pair(dead, last_good + 5ms)}));
    EXPECT_EQ(rig.metrics->heartbeat_timeouts[model::index(dead)].value(), 1U);
    EXPECT_EQ(rig.metrics->heartbeat_timeouts[model::index(alive)].value(), 0U);
    rig.connection->finish(rig.call());
    const auto& span = rig.spans.spans.back();
    const auto attribute = [&](std::string_view key) {
      for (const auto& [name, value] : span.attributes)
        if (name == key) return value;
      return model::AttributeValue(false);
    };
    EXPECT_EQ(attribute("websocket.silent.leg"), model::AttributeValue(std::string(model::leg_name(dead))));
    EXPECT_NEAR(std::get<double>(attribute("websocket.silent.since")),
                static_cast<double>(rig.workspace.wall.unix_ns(last_good + 5ms)) / 1e9, 0.001);
    EXPECT_EQ(rig.connection->next_deadline(), base::never);
  }
}

TEST(Heartbeat, a_peer_that_talks_lives_however_long_it_answers_no_ping) {
  for (const Side busy : {Side::client, Side::server}) {
    Beating rig;
    rig.open();
    for (int i = 0; i < 6 * 3600; ++i) {
      rig.feed(busy, text(busy, "blah"));
      rig.live(1s, {model::other(busy)});
    }
    const std::size_t leg = model::index(busy);
    ASSERT_FALSE(rig.connection->observed().close_info());
    EXPECT_EQ(rig.injected[leg].size(), 6 * 3600 / 60U) << "one every two intervals, as for any busy peer";
    EXPECT_EQ(rig.metrics->pong_missed[leg].value(), rig.injected[leg].size());
    EXPECT_EQ(rig.metrics->pong_late[leg].value(), rig.injected[leg].size());
    EXPECT_EQ(rig.metrics->heartbeat_timeouts[leg].value(), 0U);
    const auto view = rig.detail().pings[leg];
    EXPECT_EQ(view.misses, 0U);
    EXPECT_FALSE(view.silent);
    EXPECT_EQ(view.missed_total, view.late_total);
    EXPECT_TRUE(rig.silences.empty());
    // And then it falls silent.
    const base::Time last = rig.now - 1s;
    rig.live(5min, {model::other(busy)});
    ASSERT_TRUE(rig.connection->observed().close_info());
    EXPECT_EQ(rig.connection->observed().close_info()->silent, busy);
    EXPECT_EQ(rig.connection->observed().close_info()->silent_since, last);
    EXPECT_LE(rig.finished_at - last, 30s + 30s + 10s);
  }
}

TEST(Heartbeat, a_single_byte_of_a_long_frame_is_a_sign_of_life) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  const std::string bytes = frame(Side::client, Opcode::binary, std::string(500, 'x'));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    rig.feed(Side::client, bytes.substr(i, 1));
    rig.wait(4s);
  }
  EXPECT_FALSE(rig.connection->observed().close_info());
  EXPECT_EQ(rig.detail().pings[0].late_total, rig.detail().pings[0].missed_total);
  EXPECT_GT(rig.detail().pings[0].late_total, 20U);
}

TEST(Heartbeat, a_silent_peer_can_be_reported_and_left_alone) {
  for (const Side dead : {Side::client, Side::server}) {
    Beating rig;
    rig.options.heartbeat.on_dead = HeartbeatOptions::OnDead::report;
    rig.open();
    const Side alive = model::other(dead);
    const std::size_t leg = model::index(dead);
    rig.live(1h, {alive});
    EXPECT_FALSE(rig.connection->observed().close_info());
    EXPECT_EQ(rig.silences, (std::vector{std::pair(dead, rig.detail().opened)})) << "once";
    EXPECT_EQ(rig.metrics->heartbeat_timeouts[leg].value(), 1U);
    EXPECT_EQ(rig.injected[leg].size(), 120U) << "pinged on, as anybody";
    EXPECT_TRUE(rig.detail().pings[leg].silent);
    EXPECT_GE(rig.detail().pings[leg].misses, 118U);
    rig.feed(dead, text(dead, "back"));
    EXPECT_FALSE(rig.detail().pings[leg].silent);
    const base::Time last = rig.now;
    rig.live(1h, {alive});
    EXPECT_EQ(rig.silences.size(), 2U);
    EXPECT_EQ(rig.silences.back(), std::pair(dead, last));
    EXPECT_EQ(rig.metrics->heartbeat_timeouts[leg].value(), 2U);
    EXPECT_TRUE(rig.finished[0].empty());
  }
}

TEST(Heartbeat, busy_legs_are_pinged_at_least_every_two_intervals) {
  Beating rig;
  rig.open();
  for (int i = 0; i < 6000; ++i) {
    rig.feed(Side::client, text(Side::client, "x"));
    rig.feed(Side::server, text(Side::server, "x"));
    rig.live(100ms, {Side::client, Side::server}, 1ms);
  }
  for (const auto& pings : rig.injected) {
    ASSERT_GE(pings.size(), 10U);
    for (std::size_t i = 1; i < pings.size(); ++i) EXPECT_EQ(pings[i].when - pings[i - 1].when, 60s);
  }
}

TEST(Heartbeat, off_per_leg) {
  Beating rig;
  rig.options.heartbeat.client = false;
  rig.open();
  rig.live(1h, {Side::server});
  EXPECT_TRUE(rig.injected[0].empty());
  EXPECT_EQ(rig.injected[1].size(), 120U);
  EXPECT_FALSE(rig.connection->heartbeat(static_cast<Side>(0)));
}

TEST(Heartbeat, our_pongs_are_swallowed_wherever_they_come) {
  for (const std::size_t size : {1U, 2U, 5U, 1000U}) {
    Beating rig;
    rig.open();
    rig.wait(30s);
    ASSERT_EQ(rig.injected[0].size(), 1U);
    const std::string ours = rig.answer(Side::client, 0);
    const std::string foreign = frame(Side::client, Opcode::pong, "sky\x01 not ours");
    const std::string a = frame(Side::client, Opcode::binary, "first", false);
    const std::string b = frame(Side::client, Opcode::continuation, "last");
    rig.chop(Side::client, ours + a + ours + foreign + ours + ours + b + ours, size);
    EXPECT_EQ(rig.passed[1], a + foreign + b) << size;
    EXPECT_EQ(rig.broken_loans, 0);
    EXPECT_EQ(rig.detail().counts[0].messages[3], 1U);
  }
}

TEST(Heartbeat, a_pong_of_one_leg_means_nothing_on_the_other) {
  Beating rig;
  rig.open();
  rig.wait(30s);
  const std::string payload = frames(rig.injected[0].at(0).bytes).at(0).payload;
  const std::string stray = frame(Side::server, Opcode::pong, payload);
  rig.feed(Side::server, stray);
  EXPECT_EQ(rig.passed[0], stray);
}

TEST(Heartbeat, pings_go_between_fragments_but_never_into_a_frame) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  const std::string first = frame(Side::server, Opcode::binary, std::string(500, 'a'), false);
  const std::string second = frame(Side::server, Opcode::continuation, std::string(500, 'b'));
  rig.feed(Side::server, first.substr(0, 200));
  rig.wait(35s);
  EXPECT_TRUE(rig.injected[0].empty());
  rig.feed(Side::server, first.substr(200) + second);
  ASSERT_EQ(rig.injected[0].size(), 1U);
  EXPECT_EQ(rig.injected[0][0].at, first.size());
  EXPECT_EQ(rig.injected[0][0].when, rig.now);
  EXPECT_EQ(rig.passed[0], first + second);
  // Its clock starts where it was sent.
  rig.wait(9999ms);
  EXPECT_EQ(rig.detail().pings[0].misses, 0U);
  rig.wait(1ms);
  EXPECT_EQ(rig.detail().pings[0].misses, 1U);

  // Held back bytes have not been sent: the leg is at a boundary.
  Beating held;
  held.options.heartbeat.upstream = false;
  held.open();
  held.feed(Side::server, first.substr(0, 3));
  held.wait(30s);
  ASSERT_EQ(held.injected[0].size(), 1U);
  held.feed(Side::server, first.substr(3));
  EXPECT_EQ(held.to(Side::client), held.injected[0][0].bytes + first);
}

TEST(Heartbeat, exactly_at_the_end_of_a_read) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  const std::string data = text(Side::server, "payload");
  rig.feed(Side::server, data.substr(0, 4));
  rig.wait(35s);
  rig.feed(Side::server, data.substr(4));
  ASSERT_EQ(rig.injected[0].size(), 1U);
  EXPECT_EQ(rig.injected[0][0].at, data.size());
}

TEST(Heartbeat, a_slow_sender_inside_a_frame_does_not_make_its_reader_dead) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  rig.feed(Side::server, text(Side::server, std::string(1000, 'x')).substr(0, 100));
  rig.wait(600s);
  EXPECT_EQ(rig.detail().pings[0].missed_total, 0U);
  EXPECT_TRUE(rig.finished[0].empty());
}

TEST(Heartbeat, a_reader_that_stalls_inside_a_frame_is_found) {
  Beating rig;
  rig.open();
  rig.feed(Side::server, text(Side::server, std::string(1000, 'x')).substr(0, 100));
  rig.connection->reading(Side::server, true, rig.now);  // the client takes no more
  rig.live(100s, {});
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::heartbeat_timeout);
  EXPECT_EQ(rig.metrics->pong_missed[0].value(), 2U);
  EXPECT_EQ(rig.metrics->pong_missed[1].value(), 0U);
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::abort));  // inside a frame: nothing worth flushing
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  EXPECT_EQ(frames(rig.to(Side::server)).back().code(), 1001);
}

TEST(Heartbeat, a_slow_reader_that_advances_is_not_dead) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  rig.advances[0] = true;
  rig.wait(10min);
  EXPECT_EQ(rig.detail().pings[0].missed_total, 0U);
  EXPECT_EQ(rig.injected[0].size(), 1U);  // and it gets no pile of pings
  rig.advances[0] = false;
  rig.wait(50s);
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::heartbeat_timeout);
}

TEST(Heartbeat, back_pressure_stops_the_clock) {
  Beating rig;
  rig.options.heartbeat.upstream = false;
  rig.open();
  rig.wait(20s);
  ASSERT_EQ(rig.injected[0].size(), 1U);
  rig.connection->reading(Side::client, true, rig.now);
  rig.wait(1h);
  EXPECT_EQ(rig.detail().pings[0].missed_total, 0U);
  rig.connection->reading(Side::client, false, rig.now);
  rig.feed(Side::client, rig.answer(Side::client, 0));
  rig.wait(1s);
  EXPECT_EQ(rig.detail().pings[0].missed_total, 0U);
  EXPECT_GT(rig.detail().pings[0].rtt, std::optional<base::Duration>(1h));
}

TEST(Heartbeat, no_ping_follows_a_close) {
  Beating rig;
  rig.options.close_timeout = 200s;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.wait(150s);
  EXPECT_TRUE(rig.injected[0].empty());
  EXPECT_TRUE(rig.injected[1].empty());
  EXPECT_EQ(rig.metrics->pong_missed[0].value(), 0U);
}

TEST(Heartbeat, last_received_counts_every_byte) {
  Beating rig;
  rig.open();
  rig.wait(30s);
  rig.feed(Side::client, rig.answer(Side::client, 0));
  EXPECT_EQ(rig.detail().last_received[0], rig.now);
}

TEST(Heartbeat, first_pings_of_many_sessions_spread_evenly) {
  Options options;
  observer::Options quiet;
  quiet.segment = 0s;
  model::RouteMetrics metrics;
  observer::Workspace workspace;
  const Call call{workspace, metrics, base::Time{}};
  Rig outlet;
  constexpr int sessions = 1000;
  constexpr int slots = 30;  // one a second
  std::array<std::array<int, slots>, 2> in_slot{};
  for (int i = 0; i < sessions; ++i) {
    for (const std::size_t leg : {0U, 1U}) {
      options.heartbeat.client = leg == 0;
      options.heartbeat.upstream = leg == 1;
      const auto nth = static_cast<std::uint64_t>(i);
      const auto connection = carry(observe(quiet, {}, {}, nullptr, call), options, outlet, nth, call);
      const double at = base::seconds(connection->next_deadline() - base::Time{});
      ASSERT_GE(at, 0);
      ASSERT_LT(at, 30);
      ++in_slot[leg][static_cast<std::size_t>(at)];
    }
  }
  for (const auto& leg : in_slot)
    for (const int n : leg) EXPECT_NEAR(n, sessions / slots, 5);
}

TEST(Heartbeat, ticks_between_deadlines_are_harmless) {
  Beating often;
  Beating exact;
  often.open();
  exact.open();
  for (int i = 0; i < 3000; ++i) {
    often.now += 10ms;
    often.connection->tick(often.call());
  }
  exact.wait(30s);
  EXPECT_EQ(often.injected[0].size(), 1U);
  EXPECT_EQ(often.out[0], exact.out[0]);
}

}  // namespace
}  // namespace sockeye::relay::test
