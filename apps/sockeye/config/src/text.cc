#include "sockeye/config/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "sockeye/base/utf8.h"

namespace sockeye::config {
namespace {

using namespace std::chrono_literals;
using base::fail;
using base::Result;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = lower(c);
  return out;
}

// Splits "1.5s" into its number and its unit; the number is "" when there is none.
struct Quantity {
  std::string_view number, unit;
};
Quantity split(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  std::size_t unit = end;
  while (unit < text.size() && text[unit] == ' ') ++unit;
  return {text.substr(0, end), text.substr(unit)};
}

// Digits with at most one point between digits.
bool is_decimal(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto all_digits = [](std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), is_digit); };
  return all_digits(whole) && (point == std::string_view::npos || all_digits(text.substr(point + 1)));
}

double to_double(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return value;
}

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array<Unit, 5> duration_units = {{{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 10> size_units = {{{"", 1},
                                              {"B", 1},
                                              {"KB", 1e3},
                                              {"MB", 1e6},
                                              {"GB", 1e9},
                                              {"TB", 1e12},
                                              {"KiB", 1024},
                                              {"MiB", 1048576},
                                              {"GiB", 1073741824},
                                              {"TiB", 1099511627776}}};

constexpr std::string_view duration_form = "expected a duration such as 500ms, 30s, 5m or 1h";
constexpr std::string_view size_form = "expected a size such as 4096, 64KB or 16MiB";

std::string join(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) out += part;
  return out;
}

// Bytes of the UTF-8 character at the start of `text`; 0 when there is none.
std::size_t character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return base::valid_utf8_prefix(text.substr(0, length)) == length ? length : 0;
}

}  // namespace

Result<base::Duration> parse_duration(std::string_view text) {
  const auto [number, unit_text] = split(text);
  const std::string_view unit = unit_text;  // clang 14 cannot capture a structured binding
  if (!is_decimal(number)) return fail(join({quote(text), " is not a duration; ", duration_form}));
  const double value = to_double(number);
  if (unit.empty()) {
    if (value == 0) return base::Duration{0};
    return fail(join({quote(text), " has no unit; ", duration_form, "; write ", number, "s for seconds"}));
  }
  const auto* found =
      std::find_if(duration_units.begin(), duration_units.end(), [&](auto& u) { return u.name == unit; });
  if (found == duration_units.end()) {
    std::string message = join({quote(text), " has an unknown unit; ", duration_form});
    const std::string small = lower(unit);
    const std::string_view meant = small.starts_with("mi") && small.starts_with("min") ? "m"
                                   : small.starts_with("sec")                          ? "s"
                                   : small.starts_with("h")                            ? "h"
                                   : small.starts_with("d")                            ? "d"
                                   : small == "s" || small == "m" || small == "ms"     ? std::string_view(small)
                                                                                       : std::string_view();
    if (!meant.empty()) message += join({"; write ", number, meant});
    return fail(std::move(message));
  }
  constexpr double most = 3650 * 86400e9;
  const double ns = value * found->factor;
  if (!(ns <= most)) return fail(join({quote(text), " is too long; at most 3650d"}));
  return base::Duration{static_cast<std::int64_t>(std::llround(ns))};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto [number, unit_text] = split(text);
  const std::string_view unit = unit_text;  // clang 14 cannot capture a structured binding
  if (!is_decimal(number)) return fail(join({quote(text), " is not a size; ", size_form}));
  const auto* found = std::find_if(size_units.begin(), size_units.end(), [&](auto& u) { return u.name == unit; });
  if (found == size_units.end()) {
    std::string message = join({quote(text), " has an unknown unit; ", size_form});
    const std::string_view letters = "kmgt";
    const char first = lower(unit.front());
    if (letters.find(first) != std::string_view::npos && unit.size() <= 3) {
      const std::string upper(1, static_cast<char>(first - 'a' + 'A'));
      message += join({"; write ", number, upper, "iB (1024s) or ", number, upper, "B (1000s)"});
    }
    return fail(std::move(message));
  }
  const double bytes = to_double(number) * found->factor;
  if (!(bytes <= 0x1.0p53)) return fail(join({quote(text), " is too large; at most 8192TiB"}));
  if (bytes != std::floor(bytes)) return fail(join({quote(text), " is not a whole number of bytes; ", size_form}));
  return static_cast<std::uint64_t>(bytes);
}

