#include "sockeye/session/recorder.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sockeye::session {
namespace {

using namespace std::chrono_literals;

model::RecordedMessage message(std::uint64_t length, bool injected = false, unsigned side = 0, unsigned opcode = 1) {
  model::RecordedMessage m{};
  m.at = base::Time{} + 1s * length;
  m.length = length & 0xffff'ffff'ffffULL;
  m.side = side & 1U;
  m.opcode = opcode & 15U;
  m.injected = injected;
  return m;
}

TEST(Recorder, keeps_the_last_64_in_order) {
  for (std::uint64_t n = 0; n < 300; ++n) {
    Recorder recorder;
    for (std::uint64_t i = 0; i < n; ++i) recorder.record(message(i));
    const auto kept = recorder.messages();
    const std::uint64_t expected = std::min<std::uint64_t>(n, model::flight_recorder_size);
    ASSERT_EQ(kept.size(), expected) << n;
    for (std::uint64_t i = 0; i < expected; ++i) ASSERT_EQ(kept[i].length, n - expected + i);
  }
}

TEST(Recorder, pings_of_a_quiet_session_take_two_entries) {
  Recorder recorder;
  recorder.record(message(1));
  for (std::uint64_t i = 2; i < 1000; ++i) {
    recorder.record_ping(message(i, true, i % 2, 9));
    recorder.answered(i % 2);
  }
  auto kept = recorder.messages();
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].length, 1U);
  EXPECT_EQ(kept[1].length, 998U);
  EXPECT_EQ(kept[2].length, 999U);
  recorder.record(message(1000));
  recorder.record_ping(message(1001, true, 0, 9));
  kept = recorder.messages();
  ASSERT_EQ(kept.size(), 5U);
  EXPECT_EQ(kept[4].length, 1001U);
}

TEST(Recorder, keeps_every_ping_that_was_left_unanswered) {
  Recorder recorder;
  recorder.record_ping(message(1, true, 0, 9));
  recorder.answered(0);
  recorder.record_ping(message(2, true, 0, 9));  // in place of the first
  recorder.record_ping(message(3, true, 0, 9));
  recorder.answered(1);  // the other leg has none
  const auto kept = recorder.messages();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].length, 2U);
  EXPECT_EQ(kept[0].answered, 0U);
  EXPECT_EQ(kept[1].length, 3U);
  EXPECT_EQ(kept[1].answered, 0U);
}

TEST(Recorder, finds_the_answered_ping_behind_messages_and_around_the_end_of_the_ring) {
  for (std::uint64_t before = 0; before < 70; ++before) {
    Recorder recorder;
    for (std::uint64_t i = 0; i < before; ++i) recorder.record(message(i));
    recorder.record_ping(message(500, true, 1, 9));
    for (std::uint64_t i = 0; i < 20; ++i) recorder.record(message(i));
    recorder.answered(1);
    std::size_t answered = 0;
    for (const auto& each : recorder.messages()) answered += each.answered;
    EXPECT_EQ(answered, 1U) << before;
  }
}

}  // namespace
}  // namespace sockeye::session
