// The names of generative AI, in one place: OpenTelemetry semantic conventions 1.37.0 (docs/gen-ai/gen-ai-spans.md,
// gen-ai-metrics.md; status Development). Dialect rules write these names; a newer version of them is a change of this
// table. Other names under `gen_ai.` pass as a rule spells them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sockeye/model/names.h"
#include "sockeye/model/span.h"

namespace sockeye::signal::gen_ai {

inline constexpr std::string_view prefix = "gen_ai.";
inline constexpr std::string_view input_tokens = model::attribute::gen_ai_usage_input_tokens;
inline constexpr std::string_view output_tokens = model::attribute::gen_ai_usage_output_tokens;

[[nodiscard]] inline bool is_name(std::string_view key) { return key.starts_with(prefix); }
// The name the conventions have for it now: earlier versions called some differently.
[[nodiscard]] std::string_view current_name(std::string_view key);
// The value in the type the conventions give that name: peers write numbers as text, and text as numbers. As it was
// when it cannot be that.
[[nodiscard]] model::AttributeValue typed(std::string_view current_name, const model::AttributeValue&);

// A count of tokens among the attributes; none when there is none or it is not one.
[[nodiscard]] std::optional<std::uint64_t> tokens(const model::Attributes&, std::string_view name);

}  // namespace sockeye::signal::gen_ai
