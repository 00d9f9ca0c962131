#include "schema.h"

#include "sockeye/model/otlp_fields.h"

namespace sockeye::intake {
namespace {

namespace otlp = model::otlp;

// common.proto, resource.proto. AnyValue and what it may hold name one another, hence the declarations ahead.
extern const Message any_value, key_value;

constexpr Field array_fields[] = {{"values", otlp::list::values, Kind::message, &any_value, true}};
constexpr Message array{array_fields};
constexpr Field map_fields[] = {{"values", otlp::list::values, Kind::message, &key_value, true}};
constexpr Message map{map_fields};
constexpr Field any_value_fields[] = {
    {"string_value", otlp::any_value::string_value, Kind::text},
    {"bool_value", otlp::any_value::bool_value, Kind::boolean},
    {"int_value", otlp::any_value::int_value, Kind::int64},
    {"double_value", otlp::any_value::double_value, Kind::real},
    {"array_value", otlp::any_value::array_value, Kind::message, &array},
    {"kvlist_value", otlp::any_value::kvlist_value, Kind::message, &map},
    {"bytes_value", otlp::any_value::bytes_value, Kind::bytes},
};
const Message any_value{any_value_fields};
constexpr Field key_value_fields[] = {{"key", otlp::key_value::key, Kind::text},
                                      {"value", otlp::key_value::value, Kind::message, &any_value}};
const Message key_value{key_value_fields};

constexpr Field resource_fields[] = {{"attributes", otlp::resource::attributes, Kind::message, &key_value, true}};
constexpr Message resource{resource_fields};
constexpr Field scope_fields[] = {{"name", otlp::scope::name, Kind::text},
                                  {"version", otlp::scope::version, Kind::text},
                                  {"attributes", otlp::scope::attributes, Kind::message, &key_value, true}};
constexpr Message scope{scope_fields};

// trace.proto
constexpr Name span_kinds[] = {{"SPAN_KIND_UNSPECIFIED", 0}, {"SPAN_KIND_INTERNAL", 1}, {"SPAN_KIND_SERVER", 2},
                               {"SPAN_KIND_CLIENT", 3},      {"SPAN_KIND_PRODUCER", 4}, {"SPAN_KIND_CONSUMER", 5}};
constexpr Name status_codes[] = {{"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}};
constexpr Field status_fields[] = {{"message", otlp::status::message, Kind::text},
                                   {"code", otlp::status::code, Kind::enumeration, nullptr, false, status_codes}};
constexpr Message status{status_fields};
constexpr Field event_fields[] = {{"time_unix_nano", otlp::event::time_unix_nano, Kind::fixed64},
                                  {"name", otlp::event::name, Kind::text},
                                  {"attributes", otlp::event::attributes, Kind::message, &key_value, true},
                                  {"dropped_attributes_count", otlp::event::dropped_attributes_count, Kind::uint32}};
constexpr Message event{event_fields};
constexpr Field link_fields[] = {{"trace_id", otlp::link::trace_id, Kind::id},
                                 {"span_id", otlp::link::span_id, Kind::id},
                                 {"trace_state", otlp::link::trace_state, Kind::text},
                                 {"attributes", otlp::link::attributes, Kind::message, &key_value, true},
                                 {"dropped_attributes_count", otlp::link::dropped_attributes_count, Kind::uint32},
                                 {"flags", otlp::link::flags, Kind::fixed32}};
constexpr Message link{link_fields};
constexpr Field span_fields[] = {{"trace_id", otlp::span::trace_id, Kind::id},
                                 {"span_id", otlp::span::span_id, Kind::id},
                                 {"trace_state", otlp::span::trace_state, Kind::text},
                                 {"parent_span_id", otlp::span::parent_span_id, Kind::id},
                                 {"name", otlp::span::name, Kind::text},
                                 {"kind", otlp::span::kind, Kind::enumeration, nullptr, false, span_kinds},
                                 {"start_time_unix_nano", otlp::span::start_time_unix_nano, Kind::fixed64},
                                 {"end_time_unix_nano", otlp::span::end_time_unix_nano, Kind::fixed64},
                                 {"attributes", otlp::span::attributes, Kind::message, &key_value, true},
                                 {"dropped_attributes_count", otlp::span::dropped_attributes_count, Kind::uint32},
                                 {"events", otlp::span::events, Kind::message, &event, true},
                                 {"dropped_events_count", otlp::span::dropped_events_count, Kind::uint32},
                                 {"links", otlp::span::links, Kind::message, &link, true},
                                 {"dropped_links_count", otlp::span::dropped_links_count, Kind::uint32},
                                 {"status", otlp::span::status, Kind::message, &status},
                                 {"flags", otlp::span::flags, Kind::fixed32}};
constexpr Message span{span_fields};
constexpr Field scope_spans_fields[] = {{"scope", otlp::of_scope::scope, Kind::message, &scope},
                                        {"spans", otlp::of_scope::records, Kind::message, &span, true},
                                        {"schema_url", otlp::of_scope::schema_url, Kind::text}};
constexpr Message scope_spans{scope_spans_fields};
constexpr Field resource_spans_fields[] = {
    {"resource", otlp::of_resource::resource, Kind::message, &resource},
    {"scope_spans", otlp::of_resource::of_scope, Kind::message, &scope_spans, true},
    {"schema_url", otlp::of_resource::schema_url, Kind::text}};
constexpr Message resource_spans{resource_spans_fields};
constexpr Field traces_fields[] = {
    {"resource_spans", otlp::request::of_resource, Kind::message, &resource_spans, true}};
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
constexpr Field log_fields[] = {
    {"time_unix_nano", otlp::log_record::time_unix_nano, Kind::fixed64},
    {"severity_number", otlp::log_record::severity_number, Kind::enumeration, nullptr, false, severities},
    {"severity_text", otlp::log_record::severity_text, Kind::text},
    {"body", otlp::log_record::body, Kind::message, &any_value},
    {"attributes", otlp::log_record::attributes, Kind::message, &key_value, true},
    {"dropped_attributes_count", otlp::log_record::dropped_attributes_count, Kind::uint32},
    {"flags", otlp::log_record::flags, Kind::fixed32},
    {"trace_id", otlp::log_record::trace_id, Kind::id},
    {"span_id", otlp::log_record::span_id, Kind::id},
    {"observed_time_unix_nano", otlp::log_record::observed_time_unix_nano, Kind::fixed64},
    {"event_name", otlp::log_record::event_name, Kind::text}};
constexpr Message log{log_fields};
constexpr Field scope_logs_fields[] = {{"scope", otlp::of_scope::scope, Kind::message, &scope},
                                       {"log_records", otlp::of_scope::records, Kind::message, &log, true},
                                       {"schema_url", otlp::of_scope::schema_url, Kind::text}};
constexpr Message scope_logs{scope_logs_fields};
constexpr Field resource_logs_fields[] = {{"resource", otlp::of_resource::resource, Kind::message, &resource},
                                          {"scope_logs", otlp::of_resource::of_scope, Kind::message, &scope_logs, true},
                                          {"schema_url", otlp::of_resource::schema_url, Kind::text}};
constexpr Message resource_logs{resource_logs_fields};
constexpr Field logs_fields[] = {{"resource_logs", otlp::request::of_resource, Kind::message, &resource_logs, true}};
constexpr Message logs{logs_fields};

// metrics.proto, as far as points can be counted
constexpr Message point{};
constexpr Field data_fields[] = {{"data_points", otlp::data::data_points, Kind::message, &point, true}};
constexpr Message data{data_fields};
constexpr Field metric_fields[] = {{"gauge", otlp::metric::gauge, Kind::message, &data},
                                   {"sum", otlp::metric::sum, Kind::message, &data},
                                   {"histogram", otlp::metric::histogram, Kind::message, &data},
                                   {"exponential_histogram", otlp::metric::exponential_histogram, Kind::message, &data},
                                   {"summary", otlp::metric::summary, Kind::message, &data}};
constexpr Message metric{metric_fields};
constexpr Field scope_metrics_fields[] = {{"metrics", otlp::of_scope::records, Kind::message, &metric, true}};
constexpr Message scope_metrics{scope_metrics_fields};
constexpr Field resource_metrics_fields[] = {
    {"scope_metrics", otlp::of_resource::of_scope, Kind::message, &scope_metrics, true}};
constexpr Message resource_metrics{resource_metrics_fields};
constexpr Field metrics_fields[] = {
    {"resource_metrics", otlp::request::of_resource, Kind::message, &resource_metrics, true}};
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
