#include "fair_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace sockeye::console {
namespace {

TEST(FairQueue, gives_each_address_its_turn_and_within_it_each_connection) {
  FairQueue<std::string> queue(100);
  for (const auto* job : {"a1", "a2", "a3"}) queue.push({"a", 1}, job);
  queue.push({"a", 2}, "A1");
  queue.push({"b", 1}, "b1");
  queue.push({"c", 1}, "c1");
  queue.push({"b", 1}, "b2");
  std::string order;
  while (const auto job = queue.pop()) order += *job + " ";
  EXPECT_EQ(order, "a1 b1 c1 A1 b2 a2 a3 ");
  EXPECT_FALSE(queue.pop());
  queue.push({"a", 1}, "again");
  EXPECT_EQ(queue.pop(), "again");
}

TEST(FairQueue, leaves_half_of_its_room_to_other_addresses) {
  FairQueue<int> queue(10);
  int pushed = 0;
  while (queue.has_room({"a", static_cast<std::uint16_t>(pushed)}))
    queue.push({"a", static_cast<std::uint16_t>(pushed++)}, 1);
  EXPECT_EQ(pushed, 5);
  while (queue.has_room({"b", 1})) queue.push({"b", 1}, ++pushed);
  EXPECT_EQ(pushed, 10);
  EXPECT_FALSE(queue.has_room({"c", 1}));
  EXPECT_TRUE(queue.pop());
  EXPECT_TRUE(queue.has_room({"c", 1}));
}

}  // namespace
}  // namespace sockeye::console
