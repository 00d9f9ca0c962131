// Writes JSON (RFC 8259) into a string. Text from peers is repaired to UTF-8 and escaped; commas look after themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::base {

inline constexpr std::int64_t largest_exact_integer = 9'007'199'254'740'991;  // 2^53 - 1, of either sign

class Json {
 public:
  Json& open(char bracket);  // '{' or '['
  Json& close(char bracket);
  Json& key(std::string_view name);  // a literal of ours: not escaped
  Json& text(std::string_view value);
  // An integer that a double does not hold exactly is text, as protobuf's JSON has 64-bit integers.
  Json& number(std::uint64_t value);
  Json& number(std::int64_t value);
  Json& number(double value);  // null when not finite
  Json& boolean(bool value);
  Json& null();
  Json& raw(std::string_view json);  // a whole value, JSON already

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  bool comma_ = false;
};

// `value` in quotes, escaped; ill-formed UTF-8 replaced by U+FFFD.
void append_json_text(std::string& out, std::string_view value);

// "2026-03-01T12:34:56.789Z".
[[nodiscard]] std::string iso8601(std::uint64_t unix_ms);

}  // namespace sockeye::base
