// Small things every reader of text needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sockeye::base {

// The value of a hexadecimal digit of either case, 0 to 15; -1 for any other character.
constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Without the optional white space of RFC 9110 §5.6.3, spaces and tabs, at both ends.
constexpr std::string_view trim(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// RFC 3986 §2.1; none where a '%' is not followed by two hexadecimal digits. '+' is a space where `form`
// (application/x-www-form-urlencoded).
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool form = false);

}  // namespace sockeye::base
