#include "sockeye/net/http.h"

#include <gtest/gtest.h>

namespace sockeye::net {
namespace {

struct Split {
  std::string path, query;
};
Split split(std::string_view target) {
  Split out;
  split_target(target, out.path, out.query);
  return out;
}

TEST(SplitTarget, decodes_the_path_and_leaves_the_query) {
  EXPECT_EQ(split("/a%20b?x=%31").path, "/a b");
  EXPECT_EQ(split("/a%20b?x=%31").query, "x=%31");
  EXPECT_EQ(split("/a?b?c").query, "b?c");
  EXPECT_EQ(split("/a%3Fb").path, "/a?b");
  EXPECT_EQ(split("/a%3Fb").query, "");
  EXPECT_EQ(split("/+").path, "/+");
}

TEST(SplitTarget, takes_absolute_form) {
  EXPECT_EQ(split("http://host:1/a?b").path, "/a");
  EXPECT_EQ(split("http://host:1/a?b").query, "b");
  EXPECT_EQ(split("https://host").path, "/");
}

TEST(SplitTarget, has_no_path_for_what_is_none) {
  for (const auto* bad : {"", "*", "a", "host:80", "/..", "/../x", "/a/..", "/a/../b", "/%2e%2E/x", "/a%2f..%2fb",
                          "/a%", "/%00", "/a%00/../b", "//..//", "ftp://x/"})
    EXPECT_EQ(split(bad).path, "") << bad;
  EXPECT_EQ(split("/a..b/...").path, "/a..b/...");
  EXPECT_EQ(split("/./a").path, "/./a");
}

}  // namespace
}  // namespace sockeye::net
