#include "read_ids.h"

#include <gtest/gtest.h>

namespace sockeye::console {
namespace {

TEST(ReadIds, traces_in_any_case_and_short) {
  const auto id = base::parse_trace_id("5b8efff798038103d269b633813fc60c");
  EXPECT_EQ(read_trace_id("5b8efff798038103d269b633813fc60c"), id);
  EXPECT_EQ(read_trace_id("5B8EFFF798038103D269B633813FC60C"), id);
  EXPECT_EQ(read_trace_id("D269B633813fc60c"), base::parse_trace_id("0000000000000000d269b633813fc60c"));
  for (const auto* bad : {"", "0", "00000000000000000000000000000000", "5b8efff798038103d269b633813fc60c0",
                          "5b8efff798038103d269b633813fc60g", "5b8e-ff", " 1"})
    EXPECT_FALSE(read_trace_id(bad)) << bad;
}

TEST(ReadIds, sessions_in_any_case_with_dashes_or_without) {
  const auto id = base::parse_session_id("0190163d-8694-739b-aea5-966c26f8ad91");
  ASSERT_TRUE(id);
  for (const auto* good : {"0190163d-8694-739b-aea5-966c26f8ad91", "0190163D-8694-739B-AEA5-966C26F8AD91",
                           "0190163d8694739baea5966c26f8ad91", "0190163D8694739BAEA5966C26F8AD91"})
    EXPECT_EQ(read_session_id(good), id) << good;
  for (const auto* bad : {"", "0190163d", "0190163d-8694-739b-aea5-966c26f8ad9", "0190163d8694-739b-aea5-966c26f8ad91-",
                          "0190163d--8694739b-aea5-966c26f8ad91", "0190163g-8694-739b-aea5-966c26f8ad91",
                          "------------------------------------"})
    EXPECT_FALSE(read_session_id(bad)) << bad;
}

}  // namespace
}  // namespace sockeye::console
