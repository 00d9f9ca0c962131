#include "json_text.h"

#include <array>
#include <cstdint>

#include "sockeye/base/utf8.h"
#include "text.h"

namespace sockeye::intake {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> digits = [] {
  std::array<std::int8_t, 256> out{};
  out.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    out[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
  out['-'] = 62;
  out['_'] = 63;
  return out;
}();

void append_valid(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<std::uint8_t>(c) < 0x20) {
          out += "\\u00";
          out += hex[static_cast<std::uint8_t>(c) >> 4U];
          out += hex[static_cast<std::uint8_t>(c) & 15U];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  if (is_utf8(text)) {
    append_valid(out, text);
  } else {
    append_valid(out, base::repair_utf8(text));
  }
}

void append_base64(std::string& out, std::string_view bytes) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0U;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t word = (byte(i) << 16U) | (byte(i + 1) << 8U) | byte(i + 2);
    out += alphabet[word >> 18U];
    out += alphabet[(word >> 12U) & 63U];
    out += i + 1 < bytes.size() ? alphabet[(word >> 6U) & 63U] : '=';
    out += i + 2 < bytes.size() ? alphabet[word & 63U] : '=';
  }
}

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t word = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::int8_t digit = digits[static_cast<std::uint8_t>(c)];
    if (digit < 0) return false;
    word = (word << 6U) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(static_cast<std::uint8_t>(word >> bits));
    }
  }
  return true;
}

}  // namespace sockeye::intake
