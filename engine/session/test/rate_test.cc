#include "sockeye/session/rate.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sockeye::session {
namespace {

using namespace std::chrono_literals;

TEST(RateLimit, allows_five_seconds_worth_at_once_then_the_rate) {
  const base::Time start = base::Time{} + 1000s;
  RateLimit limit(200);
  int allowed = 0;
  for (int i = 0; i < 5000; ++i) allowed += limit.allow(start) ? 1 : 0;
  EXPECT_EQ(allowed, 1000);
  allowed = 0;
  for (int ms = 1; ms <= 10000; ++ms) allowed += limit.allow(start + ms * 1ms) ? 1 : 0;
  EXPECT_EQ(allowed, 2000);
}

TEST(RateLimit, steady_at_the_rate_is_never_too_much) {
  RateLimit limit(200);
  base::Time now = base::Time{} + 1000s;
  for (int i = 0; i < 100000; ++i, now += 5ms) ASSERT_TRUE(limit.allow(now));
}

TEST(RateLimit, zero_is_no_limit) {
  RateLimit limit(0);
  for (int i = 0; i < 100000; ++i) ASSERT_TRUE(limit.allow(base::Time{}));
}

}  // namespace
}  // namespace sockeye::session
