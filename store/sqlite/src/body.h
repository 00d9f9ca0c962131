// What of a span, a log or an origin has no column, as OpenTelemetry's own protobuf messages. Field numbers are those
// of opentelemetry-proto 1.x; ours on top: 15 in KeyValue (the value was cut), 1001 in LogRecord (its body was).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/store/batch.h"
#include "sockeye/store/figures.h"

namespace sockeye::sqlite {

// Each replaces `out`, whose memory is used again.
void encode_span(const store::Batch&, const store::Span&, std::string& out);
void encode_log(const store::Batch&, const store::Log&, std::string& out);
void encode_origin(const store::Batch&, const store::Origin&, std::string& out);  // a ResourceSpans without spans

// `body` must live as long as `to`: Batch::adopt() or keep() it first. What has a column is not touched. They throw
// Failure when the body is damaged.
void decode_span(std::string_view body, store::Batch& to, store::Span& span);
void decode_log(std::string_view body, store::Batch& to, store::Log& log);
void decode_origin(std::string_view body, store::Batch& to, store::Origin& origin);

// The start of a span whose column is at its end (2262): it may lie later.
[[nodiscard]] std::uint64_t exact_start(std::string_view span_body, std::int64_t column);

// A value as searches compare it: text as it is, numbers and truth as their text; false: an array, a map or nothing.
// `scratch` holds what has to be written out.
struct ValueText {
  char digits[40];
};
[[nodiscard]] bool value_text(const store::Value&, ValueText& scratch, std::string_view& out);

// What OpenTelemetry keeps beside attributes, by the names it gives them where there are only attributes
// (opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp), and Jaeger's for the name of an event.
namespace field_key {
inline constexpr std::string_view event = "event", scope_name = "otel.scope.name", scope_version = "otel.scope.version",
                                  status_description = "otel.status_description", trace_state = "w3c.tracestate";
}  // namespace field_key

// store::figures_of() the attributes in a span's body, and one of them by its key (its first; none: it is not there).
[[nodiscard]] store::Figures span_figures(std::string_view span_body, std::uint64_t duration_ns);
[[nodiscard]] std::optional<store::Value> span_attribute(std::string_view span_body, std::string_view key);

// Which of `wanted` (key and value; an empty value: the key alone) a body's own attributes have, as bits; with `fields`
// also its events' and what of the above is of a span.
[[nodiscard]] std::uint64_t attributes_matched(std::string_view span_body,
                                               const std::vector<std::pair<std::string, std::string>>& wanted,
                                               bool fields);
[[nodiscard]] std::uint64_t text_matched(std::string_view key, std::string_view value,
                                         const std::vector<std::pair<std::string, std::string>>& wanted);
// The same of attributes already decoded.
[[nodiscard]] std::uint64_t attributes_matched(std::span<const store::Attribute>,
                                               const std::vector<std::pair<std::string, std::string>>& wanted);

}  // namespace sockeye::sqlite
