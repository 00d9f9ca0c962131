// Numbers and texts as a capture has them: LEB128, zigzag where they may be negative, texts behind their length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"

namespace sockeye::capture {

inline void put(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  out += static_cast<char>(value);
}
inline void put_signed(std::string& out, std::int64_t value) {
  put(out, static_cast<std::uint64_t>(value) << 1U ^ static_cast<std::uint64_t>(value >> 63U));
}
inline void put_text(std::string& out, std::string_view text) {
  put(out, text.size());
  out += text;
}

// What cannot be read makes all that follows fail: asked for once, at the end.
class Cursor {
 public:
  explicit Cursor(base::Bytes in) : in_(in) {}
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool empty() const { return in_.empty(); }
  [[nodiscard]] std::size_t left() const { return in_.size(); }

  std::uint64_t number() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) return fail();
      const std::uint64_t byte = in_.front();
      in_ = in_.subspan(1);
      if (shift == 63 && byte > 1) return fail();
      out |= (byte & 0x7fU) << shift;
      if (byte < 0x80) return out;
    }
    return fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t raw = number();
    return static_cast<std::int64_t>(raw >> 1U) ^ -static_cast<std::int64_t>(raw & 1U);
  }
  // At most `most`; more is a failure.
  std::uint64_t number(std::uint64_t most) {
    const auto out = number();
    return out <= most ? out : fail();
  }
  base::Bytes bytes(std::uint64_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const auto out = in_.first(static_cast<std::size_t>(size));
    in_ = in_.subspan(static_cast<std::size_t>(size));
    return out;
  }
  std::string text(std::uint64_t most) { return std::string(base::as_text(bytes(number(most)))); }

 private:
  std::uint64_t fail() {
    failed_ = true;
    in_ = {};
    return 0;
  }
  base::Bytes in_;
  bool failed_ = false;
};

}  // namespace sockeye::capture
