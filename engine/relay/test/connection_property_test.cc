// Random sessions: whatever two peers say, in whatever pieces and at whatever times, a leg gets the other's bytes as
// they were, without the pongs to our pings, and with our frames only between frames.
#include <gtest/gtest.h>

#include <random>

#include "rig.h"

namespace sockeye::relay::test::property_test {
namespace {

struct Peer {
  Side side = Side::client;
  std::string queue = {};     // written, not yet read by us
  std::string expected = {};  // what must reach the other side
  bool fragmented = false;    // inside a message
  std::size_t answered = 0;   // pings of ours
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

class Script {
 public:
  explicit Script(unsigned seed) : random_(seed) {}
  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void speak(Peer& peer) {
    const std::size_t sizes[] = {0, 1, 5, 125, 126, 127, 700, pick(5000), pick(70000)};
    std::string payload(sizes[pick(pick(20) == 0 ? 9 : 7)], 'a');
    for (std::size_t i = 0; i < payload.size(); i += 7) payload[i] = static_cast<char>('a' + pick(26));
    std::string bytes;
    switch (pick(8)) {
      case 0:
        bytes = frame(peer.side, Opcode::ping, payload.substr(0, 125));
        break;
      case 1:
        bytes = frame(peer.side, Opcode::pong, payload.substr(0, 125));
        break;
      default: {
        const bool fin = pick(3) != 0;
        const Opcode opcode = peer.fragmented ? Opcode::continuation : pick(2) == 0 ? Opcode::text : Opcode::binary;
        bytes = frame(peer.side, opcode, payload, fin);
        peer.fragmented = !fin;
        peer.messages += fin ? 1 : 0;
        peer.bytes += payload.size();
      }
    }
    peer.queue += bytes;
    peer.expected += bytes;
  }

  void answer(Rig& rig, Peer& peer) {
    const auto& pings = rig.injected[model::index(peer.side)];
    while (peer.answered < pings.size()) {
      const auto got = frames(pings[peer.answered++].bytes).at(0);
      ASSERT_EQ(got.opcode, Opcode::ping);
      peer.queue += frame(peer.side, Opcode::pong, got.payload);
      if (pick(10) == 0) peer.queue += frame(peer.side, Opcode::pong, got.payload);
    }
  }

 private:
  std::mt19937 random_;
};

void run(unsigned seed, std::size_t& pings) {
  Script script(seed);
  Rig rig;
  rig.options.heartbeat = {.interval = 3s, .timeout = 2s, .misses = 2, .client = true, .upstream = true};
  rig.options.limits.control_rate = 0;
  rig.observe.segment = 10s;
  if (seed % 2 == 0) rig.options.conformance = Conformance::forward;
  rig.advances = {true, true};  // nobody dies here, however late an answer is read
  rig.open();
  std::array<Peer, 2> peers{Peer{.side = Side::client}, Peer{.side = Side::server}};
  for (int step = 0; step < 400; ++step) {
    Peer& peer = peers[script.pick(2)];
    switch (script.pick(4)) {
      case 0:
        script.speak(peer);
        break;
      case 1:
        rig.wait(script.pick(2) == 0 ? 200ms : 1ms);
        break;
      default: {
        const std::size_t n = std::min(peer.queue.size(), script.pick(3) == 0 ? script.pick(4) : script.pick(100'000));
        rig.feed(peer.side, peer.queue.substr(0, n));
        peer.queue.erase(0, n);
      }
    }
    for (Peer& each : peers) script.answer(rig, each);
  }
  for (int round = 0; round < 2; ++round) {
    for (Peer& peer : peers) {
      rig.feed(peer.side, peer.queue);
      peer.queue.clear();
      script.answer(rig, peer);
    }
  }

  ASSERT_EQ(rig.figures().anomalies, 0U);
  ASSERT_EQ(rig.broken_loans, 0);
  ASSERT_TRUE(rig.finished[0].empty() && rig.finished[1].empty());
  pings += rig.injected[0].size() + rig.injected[1].size();
  for (const Peer& peer : peers) {
    const std::size_t from = model::index(peer.side);
    const std::size_t leg = 1 - from;
    ASSERT_EQ(rig.passed[leg], peer.expected);
    ASSERT_EQ(rig.detail().counts[from].data_messages(), peer.messages);
    ASSERT_EQ(rig.detail().counts[from].bytes, peer.bytes);
    ASSERT_EQ(rig.metrics->message_bytes[from].value(), peer.bytes);
    // The leg's stream as a whole is a legal one, so every frame of ours sits between frames.
    wire::FrameParser parser{{.sender = peer.side}};
    base::Bytes in = base::as_bytes(rig.out[leg]);
    while (!in.empty()) {
      const auto piece = parser.next(in);
      ASSERT_EQ(piece.anomaly, Anomaly::none);
      in = in.subspan(piece.used);
    }
    ASSERT_FALSE(parser.mid_frame());
    ASSERT_EQ(parser.mid_message(), peer.fragmented);
  }
}

TEST(Property, a_leg_gets_the_other_sides_bytes_and_ours_between_frames) {
  std::size_t pings = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run(seed, pings);
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(pings, 500U);
}

}  // namespace
}  // namespace sockeye::relay::test::property_test
