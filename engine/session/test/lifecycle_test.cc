#include "sockeye/session/lifecycle.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>
#include <vector>

namespace sockeye::session {
namespace {

using model::Side;

constexpr std::array sides{Side::client, Side::server};
constexpr std::array events{Event::close,  Event::eof,  Event::reset,  Event::violation,
                            Event::silent, Event::shut, Event::timeout};

struct Step {
  Event event;
  Side who = Side::client;
};

Lifecycle after(const std::vector<Step>& steps) {
  Lifecycle life;
  for (const Step& step : steps) life.on(step.event, step.who);
  return life;
}

TEST(Lifecycle, close_handshake_then_the_server_ends_tcp) {
  for (const Side first : sides) {
    Lifecycle life;
    EXPECT_TRUE(life.on(Event::close, first).pass);
    EXPECT_EQ(life.state(), State::close_seen);
    EXPECT_EQ(life.reported(), model::SessionState::closing);
    EXPECT_TRUE(life.on(Event::close, model::other(first)).pass);
    EXPECT_EQ(life.state(), State::close_agreed);
    const auto actions = life.on(Event::eof, Side::server);
    EXPECT_TRUE(actions.finish_self && actions.finish_other);
    EXPECT_EQ(life.state(), State::closed);
    EXPECT_EQ(life.reported(), model::SessionState::closed);
  }
}

TEST(Lifecycle, a_second_close_of_the_same_peer_changes_nothing) {
  for (const Side first : sides) {
    Lifecycle life = after({{Event::close, first}});
    EXPECT_FALSE(life.on(Event::close, first).pass);
    EXPECT_EQ(life.state(), State::close_seen);
  }
}

TEST(Lifecycle, fin_without_close_keeps_the_other_direction) {
  for (const Side first : sides) {
    Lifecycle life;
    const auto actions = life.on(Event::eof, first);
    EXPECT_TRUE(actions.finish_other);
    EXPECT_FALSE(actions.finish_self || actions.abort_self);
    EXPECT_EQ(life.state(), State::half_closed);
    EXPECT_TRUE(life.on(Event::close, model::other(first)).pass);
    EXPECT_EQ(life.state(), State::half_closed);
    EXPECT_TRUE(life.on(Event::eof, model::other(first)).finish_other);
    EXPECT_EQ(life.state(), State::closed);
  }
}

TEST(Lifecycle, our_own_close_is_answered_leg_by_leg) {
  Lifecycle life;
  EXPECT_TRUE(life.on(Event::shut, Side::client).tell_both_soon);
  EXPECT_EQ(life.state(), State::parting);
  EXPECT_FALSE(life.on(Event::close, Side::server).finish_self);  // it ends TCP itself
  EXPECT_TRUE(life.on(Event::close, Side::client).finish_self);
  EXPECT_TRUE(life.on(Event::eof, Side::server).finish_self);
}

TEST(Lifecycle, a_dead_peer_ends_both_legs_at_once) {
  for (const Side who : sides) {
    Lifecycle life;
    const auto actions = life.on(Event::silent, who);
    EXPECT_TRUE(actions.tell_self && actions.tell_other && actions.finish_self && actions.finish_other);
    EXPECT_EQ(life.state(), State::closed);
  }
}

TEST(Lifecycle, a_violation_lets_the_other_peer_answer_first) {
  for (const Side first : sides) {
    const Side second = model::other(first);
    Lifecycle life;
    const auto violated = life.on(Event::violation, first);
    EXPECT_TRUE(violated.tell_other);
    EXPECT_FALSE(violated.tell_self || violated.finish_self || violated.finish_other);
    EXPECT_EQ(life.state(), State::failing);
    EXPECT_EQ(life.reported(), model::SessionState::closing);
    for (const Event quiet : {Event::close, Event::eof}) {
      life.on(quiet, first);
      EXPECT_EQ(life.state(), State::failing);
    }
    for (const Event event : {Event::close, Event::eof, Event::violation, Event::timeout}) {
      Lifecycle ends = life;
      const auto actions = ends.on(event, second);
      EXPECT_TRUE(actions.tell_other && actions.finish_self && actions.finish_other);
      EXPECT_FALSE(actions.pass);
      EXPECT_EQ(ends.state(), State::closed);
    }
  }
}

// Whatever happens in whatever order: every reachable state but `open` ends with the timeout at the latest, `closed` is
// final and silent, and no leg is told or passed anything once the session is closed.
TEST(Lifecycle, every_path_ends) {
  std::set<std::pair<int, int>> seen;
  std::vector<std::vector<Step>> frontier{{}};
  for (int depth = 0; depth < 6; ++depth) {
    std::vector<std::vector<Step>> next;
    for (const auto& path : frontier) {
      for (const Event event : events) {
        for (const Side who : sides) {
          std::vector<Step> longer = path;
          longer.push_back({event, who});
          Lifecycle life = after(longer);
          seen.insert({static_cast<int>(life.state()), static_cast<int>(event)});
          if (life.state() == State::closed) {
            for (const Event then : events) {
              const auto a = life.on(then, who);
              EXPECT_FALSE(a.pass || a.tell_self || a.tell_other || a.tell_both_soon || a.finish_self ||
                           a.finish_other || a.abort_self || a.abort_silent);
              EXPECT_EQ(life.state(), State::closed);
            }
            continue;
          }
          if (life.state() != State::open) {
            Lifecycle late = life;
            const auto a = late.on(Event::timeout, who);
            EXPECT_TRUE(a.abort_silent || (a.finish_self && a.finish_other));
            EXPECT_EQ(late.state(), State::closed);
          }
          if (depth < 4) next.push_back(longer);
        }
      }
    }
    frontier = std::move(next);
  }
  std::set<int> states;
  for (const auto& [state, event] : seen) states.insert(state);
  EXPECT_EQ(states.size(), 7U);  // open is seen behind events that do nothing there
}

}  // namespace
}  // namespace sockeye::session
