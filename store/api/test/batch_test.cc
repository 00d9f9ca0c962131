#include "sockeye/store/batch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sockeye/store/query.h"

namespace sockeye::store {
namespace {

TEST(Batch, keeps_texts_where_they_are_while_it_grows_and_moves) {
  Batch batch;
  std::vector<std::pair<std::string, std::string_view>> kept;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::string text(i % 97 + (i % 500 == 0 ? 20'000 : 1), static_cast<char>('a' + i % 26));
    kept.emplace_back(text, i % 3 == 0 ? batch.adopt(std::string(text)) : batch.keep(text));
  }
  const Batch moved = std::move(batch);
  for (const auto& [text, view] : kept) EXPECT_EQ(text, view);
  EXPECT_GT(moved.footprint(), 5000U * 40);
  EXPECT_TRUE(moved.empty());
}

TEST(Latency, every_bucket_holds_what_its_bounds_say) {
  for (std::size_t i = 1; i < latency_buckets; ++i) {
    EXPECT_EQ(latency_bucket(latency_bound(i - 1) * 1.0001), i);
    EXPECT_EQ(latency_bucket(latency_bound(i) * 0.9999), i);
  }
  EXPECT_EQ(latency_bucket(0), 0U);
  EXPECT_EQ(latency_bucket(-1), 0U);
  EXPECT_EQ(latency_bucket(std::nan("")), 0U);
  EXPECT_EQ(latency_bucket(1e300), latency_buckets - 1);
}

TEST(Latency, percentiles_are_within_a_bucket_of_the_truth) {
  LatencyHistogram histogram{};
  EXPECT_TRUE(std::isnan(percentile(histogram, 0.5)));
  for (int ms = 1; ms <= 1000; ++ms) ++histogram[latency_bucket(ms / 1e3)];
  for (const double q : {0.5, 0.9, 0.95, 0.99}) EXPECT_NEAR(percentile(histogram, q), q, q * 0.2);
}

}  // namespace
}  // namespace sockeye::store
