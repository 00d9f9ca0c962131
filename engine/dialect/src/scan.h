// The grammar of JSON, walked without building anything: what the fast path and inserting have in common. Strict about
// what it accepts; what would have to be judged more closely (a control character, the end of the view) is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

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

class Scan {
 public:
  // `whole`: nothing was cut off behind `text`.
  Scan(std::string_view text, bool whole) : at_(text.data()), end_(text.data() + text.size()), whole_(whole) {}

  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] bool done() const { return at_ == end_; }
  // Where reading goes on; within the text.
  void go(const char* to) { at_ = to; }
  // Is this the next byte? Not past it.
  [[nodiscard]] bool sees(char c) const { return at_ < end_ && *at_ == c; }

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
    for (;;) {
      for (const char* const stop = end_ - at_ > 8 ? at_ + 8 : end_; at_ < stop; ++at_) {
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
      }
      // Most of a long string is none of these: eight bytes at a time.
      while (end_ - at_ >= 8 && !stops_within(at_)) at_ += 8;
      if (at_ >= end_) return false;
    }
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

 private:
  // A quote, a backslash or a control character among the eight bytes at `from`; may also say so of bytes behind one.
  static bool stops_within(const char* from) {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101U;
    constexpr std::uint64_t tops = 0x80 * ones;
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    const std::uint64_t quote = bytes ^ ('"' * ones);
    const std::uint64_t slash = bytes ^ ('\\' * ones);
    return ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((bytes - 0x20 * ones) & ~bytes)) & tops) != 0;
  }

 protected:
  const char* at_;
  const char* const end_;
  const bool whole_;
};

}  // namespace sockeye::dialect
