#include "capture_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "link_type.h"

namespace sockeye::tap {
namespace {

constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::size_t file_header = 24;  // of pcap
constexpr std::uint64_t second = 1'000'000'000;

// pcapng §4
namespace block {
constexpr std::uint32_t interface = 1;
constexpr std::uint32_t packet = 2;  // obsolete
constexpr std::uint32_t simple = 3;
constexpr std::uint32_t statistics = 5;
constexpr std::uint32_t enhanced = 6;
constexpr std::uint32_t secrets = 10;
}  // namespace block

std::uint32_t bound_of_block(std::uint32_t type) {
  switch (type) {
    case block::interface:
    case block::packet:
    case block::simple:
    case block::statistics:
    case block::enhanced:
      return CaptureReader::max_block;
    case block::secrets:
      return CaptureReader::max_secrets;
    default:
      return 0;
  }
}

// Calls `found(code, value)` for each option of a block (§3.5); stops at the first that does not fit.
template <class Found>
void each_option(FileOrder order, base::Bytes in, Found&& found) {
  while (in.size() >= 4) {
    const auto code = order.get16(in.data());
    const std::size_t length = order.get16(in.data() + 2);
    in = in.subspan(4);
    if (code == 0 || length > in.size()) return;
    found(code, in.first(length));
    in = in.subspan(std::min(in.size(), (length + 3) & ~std::size_t{3}));
  }
}

// if_tsresol: a negative power of 10, or with the top bit of 2. 0 when it is beyond 64 bits.
std::uint64_t ticks_a_second(std::uint8_t resolution) {
  const unsigned power = resolution & 0x7fU;
  if ((resolution & 0x80U) != 0) return power < 64 ? std::uint64_t{1} << power : 0;
  if (power > 19) return 0;
  std::uint64_t ticks = 1;
  for (unsigned i = 0; i < power; ++i) ticks *= 10;
  return ticks;
}

// A fraction of a second in ns, for ticks that are not whole nanoseconds.
std::uint64_t fraction_ns(std::uint64_t part, std::uint64_t ticks) {
  while (ticks > (std::uint64_t{1} << 33U)) {  // what is below 0.2 ns is lost; the product below fits 64 bits then
    part >>= 1U;
    ticks >>= 1U;
  }
  return part * second / ticks;
}

std::string_view compression_of(const base::Byte* magic) {
  if (magic[0] == 0x1f && magic[1] == 0x8b) return "gzip";
  if (big32(magic) == 0x28b52ffd) return "zstd";
  if (big32(magic) == 0x04224d18) return "lz4";
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Source>> open_capture(const std::string& path, const std::atomic<bool>* stopped) {
  const bool standard = path == "-";
  // A FIFO that nobody writes to yet is waited for like one that nothing comes from.
  const int fd = standard ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return base::fail(path + ": " + std::strerror(errno));
  return CaptureReader::open(standard ? "standard input" : path, descriptor_input(fd, stopped));
}

base::Result<std::unique_ptr<Source>> CaptureReader::open(std::string name, std::unique_ptr<Input> input) {
  auto out = std::make_unique<CaptureReader>(std::move(name), std::move(input));
  if (auto begun = out->begin(); !begun) return tl::unexpected(begun.error());
  return out;
}

base::Result<void> CaptureReader::begin() {
  if (!window_.fill(4)) {
    if (!window_.failure().empty()) return base::fail(name_ + ": " + window_.failure());
    return base::fail(name_ + ": not a capture: it has " + std::to_string(window_.size()) + " bytes");
  }
  const auto* at = window_.view();
  if (big32(at) == section_header) {
    blocks_ = true;
    return {};
  }
  if (const auto compression = compression_of(at); !compression.empty()) {
    return base::fail(name_ + ": compressed by " + std::string(compression) +
                      ": decompress it first, or pipe it in (-)");
  }
  const std::uint32_t magic = big32(at);
  for (const bool swapped : {true, false}) {  // as seen in big-endian order, which is not ours
    order_.swapped = !swapped;
    switch (swapped ? __builtin_bswap32(magic) : magic) {
      case 0xa1b2c3d4:
        return begin_records(16);
      case 0xa1b23c4d:
        fraction_ = 1;
        return begin_records(16);
      case 0xa1b2cd34:
        return begin_records(24);  // "modified": interface index, protocol and type behind the lengths
      default:
        break;
    }
  }
  return base::fail(name_ + ": not a capture: neither pcap nor pcapng begins like this");
}

base::Result<void> CaptureReader::begin_records(std::uint32_t header) {
  record_header_ = header;
  if (!window_.fill(file_header))
    return base::fail(name_ + ": cut off inside the file's header, at byte " + std::to_string(window_.size()));
  const auto* at = window_.view();
  const auto major = order_.get16(at + 4);
  const auto minor = order_.get16(at + 6);
  if (major != 2 || minor < 3) {  // before 2.3 the lengths stood the other way round
    return base::fail(name_ + ": pcap version " + std::to_string(major) + "." + std::to_string(minor) +
                      " is not understood (2.3 and 2.4 are)");
  }
  link_type_ = order_.get32(at + 20) & 0x03ffffffU;  // above it: whether a frame check sequence follows each frame
  if (!link_type::understood(link_type_)) {
    return base::fail(name_ + ": its link type " + std::to_string(link_type_) +
                      " is not understood: " + std::string(link_type::understood_names) + " are");
  }
  window_.take(file_header);
  return {};
}

Source::Event CaptureReader::next_record(Packet& packet) {
  if (!window_.fill(record_header_)) return end_here();
  const auto captured = order_.get32(window_.view() + 8);
  if (captured > max_packet) {
    return fail("a packet says that " + std::to_string(captured) + " bytes of it were captured, and more than " +
                std::to_string(max_packet) + " never are");
  }
  if (!window_.fill(record_header_ + captured)) return end_here();
  take_record(captured, packet);
  return Event::packet;
}

// The window has all of it.
void CaptureReader::take_record(std::uint32_t captured, Packet& packet) {
  const auto* at = window_.view();
  packet.time = base::Time(base::Duration(order_.get32(at) * second + std::uint64_t{order_.get32(at + 4)} * fraction_));
  packet.bytes = {at + record_header_, captured};
  packet.wire_size = std::max(captured, order_.get32(at + 12));
  packet.link_type = link_type_;
  window_.take(record_header_ + captured);
}

std::size_t CaptureReader::more(std::span<Packet> room) {
  std::size_t count = 0;
  if (ended_) return count;
  if (blocks_) {
    while (count < room.size() && !ended_ && block_at_hand() && next_block(room[count]) == Event::packet) ++count;
    return count;
  }
  for (; count < room.size() && window_.size() >= record_header_; ++count) {
    const auto captured = order_.get32(window_.view() + 8);
    if (captured > max_packet || record_header_ + captured > window_.size()) break;
    take_record(captured, room[count]);
  }
  return count;
}

bool CaptureReader::block_at_hand() const {
  const auto size = window_.size();
  const auto* at = window_.view();
  return size >= 12 && order_.get32(at) == block::enhanced && order_.get32(at + 4) <= size;
}

Source::Event CaptureReader::next_block(Packet& packet) {
  for (;;) {
    if (!window_.fill(12)) return end_here();
    const auto type = order_.get32(window_.view());
    if (type == section_header) {
      const auto magic = big32(window_.view() + 8);
      if (magic != byte_order_magic && __builtin_bswap32(magic) != byte_order_magic) {
        return fail("a section whose byte order is unknown");
      }
      order_.swapped = magic == byte_order_magic;
    }
    const auto length = order_.get32(window_.view() + 4);
    if (length < 12 || length % 4 != 0) return fail("a block of " + std::to_string(length) + " bytes");
    const auto bound = type == section_header ? max_block : bound_of_block(type);
    if (bound == 0) {
      if (!window_.skip(length)) return end_here(true);
      continue;
    }
    if (length > bound) {
      return fail("a block of type " + std::to_string(type) + " says that it has " + std::to_string(length) +
                  " bytes, more than " + std::to_string(bound));
    }
    if (!window_.fill(length)) return end_here();
    if (order_.get32(window_.view() + length - 4) != length) {
      return fail("a block whose two lengths differ (" + std::to_string(length) + " and " +
                  std::to_string(order_.get32(window_.view() + length - 4)) + ")");
    }
    const auto event = read_block(type, length, packet);
    if (event) return *event;
  }
}

std::optional<Source::Event> CaptureReader::read_block(std::uint32_t type, std::uint32_t length, Packet& packet) {
  if (type == section_header) return begin_section(length);
  const base::Bytes body{window_.view() + 8, length - 12};
  const auto at = window_.offset();
  std::optional<Event> event;
  window_.take(length);  // its bytes stay in place until the next fill()
  switch (type) {
    case block::enhanced:
      event = read_enhanced(body, false, packet);
      break;
    case block::packet:
      event = read_enhanced(body, true, packet);
      break;
    case block::simple:
      event = read_simple(body, packet);
      break;
    case block::interface:
      event = add_interface(body);
      break;
    case block::secrets:
      event = read_secrets(body);
      break;
    default:
      read_statistics(body);
      break;
  }
  if (event == Event::failed) return fail_at(at, error_.message);
  return event;
}

std::optional<Source::Event> CaptureReader::begin_section(std::uint32_t length) {
  if (length < 28) return fail("a section's header of " + std::to_string(length) + " bytes");
  if (const auto major = order_.get16(window_.view() + 12); major != 1) {
    return fail("pcapng version " + std::to_string(major) + " is not understood (1 is)");
  }
  dropped_ = dropped();
  interfaces_.clear();
  window_.take(length);
  return std::nullopt;
}

std::optional<Source::Event> CaptureReader::add_interface(base::Bytes body) {
  if (body.size() < 8) {
    error_.message = "an interface's description of " + std::to_string(body.size()) + " bytes";
    return Event::failed;
  }
  if (interfaces_.size() == max_interfaces) {
    error_.message = "more than " + std::to_string(max_interfaces) + " interfaces";
    return Event::failed;
  }
  Interface added;
  added.link_type = order_.get16(body.data());
  added.snap_length = order_.get32(body.data() + 4);
  each_option(order_, body.subspan(8), [&](std::uint16_t code, base::Bytes value) {
    if (code == 9 && value.size() == 1) added.ticks = ticks_a_second(value[0]);  // if_tsresol
    if (code == 14 && value.size() == 8)
      added.offset = static_cast<std::int64_t>(order_.get64(value.data()));  // if_tsoffset
  });
  if (added.ticks == 0) {
    error_.message = "an interface whose clock is finer than 64 bits can count";
    return Event::failed;
  }
  added.scale = second % added.ticks == 0 ? second / added.ticks : 0;
  interfaces_.push_back(added);
  return std::nullopt;
}

void CaptureReader::read_statistics(base::Bytes body) {
  if (body.size() < 12) return;
  const auto index = order_.get32(body.data());
  if (index >= interfaces_.size()) return;
  std::uint64_t dropped = 0;
  each_option(order_, body.subspan(12), [&](std::uint16_t code, base::Bytes value) {
    if ((code == 5 || code == 7) && value.size() == 8) dropped += order_.get64(value.data());  // isb_ifdrop, isb_osdrop
  });
  interfaces_[index].dropped = dropped;  // counted since the capture began
}

std::uint64_t CaptureReader::dropped() {
  auto sum = dropped_;
  for (const auto& interface : interfaces_) sum += interface.dropped;
  return sum;
}

std::optional<Source::Event> CaptureReader::read_secrets(base::Bytes body) {
  constexpr std::uint32_t tls_key_log = 0x544c534b;
  if (body.size() < 8 || order_.get32(body.data() + 4) > body.size() - 8) {
    error_.message = "secrets longer than their block";
    return Event::failed;
  }
  if (order_.get32(body.data()) != tls_key_log) return std::nullopt;  // of SSH, WireGuard, ...
  secrets_ = body.subspan(8, order_.get32(body.data() + 4));
  return Event::secrets;
}

Source::Event CaptureReader::read_enhanced(base::Bytes body, bool obsolete, Packet& packet) {
  if (body.size() < 20) {
    error_.message = "a packet's block of " + std::to_string(body.size() + 12) + " bytes";
    return Event::failed;
  }
  const std::uint32_t index = obsolete ? order_.get16(body.data()) : order_.get32(body.data());
  if (index >= interfaces_.size()) {
    error_.message = "a packet of interface " + std::to_string(index) + ", which is not described";
    return Event::failed;
  }
  const auto captured = order_.get32(body.data() + 12);
  if (captured > body.size() - 20 || captured > max_packet) {
    error_.message = "a packet says that " + std::to_string(captured) + " bytes of it were captured, in a block of " +
                     std::to_string(body.size() + 12);
    return Event::failed;
  }
  const auto& interface = interfaces_[index];
  const auto ticks = std::uint64_t{order_.get32(body.data() + 4)} << 32U | order_.get32(body.data() + 8);
  packet.time = last_ = time_of(interface, ticks);
  packet.bytes = body.subspan(20, captured);
  packet.wire_size = std::max(captured, order_.get32(body.data() + 16));
  packet.link_type = interface.link_type;
  return Event::packet;
}

Source::Event CaptureReader::read_simple(base::Bytes body, Packet& packet) {
  if (body.size() < 4 || interfaces_.empty()) {
    error_.message =
        interfaces_.empty() ? "a packet before any interface is described" : "a packet's block of 12 bytes";
    return Event::failed;
  }
  const auto& interface = interfaces_.front();
  packet.wire_size = order_.get32(body.data());
  auto captured = static_cast<std::uint32_t>(std::min<std::size_t>(packet.wire_size, body.size() - 4));
  if (interface.snap_length != 0) captured = std::min(captured, interface.snap_length);
  captured = std::min(captured, max_packet);
  packet.time = last_;
  packet.bytes = body.subspan(4, captured);
  packet.link_type = interface.link_type;
  return Event::packet;
}

base::Time CaptureReader::time_of(const Interface& interface, std::uint64_t ticks) const {
  constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / 2;  // in 2116; beyond it is no time at all
  constexpr auto latest_second = latest / static_cast<std::int64_t>(second);
  const auto part = ticks % interface.ticks;
  const auto whole = static_cast<std::int64_t>(std::min<std::uint64_t>(ticks / interface.ticks, latest_second));
  const auto at =
      std::clamp<std::int64_t>(whole + std::clamp(interface.offset, -latest_second, latest_second), 0, latest_second);
  const auto fraction = interface.scale != 0 ? part * interface.scale : fraction_ns(part, interface.ticks);
  return base::Time(base::Duration(at * static_cast<std::int64_t>(second) + static_cast<std::int64_t>(fraction)));
}

Source::Event CaptureReader::end_here(bool inside) {
  if (!window_.failure().empty()) return fail(window_.failure());
  if (inside || window_.size() != 0) {
    truncation_ =
        name_ + ": cut off at byte " + std::to_string(window_.offset() + window_.size()) + ", inside a packet or block";
  }
  ended_ = Event::end;
  return Event::end;
}

Source::Event CaptureReader::fail(const std::string& what) { return fail_at(window_.offset(), what); }

Source::Event CaptureReader::fail_at(std::uint64_t offset, const std::string& what) {
  error_.message = name_ + ": byte " + std::to_string(offset) + ": " + what;
  ended_ = Event::failed;
  return Event::failed;
}

}  // namespace sockeye::tap
