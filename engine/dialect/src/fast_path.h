// The walk without an index: see extraction.h. Strict about what it accepts as JSON; whatever it would have to judge
// more closely (an escape, a control character, the end of its view) it leaves to the parser.
#pragma once

#include <cstdint>
#include <string_view>

#include "extraction.h"
#include "scan.h"

namespace sockeye::dialect {

class FastPath : private Scan {
 public:
  FastPath(Extraction& extraction, const Tree& tree, std::string_view document)
      : Scan(document.substr(0, Extraction::view), document.size() <= Extraction::view),
        extraction_(extraction),
        tree_(tree) {}

  // True: everything needed is found, or the whole document was seen.
  bool run() {
    space();
    const State state = value(0, 0);
    if (state != State::on) return state == State::enough;
    space();
    return whole_ && at_ == end_;
  }

 private:
  enum class State : std::uint8_t { on, enough, give_up };
  static constexpr unsigned deepest = 12;  // containers that are entered; others are stepped over

  bool filled(const Tree::Node& node, Value::Kind kind, std::string_view text) {
    return node.slot != Tree::none && extraction_.put(node.slot, {kind, text});
  }

  State value(std::uint16_t index, unsigned depth) {
    const Tree::Node& node = tree_[index];
    if (at_ == end_) return State::give_up;
    if (*at_ == '{' || *at_ == '[') return container(node, index, depth);
    std::string_view text;
    if (*at_ == '"') {
      bool plain = false;
      ++at_;
      if (!string(text, plain) || !plain || node.embedded != Tree::none) return State::give_up;
      return filled(node, Value::Kind::string, text) ? State::enough : State::on;
    }
    const char first = *at_;
    if (!scalar(text)) return State::give_up;
    const Value::Kind kind = first == 't' || first == 'f' ? Value::Kind::boolean
                             : first == 'n'               ? Value::Kind::null
                                                          : Value::Kind::number;
    return filled(node, kind, text) ? State::enough : State::on;
  }

  State container(const Tree::Node& node, std::uint16_t index, unsigned depth) {
    const bool object = *at_ == '{';
    const Value::Kind kind = object ? Value::Kind::object : Value::Kind::array;
    std::string_view raw;
    if (node.raw) {
      const char* const from = at_;
      if (!skip()) return State::give_up;
      raw = {from, static_cast<std::size_t>(at_ - from)};
      const bool enough = filled(node, kind, raw);
      if (enough || node.branches.empty()) return enough ? State::enough : State::on;
      at_ = from;
    } else if (filled(node, kind, {})) {
      return State::enough;
    }
    if (depth == deepest) return State::give_up;
    ++at_;
    if (take(object ? '}' : ']')) return State::on;
    return object ? members(index, depth + 1) : elements(index, depth + 1);
  }

  State members(std::uint16_t index, unsigned depth) {
    for (;;) {
      std::string_view name;
      bool plain = false;
      if (!take('"') || !string(name, plain) || !plain || !take(':')) return State::give_up;
      space();
      std::uint16_t next = Tree::none;
      for (const Tree::Branch& branch : tree_[index].branches)
        if (branch.name == name) next = branch.node;
      if (const State state = next == Tree::none ? skipped() : value(next, depth); state != State::on) return state;
      if (take('}')) return State::on;
      if (!take(',')) return State::give_up;
    }
  }

  State elements(std::uint16_t index, unsigned depth) {
    for (std::uint32_t i = 0;; ++i) {
      space();
      std::uint16_t next = Tree::none;
      for (const Tree::Branch& branch : tree_[index].branches)
        if (branch.is_index && branch.index == i) next = branch.node;
      if (const State state = next == Tree::none ? skipped() : value(next, depth); state != State::on) return state;
      if (take(']')) return State::on;
      if (!take(',')) return State::give_up;
    }
  }

  State skipped() { return skip() ? State::on : State::give_up; }

  Extraction& extraction_;
  const Tree& tree_;
};

}  // namespace sockeye::dialect
