// Numbers and wire types of the fields that are read, as one constant each for a `switch`.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string_view>

#include "sockeye/model/otlp_fields.h"

namespace sockeye::intake::fields {

constexpr std::uint32_t message(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::length_delimited);
}
constexpr std::uint32_t bytes(protozero::pbf_tag_type tag) { return message(tag); }
constexpr std::uint32_t varint(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::varint);
}
constexpr std::uint32_t fixed64(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed64);
}
constexpr std::uint32_t fixed32(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::fixed32);
}

namespace otlp = model::otlp;

namespace request {
constexpr auto of_resource = message(otlp::request::of_resource);
}
namespace of_resource {
constexpr auto resource = message(otlp::of_resource::resource), of_scope = message(otlp::of_resource::of_scope),
               schema_url = bytes(otlp::of_resource::schema_url);
}
namespace of_scope {
constexpr auto scope = message(otlp::of_scope::scope), record = message(otlp::of_scope::records),
               schema_url = bytes(otlp::of_scope::schema_url);
}
namespace resource {
constexpr auto attribute = message(otlp::resource::attributes);
}
namespace scope {
constexpr auto name = bytes(otlp::scope::name), version = bytes(otlp::scope::version),
               attribute = message(otlp::scope::attributes);
}
namespace key_value {
constexpr auto key = bytes(otlp::key_value::key), value = message(otlp::key_value::value);
}
namespace any_value {
constexpr auto text = bytes(otlp::any_value::string_value), boolean = varint(otlp::any_value::bool_value),
               integer = varint(otlp::any_value::int_value), real = fixed64(otlp::any_value::double_value),
               array = message(otlp::any_value::array_value), map = message(otlp::any_value::kvlist_value),
               octets = bytes(otlp::any_value::bytes_value);
}
namespace list {
constexpr auto element = message(otlp::list::values);
}
namespace span {
constexpr auto trace_id = bytes(otlp::span::trace_id), span_id = bytes(otlp::span::span_id),
               trace_state = bytes(otlp::span::trace_state), parent_id = bytes(otlp::span::parent_span_id),
               name = bytes(otlp::span::name), kind = varint(otlp::span::kind),
               start = fixed64(otlp::span::start_time_unix_nano), end = fixed64(otlp::span::end_time_unix_nano),
               attribute = message(otlp::span::attributes),
               dropped_attributes = varint(otlp::span::dropped_attributes_count), event = message(otlp::span::events),
               dropped_events = varint(otlp::span::dropped_events_count), link = message(otlp::span::links),
               dropped_links = varint(otlp::span::dropped_links_count), status = message(otlp::span::status),
               flags = fixed32(otlp::span::flags);
}
namespace event {
constexpr auto time = fixed64(otlp::event::time_unix_nano), name = bytes(otlp::event::name),
               attribute = message(otlp::event::attributes),
               dropped_attributes = varint(otlp::event::dropped_attributes_count);
}
namespace link {
constexpr auto trace_id = bytes(otlp::link::trace_id), span_id = bytes(otlp::link::span_id),
               trace_state = bytes(otlp::link::trace_state), attribute = message(otlp::link::attributes),
               dropped_attributes = varint(otlp::link::dropped_attributes_count), flags = fixed32(otlp::link::flags);
}
namespace status {
constexpr auto message = bytes(otlp::status::message), code = varint(otlp::status::code);
}
namespace log {
constexpr auto time = fixed64(otlp::log_record::time_unix_nano), severity = varint(otlp::log_record::severity_number),
               severity_text = bytes(otlp::log_record::severity_text), body = message(otlp::log_record::body),
               attribute = message(otlp::log_record::attributes),
               dropped_attributes = varint(otlp::log_record::dropped_attributes_count),
               flags = fixed32(otlp::log_record::flags), trace_id = bytes(otlp::log_record::trace_id),
               span_id = bytes(otlp::log_record::span_id),
               observed_time = fixed64(otlp::log_record::observed_time_unix_nano),
               event_name = bytes(otlp::log_record::event_name);
}
namespace metric {
constexpr auto gauge = message(otlp::metric::gauge), sum = message(otlp::metric::sum),
               histogram = message(otlp::metric::histogram),
               exponential_histogram = message(otlp::metric::exponential_histogram),
               summary = message(otlp::metric::summary);
constexpr auto point = message(otlp::data::data_points);
}  // namespace metric

}  // namespace sockeye::intake::fields

namespace sockeye::intake {

[[nodiscard]] inline std::string_view view_of(protozero::pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}
[[nodiscard]] inline protozero::pbf_reader reader_of(std::string_view message) {
  return protozero::pbf_reader(message.data(), message.size());
}

}  // namespace sockeye::intake
