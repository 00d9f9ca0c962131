// Finds in one pass over a document everything a dialect's rules may ask for.
//
// All the pointers of a program are one tree (Tree), each with a slot for what is found there. A document is walked
// once beside the tree; members that are in no pointer are stepped over. The walk may stop early: as soon as the
// discriminator is known, so is the set of slots its rules need, and when those are filled nothing behind matters.
//
// Two walkers give the same answer. fast() looks at the first bytes with no index built: most messages, and all small
// ones, end there (the discriminator is near the front, and an audio chunk's payload is never touched). Where it sees
// something it would rather not judge (an escape in a name or a value that counts, a document longer than its view), it
// gives up, and simdjson's On Demand walker does it all.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pointer.h"
#include "value.h"

namespace sockeye::dialect {

inline constexpr std::size_t most_slots = 256;
inline constexpr std::size_t padding = 64;  // simdjson::SIMDJSON_PADDING, checked in extraction.cc

class SlotSet {
 public:
  void add(std::size_t slot) { words_[slot >> 6U] |= 1ULL << (slot & 63U); }
  void add(const SlotSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  void clear() { words_ = {}; }
  [[nodiscard]] bool has(std::size_t slot) const { return ((words_[slot >> 6U] >> (slot & 63U)) & 1U) != 0; }
  [[nodiscard]] bool covers(const SlotSet& needed) const {
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) missing |= needed.words_[i] & ~words_[i];
    return missing == 0;
  }
  template <class Each>
  void for_each(Each each) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (std::uint64_t left = words_[i]; left != 0; left &= left - 1)
        each(i * 64 + static_cast<std::size_t>(std::countr_zero(left)));
  }

 private:
  std::array<std::uint64_t, most_slots / 64> words_{};
};

// The pointers of a program.
class Tree {
 public:
  static constexpr std::uint16_t none = 0xffff;
  struct Branch {
    std::string name;
    std::uint32_t index = 0;
    bool is_index = false;
    std::uint16_t node = none;
  };
  struct Node {
    std::vector<Branch> branches;
    std::uint16_t slot = none;
    std::uint16_t embedded = none;  // the root of what lies inside the string, behind ~json
    bool raw = false;               // an object's or array's text is wanted, not only that it is there
  };

  // The slot of a pointer, new or known. Past most_slots: none.
  std::uint16_t add(const Pointer&, bool raw);
  [[nodiscard]] const Node& operator[](std::uint16_t node) const { return nodes_[node]; }
  [[nodiscard]] std::uint16_t slots() const { return slots_; }

 private:
  std::vector<Node> nodes_{1};
  std::uint16_t slots_ = 0;
};

// Tells, when the discriminator's slot is filled, which slots matter. Null: all of them.
class Chooser {
 public:
  virtual ~Chooser() = default;
  [[nodiscard]] virtual std::uint16_t discriminator() const = 0;  // Tree::none: there is none
  [[nodiscard]] virtual const SlotSet& needed(const Value& discriminator) const = 0;
};

// Reused from message to message by all sessions of a thread.
class Extraction {
 public:
  enum class Outcome : std::uint8_t {
    done,
    invalid  // no JSON document; what was found before the fault is there
  };
  static constexpr std::size_t view = 1024;  // bytes fast() looks at

  Extraction();
  ~Extraction();

  // What `tree` points at in `document`. `readable`: bytes behind document.data() that may be read (padding included);
  // with less than `padding` to spare it is copied when simdjson has to read it. Views last until the next call.
  Outcome read(const Tree& tree, std::string_view document, std::size_t readable, const Chooser* chooser);
  // Of the last read(); an absent Value where nothing was found.
  [[nodiscard]] const Value& operator[](std::size_t slot) const { return found_.has(slot) ? values_[slot] : absent_; }
  // The last read() needed more than the fast path.
  [[nodiscard]] bool parsed() const { return parsed_; }
  // Walks only the first bytes; false: it takes a parser. For tests and benchmarks, and read() itself.
  bool fast(const Tree& tree, std::string_view document, const Chooser* chooser);

  // The elements of an array read as raw text, each in turn: each(text, readable) → false stops. False when it is no
  // array, or damaged.
  template <class Each>
  bool elements(std::string_view array, std::size_t readable, Each each) {
    return for_elements(
        array, readable,
        [](void* context, std::string_view text, std::size_t more) {
          return (*static_cast<Each*>(context))(text, more);
        },
        &each);
  }

 private:
  friend class FastPath;
  friend class Walk;
  bool for_elements(std::string_view array, std::size_t readable, bool (*each)(void*, std::string_view, std::size_t),
                    void* context);
  void start(const Chooser* chooser);
  // Keeps the first of duplicates. True: all that is needed is here.
  bool put(std::uint16_t slot, const Value& value);

  struct Parsers;
  std::unique_ptr<Parsers> parsers_;
  std::array<Value, most_slots> values_;
  SlotSet found_;
  SlotSet everything_;
  const SlotSet* needed_ = nullptr;  // null: not known yet
  const Chooser* chooser_ = nullptr;
  Value absent_;
  bool parsed_ = false;
};

}  // namespace sockeye::dialect
