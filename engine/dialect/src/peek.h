// The walk without an index: see harvest.h. Strict about what it accepts as JSON; whatever it would have to judge more
// closely (an escape, a control character, the end of its view) it leaves to the parser.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "harvest.h"

namespace sockeye::dialect {

// RFC 8259 §6 and §3: a number, true, false or null, and nothing else.
[[nodiscard]] inline bool well_formed_scalar(std::string_view t) {
  if (t == "true" || t == "false" || t == "null") return true;
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < t.size() && t[i] >= '0' && t[i] <= '9') ++i;
    return i > from;
  };
  if (i < t.size() && t[i] == '-') ++i;
  const bool zero = i < t.size() && t[i] == '0';
  const std::size_t whole = i;
  if (!digits() || (zero && i - whole > 1)) return false;
  if (i < t.size() && t[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '+' || t[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == t.size();
}

class Peek {
 public:
  Peek(Harvest& harvest, const Tree& tree, std::string_view document)
      : harvest_(harvest),
        tree_(tree),
        at_(document.data()),
        end_(document.data() + std::min(document.size(), Harvest::view)),
        whole_(document.size() <= Harvest::view) {}

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

  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // Behind the opening quote; up to the closing one, which is stepped over. `plain`: without escapes.
  bool string(std::string_view& text, bool& plain) {
    const char* const from = at_;
    plain = true;
    while (at_ < end_) {
      const unsigned char c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        text = {from, static_cast<std::size_t>(at_ - from)};
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c == '\\') {
        plain = false;
        if (++at_ == end_) return false;
      }
      ++at_;
    }
    return false;
  }

  bool scalar(std::string_view& token) {
    const char* const from = at_;
    while (at_ < end_ && *at_ != ',' && *at_ != '}' && *at_ != ']' && *at_ != ' ' && *at_ != '\n' && *at_ != '\r' &&
           *at_ != '\t')
      ++at_;
    token = {from, static_cast<std::size_t>(at_ - from)};
    return (at_ < end_ || whole_) && well_formed_scalar(token);
  }

  // A value nobody asked for. What is inside a container is only balanced, as simdjson's skipping does.
  bool skip() {
    std::uint64_t kinds = 0;  // one bit a level: object or array
    unsigned depth = 0;
    std::string_view ignored;
    bool plain = false;
    do {
      space();
      if (at_ == end_) return false;
      switch (*at_) {
        case '"':
          ++at_;
          if (!string(ignored, plain)) return false;
          break;
        case '{':
        case '[':
          if (depth == 63) return false;
          kinds = (kinds << 1U) | (*at_ == '{' ? 1U : 0U);
          ++depth;
          ++at_;
          break;
        case '}':
        case ']':
          if (depth == 0 || ((kinds & 1U) != 0) != (*at_ == '}')) return false;
          kinds >>= 1U;
          --depth;
          ++at_;
          break;
        case ',':
        case ':':
          if (depth == 0) return false;
          ++at_;
          break;
        default:
          if (!scalar(ignored)) return false;
      }
    } while (depth != 0);
    return true;
  }

  bool filled(const Tree::Node& node, Value::Kind kind, std::string_view text) {
    return node.slot != Tree::none && harvest_.put(node.slot, {kind, text});
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

  Harvest& harvest_;
  const Tree& tree_;
  const char* at_;
  const char* const end_;
  const bool whole_;
};

}  // namespace sockeye::dialect
