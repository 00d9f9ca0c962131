#include "../src/complaints.h"

#include <gtest/gtest.h>

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;

TEST(Complaints, OneLineASubjectInTenSecondsThatTellsOfTheOthers) {
  Complaints complaints;
  const base::Time t0{100s};
  EXPECT_EQ(complaints.admit("a", "first", t0), "first");
  EXPECT_FALSE(complaints.admit("a", "second", t0 + 1s));
  EXPECT_FALSE(complaints.admit("a", "third", t0 + 9s));
  EXPECT_EQ(complaints.admit("b", "other", t0 + 9s), "other");
  EXPECT_EQ(complaints.admit("a", "fourth", t0 + 10s), "fourth (and 2 more like it)");
  EXPECT_EQ(complaints.admit("a", "fifth", t0 + 20s), "fifth");
}

TEST(Complaints, SubjectsAreBounded) {
  Complaints complaints;
  const base::Time t0{100s};
  for (std::size_t i = 0; i < Complaints::capacity; ++i) EXPECT_TRUE(complaints.admit(std::to_string(i), "x", t0));
  EXPECT_FALSE(complaints.admit("7", "x", t0));
  EXPECT_TRUE(complaints.admit("one more", "x", t0));
  EXPECT_TRUE(complaints.admit("7", "x", t0)) << "forgotten with the rest";
}

}  // namespace
}  // namespace sockeye::proxy
