#include "sockeye/store/value_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sockeye/store/figures.h"

namespace sockeye::store {

bool value_text(const Value& value, ValueText& scratch, std::string_view& out) {
  const auto digits = [&](auto number) {
    const auto end = std::to_chars(std::begin(scratch.digits), std::end(scratch.digits), number).ptr;
    out = {scratch.digits, static_cast<std::size_t>(end - scratch.digits)};
    return true;
  };
  switch (value.type) {
    case Value::Type::text:
    case Value::Type::bytes:
      out = value.text;
      return true;
    case Value::Type::boolean:
      out = value.boolean ? "true" : "false";
      return true;
    case Value::Type::integer:
      return digits(value.integer);
    case Value::Type::real:
      return digits(value.real);
    default:
      return false;
  }
}

std::optional<std::string_view> attribute_text(const Batch& batch, const Span& span, std::string_view key,
                                               ValueText& scratch) {
  const Origin& origin = batch.origins[span.origin];
  std::string_view text;
  for (const auto& where : {span.attributes, origin.resource, origin.scope}) {
    const Value* value = find(batch.of(where), key);
    if (value != nullptr && value_text(*value, scratch, text)) return text;
  }
  return std::nullopt;
}

std::uint64_t millionths_of(const Value* value) {
  if (value == nullptr) return Figures::unknown;
  double number = 0;
  if (value->type == Value::Type::integer) {
    number = static_cast<double>(value->integer);
  } else if (value->type == Value::Type::real) {
    number = value->real;
  } else {
    return Figures::unknown;
  }
  if (!std::isfinite(number) || number < 0) return Figures::unknown;
  return static_cast<std::uint64_t>(std::llround(std::min(number * 1e6, 9.2e18)));
}

bool holds_folded(std::string_view text, std::string_view part) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto same = [&](char a, char b) { return fold(a) == fold(b); };
  return part.empty() || std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace sockeye::store
