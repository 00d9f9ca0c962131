#include "../src/sha1.h"

#include <gtest/gtest.h>

#include <string>

#include "sockeye/wire/http.h"

namespace sockeye::wire {
namespace {

std::string hex_of(const std::string& message) {
  std::string out;
  for (const auto byte : sha1(base::as_bytes(message))) {
    static constexpr char digits[] = "0123456789abcdef";
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

TEST(Sha1, Rfc3174) {  // §7.3, and FIPS 180's empty message
  EXPECT_EQ(hex_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex_of(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  std::string last;
  for (int i = 0; i < 80; ++i) last += "01234567";
  EXPECT_EQ(hex_of(last), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
  EXPECT_EQ(hex_of(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Sha1, PadsAtEveryLength) {  // the three cases of padding around a block's end; from sha1sum
  EXPECT_EQ(hex_of(std::string(55, 'a')), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  EXPECT_EQ(hex_of(std::string(56, 'a')), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  EXPECT_EQ(hex_of(std::string(64, 'a')), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

TEST(Base64, Rfc4648) {  // §10
  for (const auto& [plain, coded] : {std::pair{"", ""},
                                     {"f", "Zg=="},
                                     {"fo", "Zm8="},
                                     {"foo", "Zm9v"},
                                     {"foob", "Zm9vYg=="},
                                     {"fooba", "Zm9vYmE="},
                                     {"foobar", "Zm9vYmFy"}})
    EXPECT_EQ(base64(base::as_bytes(plain)), coded);
  EXPECT_EQ(base64(base::as_bytes("\xfb\xff\xbf")), "+/+/");
}

TEST(AcceptKey, Rfc6455) {  // §1.3
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace sockeye::wire
