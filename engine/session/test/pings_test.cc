#include "sockeye/session/pings.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sockeye::session {
namespace {

using namespace std::chrono_literals;
using base::as_bytes;

constexpr base::Time begun = base::Time{} + 100s;

TEST(Pings, a_peers_own_pings_are_its_beat) {
  Pings peer;
  peer.sent(begun + 1s);
  EXPECT_FALSE(peer.interval());
  peer.sent(begun + 26s);
  EXPECT_EQ(peer.interval(), std::optional<base::Duration>(25s));
}

TEST(Pings, unsolicited_pongs_are_a_beat_and_answers_are_not) {
  Pings peer;
  peer.asked({}, begun);
  peer.answered({}, begun + 1s);
  peer.answered({}, begun + 2s);
  EXPECT_FALSE(peer.interval());
  peer.asked({}, begun + 3s);
  peer.asked({}, begun + 3s);
  peer.answered({}, begun + 3s);  // answers both
  peer.answered({}, begun + 22s);
  EXPECT_EQ(peer.interval(), std::optional<base::Duration>(20s));
}

TEST(Pings, an_answer_is_timed_from_the_ping_of_its_payload) {
  Pings peer;
  peer.asked(as_bytes("a"), begun);
  peer.asked(as_bytes("b"), begun + 10ms);
  EXPECT_EQ(peer.answered(as_bytes("b"), begun + 40ms), std::optional<base::Duration>(30ms));
  EXPECT_EQ(peer.answered(as_bytes("a"), begun + 50ms), std::optional<base::Duration>(50ms));
  EXPECT_FALSE(peer.answered(as_bytes("a"), begun + 60ms));
  EXPECT_FALSE(peer.answered(as_bytes("c"), begun + 60ms));
}

TEST(Pings, forgets_what_was_never_answered) {
  Pings peer;
  for (int i = 0; i < 10; ++i) peer.asked(as_bytes(std::string(1, static_cast<char>('a' + i))), begun);
  EXPECT_FALSE(peer.answered(as_bytes("a"), begun + 1s));
  EXPECT_TRUE(peer.answered(as_bytes("j"), begun + 1s));
}

}  // namespace
}  // namespace sockeye::session
