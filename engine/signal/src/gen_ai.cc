#include "gen_ai.h"
#include "sockeye/model/names.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace sockeye::signal::gen_ai {
namespace {

enum class Type : std::uint8_t { text, integer, real };

struct Name {
  std::string_view name;
  Type type;
  std::string_view before = {};  // what it was called until it was renamed, and in which version
};

constexpr std::array names{
    Name{model::attribute::gen_ai_operation_name, Type::text},
    Name{model::attribute::gen_ai_provider_name, Type::text, model::attribute::gen_ai_system},  // 1.37.0
    Name{model::attribute::gen_ai_conversation_id, Type::text},
    Name{model::attribute::gen_ai_output_type, Type::text},
    Name{model::attribute::gen_ai_request_model, Type::text},
    Name{model::attribute::gen_ai_request_max_tokens, Type::integer},
    Name{model::attribute::gen_ai_request_temperature, Type::real},
    Name{model::attribute::gen_ai_request_top_p, Type::real},
    Name{model::attribute::gen_ai_response_model, Type::text},
    Name{model::attribute::gen_ai_response_id, Type::text},
    // An array of text there; one text here, of the one answer an invocation has.
    Name{model::attribute::gen_ai_response_finish_reasons, Type::text},
    Name{input_tokens, Type::integer, model::attribute::gen_ai_usage_prompt_tokens},       // 1.27.0
    Name{output_tokens, Type::integer, model::attribute::gen_ai_usage_completion_tokens},  // 1.27.0
    Name{model::attribute::gen_ai_tool_name, Type::text},
    Name{model::attribute::gen_ai_tool_call_id, Type::text},
    Name{model::attribute::gen_ai_tool_type, Type::text},
    Name{model::attribute::gen_ai_agent_id, Type::text},
    Name{model::attribute::gen_ai_agent_name, Type::text},
};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<std::int64_t> integer(const model::AttributeValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  if (const auto* text = std::get_if<std::string>(&value)) return number<std::int64_t>(*text);
  if (const auto* real = std::get_if<double>(&value))
    if (std::trunc(*real) == *real && std::fabs(*real) <= 0x1p53) return static_cast<std::int64_t>(*real);
  return std::nullopt;
}

std::optional<double> real(const model::AttributeValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* text = std::get_if<std::string>(&value)) return number<double>(*text);
  return std::nullopt;
}

}  // namespace

std::string_view current_name(std::string_view key) {
  for (const Name& each : names)
    if (each.before == key) return each.name;
  return key;
}

model::AttributeValue typed(std::string_view key, const model::AttributeValue& value) {
  for (const Name& each : names) {
    if (each.name != key) continue;
    if (each.type == Type::integer)
      if (const auto whole = integer(value)) return *whole;
    if (each.type == Type::real)
      if (const auto number = real(value)) return *number;
    if (each.type == Type::text)
      if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    break;
  }
  return value;
}

std::optional<std::uint64_t> tokens(const model::Attributes& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes) {
    if (current_name(key) != name) continue;
    const auto count = integer(value);
    if (count && *count >= 0) return static_cast<std::uint64_t>(*count);
  }
  return std::nullopt;
}

}  // namespace sockeye::signal::gen_ai
