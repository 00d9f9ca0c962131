#include "field_list.h"

#include <algorithm>
#include <charconv>

namespace sockeye::prometheus {
namespace {

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// Up to `separator` outside of quotes; both come off `text`.
std::string_view take(std::string_view& text, char separator) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (quoted && text[at] == '\\') {
      ++at;
      continue;
    }
    if (!quoted && text[at] == separator) break;
  }
  at = std::min(at, text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

double weight(std::string_view text) {
  double q = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), q, std::chars_format::fixed);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || !(q >= 0)) return 0;
  return std::min(q, 1.0);
}

}  // namespace

std::optional<FieldItem> next_item(std::string_view& list) {
  while (!list.empty()) {
    std::string_view item = trim(take(list, ','));
    if (item.empty()) continue;
    FieldItem out;
    out.value = trim(take(item, ';'));
    out.parameters = item;
    for (std::string_view rest = item; const auto parameter = next_parameter(rest);)
      if (same_token(parameter->first, "q")) out.weight = weight(parameter->second);
    return out;
  }
  return {};
}

std::optional<std::pair<std::string_view, std::string_view>> next_parameter(std::string_view& parameters) {
  while (!parameters.empty()) {
    std::string_view one = trim(take(parameters, ';'));
    if (one.empty()) continue;
    const std::string_view key = trim(take(one, '='));
    std::string_view value = trim(one);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return std::pair{key, value};
  }
  return {};
}

bool same_token(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool accepts_gzip(std::string_view accept_encoding) {
  double any = 0;
  std::optional<double> named;
  while (const auto item = next_item(accept_encoding)) {
    if (same_token(item->value, "gzip") || same_token(item->value, "x-gzip")) named = item->weight;
    if (item->value == "*") any = item->weight;
  }
  return named.value_or(any) > 0;
}

}  // namespace sockeye::prometheus
