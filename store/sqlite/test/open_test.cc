#include "sockeye/sqlite/open.h"

#include <gtest/gtest.h>
TEST(Open, MakesItsDirectory) {
  std::string name = "/tmp/sockeye-store-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  auto store = sockeye::sqlite::open({.directory = name + "/a/b"});
  ASSERT_TRUE(store) << store.error().message;
}
