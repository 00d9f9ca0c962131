#include "parameters.h"

#include <gtest/gtest.h>

#include "sockeye/base/json.h"

namespace sockeye::console {
namespace {

using namespace std::string_literals;

std::string refusal(const Parameters& with) {
  const auto good = with.check();
  return good ? "" : good.error().message;
}

TEST(Parameters, reads_each_kind) {
  Parameters with(
      "text=a+b&number=-1.5&integer=7&yes=true&one=1&no=false&word=b&from_ms=1700000000000.25&seconds=0.001");
  EXPECT_EQ(with.text("text"), "a b");
  EXPECT_EQ(with.number("number", -2, 2), -1.5);
  EXPECT_EQ(with.integer("integer", 1, 0, 10), 7U);
  EXPECT_TRUE(with.flag("yes"));
  EXPECT_TRUE(with.flag("one"));
  EXPECT_FALSE(with.flag("no"));
  EXPECT_FALSE(with.flag("absent"));
  EXPECT_EQ(with.word("word", {"a", "b"}), 1U);
  EXPECT_EQ(with.time("from_ms").value_or(0) / 1000, 1'700'000'000'000'250U);  // to the microsecond
  EXPECT_EQ(with.duration("seconds"), 1'000'000U);
  EXPECT_EQ(refusal(with), "");
}

// A bound that was given in milliseconds or seconds comes back as the one it was.
TEST(Parameters, times_and_durations_are_exact) {
  for (const std::uint64_t ms : {1ULL, 999ULL, 1'772'366'096'789ULL, 1'772'366'096'787ULL, 9'199'999'999'999ULL}) {
    Parameters with("t=" + std::to_string(ms));
    EXPECT_EQ(with.time("t"), ms * 1'000'000);
  }
  for (std::uint64_t ns = 1; ns < 4'000'000'000'000'000; ns = ns * 3 + 1) {
    base::Json json;
    json.number(static_cast<double>(ns) / 1e9);
    Parameters with("s=" + json.take());
    EXPECT_EQ(with.duration("s"), ns);
  }
}

TEST(Parameters, has_defaults_for_what_is_absent_or_empty) {
  Parameters with("number=&integer=&word=&text=&&");
  EXPECT_EQ(with.text("text"), "");
  EXPECT_EQ(with.number("number", 0, 1), std::nullopt);
  EXPECT_EQ(with.integer("integer", 3, 1, 5), 3U);
  EXPECT_EQ(with.word("word", {"a"}), std::nullopt);
  EXPECT_EQ(with.time("absent"), std::nullopt);
  EXPECT_EQ(refusal(with), "");
}

TEST(Parameters, names_what_nobody_asked_for) {
  Parameters with("limit=3&limmit=3");
  EXPECT_EQ(with.integer("limit", 1, 1, 5), 3U);
  EXPECT_EQ(refusal(with), "unknown parameter \"limmit\"");
}

TEST(Parameters, refuses_what_is_out_of_range_or_no_number) {
  for (const auto* bad : {"0", "6", "-1", "+1", "1.5", "x", "1x", " 1", "0x1", "99999999999999999999999", "1e2"}) {
    Parameters with(std::string("n=") + bad);
    EXPECT_EQ(with.integer("n", 2, 1, 5), 2U);
    EXPECT_EQ(refusal(with), "n: expected a whole number from 1 to 5") << bad;
  }
  for (const auto* bad : {"nan", "inf", "-inf", "1e999", "2", "-1", "0.5x", "%20"}) {
    Parameters with(std::string("n=") + bad);
    EXPECT_EQ(with.number("n", 0, 1), std::nullopt);
    EXPECT_TRUE(refusal(with).starts_with("n: expected a number from 0")) << bad;
  }
  Parameters time("from_ms=9300000000000");  // its nanoseconds would not fit
  EXPECT_EQ(time.time("from_ms"), std::nullopt);
  EXPECT_NE(refusal(time), "");
  Parameters flag("f=yes");
  EXPECT_FALSE(flag.flag("f"));
  EXPECT_EQ(refusal(flag), "f: expected true or false");
  Parameters word("w=c");
  EXPECT_EQ(word.word("w", {"a", "b"}), std::nullopt);
  EXPECT_EQ(refusal(word), "w: expected one of a, b");
}

TEST(Parameters, says_the_first_problem_only) {
  Parameters with("a=x&b=y");
  static_cast<void>(with.integer("a", 0, 0, 1));
  static_cast<void>(with.integer("b", 0, 0, 1));
  with.wrong("c", "nothing");
  EXPECT_TRUE(refusal(with).starts_with("a: "));
}

TEST(Parameters, gives_all_of_a_repeated_one) {
  Parameters with("attribute=a:1&x=1&attribute=b%26:2&attribute");
  EXPECT_EQ(with.texts("attribute"), (std::vector<std::string>{"a:1", "b&:2", ""}));
  EXPECT_EQ(with.text("x"), "1");
  EXPECT_EQ(refusal(with), "");
  // One that is asked for once may not come twice: the second would be ignored.
  Parameters twice("limit=1&limit=2");
  EXPECT_EQ(twice.integer("limit", 5, 1, 9), 1U);
  EXPECT_NE(refusal(twice), "");
}

TEST(Parameters, is_bounded) {
  std::string query;
  for (int i = 0; i < 64; ++i) query += "a=1&";
  Parameters most(query);
  EXPECT_EQ(most.texts("a").size(), 64U);
  EXPECT_EQ(refusal(most), "");
  Parameters more(query + "a=1");
  EXPECT_EQ(more.texts("a").size(), 64U);
  EXPECT_EQ(refusal(more), "more than 64 parameters");
}

TEST(Parameters, refuses_bad_escapes_in_name_and_value) {
  EXPECT_EQ(refusal(Parameters("a=%")), "malformed escape in the query");
  EXPECT_EQ(refusal(Parameters("%zz=1")), "malformed escape in the query");
}

}  // namespace
}  // namespace sockeye::console
