// Field numbers of OTLP, once for all who write or read it (opentelemetry-proto 1.x: collector/*/v1/*_service.proto,
// trace/v1, logs/v1, metrics/v1, common/v1, resource/v1). Requests that OpenTelemetry's own library wrote are held
// against them in console/intake/test/golden.
#pragma once

#include <cstdint>

namespace sockeye::model::otlp {

using FieldNumber = std::uint32_t;

// The three requests have the same frame: resources, of each its scopes, of each its records.
namespace request {
inline constexpr FieldNumber of_resource = 1;  // resource_spans, resource_logs, resource_metrics
}
namespace of_resource {
inline constexpr FieldNumber resource = 1, of_scope = 2, schema_url = 3;
}
namespace of_scope {
inline constexpr FieldNumber scope = 1, records = 2, schema_url = 3;
}
namespace response {
inline constexpr FieldNumber partial_success = 1;
}
namespace partial_success {
inline constexpr FieldNumber rejected = 1, error_message = 2;
}

namespace resource {
inline constexpr FieldNumber attributes = 1;
}
namespace scope {
inline constexpr FieldNumber name = 1, version = 2, attributes = 3;
}
namespace key_value {
inline constexpr FieldNumber key = 1, value = 2;
}
namespace any_value {
inline constexpr FieldNumber string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5,
                             kvlist_value = 6, bytes_value = 7;
}
namespace list {  // ArrayValue's AnyValues, KeyValueList's KeyValues
inline constexpr FieldNumber values = 1;
}

namespace span {
inline constexpr FieldNumber trace_id = 1, span_id = 2, trace_state = 3, parent_span_id = 4, name = 5, kind = 6,
                             start_time_unix_nano = 7, end_time_unix_nano = 8, attributes = 9,
                             dropped_attributes_count = 10, events = 11, dropped_events_count = 12, links = 13,
                             dropped_links_count = 14, status = 15, flags = 16;
}
namespace event {
inline constexpr FieldNumber time_unix_nano = 1, name = 2, attributes = 3, dropped_attributes_count = 4;
}
namespace link {
inline constexpr FieldNumber trace_id = 1, span_id = 2, trace_state = 3, attributes = 4, dropped_attributes_count = 5,
                             flags = 6;
}
namespace status {
inline constexpr FieldNumber message = 2, code = 3;
}

namespace log_record {
inline constexpr FieldNumber time_unix_nano = 1, severity_number = 2, severity_text = 3, body = 5, attributes = 6,
                             dropped_attributes_count = 7, flags = 8, trace_id = 9, span_id = 10,
                             observed_time_unix_nano = 11, event_name = 12;
}

namespace metric {
inline constexpr FieldNumber gauge = 5, sum = 7, histogram = 9, exponential_histogram = 10, summary = 11;
}
namespace data {  // of each of the five
inline constexpr FieldNumber data_points = 1;
}

}  // namespace sockeye::model::otlp
