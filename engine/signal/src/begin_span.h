// What every span of a session has: its place, its interval, who and where. And the ways to write an attribute.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/model/names.h"
#include "sockeye/model/span.h"
#include "sockeye/signal/spans.h"

namespace sockeye::signal {

namespace attribute = model::attribute;

[[nodiscard]] model::Span begin_span(std::string_view name, model::SpanKind, const SessionAttributes&,
                                     const TracePlace&, Interval);

// The key must not be there yet.
inline void put(model::Span& span, std::string_view key, model::AttributeValue value) {
  span.attributes.emplace_back(key, std::move(value));
}
inline void put_text(model::Span& span, std::string_view key, std::string_view value) {
  if (!value.empty()) put(span, key, std::string(value));
}
inline void put_count(model::Span& span, std::string_view key, std::uint64_t value) {
  put(span, key, static_cast<std::int64_t>(value));
}

// Status error, with its type and a line for a person.
void fail(model::Span&, std::string type, std::string_view message);

}  // namespace sockeye::signal
