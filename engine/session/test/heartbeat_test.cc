#include "sockeye/session/heartbeat.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace sockeye::session {
namespace {

using namespace std::chrono_literals;
using base::Time;
using Due = Heartbeat::Due;
using Miss = Heartbeat::Miss;

constexpr HeartbeatTiming timing{.interval = 30s, .timeout = 10s, .misses = 2};
constexpr Time opened = Time{} + 100s;

Heartbeat make(double phase = 0.5, HeartbeatTiming t = timing) { return {t, true, 0xabcdef01, opened, phase}; }

TEST(Heartbeat, contract_of_a_healthy_peer) {
  Heartbeat hb = make();
  Time due = opened + 15s;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(hb.deadline(), due);
    EXPECT_EQ(hb.due(due - 1ns), Due::nothing);
    ASSERT_EQ(hb.due(due), Due::ping);
    const auto payload = hb.sent(due);
    EXPECT_EQ(hb.deadline(), due + 10s);
    const auto pong = hb.pong(payload, due + 3ms);
    EXPECT_TRUE(pong.ours);
    EXPECT_EQ(pong.rtt, std::optional<base::Duration>(3ms));
    due += 30s;
  }
  EXPECT_EQ(hb.missed_total(), 0U);
  EXPECT_EQ(hb.rtt(), std::optional<base::Duration>(3ms));
}

TEST(Heartbeat, second_miss_in_a_row_is_the_last) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  (void)hb.sent(first);
  EXPECT_EQ(hb.due(first + 10s - 1ns), Due::nothing);
  EXPECT_EQ(hb.due(first + 10s), Due::overdue);
  EXPECT_EQ(hb.miss(), Miss::silent);
  ASSERT_EQ(hb.deadline(), first + 30s);
  (void)hb.sent(first + 30s);
  EXPECT_EQ(hb.due(first + 40s), Due::overdue);
  EXPECT_EQ(hb.miss(), Miss::last);
  EXPECT_EQ(hb.missed_total(), 2U);
}

TEST(Heartbeat, one_miss_is_forgiven) {
  Heartbeat hb = make();
  (void)hb.sent(hb.deadline());
  EXPECT_EQ(hb.miss(), Miss::silent);
  EXPECT_EQ(hb.misses(), 1U);
  const Time second = hb.deadline();
  const auto payload = hb.sent(second);
  EXPECT_TRUE(hb.pong(payload, second + 1s).ours);
  EXPECT_EQ(hb.misses(), 0U);
  (void)hb.sent(hb.deadline());
  EXPECT_EQ(hb.miss(), Miss::silent);
  EXPECT_EQ(hb.missed_total(), 2U);
}

TEST(Heartbeat, late_pong_resets_misses_without_an_rtt) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  const auto payload = hb.sent(first);
  EXPECT_EQ(hb.miss(), Miss::silent);
  const auto late = hb.pong(payload, first + 12s);
  EXPECT_TRUE(late.ours);
  EXPECT_FALSE(late.rtt);
  EXPECT_EQ(hb.misses(), 0U);
  // while another is outstanding
  const auto next = hb.sent(first + 30s);
  EXPECT_FALSE(hb.pong(payload, first + 31s).rtt);
  EXPECT_EQ(hb.due(first + 40s), Due::overdue);
  EXPECT_EQ(hb.pong(next, first + 32s).rtt, std::optional<base::Duration>(2s));
}

TEST(Heartbeat, traffic_postpones_the_next_ping_but_not_beyond_twice_the_interval) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  hb.pong(hb.sent(first), first + 1ms);
  hb.received(first + 10s);
  EXPECT_EQ(hb.deadline(), first + 40s);
  hb.received(first + 29s);
  EXPECT_EQ(hb.deadline(), first + 59s);
  hb.received(first + 50s);
  EXPECT_EQ(hb.deadline(), first + 60s);
  const auto payload = hb.sent(first + 60s);
  EXPECT_TRUE(hb.pong(payload, first + 60s).ours);
  EXPECT_EQ(hb.deadline(), first + 90s);  // what came before the ping counts no more
}

TEST(Heartbeat, traffic_is_no_pong_but_a_sign_of_life) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  (void)hb.sent(first);
  hb.received(first + 1s);
  EXPECT_EQ(hb.due(first + 10s), Due::overdue);
  EXPECT_EQ(hb.miss(), Miss::late);
  EXPECT_EQ(hb.misses(), 0U);
  EXPECT_EQ(hb.missed_total(), 1U);
  EXPECT_EQ(hb.late_total(), 1U);
  EXPECT_FALSE(hb.rtt());
}

TEST(Heartbeat, a_peer_that_talks_and_never_pongs_is_never_silent) {
  Heartbeat hb = make();
  for (unsigned i = 1; i <= 100'000; ++i) {  // over a month
    const Time ping = hb.deadline();
    (void)hb.sent(ping);
    hb.received(ping + 1ms);
    ASSERT_EQ(hb.due(ping + 10s), Due::overdue);
    ASSERT_EQ(hb.miss(), Miss::late);
    ASSERT_FALSE(hb.silent());
    ASSERT_EQ(hb.late_total(), i);
  }
}

