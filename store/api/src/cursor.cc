#include "sockeye/store/cursor.h"

#include <charconv>

namespace sockeye::store {
namespace {

std::string mark_of(char list, std::string_view order) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : order) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::string out(1, list);
  char digits[8];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), hash & 0xffffffU, 36).ptr;
  return out.append(digits, end);
}

}  // namespace

std::string to_text(const Cursor& cursor, char list, std::string_view order) {
  std::string out = mark_of(list, order);
  char digits[24];
  for (const std::int64_t part : {cursor.after.start, cursor.after.id, cursor.top}) {
    const auto end = std::to_chars(std::begin(digits), std::end(digits), part, 36).ptr;
    out.append(".").append(digits, end);
  }
  return out;
}

std::optional<Cursor> parse_cursor(std::string_view text, char list, std::string_view order) {
  const std::string mark = mark_of(list, order);
  if (!text.starts_with(mark)) return std::nullopt;
  text.remove_prefix(mark.size());
  std::int64_t parts[3] = {};
  for (auto& part : parts) {
    if (!text.starts_with(".")) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), part, 36);
    if (error != std::errc() || part < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  if (!text.empty()) return std::nullopt;
  return Cursor{{parts[0], parts[1]}, parts[2]};
}

}  // namespace sockeye::store
