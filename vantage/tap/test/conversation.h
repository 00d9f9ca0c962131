// A TCP connection between two peers as the wire has it: segments in order, each with what its sender truly sent and
// has truly received. To be dropped, repeated, reordered and cut by the test.
#pragma once

#include <vector>

#include "true_streams.h"

namespace sockeye::tap::test {

struct Wire {
  Segment segment;
  std::vector<base::Byte> bytes;
};

class Conversation {
 public:
  explicit Conversation(std::uint32_t client_first = 1000, std::uint32_t server_first = 90'000) {
    first_[0] = client_first;
    first_[1] = server_first;
    endpoint_[0].port = 40'000;
    endpoint_[1].port = 80;
    endpoint_[0].address[15] = 1;
    endpoint_[1].address[15] = 2;
  }
  Endpoint& endpoint(model::Side side) { return endpoint_[model::index(side)]; }
  [[nodiscard]] std::uint64_t sent(model::Side side) const { return sent_[model::index(side)]; }
  base::Time time{std::chrono::seconds(1'000'000)};
  base::Duration step = std::chrono::microseconds(100);
  std::vector<Wire> wire;

  void handshake() {
    auto& syn = add(model::Side::client, tcp::syn, first_[0] - 1, 0);
    syn.segment.acknowledged = 0;
    add(model::Side::server, tcp::syn | tcp::ack, first_[1] - 1, 0);
    add(model::Side::client, tcp::ack, first_[0], 0);
  }
  void send(model::Side side, std::size_t size) {
    add(side, tcp::ack | 8, sequence(side), size);
    sent_[model::index(side)] += size;
  }
  // `size` bytes once more, from `back` before what was sent last.
  void resend(model::Side side, std::uint64_t back, std::size_t size) {
    auto& position = sent_[model::index(side)];
    back = std::min(back, position);
    const auto keep = position;
    position -= back;
    add(side, tcp::ack | 8, sequence(side), std::min<std::size_t>(size, back));
    position = keep;
  }
  void acknowledge(model::Side side) { add(side, tcp::ack, sequence(side), 0); }
  void fin(model::Side side) {
    add(side, tcp::fin | tcp::ack, sequence(side), 0);
    fin_[model::index(side)] = true;
  }
  void rst(model::Side side) { add(side, tcp::rst | tcp::ack, sequence(side), 0); }
  // What truly happened, for the listener to compare with.
  void tell(TrueStreams& streams) const {
    for (const auto side : {model::Side::client, model::Side::server}) {
      streams[side].first = first_[model::index(side)];
      streams[side].size = sent(side);
    }
  }

 private:
  std::uint32_t sequence(model::Side side) {
    const auto i = model::index(side);
    return first_[i] + static_cast<std::uint32_t>(sent_[i]) + (fin_[i] ? 1U : 0U);
  }
  Wire& add(model::Side side, int flags, std::uint32_t sequence_number, std::size_t size) {
    auto& out = wire.emplace_back();
    out.segment.time = time;
    time += step;
    out.segment.source = endpoint(side);
    out.segment.destination = endpoint(model::other(side));
    out.segment.sequence = sequence_number;
    out.segment.acknowledged = sequence(model::other(side));
    out.segment.flags = static_cast<std::uint8_t>(flags);
    out.segment.window = 1000;
    for (std::size_t i = 0; i < size; ++i) out.bytes.push_back(TrueStreams::byte(side, sent(side) + i));
    return out;
  }

  std::uint32_t first_[2];
  std::uint64_t sent_[2] = {};
  bool fin_[2] = {};
  Endpoint endpoint_[2];
};

// Gives one to the reassembly, all but `cut` bytes of its payload captured.
inline void give(Reassembly& reassembly, const Wire& wire, std::size_t cut = 0) {
  auto segment = wire.segment;
  cut = std::min(cut, wire.bytes.size());
  segment.payload = base::Bytes(wire.bytes).first(wire.bytes.size() - cut);
  segment.not_captured = static_cast<std::uint32_t>(cut);
  reassembly.segment(segment);
}

}  // namespace sockeye::tap::test
