// The open invocations of a session, found by key. Bounded; a slot is reused, so in steady state opening and ending
// costs no allocation but what an invocation's own texts cost.
//
// A key is (who opened, the key's name, its value), hashed with a secret: ids of the two sides never meet, and no peer
// can choose ids that collide. The hash stands for the key: with 64 bits and at most a few thousand open at once, a
// mistake takes some 10^13 of them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"
#include "value.h"

namespace sockeye::dialect {

struct Open {
  static constexpr std::size_t most_keys = 8;
  struct Key {
    std::uint16_t name = 0;
    std::uint64_t hash = 0;
  };
  model::Invocation invocation;
  std::string_view lane;  // immortal
  std::array<Key, most_keys> keys{};
  std::uint8_t key_count = 0;
  bool live = false;
  base::Duration timeout{};             // of silence; 0: none
  base::Duration settle{};              // of silence behind a chunk, that says it was the last; 0: none
  base::Time deadline = base::never;    // when it is given up
  base::Time cancelled{};               // where that was asked for
  base::Time owed = base::Time::min();  // until then an end may be that of the one that had its key before
  std::uint32_t texts = 0;              // bytes, as last weighed
  bool may_stay_unanswered = false;
  [[nodiscard]] bool bound(std::uint16_t name) const {
    for (std::size_t i = 0; i < key_count; ++i)
      if (keys[i].name == name) return true;
    return false;
  }
};

class Table {
 public:
  Table(std::uint32_t most, std::uint64_t secret) : most_(most == 0 ? 1 : most), secret_(secret) {}

  [[nodiscard]] bool full() const { return live_ >= most_; }
  [[nodiscard]] std::size_t size() const { return live_; }
  // A fresh one; not full() before. Stays where it is only until the next add().
  std::uint32_t add();
  void remove(std::uint32_t slot);
  [[nodiscard]] Open& operator[](std::uint32_t slot) { return slots_[slot]; }
  [[nodiscard]] const Open& operator[](std::uint32_t slot) const { return slots_[slot]; }

  // Its texts have changed.
  void weigh(std::uint32_t slot);
  // Bytes of all of it.
  [[nodiscard]] std::size_t held() const { return texts_ + slots_.capacity() * sizeof(Open); }

  static constexpr std::uint32_t none = 0xffffffff;
  [[nodiscard]] std::uint64_t hash(model::Side opener, std::uint16_t name, const Value& value) const;
  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const;
  // False: it has its keys already, or another one has this key.
  bool bind(std::uint32_t slot, std::uint16_t name, std::uint64_t hash);
  void unbind(std::uint32_t slot, std::uint16_t name);

  // Each live one's slot, in no order; `each` may not add or remove.
  template <class Each>
  void for_each(Each each) const {
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].live) each(i);
  }
  [[nodiscard]] std::uint32_t oldest() const;

  // Its keys stay known for a while: what comes of them was under way when its opener ended it. The last `most_late`
  // keys.
  void remember_late(std::uint32_t slot, base::Time until);
  [[nodiscard]] bool late(std::uint64_t hash, base::Time now) const;
  static constexpr std::size_t most_late = 64;

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t slot = none;
  };
  void insert(Entry entry);
  void erase(std::uint64_t hash);
  [[nodiscard]] std::size_t home(std::uint64_t hash) const {
    return static_cast<std::size_t>(hash) & (index_.size() - 1);
  }

  struct Late {
    std::uint64_t hash = 0;
    base::Time until{};
  };

  std::vector<Open> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<Entry> index_;  // open addressing, a power of two, at most half full
  std::vector<Late> late_;    // a ring, once it is full
  std::size_t next_late_ = 0;
  std::size_t entries_ = 0;
  std::size_t live_ = 0;
  std::size_t texts_ = 0;
  std::uint32_t most_;
  std::uint64_t secret_;
};

}  // namespace sockeye::dialect
