// What of a span, a log or an origin has no column, as OpenTelemetry's own protobuf messages (model::otlp). Ours on
// top: 15 in KeyValue (the value was cut), 1001 in LogRecord (its body was).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sockeye/store/batch.h"
#include "sockeye/store/figures.h"
#include "sockeye/store/match.h"

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

// store::figures_of() the attributes in a span's body, and one of them by its key (its first; none: it is not there).
[[nodiscard]] store::Figures span_figures(std::string_view span_body, std::uint64_t duration_ns);
[[nodiscard]] std::optional<store::Value> span_attribute(std::string_view span_body, std::string_view key);

// store::matched() for a body's own attributes; with `fields` also for its events' and the fields beside attributes.
[[nodiscard]] std::uint64_t body_matched(std::string_view span_body, const store::Wanted& wanted, bool fields);

}  // namespace sockeye::sqlite