Result<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return fail(quote(text) + " is neither true nor false");
}

Result<std::uint64_t> parse_integer(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const std::string expected = "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit))
    return fail(quote(text) + " is not a whole number; " + expected + ", in digits only");
  if (text.size() > 1 && text.front() == '0')
    return fail(quote(text) + " has a leading zero, which YAML 1.1 reads as octal; write it without");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < least || value > most) return fail(quote(text) + " is out of range; " + expected);
  return value;
}

Result<double> parse_ratio(std::string_view text) {
  if (!is_decimal(text)) return fail(quote(text) + " is not a ratio; expected a number from 0 to 1, e.g. 0.1");
  const double value = to_double(text);
  if (!(value <= 1))
    return fail(quote(text) + " is out of range; expected a number from 0 to 1, e.g. 0.1 for one in ten");
  return value;
}

Result<std::string> parse_network(std::string_view text) {
  if (text == "unix") return std::string(text);
  constexpr std::string_view form = "expected an address or network such as 10.0.0.0/8, ::1 or fd00::/8, or unix";
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  std::array<unsigned char, 16> bytes{};
  const bool v4 = address.size() < 46 && inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
  const bool v6 = !v4 && address.size() < 46 && inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
  if ((!v4 && !v6) || address.find('\0') != std::string::npos)
    return fail(join({quote(text), " is no network; ", form}));
  if (slash != std::string_view::npos) {
    const auto bits = parse_integer(text.substr(slash + 1), 0, v4 ? 32 : 128);
    if (!bits) return fail(quote(text) + ": the part after / must be from 0 to " + (v4 ? "32" : "128"));
  }
  return std::string(text);
}

std::string quote(std::string_view text) {
  constexpr std::size_t most = 60;
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  std::size_t at = 0;
  while (at < text.size() && out.size() <= most) {
    const auto c = static_cast<unsigned char>(text[at]);
    const std::size_t length = character(text.substr(at));
    // C1 controls (U+0080 to U+009F) steer terminals as ESC does.
    const bool control =
        c < 0x20 || c == 0x7F || (length == 2 && c == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0);
    if (length == 0 || control) {
      out += "\\x";
      out += hex[c >> 4U];
      out += hex[c & 15U];
      at += 1;
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  if (at < text.size()) out += "…";
  return out + "\"";
}

std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates) {
  constexpr std::size_t longest = 40;
  if (text.empty() || text.size() > longest) return {};
  const auto fold = [](std::string_view s) {
    std::string out = lower(s);
    std::replace(out.begin(), out.end(), '-', '_');
    return out;
  };
  const std::string a = fold(text);
  std::string_view best;
  std::size_t best_distance = longest;
  for (const auto candidate : candidates) {
    const std::string b = fold(candidate);
    // Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
      for (std::size_t j = 0; j <= b.size(); ++j) {
        if (i == 0 || j == 0) {
          d[i][j] = i + j;
          continue;
        }
        d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
    const std::size_t distance = d[a.size()][b.size()];
    const bool prefix = a.size() >= 3 && b.starts_with(a);
    const std::size_t rank = prefix ? std::min<std::size_t>(distance, 1) : distance;
    if (rank <= std::max<std::size_t>(1, b.size() / 3) && rank < best_distance) {
      best = candidate;
      best_distance = rank;
    }
  }
  return best;
}

std::string one_of(std::span<const std::string_view> names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

}  // namespace sockeye::config
