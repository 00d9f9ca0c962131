// The characters of HTTP (RFC 9110 §5.6, RFC 3986), one table lookup each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sockeye/model/http_head.h"
#include "sockeye/wire/http.h"

namespace sockeye::wire {

namespace character {
inline constexpr std::uint8_t token = 1;   // RFC 9110 §5.6.2 tchar
inline constexpr std::uint8_t value = 2;   // field-content: VCHAR, obs-text, SP, HTAB
inline constexpr std::uint8_t target = 4;  // VCHAR but '#', and bytes from 0x80: browsers escape those, devices do not
inline constexpr std::uint8_t host = 8;    // uri-host and port
inline constexpr std::uint8_t hex = 16;

inline constexpr std::array<std::uint8_t, 256> table = [] {
  std::array<std::uint8_t, 256> t{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool digit = c >= '0' && c <= '9';
    const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    std::uint8_t set = 0;
    if (digit || alpha) set |= token | host;
    if (digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) set |= hex;
    if ((c > 0x20 && c != 0x7f) || c == ' ' || c == '\t') set |= value;
    if (c > 0x20 && c != 0x7f && c != '#') set |= target;
    t[c] = set;
  }
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    t[static_cast<std::uint8_t>(c)] |= token;
  for (const char c : {'-', '.', '_', '~', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '[', ']'})
    t[static_cast<std::uint8_t>(c)] |= host;
  return t;
}();

[[nodiscard]] constexpr bool is(char c, std::uint8_t set) { return (table[static_cast<std::uint8_t>(c)] & set) != 0; }
[[nodiscard]] constexpr bool all(std::string_view text, std::uint8_t set) {
  for (const char c : text)
    if (!is(c, set)) return false;
  return true;
}
}  // namespace character

[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && character::all(text, character::token);
}

// What Content-Length and Transfer-Encoding say, once they are known to say one thing.
struct Framing {
  bool chunked = false;
  std::optional<std::uint64_t> length;
};
// RFC 9112 §6.1-6.3, refusing wherever two readers could disagree.
[[nodiscard]] std::optional<HttpFailure> read_framing(const model::HttpHead& head, Framing& out);

}  // namespace sockeye::wire
