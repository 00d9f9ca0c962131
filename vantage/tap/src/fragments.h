// IP fragments put together (RFC 791 §3.2, RFC 8200 §4.5). TCP is hardly ever fragmented, so this is small: few
// datagrams at a time, looked for one by one. Overlapping fragments end their datagram, as RFC 5722 has it for IPv6.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "segment.h"

namespace sockeye::tap {

class Fragments {
 public:
  static constexpr std::size_t max_datagrams = 64;  // so at most 4 MiB
  static constexpr std::size_t max_bytes = 65'535;  // of one datagram
  static constexpr std::size_t max_pieces = 128;    // of one datagram
  static constexpr base::Duration max_age = std::chrono::seconds(30);

  struct Key {
    std::array<base::Byte, 16> source{};
    std::array<base::Byte, 16> destination{};
    std::uint32_t id = 0;
    std::uint8_t protocol = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  // The piece that lies `offset` bytes into the datagram's payload, the last one unless `more`. Returns the whole
  // payload once nothing is missing, valid until the next call; empty before.
  base::Bytes add(const Key& key, std::size_t offset, bool more, base::Bytes piece, base::Time now);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // datagrams given up: too old, too many, lying

 private:
  struct Datagram {
    Key key;
    base::Time begun{};
    std::vector<base::Byte> bytes;
    std::vector<std::pair<std::size_t, std::size_t>> pieces;  // [from, to), sorted
    std::size_t size = 0;                                     // 0: the last piece is yet to come
  };

  Datagram& find(const Key& key, base::Time now);
  void drop(Datagram& datagram);
  // False: it contradicts what is there.
  static bool insert(Datagram& into, std::size_t offset, bool more, base::Bytes piece);
  [[nodiscard]] static bool whole(const Datagram& datagram);

  std::vector<Datagram> datagrams_;
  std::vector<base::Byte> done_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sockeye::tap
