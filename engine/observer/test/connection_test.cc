#include <gtest/gtest.h>

#include "rig.h"

namespace sockeye::observer::test {
namespace {

TEST(Connection, forwards_verbatim_and_counts) {
  Rig rig;
  rig.open();
  const std::string hello = text(Side::client, "hello");
  const std::string two = frame(Side::server, Opcode::binary, std::string(300, 'x'), false) +
                          frame(Side::server, Opcode::continuation, std::string(70000, 'y'));
  rig.feed(Side::client, hello);
  rig.feed(Side::server, two);
  EXPECT_EQ(rig.to(Side::server), hello);
  EXPECT_EQ(rig.to(Side::client), two);
  const auto view = rig.view();
  EXPECT_EQ(view.counts[0].messages[0], 1U);
  EXPECT_EQ(view.counts[0].bytes, 5U);
  EXPECT_EQ(view.counts[1].messages[1], 1U);
  EXPECT_EQ(view.counts[1].bytes, 70300U);
  EXPECT_EQ(view.counts[1].fragments, 2U);
  EXPECT_EQ(view.counts[1].wire_bytes, two.size());
}

TEST(Connection, closes_by_the_book) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000, "bye"));
  EXPECT_EQ(rig.view().state, model::SessionState::closing);
  rig.feed(Side::server, close(Side::server, 1000));
  EXPECT_TRUE(rig.finished[0].empty());
  EXPECT_TRUE(rig.finished[1].empty());
  rig.connection->eof(Side::server, rig.now);
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  EXPECT_EQ(rig.connection->next_deadline(), base::never);
  rig.connection->finish(rig.now);
  ASSERT_TRUE(rig.connection->close_info());
  EXPECT_EQ(rig.connection->close_info()->code, 1000);
  EXPECT_EQ(rig.connection->close_info()->reason, "bye");
  EXPECT_EQ(rig.connection->close_info()->initiator, model::Initiator::client);
}

}  // namespace
}  // namespace sockeye::observer::test
