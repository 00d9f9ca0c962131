// From a packet to what it says of a TCP stream: link layer, VLAN tags, IPv4 and IPv6 with fragments and extension
// headers, TCP's header. Checksums are not looked at: a capture on the machine that sends has packets whose checksum
// the network card has yet to fill in. Lengths are IP's own, so padding is no payload and what the snap length cut off
// is known to the byte.
#pragma once

#include <cstdint>

#include "fragments.h"
#include "segment.h"
#include "sockeye/tap/source.h"

namespace sockeye::tap {

class Decoder {
 public:
  enum class Result : std::uint8_t {
    segment,      // of TCP
    fragment,     // kept until the rest of it comes
    other,        // no TCP
    malformed,    // a header that contradicts itself or the packet's size, or lies beyond what was captured
    unknown_link  // see link_type.h
  };
  static constexpr int max_tags = 4;               // VLAN tags on top of each other
  static constexpr int max_extension_headers = 8;  // of one IPv6 packet

  // The segment's payload is valid as long as the packet's bytes, and until the next call.
  Result decode(const Packet& packet, Segment& segment);
  // The last segment's payload is not the packet's own: valid until the next call only.
  [[nodiscard]] bool assembled() const { return assembled_; }
  [[nodiscard]] const Fragments& fragments() const { return fragments_; }

 private:
  // Bytes of a layer: those at hand, and how many more there were on the wire.
  struct Layer {
    base::Bytes bytes;
    std::size_t cut = 0;
    [[nodiscard]] std::size_t wire_size() const { return bytes.size() + cut; }
    [[nodiscard]] bool has(std::size_t n) const { return bytes.size() >= n; }
    void skip(std::size_t n) { bytes = bytes.subspan(n); }
    // Only the first `n` of wire_size() belong to it.
    void limit(std::size_t n);
  };

  Result tagged(std::uint16_t ethertype, Layer layer, Segment& out);
  Result ip(Layer layer, Segment& out);
  Result ipv4(Layer layer, Segment& out);
  Result ipv6(Layer layer, Segment& out);
  Result fragment(std::uint8_t protocol, std::uint32_t id, std::size_t offset, bool more, const Layer& layer,
                  Segment& out);
  static Result transport(std::uint8_t protocol, const Layer& layer, Segment& out);

  Fragments fragments_;
  bool assembled_ = false;
};

}  // namespace sockeye::tap
