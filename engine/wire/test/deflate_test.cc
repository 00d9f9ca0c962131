// What the Deflater makes, an Inflater of the same parameters undoes: message by message, in pieces, empty ones too.
#include "sockeye/wire/deflate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sockeye/wire/inflate.h"

namespace sockeye::wire {
namespace {

std::string packed(Deflater& deflater, std::string_view plain, std::size_t piece) {
  std::vector<base::Byte> out;
  do {
    const std::string_view next = plain.substr(0, piece);
    plain.remove_prefix(next.size());
    EXPECT_TRUE(deflater.feed(base::as_bytes(next), plain.empty(), out));
  } while (!plain.empty());
  return std::string(base::as_text(out));
}

std::string unpacked(Inflater& inflater, std::string_view payload) {
  std::string out;
  const auto take = [](void* to, base::Bytes piece) {
    static_cast<std::string*>(to)->append(base::as_text(piece));
    return true;
  };
  EXPECT_EQ(inflater.feed(base::as_bytes(payload), 0, 0, take, &out), Inflater::Result::ok);
  EXPECT_EQ(inflater.end(take, &out), Inflater::Result::ok);
  return out;
}

std::vector<std::string> messages() {
  std::string mixed;
  for (int i = 0; i < 200'000; ++i) mixed += static_cast<char>(((i * 7919) >> (i % 11)) & 0x7f);
  return {"hello", "", "hello", "", "", std::string(100'000, 'x'), mixed, "hello hello", mixed.substr(5), ""};
}

TEST(Deflate, IsUndoneByAnInflater) {
  for (const int bits : {9, 10, 15})
    for (const bool alone : {false, true})
      for (const std::size_t piece : {std::size_t{1'000'000}, std::size_t{4096}, std::size_t{777}}) {
        Deflater deflater(static_cast<std::uint8_t>(bits), alone);
        Inflater inflater(static_cast<std::uint8_t>(bits), alone, 1U << 20U);
        ASSERT_TRUE(deflater.able());
        for (const std::string& message : messages())
          ASSERT_EQ(unpacked(inflater, packed(deflater, message, piece)), message)
              << bits << " bits, alone " << alone << ", pieces of " << piece;
      }
}

TEST(Deflate, TakesContextOver) {
  const std::string message = "a text that is not in any dictionary but its own, 0123456789";
  Deflater over(15, false);
  Deflater alone(15, true);
  const std::size_t first = packed(over, message, 1000).size();
  EXPECT_LT(packed(over, message, 1000).size() * 3, first);
  EXPECT_EQ(packed(alone, message, 1000).size(), packed(alone, message, 1000).size());
}

// zlib's window of 256 bytes is one of 512, and the receiver's is not.
TEST(Deflate, LeavesTheSmallestWindowToOthers) {
  Deflater deflater(8, false);
  EXPECT_FALSE(deflater.able());
  std::vector<base::Byte> out;
  EXPECT_FALSE(deflater.feed(base::as_bytes("x"), true, out));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace sockeye::wire