TEST(Heartbeat, only_misses_in_a_row_without_a_byte_add_up) {
  Heartbeat hb = make();
  Time ping = hb.deadline();
  const auto next = [&] {
    (void)hb.sent(ping);
    ping += 30s;
    return hb.miss();
  };
  EXPECT_EQ(next(), Miss::silent);
  hb.received(ping - 5s);  // between an overdue pong and the next ping
  EXPECT_EQ(hb.misses(), 0U);
  EXPECT_EQ(next(), Miss::silent) << "that byte came before this ping: no life since, and a new row";
  EXPECT_EQ(next(), Miss::last);
  EXPECT_TRUE(hb.silent());
  EXPECT_EQ(next(), Miss::silent) << "said once";
  EXPECT_TRUE(hb.silent());
  EXPECT_EQ(hb.misses(), 3U);
  hb.received(ping);
  EXPECT_FALSE(hb.silent());
  EXPECT_EQ(hb.missed_total(), 4U);
  EXPECT_EQ(hb.late_total(), 0U);
}

TEST(Heartbeat, a_pong_to_an_earlier_ping_is_a_sign_of_life) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  const auto payload = hb.sent(first);
  EXPECT_EQ(hb.miss(), Miss::silent);
  (void)hb.sent(first + 30s);
  EXPECT_TRUE(hb.pong(payload, first + 35s).ours);
  EXPECT_EQ(hb.miss(), Miss::late);
}

TEST(Heartbeat, only_pongs_with_our_payload_are_ours) {
  Heartbeat hb = make();
  const auto payload = hb.sent(hb.deadline());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    auto wrong = payload;
    wrong[i] = static_cast<base::Byte>(wrong[i] ^ 0x10U);
    EXPECT_FALSE(hb.pong(wrong, opened).ours) << i;  // the sequence number then is one never sent
  }
  EXPECT_FALSE(hb.pong(base::Bytes(payload).first(11), opened).ours);
  EXPECT_FALSE(hb.pong({}, opened).ours);
  EXPECT_TRUE(hb.pong(payload, opened + 20s).ours);
  EXPECT_TRUE(hb.pong(payload, opened + 21s).ours);  // again: swallowed all the same
}

TEST(Heartbeat, two_sessions_do_not_take_each_others_pongs) {
  Heartbeat a(timing, true, 1, opened, 0.1);
  Heartbeat b(timing, true, 2, opened, 0.1);
  const auto payload = a.sent(a.deadline());
  (void)b.sent(b.deadline());
  EXPECT_FALSE(b.pong(payload, opened + 5s).ours);
}

TEST(Heartbeat, the_clock_stands_still_while_the_leg_is_not_read) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  (void)hb.sent(first);
  hb.reading(true, first + 4s);
  EXPECT_EQ(hb.deadline(), base::never);
  hb.reading(true, first + 50s);
  hb.reading(false, first + 1000s);
  EXPECT_EQ(hb.deadline(), first + 1006s);
  // a ping that goes out while the leg is not read has all its time left
  EXPECT_EQ(hb.miss(), Miss::silent);
  hb.reading(true, first + 1010s);
  ASSERT_EQ(hb.due(first + 1010s), Due::ping);
  (void)hb.sent(first + 1010s);
  EXPECT_EQ(hb.deadline(), base::never);
  hb.reading(false, first + 2000s);
  EXPECT_EQ(hb.deadline(), first + 2010s);
  // paused at the very end: nothing left, not less than nothing
  hb.reading(true, first + 2015s);
  hb.reading(false, first + 2020s);
  EXPECT_EQ(hb.due(first + 2020s), Due::overdue);
}

TEST(Heartbeat, extending_gives_one_timeout_more) {
  Heartbeat hb = make();
  const Time first = hb.deadline();
  (void)hb.sent(first);
  hb.extend(first + 10s);
  EXPECT_EQ(hb.deadline(), first + 20s);
  hb.extend(first + 500s);  // asked late: still one timeout from now, not a row of them
  EXPECT_EQ(hb.deadline(), first + 510s);
}

TEST(Heartbeat, a_ping_waits_for_its_boundary_and_its_clock_starts_there) {
  Heartbeat hb = make();
  const Time due = hb.deadline();
  hb.wait_for_boundary(due);
  EXPECT_TRUE(hb.waits_for_boundary());
  EXPECT_EQ(hb.deadline(), due + 10s);
  const auto payload = hb.sent(due + 7s);
  EXPECT_FALSE(hb.waits_for_boundary());
  EXPECT_EQ(hb.deadline(), due + 17s);
  EXPECT_EQ(hb.pong(payload, due + 8s).rtt, std::optional<base::Duration>(1s));
  EXPECT_EQ(hb.deadline(), due + 37s);
}

TEST(Heartbeat, timeout_longer_than_the_interval_never_has_two_outstanding) {
  Heartbeat hb = make(0.0, {.interval = 1s, .timeout = 5s, .misses = 3});
  const Time first = hb.deadline();
  const auto payload = hb.sent(first);
  EXPECT_EQ(hb.due(first + 4s), Due::nothing);
  EXPECT_TRUE(hb.pong(payload, first + 4s).ours);
  EXPECT_EQ(hb.due(first + 4s), Due::ping);
}

TEST(Heartbeat, off_is_off) {
  Heartbeat off(timing, false, 1, opened, 0.5);
  EXPECT_EQ(off.deadline(), base::never);
  EXPECT_EQ(off.due(opened + 1h), Due::nothing);
  Heartbeat hb = make();
  (void)hb.sent(hb.deadline());
  hb.stop();
  EXPECT_EQ(hb.deadline(), base::never);
}

TEST(Heartbeat, phase_spreads_first_pings) {
  EXPECT_EQ(make(0.0).deadline(), opened);
  EXPECT_EQ(make(0.25).deadline(), opened + 7500ms);
  EXPECT_LT(make(0.999).deadline(), opened + 30s);
}

}  // namespace
}  // namespace sockeye::session
