#include "sockeye/config/text.h"

#include <gtest/gtest.h>

#include <array>

namespace sockeye::config {
namespace {

using namespace std::chrono_literals;

TEST(Text, ReadsDurations) {
  EXPECT_EQ(parse_duration("30s").value(), 30s);
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("5m").value(), 5min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("2d").value(), 48h);
  EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
  EXPECT_EQ(parse_duration("0.25 s").value(), 250ms);
  EXPECT_EQ(parse_duration("0").value(), 0s);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
  EXPECT_EQ(parse_duration("3650d").value(), 24h * 3650);
}

TEST(Text, RefusesWhatIsNoDuration) {
  for (const auto* text : {"", "s", "-1s", "+1s", "1.s", ".5s", "1..2s", "1e3s", "30", "30 sec", "30S", "1h30m",
                           "0x10s", "99999999999999999999999999d", "3651d", "1s ", "nan", "inf"})
    EXPECT_FALSE(parse_duration(text)) << text;
  EXPECT_EQ(parse_duration("30").error().message,
            "\"30\" has no unit; expected a duration such as 500ms, 30s, 5m or 1h; write 30s for seconds");
  EXPECT_EQ(parse_duration("30sec").error().message,
            "\"30sec\" has an unknown unit; expected a duration such as 500ms, 30s, 5m or 1h; write 30s");
  EXPECT_EQ(parse_duration("5 minutes").error().message,
            "\"5 minutes\" has an unknown unit; expected a duration such as 500ms, 30s, 5m or 1h; write 5m");
}

TEST(Text, ReadsSizes) {
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("0").value(), 0U);
  EXPECT_EQ(parse_size("64KB").value(), 64000U);
  EXPECT_EQ(parse_size("16MiB").value(), 16U << 20U);
  EXPECT_EQ(parse_size("1.5 GiB").value(), 3ULL << 29U);
  EXPECT_EQ(parse_size("8192TiB").value(), 1ULL << 53U);
}

TEST(Text, RefusesWhatIsNoSize) {
  for (const auto* text :
       {"", "MiB", "-1", "16M", "16mib", "1e6", "0.3", "8193TiB", "1.0001KiB", "99999999999999999999999"})
    EXPECT_FALSE(parse_size(text)) << text;
  EXPECT_EQ(
      parse_size("16M").error().message,
      "\"16M\" has an unknown unit; expected a size such as 4096, 64KB or 16MiB; write 16MiB (1024s) or 16MB (1000s)");
}

TEST(Text, ReadsEveryYaml11Boolean) {
  for (const auto* text : {"true", "yes", "on", "True", "YES", "On"}) EXPECT_TRUE(parse_boolean(text).value()) << text;
  for (const auto* text : {"false", "no", "off", "FALSE"}) EXPECT_FALSE(parse_boolean(text).value()) << text;
  for (const auto* text : {"", "1", "0", "y", "n", "truee"}) EXPECT_FALSE(parse_boolean(text)) << text;
}

TEST(Text, ReadsDecimalIntegersOnly) {
  EXPECT_EQ(parse_integer("0", 0, 5).value(), 0U);
  EXPECT_EQ(parse_integer("18446744073709551615", 0, UINT64_MAX).value(), UINT64_MAX);
  for (const auto* text : {"", "6", "-1", "1_0", "0x1", "1.0", "1e1", "18446744073709551616", " 1"})
    EXPECT_FALSE(parse_integer(text, 0, 5)) << text;
  EXPECT_EQ(parse_integer("010", 0, 99).error().message,
            "\"010\" has a leading zero, which YAML 1.1 reads as octal; write it without");
}

TEST(Text, ReadsRatios) {
  EXPECT_EQ(parse_ratio("0.25").value(), 0.25);
  EXPECT_EQ(parse_ratio("1").value(), 1.0);
  for (const auto* text : {"", "1.1", "-0.5", "nan", ".5", "10%", "inf"}) EXPECT_FALSE(parse_ratio(text)) << text;
}

TEST(Text, ChecksNetworks) {
  for (const auto* text : {"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "0.0.0.0/0", "unix"})
    EXPECT_TRUE(parse_network(text)) << text;
  for (const auto* text : {"", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "localhost", "10.0.0.0/", "10.0.0.0/08", "/8"})
    EXPECT_FALSE(parse_network(text)) << text;
}

TEST(Text, QuotesWithoutHarm) {
  EXPECT_EQ(quote("plain"), "\"plain\"");
  EXPECT_EQ(quote("grün"), "\"grün\"");
  EXPECT_EQ(quote("a\x1b[31m\n"), "\"a\\x1b[31m\\x0a\"");
  EXPECT_EQ(quote("\xc2\x9b"), "\"\\xc2\\x9b\"");  // CSI as one C1 character
  EXPECT_EQ(quote("\xff"), "\"\\xff\"");
  EXPECT_LT(quote(std::string(10'000, 'x')).size(), 80U);
  EXPECT_TRUE(quote(std::string(10'000, 'x')).ends_with("x…\""));
}

TEST(Text, FindsTheNearestName) {
  constexpr std::array<std::string_view, 4> names = {"upstream", "listen", "heartbeat", "plain_http"};
  EXPECT_EQ(nearest("upstraem", names), "upstream");
  EXPECT_EQ(nearest("Listen", names), "listen");
  EXPECT_EQ(nearest("plain-http", names), "plain_http");
  EXPECT_EQ(nearest("heart", names), "heartbeat");
  EXPECT_EQ(nearest("colour", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'u'), names), "");
}

TEST(Text, ListsAlternatives) {
  constexpr std::array<std::string_view, 3> names = {"a", "b", "c"};
  EXPECT_EQ(one_of(names), "a, b or c");
  EXPECT_EQ(one_of(std::span(names).first(1)), "a");
}

}  // namespace
}  // namespace sockeye::config
