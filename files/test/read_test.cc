#include "sockeye/files/read.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "folder.h"

namespace sockeye::files::test {
namespace {

TEST(Files, AreReadWhole) {
  const Folder folder;
  const std::string large(largest, 'x');
  EXPECT_EQ(read(folder.write("empty", "")), "");
  EXPECT_EQ(read(folder.write("some", std::string("a\0b\n", 4))), std::string("a\0b\n", 4));
  EXPECT_EQ(read(folder.write("large", large)), large);
  std::filesystem::create_symlink(folder.path("some"), folder.path("link"));
  EXPECT_EQ(read(folder.path("link"))->size(), 4U);
  EXPECT_TRUE(check(folder.path("link")));
}

TEST(Files, HaveAGreatestSize) {
  const Folder folder;
  const auto path = folder.write("file", std::string(101, 'x'));
  EXPECT_EQ(why(read(path, 100)), "larger than 100 bytes");
  EXPECT_EQ(why(check(path, 100)), "larger than 100 bytes");
  EXPECT_EQ(why(read(folder.write("larger", std::string(largest + 1, 'x')))), "larger than 1 MiB");
  EXPECT_EQ(read(path, 101)->size(), 101U);
}

// Each of them hangs, or never ends, for who just opens and reads.
TEST(Files, AreRegularOrRefusedAtOnce) {
  const Folder folder;
  ASSERT_EQ(::mkfifo(folder.path("fifo").c_str(), 0600), 0);
  for (const auto& [path, reason] : std::initializer_list<std::pair<std::string, std::string>>{
           {folder.path("fifo"), "not a regular file"},
           {"/dev/zero", "not a regular file"},
           {folder.path(""), "Is a directory"},
           {folder.path("absent"), "No such file or directory"}}) {
    EXPECT_EQ(why(read(path)), reason) << path;
    EXPECT_EQ(why(read_secret(path)), reason) << path;
    EXPECT_EQ(why(check(path)), reason) << path;
    EXPECT_EQ(why(open(path)), reason) << path;
  }
  const auto opened = open(folder.write("file", "abc"));
  ASSERT_TRUE(opened);
  char out[8];
  EXPECT_EQ(::read(*opened, out, sizeof out), 3);
  EXPECT_NE(::fcntl(*opened, F_GETFD) & FD_CLOEXEC, 0);
  ::close(*opened);
}

TEST(Files, ASecretIsItsOwnersAlone) {
  const Folder folder;
  for (const mode_t mode : {0600U, 0400U, 0700U})
    EXPECT_EQ(why(read_secret(folder.write("token", "x", mode))), "") << std::oct << mode;
  const auto path = folder.path("token");
  for (const mode_t mode : {0604U, 0644U, 0602U, 0620U, 0660U, 0601U, 0777U}) {
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(why(read_secret(path)), "others may read or change it; run: chmod 600 " + path) << std::oct << mode;
  }
  EXPECT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_NE(why(read_secret(path)), "") << "a group's, unless root gave it";
  if (::geteuid() != 0) GTEST_SKIP() << "the rest needs root";
  EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(::chown(path.c_str(), 4711, 4711), 0);
  EXPECT_TRUE(why(read_secret(path)).starts_with("belongs to another user (4711)"));
  // Root's file for a group, as a service sees it.
  EXPECT_EQ(::chown(path.c_str(), 0, 4711), 0);
  EXPECT_EQ(::chmod(path.c_str(), 0440), 0);
  EXPECT_EQ(::chmod(folder.path("").c_str(), 0755), 0);
  EXPECT_EQ(::setegid(4711), 0);
  EXPECT_EQ(::seteuid(4711), 0);
  const std::string as_service = why(read_secret(path));
  EXPECT_EQ(::seteuid(0), 0);
  EXPECT_EQ(::setegid(0), 0);
  EXPECT_EQ(as_service, "");
}

}  // namespace
}  // namespace sockeye::files::test
