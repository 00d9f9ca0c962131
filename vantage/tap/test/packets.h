// Makes packets, layer by layer, and the captures that hold them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"

namespace sockeye::tap::test {

using Octets = std::vector<base::Byte>;

inline void put8(Octets& out, std::uint64_t v) { out.push_back(static_cast<base::Byte>(v)); }
inline void put16(Octets& out, std::uint64_t v) { put8(out, v >> 8U), put8(out, v); }
inline void put32(Octets& out, std::uint64_t v) { put16(out, v >> 16U), put16(out, v); }
inline void put(Octets& out, base::Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
inline Octets octets(std::string_view text) { return {text.begin(), text.end()}; }

struct TcpFields {
  std::uint16_t source = 40000;
  std::uint16_t destination = 80;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint8_t flags = 16;
  std::uint16_t window = 65535;
  std::uint8_t options = 0;  // bytes of them, a multiple of 4: no-operations
};

inline Octets tcp_segment(const TcpFields& f, base::Bytes payload = {}) {
  Octets out;
  put16(out, f.source), put16(out, f.destination), put32(out, f.sequence), put32(out, f.acknowledged);
  put8(out, (20U + f.options) / 4U << 4U), put8(out, f.flags), put16(out, f.window), put32(out, 0);
  out.insert(out.end(), f.options, 1);
  put(out, payload);
  return out;
}

struct Ip {
  std::uint32_t source = 0xc0000201;  // 192.0.2.1; the low 32 bits of an IPv6 address behind 2001:db8::
  std::uint32_t destination = 0xc0000202;
  std::uint8_t protocol = 6;
  std::uint16_t id = 1;
  bool more = false;
  std::size_t offset = 0;                 // bytes
  std::optional<std::uint16_t> length{};  // what the header says, when it is not the truth
};

inline Octets ipv4(base::Bytes body, const Ip& f = {}) {
  Octets out;
  put8(out, 0x45), put8(out, 0), put16(out, f.length.value_or(static_cast<std::uint16_t>(20 + body.size())));
  put16(out, f.id), put16(out, (f.more ? 0x2000U : 0U) | f.offset / 8), put8(out, 64), put8(out, f.protocol),
      put16(out, 0);
  put32(out, f.source), put32(out, f.destination);
  put(out, body);
  return out;
}

inline Octets ipv6(base::Bytes body, const Ip& f = {}) {
  Octets out;
  put32(out, 0x60000000), put16(out, f.length.value_or(static_cast<std::uint16_t>(body.size())));
  put8(out, f.protocol), put8(out, 64);
  for (const auto low : {f.source, f.destination})
    put32(out, 0x20010db8), put32(out, 0), put32(out, 0), put32(out, low);
  put(out, body);
  return out;
}

inline Octets ethernet(base::Bytes body, std::uint16_t ethertype = 0x0800,
                       const std::vector<std::uint16_t>& tags = {}) {
  Octets out(12, 2);
  for (const auto tag : tags) put16(out, tag), put16(out, 7);
  put16(out, ethertype);
  put(out, body);
  return out;
}

// The order of a file's own integers.
struct FileWriter {
  bool big_endian = false;
  Octets bytes;

  void integer(std::uint64_t v, int size) {
    for (int i = 0; i < size; ++i) put8(bytes, v >> static_cast<unsigned>(8 * (big_endian ? size - 1 - i : i)));
  }
};

class PcapWriter {
 public:
  struct Options {
    bool big_endian = false;
    bool nanoseconds = false;
    bool modified = false;
    std::uint32_t link_type = 1;
  };
  PcapWriter() : PcapWriter(Options{}) {}
  explicit PcapWriter(Options options) : options_(options) {
    file_.big_endian = options.big_endian;
    file_.integer(options.modified ? 0xa1b2cd34 : options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 4);
    file_.integer(2, 2), file_.integer(4, 2), file_.integer(0, 8), file_.integer(65535, 4);
    file_.integer(options.link_type, 4);
  }
  void packet(std::uint64_t ns, base::Bytes bytes, std::optional<std::uint32_t> wire_size = {}) {
    file_.integer(ns / 1'000'000'000, 4), file_.integer(ns % 1'000'000'000 / (options_.nanoseconds ? 1 : 1000), 4);
    file_.integer(bytes.size(), 4), file_.integer(wire_size.value_or(static_cast<std::uint32_t>(bytes.size())), 4);
    if (options_.modified) file_.integer(0, 8);
    put(file_.bytes, bytes);
  }
  Octets& bytes() { return file_.bytes; }

 private:
  Options options_;
  FileWriter file_;
};

class PcapngWriter {
 public:
  explicit PcapngWriter(bool big_endian = false) { section(big_endian); }

  void section(bool big_endian) {
    file_.big_endian = big_endian;
    block(0x0a0d0d0a,
          [&] { file_.integer(0x1a2b3c4d, 4), file_.integer(1, 2), file_.integer(0, 2), file_.integer(~0ULL, 8); });
  }
  void interface(std::uint16_t link_type, std::optional<std::uint8_t> resolution = {}, std::int64_t offset = 0) {
    block(1, [&] {
      file_.integer(link_type, 2), file_.integer(0, 2), file_.integer(0, 4);
      if (resolution) file_.integer(9, 2), file_.integer(1, 2), pad_byte(*resolution);
      if (offset != 0) file_.integer(14, 2), file_.integer(8, 2), file_.integer(static_cast<std::uint64_t>(offset), 8);
      file_.integer(0, 4);
    });
  }
  void enhanced(std::uint32_t interface, std::uint64_t ticks, base::Bytes bytes,
                std::optional<std::uint32_t> wire_size = {}) {
    block(6, [&] {
      file_.integer(interface, 4), file_.integer(ticks >> 32U, 4), file_.integer(ticks & 0xffffffffU, 4);
      file_.integer(bytes.size(), 4), file_.integer(wire_size.value_or(static_cast<std::uint32_t>(bytes.size())), 4);
      padded(bytes);
    });
  }
  void simple(base::Bytes bytes) {
    block(3, [&] { file_.integer(bytes.size(), 4), padded(bytes); });
  }
  void secrets(std::uint32_t type, base::Bytes bytes) {
    block(10, [&] { file_.integer(type, 4), file_.integer(bytes.size(), 4), padded(bytes); });
  }
  void dropped(std::uint32_t interface, std::uint64_t count) {
    block(5, [&] {
      file_.integer(interface, 4), file_.integer(0, 8), file_.integer(5, 2), file_.integer(8, 2),
          file_.integer(count, 8);
      file_.integer(0, 4);
    });
  }
  template <class Body>
  void block(std::uint32_t type, Body&& body) {
    file_.integer(type, 4);
    const auto at = file_.bytes.size();
    file_.integer(0, 4);
    body();
    const auto length = file_.bytes.size() - at + 8;
    FileWriter size{file_.big_endian, {}};
    size.integer(length, 4);
    std::memcpy(file_.bytes.data() + at, size.bytes.data(), 4);
    file_.integer(length, 4);
  }
  Octets& bytes() { return file_.bytes; }
  FileWriter& file() { return file_; }

 private:
  void pad_byte(std::uint8_t value) { put8(file_.bytes, value), file_.bytes.insert(file_.bytes.end(), 3, 0); }
  void padded(base::Bytes bytes) {
    put(file_.bytes, bytes);
    file_.bytes.insert(file_.bytes.end(), (4 - bytes.size() % 4) % 4, 0);
  }
  FileWriter file_;
};

}  // namespace sockeye::tap::test
