#include "sockeye/base/text.h"

#include <gtest/gtest.h>

namespace sockeye::base {
namespace {

using namespace std::string_literals;

TEST(PercentDecode, takes_what_is_well_formed_and_nothing_else) {
  EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("%c3%BC"), "\xC3\xBC");
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("%00"), "\0"s);
  for (const auto* bad : {"%", "%4", "a%", "%g0", "%0g", "% 0", "%%41"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

}  // namespace
}  // namespace sockeye::base
