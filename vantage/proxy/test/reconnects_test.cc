#include "../src/reconnects.h"

#include <gtest/gtest.h>

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;

base::SessionId id(std::uint8_t n) {
  base::SessionId out;
  out.bytes[15] = n;
  return out;
}

TEST(Reconnects, a_credit_is_used_once_within_a_minute) {
  Reconnects table;
  const base::Time t0{1000s};
  const auto key = Reconnects::key("10.0.0.1", "calls", "/media?token=a", "ua");
  EXPECT_FALSE(table.opened(key, t0));
  table.ended(key, id(1), t0);
  const auto again = Reconnects::key("10.0.0.1", "calls", "/media?token=b", "ua");
  EXPECT_EQ(key, again) << "the query does not count";
  EXPECT_EQ(table.opened(again, t0 + 59s), id(1));
  EXPECT_FALSE(table.opened(again, t0 + 59s));
}

TEST(Reconnects, a_credit_expires) {
  Reconnects table;
  const base::Time t0{1000s};
  table.ended(7, id(1), t0);
  EXPECT_FALSE(table.opened(7, t0 + 60s));
  EXPECT_EQ(table.size(), 0U);
}

TEST(Reconnects, every_part_of_the_key_counts) {
  const auto key = Reconnects::key("a", "b", "/c", "d");
  EXPECT_NE(key, Reconnects::key("x", "b", "/c", "d"));
  EXPECT_NE(key, Reconnects::key("a", "x", "/c", "d"));
  EXPECT_NE(key, Reconnects::key("a", "b", "/x", "d"));
  EXPECT_NE(key, Reconnects::key("a", "b", "/c", "x"));
  EXPECT_NE(key, Reconnects::key("b", "a", "/c", "d"));
}

TEST(Reconnects, is_bounded_and_the_oldest_goes_first) {
  Reconnects table;
  const base::Time t0{1000s};
  for (std::uint64_t i = 0; i < Reconnects::capacity + 10; ++i) table.ended(i, id(1), t0);
  EXPECT_EQ(table.size(), Reconnects::capacity);
  EXPECT_FALSE(table.opened(9, t0 + 1s));
  EXPECT_TRUE(table.opened(10, t0 + 1s));
}

TEST(Reconnects, clients_behind_one_address_have_one_credit_each) {
  Reconnects table;
  const base::Time t0{1000s};
  for (std::uint8_t i = 1; i <= 3; ++i) table.ended(7, id(i), t0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(table.opened(7, t0 + 1s));
  EXPECT_FALSE(table.opened(7, t0 + 1s));
}

}  // namespace
}  // namespace sockeye::proxy
