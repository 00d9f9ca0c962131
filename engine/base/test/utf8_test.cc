#include "sockeye/base/utf8.h"

#include <gtest/gtest.h>

namespace sockeye::base {
namespace {

TEST(Utf8, TakesEveryLengthAndStopsAtTheFirstIllFormedByte) {
  const std::string good = "plain ascii, ä, €, 😀 and some more";
  EXPECT_EQ(valid_utf8_prefix(good), good.size());
  for (const std::string_view bad :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\x80", "\xff", "\xe2\x82"}) {
    const std::string text = std::string("12345678").append(bad);
    EXPECT_EQ(valid_utf8_prefix(text), 8U);
  }
}

TEST(Utf8, RepairsOneReplacementForEachMaximalSubpart) {
  // The example of Unicode §3.9, table 3-8.
  EXPECT_EQ(repair_utf8("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"), "a���b�c��d");
  EXPECT_EQ(repair_utf8("ok"), "ok");
  EXPECT_EQ(repair_utf8(""), "");
}

TEST(Utf8, CutsAtACharacter) {
  EXPECT_EQ(cut_utf8("a€b", 3), "a");
  EXPECT_EQ(cut_utf8("a€b", 4), "a€");
  EXPECT_EQ(cut_utf8("abc", 9), "abc");
  EXPECT_EQ(cut_utf8("€", 0), "");
}

}  // namespace
}  // namespace sockeye::base
