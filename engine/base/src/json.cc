#include "sockeye/base/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "sockeye/base/utf8.h"

namespace sockeye::base {

void append_json_text(std::string& out, std::string_view value) {
  constexpr std::string_view hex = "0123456789abcdef";
  const std::string repaired =
      base::valid_utf8_prefix(value) == value.size() ? std::string() : base::repair_utf8(value);
  out += '"';
  for (const char byte : repaired.empty() ? value : std::string_view(repaired)) {
    const auto c = static_cast<unsigned char>(byte);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += byte;
    } else if (c < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += hex[c >> 4U];
      out += hex[c & 15U];
    } else {
      out += byte;
    }
  }
  out += '"';
}

std::string iso8601(std::uint64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> buffer{};
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  std::string out(buffer.data(), length);
  const std::string ms = std::to_string(unix_ms % 1000);
  return out.append(3 - ms.size(), '0').append(ms).append("Z");
}

void Json::separate() {
  if (comma_) out_ += ',';
  comma_ = true;
}

Json& Json::open(char bracket) {
  separate();
  out_ += bracket;
  comma_ = false;
  return *this;
}
Json& Json::close(char bracket) {
  out_ += bracket;
  comma_ = true;
  return *this;
}
Json& Json::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
  comma_ = false;
  return *this;
}
Json& Json::text(std::string_view value) {
  separate();
  append_json_text(out_, value);
  return *this;
}
Json& Json::number(std::uint64_t value) {
  const std::string digits = std::to_string(value);
  return value > static_cast<std::uint64_t>(largest_exact_integer) ? text(digits) : raw(digits);
}
Json& Json::number(std::int64_t value) {
  const std::string digits = std::to_string(value);
  return value > largest_exact_integer || value < -largest_exact_integer ? text(digits) : raw(digits);
}
Json& Json::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out_.append(buffer.data(), end);
  return *this;
}
Json& Json::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}
Json& Json::null() {
  separate();
  out_ += "null";
  return *this;
}
Json& Json::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace sockeye::base
