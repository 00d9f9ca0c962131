#include "../src/log_throttle.h"

#include <gtest/gtest.h>

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;

TEST(LogThrottle, OneLineASubjectInTenSecondsThatTellsOfTheOthers) {
  LogThrottle throttle;
  const base::Time t0{100s};
  EXPECT_EQ(throttle.admit("a", "first", t0), "first");
  EXPECT_FALSE(throttle.admit("a", "second", t0 + 1s));
  EXPECT_FALSE(throttle.admit("a", "third", t0 + 9s));
  EXPECT_EQ(throttle.admit("b", "other", t0 + 9s), "other");
  EXPECT_EQ(throttle.admit("a", "fourth", t0 + 10s), "fourth (and 2 more like it)");
  EXPECT_EQ(throttle.admit("a", "fifth", t0 + 20s), "fifth");
}

TEST(LogThrottle, SubjectsAreBounded) {
  LogThrottle throttle;
  const base::Time t0{100s};
  for (std::size_t i = 0; i < LogThrottle::capacity; ++i) EXPECT_TRUE(throttle.admit(std::to_string(i), "x", t0));
  EXPECT_FALSE(throttle.admit("7", "x", t0));
  EXPECT_TRUE(throttle.admit("one more", "x", t0));
  EXPECT_TRUE(throttle.admit("7", "x", t0)) << "forgotten with the rest";
}

}  // namespace
}  // namespace sockeye::proxy
