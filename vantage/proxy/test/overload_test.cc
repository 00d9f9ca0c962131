#include "../src/overload.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "sockeye/model/names.h"

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;
using model::Shedding;
using model::Strain;

TEST(Overload, ALoopThatIsBusyAndLateShedsStepByStep) {
  Overload overload(2);
  base::Time now = base::Time{} + 1000s;
  const auto late = [&](base::Duration lag, base::Duration busy) {
    for (int i = 0; i < 40; ++i) overload.lagged(1, lag, busy);
    now += 50ms;
    overload.look(now);
    return overload.now();
  };
  EXPECT_EQ(late(2s, 0s).shedding, Shedding::nothing);  // others have the processor: doing less would not help
  EXPECT_EQ(late(60ms, 50ms).shedding, Shedding::nothing);
  EXPECT_EQ(late(60ms, 60ms).shedding, Shedding::message_spans);
  EXPECT_EQ(late(120ms, 1s).shedding, Shedding::inflating);
  EXPECT_EQ(late(250ms, 1s).shedding, Shedding::reading);
  EXPECT_EQ(late(1200ms, 2s).shedding, Shedding::sessions);
  EXPECT_EQ(overload.now().because, Strain::loop_lag);
  EXPECT_EQ(late(0s, 0s).shedding, Shedding::sessions);  // kept a while, so that it does not flap
  now += 1s;
  EXPECT_TRUE(overload.look(now));
  EXPECT_EQ(overload.now().shedding, Shedding::nothing);
}

TEST(Overload, OneLateTurnIsNone) {
  Overload overload(1);
  overload.lagged(0, 200ms, 200ms);
  overload.look(base::Time{} + 1000s);
  EXPECT_EQ(overload.now().shedding, Shedding::nothing);
}

TEST(Overload, MemoryIsThatOfTheProcess) {
  Overload overload(1);
  const auto at = [&](std::uint64_t limit, base::Time now) {
    overload.configure({.memory = limit});
    overload.look(now);
    return overload.now();
  };
  EXPECT_EQ(at(1ULL << 40U, base::Time{} + 1000s).shedding, Shedding::nothing);
  const auto over = at(1U << 20U, base::Time{} + 1010s);  // no process of ours is that small
  EXPECT_EQ(over.shedding, Shedding::sessions);
  EXPECT_EQ(over.because, Strain::memory);
  EXPECT_EQ(at(0, base::Time{} + 1020s).shedding, Shedding::nothing);
}

TEST(Overload, DescriptorsAreKeptForWhatIsNoClient) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_NE(limit.rlim_cur, RLIM_INFINITY);
  const int most = static_cast<int>(limit.rlim_cur);
  Overload overload(1);
  const int kept = std::clamp(most / 8, 16, 512);
  EXPECT_TRUE(overload.spares(most - kept - 1));
  EXPECT_FALSE(overload.spares(most - kept));
  EXPECT_TRUE(overload.spares_upstream(most - kept));
  EXPECT_FALSE(overload.spares_upstream(most - 1));
  const base::Time now = base::Time{} + 1000s;
  overload.out_of_descriptors(now);
  overload.look(now);
  EXPECT_EQ(overload.now().shedding, Shedding::sessions);
  EXPECT_EQ(overload.now().because, Strain::descriptors);
  overload.look(now + 2s);
  overload.look(now + 4s);
  EXPECT_EQ(overload.now().shedding, Shedding::nothing);
}

TEST(Overload, SaysWhatItCounts) {
  Overload overload(2);
  observer::Memory memory(1000);
  memory.add(300);
  overload.lagged(0, 3ms, 0s);
  overload.lagged(1, 5ms, 0s);
  overload.counts(0).sessions.add(2);
  overload.counts(1).sessions.add(3);
  overload.counts(1).observations.add(1);
  for (const auto& family : overload.families(memory)) {
    if (family.name == model::metric::sockeye_loop_lag_seconds) {
      EXPECT_DOUBLE_EQ(family.samples.at(0).histogram.sum, 0.008);
    } else if (family.name == model::metric::sockeye_shed_total) {
      ASSERT_EQ(family.samples.size(), 3U);
      EXPECT_EQ(family.samples[0].value, 5);
      EXPECT_EQ(family.samples[1].value, 0);
      EXPECT_EQ(family.samples[2].value, 1);
    } else if (family.name == model::metric::sockeye_observation_bytes) {
      EXPECT_EQ(family.samples.at(0).value, 300);
    } else if (family.name == model::metric::sockeye_observation_limit_bytes) {
      EXPECT_EQ(family.samples.at(0).value, 1000);
    }
  }
}

}  // namespace
}  // namespace sockeye::proxy
