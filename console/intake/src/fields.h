// Numbers and wire types of the fields that are read, as one constant each for a `switch`. Source: opentelemetry-proto
// 1.x: collector/*/v1/*_service.proto, trace/v1, logs/v1, metrics/v1, common/v1, resource/v1.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string_view>

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

// The three requests have the same frame: resources, of each its scopes, of each its records.
namespace request {
constexpr auto of_resource = message(1);
}
namespace of_resource {
constexpr auto resource = message(1), of_scope = message(2), schema_url = bytes(3);
}
namespace of_scope {
constexpr auto scope = message(1), record = message(2), schema_url = bytes(3);
}
namespace resource {
constexpr auto attribute = message(1);
}
namespace scope {
constexpr auto name = bytes(1), version = bytes(2), attribute = message(3);
}
namespace key_value {
constexpr auto key = bytes(1), value = message(2);
}
namespace any_value {
constexpr auto text = bytes(1), boolean = varint(2), integer = varint(3), real = fixed64(4), array = message(5),
               map = message(6), octets = bytes(7);
}
namespace list {  // ArrayValue's AnyValues, KeyValueList's KeyValues
constexpr auto element = message(1);
}
namespace span {
constexpr auto trace_id = bytes(1), span_id = bytes(2), trace_state = bytes(3), parent_id = bytes(4), name = bytes(5),
               kind = varint(6), start = fixed64(7), end = fixed64(8), attribute = message(9),
               dropped_attributes = varint(10), event = message(11), dropped_events = varint(12), link = message(13),
               dropped_links = varint(14), status = message(15), flags = fixed32(16);
}
namespace event {
constexpr auto time = fixed64(1), name = bytes(2), attribute = message(3), dropped_attributes = varint(4);
}
namespace link {
constexpr auto trace_id = bytes(1), span_id = bytes(2), trace_state = bytes(3), attribute = message(4),
               dropped_attributes = varint(5), flags = fixed32(6);
}
namespace status {
constexpr auto message = bytes(2), code = varint(3);
}
namespace log {
constexpr auto time = fixed64(1), severity = varint(2), severity_text = bytes(3), body = message(5),
               attribute = message(6), dropped_attributes = varint(7), flags = fixed32(8), trace_id = bytes(9),
               span_id = bytes(10), observed_time = fixed64(11), event_name = bytes(12);
}
namespace metric {
constexpr auto gauge = message(5), sum = message(7), histogram = message(9), exponential_histogram = message(10),
               summary = message(11);
constexpr auto point = message(1);  // of each of the five
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
