#include "rollup.h"

#include <gtest/gtest.h>

#include <random>

namespace sockeye::sqlite::test {
namespace {

// Merging what is stored is as writing all of it again.
TEST(Rollup, MergesWithoutReadingAllOfIt) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    store::Sketch all;
    std::string stored, merged, expected;
    for (int part = 0; part < 5; ++part) {
      std::vector<std::uint64_t> values(random() % (part == 2 ? 1 : 40));
      for (auto& value : values) value = round % 2 == 0 ? random() % 300 : random() >> (random() % 63 + 1);
      for (const auto value : values) all.add(value);
      merge_sketch(stored, Scale::sketch, values, merged);
      encode_sketch(all, expected);
      ASSERT_EQ(merged, expected) << round;
      stored = merged;
      store::Sketch read;
      decode_sketch(stored, Scale::sketch, read);
      ASSERT_EQ(read, all);
      EXPECT_EQ(largest_of(stored, Scale::sketch), all.max());
    }
  }
}

// What is damaged ends early, and does no harm.
TEST(Rollup, TakesAnyBytes) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes(random() % 60, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    for (const auto scale : {Scale::sketch, Scale::of_schema_2, Scale::sketch_with_coarse}) {
      store::Sketch sketch;
      decode_sketch(bytes, scale, sketch);
      static_cast<void>(sketch.percentile(0.5));
      std::vector<std::uint64_t> values = {5, random()};
      std::string out;
      merge_sketch(bytes, scale, values, out);
      EXPECT_FALSE(out.empty());
    }
  }
}

}  // namespace
}  // namespace sockeye::sqlite::test
