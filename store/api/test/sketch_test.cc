#include "sockeye/store/sketch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace sockeye::store {
namespace {

TEST(Sketch, buckets_follow_each_other_and_hold_what_their_bounds_say) {
  EXPECT_EQ(bucket_low(0), 0U);
  for (std::size_t i = 0; i < bucket_count(); ++i) {
    const auto low = bucket_low(i), high = bucket_high(i);
    ASSERT_LT(low, high);
    EXPECT_EQ(bucket_of(low), i);
    EXPECT_EQ(bucket_of(high - 1), i == bucket_count() - 1 ? i : bucket_of(high) - 1);
    if (i + 1 < bucket_count()) {
      EXPECT_EQ(high, bucket_low(i + 1));
      EXPECT_EQ(high - low, std::max<std::uint64_t>(1, low / 50)) << "the format of stored files";
    }
  }
  EXPECT_EQ(bucket_of(UINT64_MAX), bucket_count() - 1);
  EXPECT_EQ(bucket_high(bucket_count() - 1), UINT64_MAX);
  EXPECT_EQ(bucket_count(), 2086U) << "the format of stored files";
}

// Values of any size, evenly over their orders of magnitude.
std::vector<std::uint64_t> some_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> out(count);
  for (auto& each : out) each = random() >> (random() % 63 + 1);
  return out;
}

TEST(Sketch, percentiles_are_within_a_hundredth_and_never_above_the_largest) {
  for (const std::size_t count : {1U, 2U, 3U, 10U, 101U, 5000U}) {
    auto values = some_values(count, count);
    Sketch sketch;
    for (const auto value : values) sketch.add(value);
    std::sort(values.begin(), values.end());
    EXPECT_EQ(sketch.count(), count);
    EXPECT_EQ(sketch.min(), values.front());
    EXPECT_EQ(sketch.max(), values.back());
    for (double q = 0; q <= 1; q += 0.01) {
      const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(count))));
      const auto truth = static_cast<double>(values[rank - 1]);
      EXPECT_NEAR(static_cast<double>(sketch.percentile(q)), truth, truth * sketch_error) << count << " " << q;
      EXPECT_LE(sketch.percentile(q), sketch.max());
      EXPECT_GE(sketch.percentile(q), sketch.min());
    }
  }
  EXPECT_EQ(Sketch().percentile(0.5), 0U);
}

TEST(Sketch, merging_is_as_adding_all_to_one) {
  const auto values = some_values(3000, 9);
  Sketch one, parts[3];
  for (std::size_t i = 0; i < values.size(); ++i) {
    one.add(values[i]);
    parts[i * i % 3].add(values[i]);
  }
  Sketch merged = parts[1];
  merged.merge(parts[0]);
  merged.merge(Sketch());
  merged.merge(parts[2]);
  EXPECT_EQ(merged, one);
  EXPECT_FALSE(merged == parts[1]);
  EXPECT_FALSE(one.coarse());
  parts[0].set_coarse();
  merged.merge(parts[0]);
  EXPECT_TRUE(merged.coarse());
  EXPECT_EQ(merged.error(), coarse_error);
}

TEST(Sketch, a_count_that_is_full_stays) {
  Sketch sketch;
  sketch.add(7, UINT32_MAX);
  sketch.add(7, 5);
  sketch.widen(7, 7);
  sketch.add(bucket_count(), 1);  // none of its buckets
  EXPECT_EQ(sketch.percentile(0.5), 7U);
  sketch.each([](std::size_t bucket, std::uint32_t count) {
    EXPECT_EQ(bucket, 7U);
    EXPECT_EQ(count, UINT32_MAX);
  });
}

}  // namespace
}  // namespace sockeye::store
