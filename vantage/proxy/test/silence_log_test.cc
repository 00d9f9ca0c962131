#include "../src/silence_log.h"

#include <gtest/gtest.h>

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;
using model::Side;

const base::Time silence_begun{1000s};

TEST(SilenceLog, TellsAFewInFullAndCountsTheRest) {
  SilenceLog log;
  for (unsigned i = 0; i < SilenceLog::burst; ++i)
    EXPECT_TRUE(log.admit("calls", Side::client, true, silence_begun)) << i;
  EXPECT_EQ(log.due(silence_begun + 10s), "") << "there is nothing to say of those";
  for (int i = 0; i < 400; ++i) EXPECT_FALSE(log.admit("calls", Side::client, true, silence_begun));
  EXPECT_FALSE(log.admit("chat", Side::server, false, silence_begun + 999ms));
  EXPECT_EQ(log.due(silence_begun + 999ms), "");
  EXPECT_EQ(log.due(silence_begun + 1s),
            "401 more sessions with a heartbeat timeout: 400 closed, silent client (route calls); "
            "1 goes on, silent upstream (route chat)");
  EXPECT_EQ(log.due(silence_begun + 2s), "");
}

TEST(SilenceLog, OneNowAndThenIsToldInFull) {
  SilenceLog log;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(log.admit("calls", Side::client, true, silence_begun + i * 1s));
}

TEST(SilenceLog, ALineASecondHoweverLongItLasts) {
  SilenceLog log;
  int full = 0, lines = 0, told = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    const auto now = silence_begun + ms * 1ms;
    full += log.admit("calls", Side::client, true, now) ? 1 : 0;
    if (const auto line = log.due(now); !line.empty()) {
      ++lines;
      told += std::stoi(line);
    }
  }
  if (const auto line = log.due(silence_begun + 20s); !line.empty()) told += std::stoi(line);
  EXPECT_LE(lines, 10);
  EXPECT_LE(full, static_cast<int>(SilenceLog::burst) + 10);
  EXPECT_EQ(full + told, 10'000);
}

}  // namespace
}  // namespace sockeye::proxy
