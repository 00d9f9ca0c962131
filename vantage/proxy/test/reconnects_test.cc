#include "../src/reconnects.h"

#include <gtest/gtest.h>

#include <vector>

namespace sockeye::proxy::reconnects_test {
namespace {

using namespace std::chrono_literals;
using model::ReconnectBasis;

constexpr base::Time t0{1000s};

base::SessionId id(std::uint8_t n) {
  base::SessionId out;
  out.bytes[15] = n;
  return out;
}

constexpr Identity named{7, ReconnectBasis::client_id};
constexpr Identity guessed{7, ReconnectBasis::guess};

// A session that opens and is lost at once.
void lose(Reconnects& table, const Identity& who, std::uint8_t n, base::Time now = t0) {
  table.opened(who, now).seat.ended(id(n), true, now);
}

TEST(Reconnects, a_credit_is_used_once_within_a_minute) {
  for (const Identity& who : {named, guessed}) {
    Reconnects table;
    {
      auto first = table.opened(who, t0);
      EXPECT_FALSE(first.before);
      first.seat.ended(id(1), true, t0);
    }
    auto second = table.opened(who, t0 + 59s);
    EXPECT_EQ(second.before, id(1));
    EXPECT_FALSE(table.opened(who, t0 + 59s).before);
    EXPECT_EQ(table.size(), 0U);
    second.seat.ended(id(2), true, t0 + 59s);
    EXPECT_EQ(table.opened(who, t0 + 60s).before, id(2));
  }
}

TEST(Reconnects, a_credit_expires) {
  Reconnects table;
  lose(table, guessed, 1);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_FALSE(table.opened(guessed, t0 + 60s).before);
  EXPECT_EQ(table.size(), 0U);
}

TEST(Reconnects, an_end_in_order_is_nothing_to_come_back_from) {
  for (const Identity& who : {named, guessed}) {
    Reconnects table;
    table.opened(who, t0).seat.ended(id(1), false, t0);
    EXPECT_FALSE(table.opened(who, t0 + 1s).before);
  }
}

TEST(Reconnects, who_is_not_known_does_not_reconnect) {
  Reconnects table;
  lose(table, Identity{}, 1);
  EXPECT_FALSE(table.opened(Identity{}, t0).before);
  EXPECT_EQ(table.size(), 0U);
}

// Forty devices behind one address, which nothing tells apart.
TEST(Reconnects, a_fleet_behind_one_address_does_not_reconnect) {
  for (const auto basis : {ReconnectBasis::guess, ReconnectBasis::query, ReconnectBasis::cookie}) {
    const Identity who{7, basis};
    Reconnects table;
    std::vector<Reconnects::Opened> fleet;
    for (int i = 0; i < 40; ++i) fleet.push_back(table.opened(who, t0));
    for (const auto& each : fleet) EXPECT_FALSE(each.before);
    // One is lost, and one of the fleet connects: that one, or another.
    fleet[0].seat.ended(id(1), true, t0 + 1s);
    EXPECT_FALSE(table.opened(who, t0 + 2s).before);
    // All are lost, and all come back.
    for (auto& each : fleet) each.seat.ended(id(2), true, t0 + 3s);
    fleet.clear();
    for (int i = 0; i < 40; ++i) {
      fleet.push_back(table.opened(who, t0 + 4s));
      EXPECT_FALSE(fleet.back().before) << i;
    }
  }
}

TEST(Reconnects, neither_do_two_that_ended_within_the_minute) {
  Reconnects table;
  {
    auto a = table.opened(guessed, t0);
    auto b = table.opened(guessed, t0);
    a.seat.ended(id(1), true, t0);
    b.seat.ended(id(2), false, t0 + 30s);
  }
  EXPECT_FALSE(table.opened(guessed, t0 + 31s).before) << "there were two of them";
  lose(table, guessed, 3, t0 + 100s);
  EXPECT_EQ(table.opened(guessed, t0 + 101s).before, id(3)) << "which was long ago";
}

TEST(Reconnects, what_a_route_says_identifies_a_client_may_have_several_sessions) {
  Reconnects table;
  std::vector<Reconnects::Opened> tabs;
  for (int i = 0; i < 3; ++i) tabs.push_back(table.opened(named, t0));
  for (std::uint8_t i = 0; i < 3; ++i) tabs[i].seat.ended(id(i), true, t0);
  tabs.clear();
  for (const int expected : {2, 1, 0}) {
    tabs.push_back(table.opened(named, t0 + 1s));
    EXPECT_EQ(tabs.back().before, id(static_cast<std::uint8_t>(expected)));
  }
  EXPECT_FALSE(table.opened(named, t0 + 1s).before);
}

TEST(Reconnects, a_session_that_leaves_without_a_word_is_not_live_for_ever) {
  Reconnects table;
  { const auto gone = table.opened(guessed, t0); }
  lose(table, guessed, 1);
  EXPECT_EQ(table.opened(guessed, t0).before, id(1));
}

TEST(Reconnects, is_bounded_and_the_oldest_goes_first) {
  Reconnects table;
  for (std::uint64_t i = 1; i <= Reconnects::capacity + 10; ++i) lose(table, {i, ReconnectBasis::guess}, 1);
  EXPECT_EQ(table.size(), Reconnects::capacity);
  EXPECT_FALSE(table.opened({10, ReconnectBasis::guess}, t0 + 1s).before);
  EXPECT_TRUE(table.opened({11, ReconnectBasis::guess}, t0 + 1s).before);
}

// The bound must not make two of a fleet look like one.
TEST(Reconnects, a_bound_that_is_reached_makes_nobody_unique) {
  Reconnects table;
  auto first = table.opened(guessed, t0);
  auto second = table.opened(guessed, t0);
  first.seat.ended(id(1), true, t0);
  for (std::uint64_t i = 100; i < 99 + Reconnects::capacity; ++i) lose(table, {i, ReconnectBasis::guess}, 1);
  second.seat.ended(id(2), true, t0);  // which pushes out the first
  EXPECT_EQ(table.size(), Reconnects::capacity);
  EXPECT_FALSE(table.opened(guessed, t0 + 1s).before);
}

// All sessions of a hundred thousand end at once, of one identity and of a thousand: seconds, were any step linear.
TEST(Reconnects, mass_loss_takes_constant_time_each) {
  constexpr std::size_t sessions = 100'000;
  for (const std::size_t clients : {std::size_t{1}, std::size_t{1000}}) {
    Reconnects table;
    std::vector<Reconnects::Opened> live;
    live.reserve(sessions);
    const auto who = [&](std::size_t i) { return Identity{1 + i % clients, ReconnectBasis::client_id}; };
    for (std::size_t i = 0; i < sessions; ++i) live.push_back(table.opened(who(i), t0));
    for (auto& each : live) each.seat.ended(id(1), true, t0);
    live.clear();
    std::size_t back = 0;
    for (std::size_t i = 0; i < sessions; ++i) {
      live.push_back(table.opened(who(i), t0 + 1s));
      back += live.back().before ? 1 : 0;
    }
    EXPECT_EQ(back, sessions);
    for (auto& each : live) each.seat.ended(id(2), true, t0 + 2s);
    // And all expire, a few with each call: nobody pays for all of them.
    EXPECT_FALSE(table.opened(who(0), t0 + 100s).before);
    EXPECT_GE(table.size(), sessions - Reconnects::cleared);
    for (std::size_t i = 0; i < sessions; ++i) EXPECT_FALSE(table.opened(who(i), t0 + 100s).before);
    EXPECT_EQ(table.size(), 0U);
  }
}

}  // namespace
}  // namespace sockeye::proxy::reconnects_test
