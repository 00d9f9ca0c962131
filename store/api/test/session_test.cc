#include "sockeye/store/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace sockeye::store {
namespace {

Session telling(const char* instance, std::uint64_t seen, std::uint64_t messages) {
  Session out;
  out.id.bytes[15] = 1;
  out.instance = instance;
  out.opened_unix_ns = 5;
  out.seen_unix_ns = seen;
  out.messages[0] = messages;
  return out;
}

Session ended(Session out, std::uint64_t when, const char* why, std::uint16_t code) {
  out.end.unix_ns = when;
  out.end.why = why;
  out.end.code = code;
  return out;
}

void expect_same(const Session& a, const Session& b, const std::string& order) {
  EXPECT_EQ(static_cast<const model::SessionFacts&>(a), b) << order;
  EXPECT_EQ(static_cast<const model::SessionFigures&>(a), b) << order;
  EXPECT_EQ(a.end, b.end) << order;
  EXPECT_EQ(a.instance, b.instance) << order;
  EXPECT_EQ(a.seen_unix_ns, b.seen_unix_ns) << order;
}

// A backend may merge when it writes or when it reads: whatever the order is, the session is the same.
TEST(Session, is_the_same_in_whatever_order_it_is_told) {
  std::vector<Session> tellings = {telling("p", 10, 3), telling("p", 20, 7), ended(telling("", 30, 9), 30, "normal", 0),
                                   ended(telling("p", 31, 8), 31, "normal", 1000),
                                   ended(telling("p", 300, 0), 300, "lost", 1006)};
  tellings[0].subprotocol = "mcp";
  tellings[1].dialect = "mcp";
  tellings[2].dialect = "mcp";
  tellings[2].end.reason = "going";
  tellings[2].messages[1] = 4;
  std::vector<std::size_t> order(tellings.size());
  std::iota(order.begin(), order.end(), 0U);
  std::optional<Session> first;
  do {
    Session all = tellings[order[0]];
    std::string said = std::to_string(order[0]);
    for (std::size_t i = 1; i < order.size(); ++i) {
      all = merged(all, tellings[order[i]]);
      said += std::to_string(order[i]);
    }
    if (!first) first = all;
    expect_same(all, *first, said);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(first->instance, "p");
  EXPECT_EQ(first->subprotocol, "mcp");
  EXPECT_EQ(first->dialect, "mcp");
  EXPECT_EQ(first->end.unix_ns, 31U) << "not when it was given up";
  EXPECT_EQ(first->end.code, 1000);
  EXPECT_EQ(first->end.reason, "going") << "what the report does not say";
  EXPECT_EQ(first->messages[0], 9U);
  EXPECT_EQ(first->messages[1], 4U);
  EXPECT_EQ(first->seen_unix_ns, 300U);
}

TEST(Session, that_ended_does_not_open_again_and_a_late_report_takes_nothing_back) {
  const Session now = ended(telling("p", 30, 8), 30, "reset", 1006);
  const Session late = telling("p", 20, 5);
  for (const auto& both : {merged(now, late), merged(late, now)}) {
    EXPECT_EQ(both.end.unix_ns, 30U);
    EXPECT_EQ(both.messages[0], 8U);
  }
  EXPECT_EQ(merged(telling("p", 20, 5), telling("p", 10, 4)).messages[0], 5U) << "an older report of an open one";
}

TEST(Session, is_open_within_a_range_or_at_a_moment) {
  const Session one = ended(telling("p", 9, 0), 9, "normal", 1000);  // from 5 to 9
  EXPECT_TRUE(open_within(one, {}));
  EXPECT_TRUE(open_within(one, {5, 5}));
  EXPECT_TRUE(open_within(one, {9, 20}));
  EXPECT_FALSE(open_within(one, {10, 20}));
  EXPECT_FALSE(open_within(one, {0, 5})) << "the end of a range is not within";
  EXPECT_TRUE(open_within(one, {0, 6}));
  EXPECT_FALSE(open_within(one, {20, 6}));
  EXPECT_TRUE(open_within(telling("p", 9, 0), {1000, 1000})) << "open still";
}

}  // namespace
}  // namespace sockeye::store
