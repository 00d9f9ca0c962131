#include "sockeye/files/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "folder.h"

namespace sockeye::files::test {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat about {};
  EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 07777U;
}

TEST(Directories, OfOursAreOurs) {
  const Folder folder;
  const mode_t before = ::umask(0);
  const auto deep = folder.path("a/b/c");
  EXPECT_TRUE(make_directory(deep));
  EXPECT_TRUE(make_directory(deep + "/"));
  ::umask(before);
  for (const auto* each : {"a", "a/b", "a/b/c"}) EXPECT_EQ(mode_of(folder.path(each)), 0700U) << each;
  EXPECT_EQ(shared_with(deep), "");
  EXPECT_EQ(::chmod(deep.c_str(), 0770), 0);
  EXPECT_TRUE(make_directory(deep));
  EXPECT_EQ(mode_of(deep), 0770U) << "left as it is";
  EXPECT_EQ(shared_with(deep), deep + ": others can put files there and take ours away; run: chmod go-w " + deep);
  EXPECT_EQ(shared_with(folder.path("absent")), "");
  EXPECT_EQ(why(make_directory(folder.write("file", ""))), "Not a directory");
  EXPECT_EQ(why(make_directory(folder.path("file/x"))), "Not a directory");
}

TEST(Directories, WhatIsThereIsTakenFromOthers) {
  const Folder folder;
  const auto file = folder.write("file", "x", 0644);
  std::filesystem::create_symlink(file, folder.path("link"));
  make_private(folder.path("link"));
  EXPECT_EQ(mode_of(file), 0644U);
  make_private(file);
  EXPECT_EQ(mode_of(file), 0600U);
  make_private(folder.path("absent"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("absent")));
}

}  // namespace
}  // namespace sockeye::files::test
