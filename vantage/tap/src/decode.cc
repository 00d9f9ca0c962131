#include "decode.h"

#include <arpa/inet.h>

#include <algorithm>

#include "byte_order.h"
#include "link_type.h"

namespace sockeye::tap {
namespace {

constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_ipv6 = 0x86dd;

constexpr bool is_vlan_tag(std::uint16_t ethertype) {  // 802.1Q, 802.1ad, and what was used before the latter
  return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

namespace protocol {
constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t authentication = 51;
constexpr std::uint8_t destination_options = 60;
constexpr std::uint8_t mobility = 135;
}  // namespace protocol

constexpr std::array<base::Byte, 12> ipv4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void put_ipv4(const base::Byte* at, Endpoint& out) {
  std::copy(ipv4_mapped.begin(), ipv4_mapped.end(), out.address.begin());
  std::copy_n(at, 4, out.address.begin() + 12);
}

}  // namespace

std::string address_text(const Endpoint& endpoint) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool mapped = std::equal(ipv4_mapped.begin(), ipv4_mapped.end(), endpoint.address.begin());
  if (mapped) {
    ::inet_ntop(AF_INET, endpoint.address.data() + 12, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, endpoint.address.data(), text.data(), text.size());
  }
  return text.data();
}

void Decoder::Layer::limit(std::size_t n) {
  if (n <= bytes.size()) {
    bytes = bytes.first(n);
    cut = 0;
  } else {
    cut = n - bytes.size();
  }
}

Decoder::Result Decoder::decode(const Packet& packet, Segment& segment) {
  segment.time = packet.time;
  assembled_ = false;
  Layer layer{packet.bytes, packet.wire_size - packet.bytes.size()};
  std::size_t header = 0;
  std::size_t ethertype_at = 0;
  switch (packet.link_type) {
    case link_type::ethernet:
      header = 14;
      ethertype_at = 12;
      break;
    case link_type::linux_cooked:
      header = 16;
      ethertype_at = 14;
      break;
    case link_type::linux_cooked_v2:
      header = 20;
      ethertype_at = 0;
      break;
    case link_type::null:  // the address family tells no more than the IP header, and has a number per system
    case link_type::loop:
      if (!layer.has(4)) return Result::malformed;
      layer.skip(4);
      return ip(layer, segment);
    case link_type::raw:
    case link_type::raw_bsd:
    case link_type::raw_openbsd:
    case link_type::ipv4:
    case link_type::ipv6:
      return ip(layer, segment);
    default:
      return Result::unknown_link;
  }
  if (!layer.has(header)) return Result::malformed;
  const auto ethertype = big16(layer.bytes.data() + ethertype_at);
  layer.skip(header);
  return tagged(ethertype, layer, segment);
}

Decoder::Result Decoder::tagged(std::uint16_t ethertype, Layer layer, Segment& out) {
  for (int tags = 0; is_vlan_tag(ethertype); ++tags) {
    if (!layer.has(4)) return Result::malformed;
    if (tags == max_tags) return Result::other;
    ethertype = big16(layer.bytes.data() + 2);
    layer.skip(4);
  }
  if (ethertype == ethertype_ipv4) return ipv4(layer, out);
  if (ethertype == ethertype_ipv6) return ipv6(layer, out);
  return Result::other;
}

Decoder::Result Decoder::ip(Layer layer, Segment& out) {
  if (!layer.has(1)) return Result::malformed;
  switch (layer.bytes[0] >> 4U) {
    case 4:
      return ipv4(layer, out);
    case 6:
      return ipv6(layer, out);
    default:
      return Result::other;
  }
}

Decoder::Result Decoder::ipv4(Layer layer, Segment& out) {
  if (!layer.has(20)) return Result::malformed;
  const auto* at = layer.bytes.data();
  const std::size_t header = (at[0] & 15U) * 4U;
  std::size_t total = big16(at + 2);
  if (total == 0) total = layer.wire_size();  // left to the network card, which cuts it up (TSO)
  if (at[0] >> 4U != 4 || header < 20 || total < header || total > layer.wire_size()) return Result::malformed;
  if (!layer.has(header)) return Result::malformed;
  put_ipv4(at + 12, out.source);
  put_ipv4(at + 16, out.destination);
  const auto id = big16(at + 4);
  const auto fragment_field = big16(at + 6);
  layer.limit(total);
  layer.skip(header);
  const bool more = (fragment_field & 0x2000U) != 0;
  const std::size_t offset = (fragment_field & 0x1fffU) * 8U;
  if (more || offset != 0) return fragment(at[9], id, offset, more, layer, out);
  return transport(at[9], layer, out);
}

Decoder::Result Decoder::ipv6(Layer layer, Segment& out) {
  if (!layer.has(40) || layer.bytes[0] >> 4U != 6) return Result::malformed;
  const auto* at = layer.bytes.data();
  std::size_t length = big16(at + 4);
  if (length == 0) length = layer.wire_size() - 40;  // longer than 16 bits can say (jumbogram, BIG TCP)
  if (length > layer.wire_size() - 40) return Result::malformed;
  std::copy_n(at + 8, 16, out.source.address.begin());
  std::copy_n(at + 24, 16, out.destination.address.begin());
  auto next = at[6];
  layer.skip(40);
  layer.limit(length);
  for (int headers = 0; headers < max_extension_headers; ++headers) {
    std::size_t size = 0;
    switch (next) {
      case protocol::hop_by_hop:
      case protocol::routing:
      case protocol::destination_options:
      case protocol::mobility:
        if (!layer.has(8)) return Result::malformed;
        size = (layer.bytes[1] + 1U) * 8U;
        break;
      case protocol::authentication:
        if (!layer.has(8)) return Result::malformed;
        size = (layer.bytes[1] + 2U) * 4U;
        break;
      case protocol::fragment: {
        if (!layer.has(8)) return Result::malformed;
        const auto* header = layer.bytes.data();
        const auto field = big16(header + 2);
        const bool more = (field & 1U) != 0;
        const std::size_t offset = field & 0xfff8U;
        next = header[0];
        layer.skip(8);
        if (more || offset != 0) return fragment(next, big32(header + 4), offset, more, layer, out);
        continue;  // "atomic" (RFC 6946): a packet that is whole
      }
      default:
        return transport(next, layer, out);
    }
    if (!layer.has(size)) return Result::malformed;
    next = layer.bytes[0];
    layer.skip(size);
  }
  return Result::other;
}

Decoder::Result Decoder::fragment(std::uint8_t protocol, std::uint32_t id, std::size_t offset, bool more,
                                  const Layer& layer, Segment& out) {
  if (protocol != protocol::tcp)
    return Result::other;  // in IPv6 an extension header may be what was cut up: not by any TCP
  if (layer.cut != 0) return Result::malformed;
  const auto whole =
      fragments_.add({out.source.address, out.destination.address, id, protocol}, offset, more, layer.bytes, out.time);
  if (whole.empty()) return Result::fragment;
  assembled_ = true;
  return transport(protocol, Layer{whole}, out);
}

Decoder::Result Decoder::transport(std::uint8_t protocol, const Layer& layer, Segment& out) {
  if (protocol != protocol::tcp) return Result::other;
  if (!layer.has(20)) return Result::malformed;
  const auto* at = layer.bytes.data();
  const std::size_t header = (at[12] >> 4U) * 4U;
  if (header < 20 || header > layer.wire_size()) return Result::malformed;
  out.source.port = big16(at);
  out.destination.port = big16(at + 2);
  out.sequence = big32(at + 4);
  out.acknowledged = big32(at + 8);
  out.flags = at[13];
  out.window = big16(at + 14);
  const auto captured = std::min(header, layer.bytes.size());  // options may have been cut off
  out.payload = layer.bytes.subspan(captured);
  out.not_captured = static_cast<std::uint32_t>(layer.cut - (header - captured));
  return Result::segment;
}

}  // namespace sockeye::tap
