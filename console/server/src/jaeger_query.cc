#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>

#include "jaeger.h"
#include "sockeye/model/names.h"
#include "write.h"

namespace sockeye::console {
namespace {

constexpr std::size_t most_conditions = 16;

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// Digits only, exactly as many.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int out = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + (c - '0');
  }
  return out;
}

// Which statuses a tag leaves: bits 0 unset, 1 ok, 2 error. None: it is a tag like any other.
std::optional<unsigned> statuses_of(const std::string& key, const std::string& value) {
  const std::string word = lower_case(value);
  if (key == "error") {
    if (word == "true") return 4U;
    if (word == "false") return 3U;
    return std::nullopt;
  }
  if (key != model::attribute::otel_status_code) return std::nullopt;
  constexpr std::array<std::string_view, 3> names = {"unset", "ok", "error"};
  const auto* const found = std::find(names.begin(), names.end(), word);
  return found == names.end() ? 0U : 1U << static_cast<unsigned>(found - names.begin());
}

}  // namespace

std::optional<std::uint64_t> go_duration(std::string_view text) {
  static const std::map<std::string_view, double> units = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                                           {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto next = std::min(text.find_first_of("0123456789.", digits), text.size());
    const auto unit = units.find(text.substr(digits, next - digits));
    if (digits == 0 || digits > 18 || unit == units.end()) return std::nullopt;
    double number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (error != std::errc() || at != text.data() + digits) return std::nullopt;
    total += number * unit->second;
    text.remove_prefix(next);
  }
  return total < 9e18 ? std::optional(static_cast<std::uint64_t>(total)) : std::nullopt;
}

std::optional<std::uint64_t> rfc3339(std::string_view text) {
  namespace chrono = std::chrono;
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2),
             hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const chrono::year_month_day date{chrono::year(*year), chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = 100'000'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      fraction += unit * (text[at] - '0');  // beyond nanoseconds the unit is 0
    if (at == first) return std::nullopt;
  }
  const std::string_view zone = text.substr(std::min(at, text.size()));
  std::int64_t offset = 0;
  if (zone != "Z" && zone != "z") {
    const auto hours = digits(zone, 1, 2), minutes = digits(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || !hours || !minutes || *hours > 23 ||
        *minutes > 59)
      return std::nullopt;
    offset = (*hours * 60 + *minutes) * (zone[0] == '-' ? -60 : 60);
  }
  const std::int64_t seconds = chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400} + *hour * 3600 +
                               *minute * 60 + *second - offset;
  if (seconds < 0 || seconds > 9'200'000'000) return std::nullopt;
  return static_cast<std::uint64_t>(seconds * 1'000'000'000 + fraction);
}

std::optional<std::uint8_t> kind_of(std::string_view name) {
  std::string word = lower_case(name);
  if (constexpr std::string_view prefix = "span_kind_"; word.starts_with(prefix)) word.erase(0, prefix.size());
  for (std::uint8_t kind = 0; kind <= 5; ++kind)
    if (kind_name(kind) == word) return kind;
  return std::nullopt;
}

void add_tags(JaegerSearch& to, Parameters& with, std::string_view name, const std::vector<std::string>& texts,
              const std::vector<std::string>& objects) {
  auto& tags = to.query.attributes;
  for (const auto& text : texts) {
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0)
      with.wrong(name, "key:value");
    else
      tags.emplace_back(text.substr(0, colon), text.substr(colon + 1));
  }
  for (const auto& text : objects) {
    if (text.empty()) continue;
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (text.size() > 16'384 || parser.parse(text).get(object) != simdjson::SUCCESS) {
      with.wrong(name, R"({"key":"value"})");
      continue;
    }
    for (const auto& [key, value] : object) {
      std::string_view word;
      if (value.get(word) == simdjson::SUCCESS)
        tags.emplace_back(key, word);
      else
        tags.emplace_back(key, simdjson::minify(value));
    }
  }
  if (tags.size() > most_conditions) with.wrong(name, "at most 16 of them");

  unsigned statuses = 7;
  std::erase_if(tags, [&](auto& each) {
    if (each.first == "otel.library.name") each.first = model::attribute::otel_scope_name;
    if (each.first == "otel.library.version") each.first = model::attribute::otel_scope_version;
    if (const auto left = statuses_of(each.first, each.second)) {
      statuses &= *left;
      return true;
    }
    if (each.first != "span.kind") return false;
    const auto kind = kind_of(each.second);
    to.possible = to.possible && kind && (!to.query.kind || to.query.kind == kind);
    to.query.kind = kind;
    return true;
  });
  to.query.fields = true;
  to.query.not_error = statuses == 3;
  if (statuses == 1 || statuses == 2 || statuses == 4)
    to.query.status = static_cast<std::uint8_t>(statuses == 4 ? 2 : statuses - 1);
  to.possible = to.possible && statuses != 0;
}

}  // namespace sockeye::console
