#include "sockeye/net/secret.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sockeye::net {
namespace {

TEST(Secret, DigestAndComparison) {
  // FIPS 180-4, the example of one block.
  EXPECT_EQ(hex_digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(same_secret("token", "token"));
  EXPECT_FALSE(same_secret("token", "Token"));
  EXPECT_FALSE(same_secret("", "token"));
  EXPECT_FALSE(same_secret("token1", "token"));
}

TEST(Secret, ATokenIsOneLineOfAFile) {
  std::string folder = (std::filesystem::temp_directory_path() / "sockeye-net-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/token";
  const auto read = [&](const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
    std::filesystem::permissions(file, std::filesystem::perms(0600));
    const auto token = read_token(file);
    return token ? *token : "error: " + token.error().message;
  };
  EXPECT_EQ(read("s3cret\n"), "s3cret");
  EXPECT_EQ(read("  s3cret \r\nnot this\n"), "s3cret");
  EXPECT_EQ(read(std::string(4096, 'x')), std::string(4096, 'x'));
  EXPECT_EQ(read(""), "error: " + file + ": holds no token");
  EXPECT_EQ(read(" \n"), "error: " + file + ": holds no token");
  const std::string not_one = "error: " + file + ": the token is not one line of at most 4096 printable characters";
  EXPECT_EQ(read(std::string(4097, 'x')), not_one);
  EXPECT_EQ(read("two words"), not_one);
  EXPECT_EQ(read("s\x01cret"), not_one);
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  EXPECT_EQ(read_token(file).error().message,
            file + ": cannot be read: others may read or change it; run: chmod 600 " + file);
  std::filesystem::remove_all(folder);
  EXPECT_NE(read_token(file).error().message.find(file + ": cannot be read: "), std::string::npos);
}

}  // namespace
}  // namespace sockeye::net
