#include "sockeye/model/metrics.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>

namespace sockeye::model {
namespace {

using namespace std::chrono_literals;

// Prometheus' buckets are "le": the bound itself belongs to the bucket, one unit more to the next.
template <class Histogram, class Observe>
std::size_t bucket_of(Observe observe) {
  Histogram h;
  observe(h);
  std::size_t at = Histogram::buckets;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < Histogram::buckets; ++i) {
    total += h.count(i);
    if (h.count(i) == 1) at = i;
  }
  EXPECT_EQ(total, 1U);
  return at;
}

TEST(DurationHistogram, bounds_are_exact_to_the_nanosecond) {
  const auto bucket = [](base::Duration d) {
    return bucket_of<DurationHistogram>([d](DurationHistogram& h) { h.observe(d); });
  };
  EXPECT_EQ(bucket(-5s), 0U);
  EXPECT_EQ(bucket(0ns), 0U);
  for (std::size_t i = 0; i + 1 < DurationHistogram::buckets; ++i) {
    const base::Duration bound{static_cast<std::int64_t>(std::llround(DurationHistogram::bound(i) * 1e9))};
    EXPECT_EQ(bucket(bound), i) << i;
    EXPECT_EQ(bucket(bound + 1ns), i + 1) << i;
  }
  EXPECT_EQ(bucket(24h), DurationHistogram::buckets - 1);
}

TEST(LongDurationHistogram, bounds_are_exact_to_the_nanosecond) {
  const auto bucket = [](base::Duration d) {
    return bucket_of<LongDurationHistogram>([d](LongDurationHistogram& h) { h.observe(d); });
  };
  EXPECT_EQ(bucket(0s), 0U);
  for (std::size_t i = 0; i + 1 < LongDurationHistogram::buckets; ++i) {
    const base::Duration bound{static_cast<std::int64_t>(std::llround(LongDurationHistogram::bound(i))) *
                               1'000'000'000};
    EXPECT_EQ(bucket(bound), i) << i;
    EXPECT_EQ(bucket(bound + 1ns), i + 1) << i;
  }
  EXPECT_EQ(bucket(24h * 365), LongDurationHistogram::buckets - 1);
}

TEST(SizeHistogram, bounds_are_exact_to_the_byte) {
  const auto bucket = [](std::uint64_t n) { return bucket_of<SizeHistogram>([n](SizeHistogram& h) { h.observe(n); }); };
  EXPECT_EQ(bucket(0), 0U);
  EXPECT_EQ(bucket(1), 0U);
  for (std::size_t i = 0; i + 1 < SizeHistogram::buckets; ++i) {
    const auto bound = static_cast<std::uint64_t>(SizeHistogram::bound(i));
    EXPECT_EQ(bucket(bound), i) << i;
    EXPECT_EQ(bucket(bound + 1), i + 1) << i;
  }
  EXPECT_EQ(bucket(UINT64_MAX), SizeHistogram::buckets - 1);
}

TEST(TokenHistogram, bounds_are_exact_to_the_token) {
  const auto bucket = [](std::uint64_t n) {
    return bucket_of<TokenHistogram>([n](TokenHistogram& h) { h.observe(n); });
  };
  EXPECT_EQ(bucket(0), 0U);
  for (std::size_t i = 0; i + 1 < TokenHistogram::buckets; ++i) {
    const auto bound = static_cast<std::uint64_t>(TokenHistogram::bound(i));
    EXPECT_EQ(bucket(bound), i) << i;
    EXPECT_EQ(bucket(bound + 1), i + 1) << i;
  }
  EXPECT_EQ(TokenHistogram::bound(13), 67108864);
  EXPECT_EQ(bucket(UINT64_MAX), TokenHistogram::buckets - 1);
}

TEST(Histograms, sum_what_they_observe) {
  DurationHistogram d;
  d.observe(1500ms);
  d.observe(250us);
  EXPECT_DOUBLE_EQ(d.sum(), 1.50025);
  SizeHistogram s;
  s.observe(3);
  s.observe(70000);
  EXPECT_DOUBLE_EQ(s.sum(), 70003);
}

TEST(RouteMetrics, closes_are_bounded_and_none_is_lost) {
  const auto metrics = std::make_unique<RouteMetrics>();
  for (int round = 0; round < 3; ++round)
    for (std::uint16_t code = 3000; code < 5000; ++code)
      metrics->count_close(code, Initiator::client, EndReason::normal);
  std::uint64_t counted = metrics->closes_other.value();
  for (const auto& row : metrics->closes) {
    EXPECT_EQ(row.count.value(), row.key.load() == 0 ? 0U : 3U);
    counted += row.count.value();
  }
  EXPECT_EQ(counted, 6000U);
}

// A peer that makes up codes hides no reset, whoever comes first.
TEST(RouteMetrics, registered_close_codes_have_rows_of_their_own) {
  const auto metrics = std::make_unique<RouteMetrics>();
  const auto make_up = [&] {
    for (std::uint32_t code = 0; code <= 65535; ++code)
      if (code < 1000 || code > 1014 || code == 1004)
        metrics->count_close(static_cast<std::uint16_t>(code), Initiator::client, EndReason::normal);
  };
  make_up();
  const std::uint64_t before = metrics->closes_other.value();
  std::uint64_t known = 0;
  const auto count = [&](std::uint16_t code, Initiator who, EndReason why) {
    metrics->count_close(code, who, why);
    ++known;
  };
  for (const auto who : {Initiator::client, Initiator::server}) {
    for (std::uint16_t code = 1000; code <= 1014; ++code)
      if (code != 1004) count(code, who, EndReason::normal);
    count(1006, who, EndReason::reset);
  }
  count(1006, Initiator::network, EndReason::reset);
  for (const auto why : {EndReason::heartbeat_timeout, EndReason::drain, EndReason::idle})
    count(1001, Initiator::proxy, why);
  for (const std::uint16_t code : {std::uint16_t{1002}, std::uint16_t{1007}})
    count(code, Initiator::proxy, EndReason::protocol_error);
  for (const std::uint16_t code : {std::uint16_t{1008}, std::uint16_t{1009}})
    count(code, Initiator::proxy, EndReason::limit);
  EXPECT_EQ(metrics->closes_other.value(), before);
  make_up();
  std::uint64_t told = 0;
  for (const auto& row : metrics->closes) {
    const auto code = row.key.load() >> 16U;
    if (code >= 1000 && code <= 1014 && code != 1004) told += row.count.value();
  }
  EXPECT_EQ(told, known);
}

TEST(RouteMetrics, closes_are_told_apart_by_code_initiator_and_reason) {
  const auto metrics = std::make_unique<RouteMetrics>();
  metrics->count_close(1000, Initiator::client, EndReason::normal);
  metrics->count_close(1000, Initiator::server, EndReason::normal);
  metrics->count_close(1006, Initiator::client, EndReason::reset);
  metrics->count_close(1000, Initiator::client, EndReason::normal);
  EXPECT_EQ(metrics->closes[0].count.value(), 2U);
  EXPECT_EQ(metrics->closes[1].count.value(), 1U);
  EXPECT_EQ(metrics->closes[2].count.value(), 1U);
  EXPECT_EQ(metrics->closes[3].key.load(), 0U);
  EXPECT_EQ(metrics->closes[0].key.load() >> 16U, 1000U);
  EXPECT_EQ((metrics->closes[2].key.load() >> 8U) & 0xffU, static_cast<unsigned>(Initiator::client));
  EXPECT_EQ(metrics->closes[2].key.load() & 0x7fU, static_cast<unsigned>(EndReason::reset));
}

}  // namespace
}  // namespace sockeye::model
