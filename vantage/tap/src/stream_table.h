// The streams that are followed, found by their two endpoints in either order, and bounded in number: the one of which
// nothing was heard for longest makes room, from the least of three lists first.
//
// Open addressing with linear probing; the hash is keyed, so that nobody can make streams collide. Streams stay where
// they are. Memory: about 420 bytes a stream, of as many as there ever were at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "stream.h"

namespace sockeye::tap {

class StreamTable {
 public:
  enum List : std::uint8_t {
    spare,     // closed, or no byte seen of it
    ordinary,  // open
    kept,      // asked for by the listener
    lists
  };

  StreamTable(std::size_t limit, std::uint64_t seed);

  // The same whichever comes first.
  [[nodiscard]] std::uint32_t hash(const Endpoint& a, const Endpoint& b) const;
  // nullptr when there is none. `hash` is theirs; `from` is who sends from `source`.
  [[nodiscard]] Stream* find(std::uint32_t hash, const Endpoint& source, const Endpoint& destination,
                             model::Side& from);
  // For prefetching: where to look for it, and then who it probably is.
  void prefetch(std::uint32_t hash) const { base::prefetch(&slots_[hash & (slots_.size() - 1)]); }
  [[nodiscard]] const Stream* guess(std::uint32_t hash) const {
    const auto mask = slots_.size() - 1;
    for (std::size_t i = hash & mask; slots_[i].stream != 0; i = (i + 1) & mask) {
      const auto index = slots_[i].stream - 1;
      if (slots_[i].hash == hash) return &chunks_[index / chunk][index % chunk];
    }
    return nullptr;
  }
  // There is none yet, and not full(). All but its endpoints, hash and list is as constructed.
  Stream& add(std::uint32_t hash, const Endpoint& client, const Endpoint& server, base::Time now);
  void remove(Stream& stream);
  [[nodiscard]] bool full() const { return size_ == limit_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The one to go first; not when empty.
  [[nodiscard]] Stream& oldest();
  // It was heard of: puts it at the end of the list it belongs to now. Its place is renewed once a second.
  void touch(Stream& stream, base::Time now) {
    if (list_of(stream) != stream.list || now - stream.touched > renewal) move(stream, now);
  }

 private:
  static constexpr base::Duration renewal = std::chrono::seconds(1);
  static constexpr std::size_t chunk = 64;  // streams

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t stream = 0;  // its index + 1; 0: free
  };
  struct Ends {
    Stream* first = nullptr;
    Stream* last = nullptr;
  };

  static List list_of(const Stream& stream) {
    if (stream.closed) return spare;
    if (stream.kept) return kept;
    return stream.halves[0].next + stream.halves[1].next > 0 ? ordinary : spare;
  }
  [[nodiscard]] std::uint64_t mix(const Endpoint& endpoint) const;
  [[nodiscard]] Stream& at(std::uint32_t index) { return chunks_[index / chunk][index % chunk]; }
  void grow();
  void insert(Slot slot);
  void move(Stream& stream, base::Time now);
  void append(Stream& stream);
  void unlink(Stream& stream);

  std::size_t limit_;
  std::uint64_t seed_;
  std::size_t size_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Stream[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::array<Ends, lists> lists_{};
};

}  // namespace sockeye::tap
