// Spans as an ExportTraceServiceRequest (opentelemetry-proto, trace v1).
#pragma once

#include <span>
#include <string>

#include "sockeye/model/span.h"
#include "sockeye/otlp/transport.h"

namespace sockeye::otlp {

// The Resource message, encoded once.
[[nodiscard]] std::string encode_resource(const Resource& resource);

// `resource` from encode_resource(). Strings that are not UTF-8 are repaired: a collector refuses the whole request
// otherwise.
[[nodiscard]] std::string encode_request(std::span<const model::Span> spans, const std::string& resource,
                                         const Limits& limits);

}  // namespace sockeye::otlp
