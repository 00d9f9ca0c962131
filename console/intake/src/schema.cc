#include "schema.h"

namespace sockeye::intake {
namespace {

// common.proto, resource.proto. AnyValue and what it may hold name one another, hence the declarations ahead.
extern const Message any_value, key_value;

constexpr Field array_fields[] = {{"values", 1, Kind::message, &any_value, true}};
constexpr Message array{array_fields};
constexpr Field map_fields[] = {{"values", 1, Kind::message, &key_value, true}};
constexpr Message map{map_fields};
constexpr Field any_value_fields[] = {
    {"string_value", 1, Kind::text},
    {"bool_value", 2, Kind::boolean},
    {"int_value", 3, Kind::int64},
    {"double_value", 4, Kind::real},
    {"array_value", 5, Kind::message, &array},
    {"kvlist_value", 6, Kind::message, &map},
    {"bytes_value", 7, Kind::bytes},
};
const Message any_value{any_value_fields};
constexpr Field key_value_fields[] = {{"key", 1, Kind::text}, {"value", 2, Kind::message, &any_value}};
const Message key_value{key_value_fields};

constexpr Field resource_fields[] = {{"attributes", 1, Kind::message, &key_value, true}};
constexpr Message resource{resource_fields};
constexpr Field scope_fields[] = {
    {"name", 1, Kind::text}, {"version", 2, Kind::text}, {"attributes", 3, Kind::message, &key_value, true}};
constexpr Message scope{scope_fields};

// trace.proto
constexpr Name span_kinds[] = {{"SPAN_KIND_UNSPECIFIED", 0}, {"SPAN_KIND_INTERNAL", 1}, {"SPAN_KIND_SERVER", 2},
                               {"SPAN_KIND_CLIENT", 3},      {"SPAN_KIND_PRODUCER", 4}, {"SPAN_KIND_CONSUMER", 5}};
constexpr Name status_codes[] = {{"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}};
constexpr Field status_fields[] = {{"message", 2, Kind::text},
                                   {"code", 3, Kind::enumeration, nullptr, false, status_codes}};
constexpr Message status{status_fields};
constexpr Field event_fields[] = {{"time_unix_nano", 1, Kind::fixed64},
                                  {"name", 2, Kind::text},
                                  {"attributes", 3, Kind::message, &key_value, true},
                                  {"dropped_attributes_count", 4, Kind::uint32}};
constexpr Message event{event_fields};
constexpr Field link_fields[] = {{"trace_id", 1, Kind::id},
                                 {"span_id", 2, Kind::id},
                                 {"trace_state", 3, Kind::text},
                                 {"attributes", 4, Kind::message, &key_value, true},
                                 {"dropped_attributes_count", 5, Kind::uint32},
                                 {"flags", 6, Kind::fixed32}};
constexpr Message link{link_fields};
constexpr Field span_fields[] = {{"trace_id", 1, Kind::id},
                                 {"span_id", 2, Kind::id},
                                 {"trace_state", 3, Kind::text},
                                 {"parent_span_id", 4, Kind::id},
                                 {"name", 5, Kind::text},
                                 {"kind", 6, Kind::enumeration, nullptr, false, span_kinds},
                                 {"start_time_unix_nano", 7, Kind::fixed64},
                                 {"end_time_unix_nano", 8, Kind::fixed64},
                                 {"attributes", 9, Kind::message, &key_value, true},
                                 {"dropped_attributes_count", 10, Kind::uint32},
                                 {"events", 11, Kind::message, &event, true},
                                 {"dropped_events_count", 12, Kind::uint32},
                                 {"links", 13, Kind::message, &link, true},
                                 {"dropped_links_count", 14, Kind::uint32},
                                 {"status", 15, Kind::message, &status},
                                 {"flags", 16, Kind::fixed32}};
constexpr Message span{span_fields};
constexpr Field scope_spans_fields[] = {
    {"scope", 1, Kind::message, &scope}, {"spans", 2, Kind::message, &span, true}, {"schema_url", 3, Kind::text}};
constexpr Message scope_spans{scope_spans_fields};
constexpr Field resource_spans_fields[] = {{"resource", 1, Kind::message, &resource},
                                           {"scope_spans", 2, Kind::message, &scope_spans, true},
                                           {"schema_url", 3, Kind::text}};
constexpr Message resource_spans{resource_spans_fields};
constexpr Field traces_fields[] = {{"resource_spans", 1, Kind::message, &resource_spans, true}};
constexpr Message traces{traces_fields};

// logs.proto
constexpr Name severities[] = {
    {"SEVERITY_NUMBER_UNSPECIFIED", 0}, {"SEVERITY_NUMBER_TRACE", 1},   {"SEVERITY_NUMBER_TRACE2", 2},
    {"SEVERITY_NUMBER_TRACE3", 3},      {"SEVERITY_NUMBER_TRACE4", 4},  {"SEVERITY_NUMBER_DEBUG", 5},
    {"SEVERITY_NUMBER_DEBUG2", 6},      {"SEVERITY_NUMBER_DEBUG3", 7},  {"SEVERITY_NUMBER_DEBUG4", 8},
    {"SEVERITY_NUMBER_INFO", 9},        {"SEVERITY_NUMBER_INFO2", 10},  {"SEVERITY_NUMBER_INFO3", 11},
    {"SEVERITY_NUMBER_INFO4", 12},      {"SEVERITY_NUMBER_WARN", 13},   {"SEVERITY_NUMBER_WARN2", 14},
    {"SEVERITY_NUMBER_WARN3", 15},      {"SEVERITY_NUMBER_WARN4", 16},  {"SEVERITY_NUMBER_ERROR", 17},
    {"SEVERITY_NUMBER_ERROR2", 18},     {"SEVERITY_NUMBER_ERROR3", 19}, {"SEVERITY_NUMBER_ERROR4", 20},
    {"SEVERITY_NUMBER_FATAL", 21},      {"SEVERITY_NUMBER_FATAL2", 22}, {"SEVERITY_NUMBER_FATAL3", 23},
    {"SEVERITY_NUMBER_FATAL4", 24}};
constexpr Field log_fields[] = {{"time_unix_nano", 1, Kind::fixed64},
                                {"severity_number", 2, Kind::enumeration, nullptr, false, severities},
                                {"severity_text", 3, Kind::text},
                                {"body", 5, Kind::message, &any_value},
                                {"attributes", 6, Kind::message, &key_value, true},
                                {"dropped_attributes_count", 7, Kind::uint32},
                                {"flags", 8, Kind::fixed32},
                                {"trace_id", 9, Kind::id},
                                {"span_id", 10, Kind::id},
                                {"observed_time_unix_nano", 11, Kind::fixed64},
                                {"event_name", 12, Kind::text}};
constexpr Message log{log_fields};
constexpr Field scope_logs_fields[] = {
    {"scope", 1, Kind::message, &scope}, {"log_records", 2, Kind::message, &log, true}, {"schema_url", 3, Kind::text}};
constexpr Message scope_logs{scope_logs_fields};
constexpr Field resource_logs_fields[] = {{"resource", 1, Kind::message, &resource},
                                          {"scope_logs", 2, Kind::message, &scope_logs, true},
                                          {"schema_url", 3, Kind::text}};
constexpr Message resource_logs{resource_logs_fields};
constexpr Field logs_fields[] = {{"resource_logs", 1, Kind::message, &resource_logs, true}};
constexpr Message logs{logs_fields};

// metrics.proto, as far as points can be counted
constexpr Message point{};
constexpr Field data_fields[] = {{"data_points", 1, Kind::message, &point, true}};
constexpr Message data{data_fields};
constexpr Field metric_fields[] = {{"gauge", 5, Kind::message, &data},
                                   {"sum", 7, Kind::message, &data},
                                   {"histogram", 9, Kind::message, &data},
                                   {"exponential_histogram", 10, Kind::message, &data},
                                   {"summary", 11, Kind::message, &data}};
constexpr Message metric{metric_fields};
constexpr Field scope_metrics_fields[] = {{"metrics", 2, Kind::message, &metric, true}};
constexpr Message scope_metrics{scope_metrics_fields};
constexpr Field resource_metrics_fields[] = {{"scope_metrics", 2, Kind::message, &scope_metrics, true}};
constexpr Message resource_metrics{resource_metrics_fields};
constexpr Field metrics_fields[] = {{"resource_metrics", 1, Kind::message, &resource_metrics, true}};
constexpr Message metrics{metrics_fields};

// "start_time_unix_nano" is "startTimeUnixNano" in JSON; protobuf's own parsers take either.
bool spells(std::string_view json, std::string_view proto) {
  if (json == proto) return true;
  std::size_t at = 0;
  for (std::size_t i = 0; i < proto.size(); ++i, ++at) {
    char expected = proto[i];
    if (expected == '_' && i + 1 < proto.size()) expected = static_cast<char>(proto[++i] - 'a' + 'A');
    if (at == json.size() || json[at] != expected) return false;
  }
  return at == json.size();
}

}  // namespace

const Message& request_of(Signal signal) {
  switch (signal) {
    case Signal::traces:
      return traces;
    case Signal::logs:
      return logs;
    case Signal::metrics:
      break;
  }
  return metrics;
}

const Field* find(const Message& message, std::string_view json_name) {
  for (const Field& field : message.fields)
    if (spells(json_name, field.name)) return &field;
  return nullptr;
}

}  // namespace sockeye::intake
