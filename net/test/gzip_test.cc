#include "sockeye/net/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace sockeye::net {
namespace {

std::string unpacked(const std::string& packed, std::size_t room) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(room + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, PacksAgainAndAgain) {
  for (const int level : {1, 4, 9}) {
    Gzip gzip(level);
    std::string noise;
    for (unsigned i = 0, x = 1; i < 100'000; ++i) noise += static_cast<char>((x = x * 1664525U + 1013904223U) >> 24U);
    for (const std::string& text : {std::string(1'000'000, 'a'), std::string(), noise, std::string("short")}) {
      std::string packed = "what was here before";
      ASSERT_TRUE(gzip.compress(text, packed));
      EXPECT_EQ(unpacked(packed, text.size()), text);
    }
  }
}

}  // namespace
}  // namespace sockeye::net
