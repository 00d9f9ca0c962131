// TCP reassembly. The first byte chooses: packets of a true conversation that are dropped, repeated, delayed, cut and
// cut up as the input says, of which only the true stream with the gaps said may come out; or segments made of whatever
// the input has, which must end within the bounds and in calls in a right order.
#include <cstdlib>

#include "../src/reassembly.h"
#include "../test/conversation.h"

namespace {

using namespace sockeye;
using namespace sockeye::tap;
using model::Side;

void check(bool good) {
  if (!good) std::abort();
}

class Choices {
 public:
  explicit Choices(base::Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::uint32_t byte() {
    if (bytes_.empty()) return 0;
    const auto out = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return out;
  }
  std::uint32_t word() { return byte() << 8U | byte(); }

 private:
  base::Bytes bytes_;
};

ReassemblyLimits small() {
  ReassemblyLimits limits;
  limits.streams = 4;
  limits.held_per_direction = 8192;
  limits.held = 16'384;
  return limits;
}

void true_conversation(Choices in) {
  test::Conversation chatter(in.word() << 16U | 0xff00U, in.word() << 16U | 0xffffU);
  chatter.step = std::chrono::microseconds(1 + in.word() * 16);
  chatter.handshake();
  const auto rounds = in.byte() % 64;
  for (std::uint32_t i = 0; i < rounds; ++i) {
    const auto what = in.byte();
    const auto side = (what & 1U) != 0 ? Side::client : Side::server;
    if ((what & 6U) == 6) {
      chatter.resend(side, in.byte() * 4, in.byte() * 8);
    } else {
      chatter.send(side, 1 + in.byte() * 4);
    }
    if ((what & 8U) != 0) chatter.acknowledge(model::other(side));
  }
  if ((rounds & 1U) != 0) chatter.fin(Side::client), chatter.fin(Side::server), chatter.acknowledge(Side::client);

  test::TrueStreams truth;
  chatter.tell(truth);
  Reassembly reassembly(small(), 7, truth);
  auto& wire = chatter.wire;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    const auto what = in.byte();
    if ((what & 0xc0U) == 0x40U) std::swap(wire[i], wire[std::min(wire.size() - 1, i + (what & 7U))]);
    if ((what & 0xc0U) == 0x80U) continue;  // lost
    if ((what & 8U) != 0) {                 // twice, the first time cut
      test::give(reassembly, wire[i], what & 7U);
    }
    test::give(reassembly, wire[i], (what & 0x10U) != 0 ? (what & 7U) * 20 : 0);
    check(reassembly.held() <= small().held + small().held_per_direction);
    if (!truth.wrong().empty()) std::abort();
  }
  reassembly.finish();
  check(truth.wrong().empty());
  check(truth.open == 0 && reassembly.held() == 0 && reassembly.streams() == 0);
}

// Allows any bytes, but calls only in order.
class Orderly final : public StreamListener {
 public:
  int open = 0;
  void opened(Stream& stream, base::Time) override {
    check(stream.context == nullptr);
    stream.context = this;
    stream.ignored = stream.client.port % 4 == 3;
    stream.kept = stream.client.port % 4 == 2;
    ++open;
  }
  void bytes(Stream& stream, Side from, base::Bytes bytes, base::Time) override {
    check(!bytes.empty());
    reach(stream, from);
  }
  void gap(Stream& stream, Side from, std::uint64_t count, base::Time) override {
    check(count > 0 && count <= std::uint64_t{1} << 29U);
    reach(stream, from);
  }
  void finished(Stream& stream, Side, Finish, base::Time) override { check(stream.context == this); }
  void closed(Stream& stream, Closed, base::Time) override {
    check(stream.context == this);
    --open;
  }

 private:
  void reach(Stream& stream, Side from) {
    check(stream.context == this && !stream.ignored && !stream.half(from).finished);
  }
};

void anything(Choices in) {
  Orderly listener;
  Reassembly reassembly(small(), 7, listener);
  const std::vector<base::Byte> payload(5000, 1);
  base::Time time{};
  while (!in.empty()) {
    Segment segment;
    const auto who = in.byte();
    segment.source.port = static_cast<std::uint16_t>(who & 3U);
    segment.destination.port = static_cast<std::uint16_t>(4U + ((who >> 2U) & 3U));
    if ((who & 16U) != 0) std::swap(segment.source, segment.destination);
    segment.flags = static_cast<std::uint8_t>(in.byte());
    const auto high = in.byte();
    segment.sequence = (high & 0xf0U) << 24U | in.word();
    segment.acknowledged = (high & 0x0fU) << 28U | in.word();
    segment.payload = base::Bytes(payload).first((who & 32U) != 0 ? in.byte() * 16 : 0);
    segment.not_captured = (who & 64U) != 0 ? in.byte() * 16 : 0;
    time += (who & 128U) != 0 ? base::Duration(std::chrono::milliseconds(in.word())) : base::Duration(1000);
    segment.time = time;
    reassembly.segment(segment);
    check(reassembly.held() <= small().held + small().held_per_direction && reassembly.streams() <= small().streams);
  }
  reassembly.finish();
  check(listener.open == 0 && reassembly.held() == 0 && reassembly.streams() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::Bytes rest{data + 1, size - 1};
  if (data[0] % 2 == 0) {
    true_conversation(Choices(rest));
  } else {
    anything(Choices(rest));
  }
  return 0;
}
