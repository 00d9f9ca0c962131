#include "../src/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "conversation.h"
#include "sockeye/base/random.h"

namespace sockeye::tap {
namespace {

using model::Side;
using test::Conversation;
using test::give;
using test::TrueStreams;
using test::Wire;

struct Fixture {
  TrueStreams truth;
  Reassembly reassembly;
  explicit Fixture(const Conversation& conversation, ReassemblyLimits limits = {}) : reassembly(limits, 1, truth) {
    conversation.tell(truth);
  }
  void give_all(const std::vector<Wire>& wire) {
    for (const auto& each : wire) give(reassembly, each);
  }
  void finish() {
    reassembly.finish();
    EXPECT_EQ(truth.wrong(), "");
    EXPECT_EQ(truth.open, 0);
    EXPECT_EQ(reassembly.held(), 0U);
    EXPECT_EQ(reassembly.streams(), 0U);
  }
  void expect(std::uint64_t client, std::uint64_t server, std::uint64_t gaps = 0) {
    EXPECT_EQ(truth[Side::client].bytes, client);
    EXPECT_EQ(truth[Side::server].bytes, server);
    EXPECT_EQ(truth[Side::client].gaps + truth[Side::server].gaps, gaps);
  }
};

Conversation chat(int rounds = 10, std::size_t request = 100, std::size_t reply = 1000) {
  Conversation out;
  out.handshake();
  for (int i = 0; i < rounds; ++i) {
    out.send(Side::client, request);
    out.send(Side::server, reply);
  }
  out.fin(Side::client);
  out.fin(Side::server);
  out.acknowledge(Side::client);
  return out;
}

TEST(Reassembly, InOrder) {
  const auto chatter = chat();
  Fixture f(chatter);
  f.give_all(chatter.wire);
  EXPECT_EQ(f.truth.ends[Closed::finished], 1);
  f.finish();
  f.expect(1000, 10'000);
  EXPECT_EQ(f.reassembly.stats().streams, 1U);
  EXPECT_EQ(f.reassembly.stats().begun_before, 0U);
}

TEST(Reassembly, EveryPacketTwice) {
  const auto chatter = chat();
  Fixture f(chatter);
  for (const auto& each : chatter.wire) give(f.reassembly, each), give(f.reassembly, each);
  f.finish();
  f.expect(1000, 10'000);
  EXPECT_EQ(f.reassembly.stats().repeated, 20U);
  EXPECT_EQ(f.truth.opened_count, 1U);
}

TEST(Reassembly, SequenceNumbersWrap) {
  for (const std::uint32_t first : {0xffffffffU, 0U, 0xfffffff0U, 0xffffff00U}) {
    Conversation chatter(first, first - 5000);
    chatter.handshake();
    for (int i = 0; i < 20; ++i) chatter.send(Side::client, 50), chatter.send(Side::server, 600);
    Fixture f(chatter);
    auto wire = chatter.wire;
    for (std::size_t i = 3; i + 3 < wire.size(); i += 4) std::swap(wire[i], wire[i + 2]);
    f.give_all(wire);
    f.finish();
    f.expect(1000, 12'000);
  }
}

TEST(Reassembly, AHoleIsFilledOrSaid) {
  Conversation chatter;
  chatter.handshake();
  for (int i = 0; i < 10; ++i) chatter.send(Side::client, 100);
  Fixture f(chatter);
  for (std::size_t i = 0; i < chatter.wire.size(); ++i)
    if (i != 5) give(f.reassembly, chatter.wire[i]);
  f.expect(200, 0);
  EXPECT_EQ(f.reassembly.stats().out_of_order, 7U);
  give(f.reassembly, chatter.wire[5]);
  f.expect(1000, 0);
  f.finish();

  Fixture g(chatter);
  for (std::size_t i = 0; i < chatter.wire.size(); ++i)
    if (i != 5) give(g.reassembly, chatter.wire[i]);
  g.reassembly.advance(chatter.time + std::chrono::seconds(9));
  g.expect(200, 0);
  g.reassembly.advance(chatter.time + std::chrono::seconds(10));
  g.expect(900, 0, 100);
  give(g.reassembly, chatter.wire[5]);  // too late
  EXPECT_EQ(g.reassembly.stats().repeated, 1U);
  g.finish();
  g.expect(900, 0, 100);
}

TEST(Reassembly, WhatIsAcknowledgedIsNotWaitedForLong) {
  Conversation chatter;
  chatter.step = std::chrono::milliseconds(3);
  chatter.handshake();
  chatter.send(Side::client, 100);  // 3
  chatter.send(Side::client, 50);   // 4: lost by the capture
  chatter.send(Side::server, 10);   // 5: acknowledges it
  chatter.send(Side::server, 20);
  chatter.send(Side::server, 30);  // 7: by now it is 6 ms
  chatter.send(Side::client, 60);
  Fixture f(chatter);
  for (const std::size_t i : {0, 1, 2, 3, 5, 6}) give(f.reassembly, chatter.wire[i]);
  f.expect(100, 0);  // the answer does not come before what it may answer
  give(f.reassembly, chatter.wire[7]);
  f.expect(100, 60, 50);
  give(f.reassembly, chatter.wire[8]);
  f.expect(160, 60, 50);
  f.finish();
}

TEST(Reassembly, ALostFinIsNoGap) {
  const auto chatter = chat();
  Fixture f(chatter);
  for (const auto& each : chatter.wire)
    if ((each.segment.flags & tcp::fin) == 0) give(f.reassembly, each);
  f.finish();
  f.expect(1000, 10'000);
  EXPECT_EQ(f.truth.ends[Closed::end], 1);
}

TEST(Reassembly, BegunBeforeTheCapture) {
  Conversation chatter(500, 0xffffff00U);
  chatter.handshake();
  for (int i = 0; i < 10; ++i) chatter.send(Side::client, 100), chatter.send(Side::server, 1000);
  for (std::size_t first = 3; first < chatter.wire.size(); ++first) {
    Fixture f(chatter);
    for (auto i = first; i < chatter.wire.size(); ++i) give(f.reassembly, chatter.wire[i]);
    EXPECT_EQ(f.reassembly.stats().begun_before, 1U);
    f.finish();
    EXPECT_EQ(f.truth[Side::server].at, 10'000U);
    EXPECT_EQ(f.truth[Side::client].gaps + f.truth[Side::server].gaps, 0U);
  }
}

TEST(Reassembly, AKeepAliveIsNoData) {
  Conversation chatter;
  chatter.handshake();
  chatter.send(Side::client, 10);
  Fixture f(chatter);
  f.give_all(chatter.wire);
  auto probe = chatter.wire.back();
  probe.segment.sequence = 1009;
  probe.segment.flags = tcp::ack;
  probe.bytes = {0};
  give(f.reassembly, probe);
  probe.bytes.clear();
  give(f.reassembly, probe);
  EXPECT_EQ(f.reassembly.stats().keep_alives, 2U);
  f.finish();
  f.expect(10, 0);
  Fixture g(chatter);
  probe.bytes = {0};
  give(g.reassembly, probe);
  EXPECT_EQ(g.reassembly.streams(), 0U) << "nor does it open a stream";
}

TEST(Reassembly, WhatTheSnapLengthCutIsAGap) {
  const auto chatter = chat(2, 100, 1000);
  Fixture f(chatter);
  for (const auto& each : chatter.wire) give(f.reassembly, each, 40);
  f.expect(120, 1920, 160);
  f.finish();
  Fixture g(chatter);
  for (const std::size_t i : {0, 1, 2, 5, 3, 6, 4}) give(g.reassembly, chatter.wire[i], 40);
  g.expect(120, 1920, 160);
  g.finish();
}

TEST(Reassembly, OfCopiesThatDifferTheFirstCounts) {
  Conversation chatter;
  chatter.handshake();
  for (int i = 0; i < 4; ++i) chatter.send(Side::client, 100);
  Fixture f(chatter);
  for (const std::size_t i : {0, 1, 2, 4}) give(f.reassembly, chatter.wire[i]);
  auto lie = chatter.wire[3];
  lie.bytes.insert(lie.bytes.end(), 50, base::Byte{0});  // right as far as it is new, and over what is held
  auto held_twice = chatter.wire[4];
  give(f.reassembly, held_twice);
  EXPECT_EQ(f.reassembly.stats().contradictions, 0U);
  give(f.reassembly, lie);
  EXPECT_EQ(f.reassembly.stats().contradictions, 1U);
  give(f.reassembly, chatter.wire[5]);
  f.finish();
  f.expect(300, 0, 0);
}

TEST(Reassembly, PortsUsedAgain) {
  auto first = chat(1);
  Fixture f(first);
  f.give_all(first.wire);
  Conversation second(777'777, 4'000'000'000U);
  second.time = first.time;
  second.handshake();
  second.send(Side::client, 30);
  second.tell(f.truth);
  f.give_all(second.wire);
  EXPECT_EQ(f.truth.opened_count, 2U);
  Conversation third(123'456, 3'000'000'000U);  // without a word of farewell
  third.time = second.time;
  third.handshake();
  third.send(Side::client, 40);
  third.tell(f.truth);
  f.give_all(third.wire);
  EXPECT_EQ(f.truth.opened_count, 3U);
  EXPECT_EQ(f.truth.ends[Closed::replaced], 1);
  Conversation fourth(2'000'000'000U, 55);  // and its handshake was not captured
  fourth.time = third.time;
  for (int i = 0; i < 10; ++i) fourth.send(Side::client, 20);
  fourth.tell(f.truth);
  f.give_all(fourth.wire);
  EXPECT_EQ(f.truth.opened_count, 4U);
  EXPECT_EQ(f.truth.ends[Closed::replaced], 2);
  f.finish();
  EXPECT_EQ(f.truth[Side::client].at, 200U);
}

TEST(Reassembly, AResetMustFit) {
  auto chatter = chat(1);
  Fixture f(chatter);
  for (std::size_t i = 0; i < 5; ++i) give(f.reassembly, chatter.wire[i]);
  auto reset = chatter.wire[3];
  reset.bytes.clear();
  reset.segment.flags = tcp::rst;
  reset.segment.sequence += 50'000'000;
  give(f.reassembly, reset);
  EXPECT_EQ(f.truth.ends[Closed::reset], 0);
  reset.segment.sequence = chatter.wire[3].segment.sequence + 100;
  give(f.reassembly, reset);
  EXPECT_EQ(f.truth.ends[Closed::reset], 1);
  EXPECT_TRUE(f.truth[Side::client].finished);
  EXPECT_FALSE(f.truth[Side::server].finished);
  f.give_all(chatter.wire);
  EXPECT_EQ(f.truth.opened_count, 1U) << "what comes late is of the stream that was";
  f.finish();
}

TEST(Reassembly, AFullTableDropsWhatMattersLeast) {
  Conversation wanted;
  wanted.handshake();
  wanted.send(Side::client, 10);
  ReassemblyLimits limits;
  limits.streams = 64;
  Fixture f(wanted, limits);
  f.give_all(wanted.wire);
  Conversation other;
  other.time = wanted.time + std::chrono::seconds(2);
  for (int i = 0; i < 1000; ++i) {
    other.endpoint(Side::client).port = static_cast<std::uint16_t>(1000 + i);
    other.handshake();
  }
  f.give_all(other.wire);
  EXPECT_EQ(f.reassembly.streams(), 64U);
  EXPECT_EQ(f.reassembly.stats().evicted, 1001U - 64U);
  EXPECT_EQ(f.truth.ends[Closed::evicted], 1001 - 64);
  auto more = wanted;
  more.wire.clear();
  more.send(Side::client, 10);
  f.truth[Side::client].size = 20;
  f.truth[Side::client].at = 10;
  f.truth[Side::client].begun = true;
  f.give_all(more.wire);
  EXPECT_EQ(f.truth.opened_count, 1001U) << "the one with bytes in it is still there";
  f.finish();
}

TEST(Reassembly, WhatIsHeldIsBounded) {
  ReassemblyLimits limits;
  limits.held_per_direction = 20'000;
  limits.held = 50'000;
  TrueStreams truth;
  Conversation chatter;
  Reassembly reassembly(limits, 1, truth);
  truth[Side::client].size = ~0ULL >> 1U;
  std::size_t most = 0;
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    Conversation each;
    each.endpoint(Side::client).port = port;
    each.handshake();
    each.send(Side::client, 1);
    for (int i = 0; i < 30; ++i) each.send(Side::client, 1000);
    truth[Side::client] = {1000, ~0ULL >> 1U, 0, 0, 0, false, false};
    for (std::size_t i = 0; i < each.wire.size(); ++i) {
      if (i == 3) continue;  // the first byte never comes
      give(reassembly, each.wire[i]);
      most = std::max(most, reassembly.held());
    }
  }
  EXPECT_LE(most, limits.held + limits.held_per_direction);
  EXPECT_GT(reassembly.stats().gaps, 50U);
  reassembly.finish();
  EXPECT_EQ(reassembly.held(), 0U);
}

// What waits for the other direction counts as well, also where no time passes.
TEST(Reassembly, WhatWaitsForTheOtherDirectionIsBounded) {
  ReassemblyLimits limits;
  limits.held_per_direction = 20'000;
  limits.held = 50'000;
  TrueStreams truth;
  Reassembly reassembly(limits, 1, truth);
  std::size_t most = 0;
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    Conversation each;
    each.step = {};
    each.endpoint(Side::client).port = port;
    each.handshake();
    each.send(Side::client, 100);
    each.send(Side::client, 50);
    for (int i = 0; i < 15; ++i) each.send(Side::server, 1000);
    truth[Side::client] = {1000, ~0ULL >> 1U, 0, 0, 0, false, false};
    truth[Side::server] = {5000, ~0ULL >> 1U, 0, 0, 0, false, false};
    for (std::size_t i = 0; i < each.wire.size(); ++i) {
      if (i == 4) continue;  // the capture lost it
      give(reassembly, each.wire[i]);
      most = std::max(most, reassembly.held());
    }
  }
  EXPECT_GT(most, 40'000U);
  EXPECT_LE(most, limits.held + limits.held_per_direction);
  reassembly.finish();
  EXPECT_EQ(reassembly.held(), 0U);
}

TEST(Reassembly, AStreamThatIsIgnoredIsFollowedToItsEnd) {
  struct Ignoring final : StreamListener {
    int calls = 0;
    std::uint64_t size = 0;
    void opened(Stream& stream, base::Time) override { stream.ignored = true; }
    void bytes(Stream&, Side, base::Bytes, base::Time) override { ++calls; }
    void gap(Stream&, Side, std::uint64_t, base::Time) override { ++calls; }
    void finished(Stream&, Side, Finish, base::Time) override {}
    void closed(Stream& stream, Closed why, base::Time) override {
      EXPECT_EQ(why, Closed::finished);
      size = stream.size(Side::client) + stream.size(Side::server);
    }
  } listener;
  Reassembly reassembly({}, 1, listener);
  const auto chatter = chat();
  for (std::size_t i = 0; i < chatter.wire.size(); ++i)
    if (i != 7) give(reassembly, chatter.wire[i]);
  EXPECT_EQ(listener.calls, 0);
  EXPECT_EQ(listener.size, 11'000U);
  EXPECT_EQ(reassembly.held(), 0U);
}

// The property: drop, repeat, delay, cut and cut up packets as chance has it. What comes out is the true stream with
// the gaps said.
TEST(Reassembly, WhateverTheCaptureLoses) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    Conversation chatter(static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()));
    const bool lossy = seed % 2 == 0;  // otherwise packets are only late, by less than what is waited for
    chatter.step = std::chrono::microseconds(1 + random() % (lossy ? 3000 : 200));
    chatter.handshake();
    for (int i = 0; i < 60; ++i) {
      const auto side = chance(50) ? Side::client : Side::server;
      chatter.send(side, 1 + random() % 1400);
      if (chance(20)) chatter.resend(side, random() % 5000, random() % 3000);
      if (chance(20)) chatter.acknowledge(model::other(side));
    }
    chatter.fin(Side::client), chatter.fin(Side::server), chatter.acknowledge(Side::client);
    Fixture f(chatter);
    auto wire = chatter.wire;
    for (std::size_t i = 3; i + 1 < wire.size(); ++i)
      if (chance(20)) std::swap(wire[i], wire[std::min(wire.size() - 1, i + random() % 4)]);
    for (const auto& each : wire) {
      if (lossy && chance(5)) continue;
      give(f.reassembly, each, lossy && chance(5) ? random() % 300 : 0);
      if (chance(10)) give(f.reassembly, each);
    }
    f.finish();
    if (!lossy) f.expect(chatter.sent(Side::client), chatter.sent(Side::server));
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sockeye::tap
