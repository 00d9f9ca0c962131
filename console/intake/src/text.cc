#include "text.h"

#include <simdjson.h>

#include <cstdint>
#include <cstring>

#include "sockeye/base/utf8.h"

namespace sockeye::intake {
namespace {

constexpr std::uint64_t top_bits = 0x8080808080808080ULL;

// Most strings of a request are short and ASCII; for those a call into simdjson costs more than the look itself.
bool is_ascii(std::string_view text) {
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t all = 0;
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    all |= word;
  }
  for (; left > 0; ++at, --left) all |= static_cast<std::uint8_t>(*at);
  return (all & top_bits) == 0;
}

// What is left of `text` when its last character is not whole.
std::string_view without_torn_end(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<std::uint8_t>(text[text.size() - back]);
    if (byte < 0x80) return text;
    if (byte < 0xc0) continue;
    const std::size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return back < length ? text.substr(0, text.size() - back) : text;
  }
  return text;
}

}  // namespace

bool is_utf8(std::string_view text) {
  if (text.size() <= 64 && is_ascii(text)) return true;
  return simdjson::validate_utf8(text.data(), text.size());
}

std::string_view take_text(store::Batch& batch, std::string_view raw, bool& truncated) {
  if (raw.size() > store::longest_value) {
    truncated = true;
    raw = without_torn_end(raw.substr(0, store::longest_value));
  }
  if (is_utf8(raw)) return raw;
  const std::string mended = base::repair_utf8(raw);
  const std::string_view cut =
      base::cut_utf8(mended, store::longest_value);  // U+FFFD may be longer than what was there
  if (cut.size() < mended.size()) truncated = true;
  return batch.keep(cut);
}

std::string_view take_text(store::Batch& batch, std::string_view raw) {
  bool ignored = false;
  return take_text(batch, raw, ignored);
}

}  // namespace sockeye::intake
