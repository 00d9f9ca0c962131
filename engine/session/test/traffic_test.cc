#include "sockeye/session/traffic.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sockeye::session {
namespace {

using namespace std::chrono_literals;
constexpr base::Time start = base::Time{} + 1000s;

TEST(Turn, first_question_to_next_answer_one_at_a_time) {
  Turn turn;
  base::Duration took{};
  EXPECT_FALSE(turn.server_message(start, took));
  turn.client_message(start + 1s);
  turn.client_message(start + 2s);
  EXPECT_TRUE(turn.server_message(start + 4s, took));
  EXPECT_EQ(took, 3s);
  EXPECT_FALSE(turn.server_message(start + 5s, took));
  turn.client_message(start + 6s);
  EXPECT_TRUE(turn.server_message(start + 6s, took));
  EXPECT_EQ(took, 0s);
}

TEST(Gaps, longest_silence_between_messages) {
  Gaps gaps(start);
  EXPECT_EQ(gaps.last(), start);
  gaps.message(start + 100s);  // the time before the first is no gap between two
  EXPECT_EQ(gaps.longest(), 0s);
  gaps.message(start + 103s);
  gaps.message(start + 104s);
  EXPECT_EQ(gaps.longest(), 3s);
  EXPECT_EQ(gaps.last(), start + 104s);
}

TEST(MessageType, by_opcode) {
  EXPECT_EQ(message_type(model::Opcode::text), model::MessageType::text);
  EXPECT_EQ(message_type(model::Opcode::binary), model::MessageType::binary);
  EXPECT_EQ(message_type(model::Opcode::ping), model::MessageType::ping);
  EXPECT_EQ(message_type(model::Opcode::pong), model::MessageType::pong);
  EXPECT_EQ(message_type(model::Opcode::close), model::MessageType::close);
}

}  // namespace
}  // namespace sockeye::session
