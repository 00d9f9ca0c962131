// How Jaeger's clients ask, common to both of its APIs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parameters.h"
#include "sockeye/store/query.h"

namespace sockeye::console {

inline constexpr std::size_t most_jaeger_traces = 1500;         // of an answer: what Jaeger's own page asks for at most
inline constexpr std::size_t most_jaeger_spans = 50'000;        // of an answer, in all
inline constexpr std::size_t most_jaeger_trace_spans = 10'000;  // of one of several traces

// "1.5ms", "2m3s": Go's time.ParseDuration, nanoseconds.
[[nodiscard]] std::optional<std::uint64_t> go_duration(std::string_view text);
// "2026-03-01T12:34:56.789Z", or with an offset: RFC 3339, Unix nanoseconds. None before 1970.
[[nodiscard]] std::optional<std::uint64_t> rfc3339(std::string_view text);
// 0 … 5 of a kind's name in any case, with or without SPAN_KIND_ before it.
[[nodiscard]] std::optional<std::uint8_t> kind_of(std::string_view name);

struct JaegerSearch {
  store::SpanQuery query;
  bool possible = true;  // false: a condition that nothing meets
};
// Conditions as `texts`, key:value, and as `objects`, {"key":"value"}. Jaeger has only tags: those that stand for what
// OpenTelemetry keeps beside attributes become conditions on that. `name` is the parameter that is complained of.
void add_tags(JaegerSearch& to, Parameters& with, std::string_view name, const std::vector<std::string>& texts,
              const std::vector<std::string>& objects);

}  // namespace sockeye::console
