// Field numbers are those of opentelemetry-proto 1.x: collector/trace/v1/trace_service.proto, trace/v1/trace.proto,
// common/v1/common.proto, resource/v1/resource.proto.
#include "encode.h"

#include <algorithm>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <type_traits>
#include <variant>

#include "sockeye/base/utf8.h"

namespace sockeye::otlp {
namespace {

using protozero::pbf_writer;
namespace request {
enum : protozero::pbf_tag_type { resource_spans = 1 };
}
namespace resource_spans {
enum : protozero::pbf_tag_type { resource = 1, scope_spans = 2 };
}
namespace scope_spans {
enum : protozero::pbf_tag_type { scope = 1, spans = 2 };
}
namespace scope {
enum : protozero::pbf_tag_type { name = 1, version = 2 };
}
namespace resource {
enum : protozero::pbf_tag_type { attributes = 1 };
}
namespace key_value {
enum : protozero::pbf_tag_type { key = 1, value = 2 };
}
namespace any_value {
enum : protozero::pbf_tag_type { string_value = 1, bool_value = 2, int_value = 3, double_value = 4 };
}
namespace span_field {
enum : protozero::pbf_tag_type {
  trace_id = 1,
  span_id = 2,
  trace_state = 3,
  parent_span_id = 4,
  name = 5,
  kind = 6,
  start_time_unix_nano = 7,
  end_time_unix_nano = 8,
  attributes = 9,
  dropped_attributes_count = 10,
  events = 11,
  dropped_events_count = 12,
  links = 13,
  dropped_links_count = 14,
  status = 15,
  flags = 16
};
}
namespace event_field {
enum : protozero::pbf_tag_type { time_unix_nano = 1, name = 2, attributes = 3, dropped_attributes_count = 4 };
}
namespace link_field {
enum : protozero::pbf_tag_type { trace_id = 1, span_id = 2, attributes = 4, dropped_attributes_count = 5 };
}
namespace status_field {
enum : protozero::pbf_tag_type { message = 2, code = 3 };
}

// SpanFlags of trace.proto.
constexpr std::uint32_t has_is_remote = 0x100;
constexpr std::uint32_t is_remote = 0x200;

void add_text(pbf_writer& to, protozero::pbf_tag_type tag, std::string_view text, std::size_t limit) {
  if (base::valid_utf8_prefix(text) == text.size()) {
    const std::string_view cut = base::cut_utf8(text, limit);
    to.add_string(tag, cut.data(), cut.size());
    return;
  }
  // Repair only as much as can be kept: a replacement is never shorter than what it replaces.
  const std::string repaired = base::repair_utf8(text.substr(0, std::min(text.size(), limit)));
  const std::string_view cut = base::cut_utf8(repaired, limit);
  to.add_string(tag, cut.data(), cut.size());
}

template <std::size_t N, class Tag>
void add_id(pbf_writer& to, protozero::pbf_tag_type tag, const base::Id<N, Tag>& id) {
  to.add_bytes(tag, reinterpret_cast<const char*>(id.bytes.data()), N);
}

void add_key_value(pbf_writer& to, protozero::pbf_tag_type tag, std::string_view key,
                   const model::AttributeValue& value, const Limits& limits) {
  pbf_writer pair(to, tag);
  add_text(pair, key_value::key, key, limits.value_bytes);
  pbf_writer any(pair, key_value::value);
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          any.add_bool(any_value::bool_value, v);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          any.add_int64(any_value::int_value, v);
        } else if constexpr (std::is_same_v<T, double>) {
          any.add_double(any_value::double_value, v);
        } else {
          add_text(any, any_value::string_value, v, limits.value_bytes);
        }
      },
      value);
}

// Writes the first `limit` elements with `add` and the number of the others under `dropped_tag`.
template <class List, class Add>
void add_bounded(pbf_writer& to, const List& list, std::size_t limit, protozero::pbf_tag_type dropped_tag, Add add) {
  const std::size_t kept = std::min(list.size(), limit);
  for (std::size_t i = 0; i < kept; ++i) add(list[i]);
  if (list.size() > kept)
    to.add_uint32(dropped_tag, static_cast<std::uint32_t>(std::min<std::size_t>(list.size() - kept, UINT32_MAX)));
}

void add_attributes(pbf_writer& to, protozero::pbf_tag_type tag, protozero::pbf_tag_type dropped_tag,
                    const model::Attributes& attributes, const Limits& limits) {
  add_bounded(to, attributes, limits.attributes, dropped_tag,
              [&](const auto& attribute) { add_key_value(to, tag, attribute.first, attribute.second, limits); });
}

void add_span(pbf_writer& to, const model::Span& span, const Limits& limits) {
  pbf_writer out(to, scope_spans::spans);
  add_id(out, span_field::trace_id, span.trace_id);
  add_id(out, span_field::span_id, span.span_id);
  if (!span.trace_state.empty()) add_text(out, span_field::trace_state, span.trace_state, limits.value_bytes);
  if (!span.parent_id.is_zero()) add_id(out, span_field::parent_span_id, span.parent_id);
  add_text(out, span_field::name, span.name, limits.value_bytes);
  out.add_enum(span_field::kind, static_cast<std::int32_t>(span.kind));
  out.add_fixed64(span_field::start_time_unix_nano, span.start_unix_ns);
  out.add_fixed64(span_field::end_time_unix_nano, span.end_unix_ns);
  add_attributes(out, span_field::attributes, span_field::dropped_attributes_count, span.attributes, limits);
  add_bounded(out, span.events, limits.events, span_field::dropped_events_count, [&](const model::SpanEvent& event) {
    pbf_writer one(out, span_field::events);
    one.add_fixed64(event_field::time_unix_nano, event.time_unix_ns);
    add_text(one, event_field::name, event.name, limits.value_bytes);
    add_attributes(one, event_field::attributes, event_field::dropped_attributes_count, event.attributes, limits);
  });
  add_bounded(out, span.links, limits.links, span_field::dropped_links_count, [&](const model::SpanLink& link) {
    pbf_writer one(out, span_field::links);
    add_id(one, link_field::trace_id, link.trace_id);
    add_id(one, link_field::span_id, link.span_id);
    add_attributes(one, link_field::attributes, link_field::dropped_attributes_count, link.attributes, limits);
  });
  if (span.status != model::SpanStatus::unset) {
    pbf_writer status(out, span_field::status);
    if (!span.status_message.empty()) add_text(status, status_field::message, span.status_message, limits.value_bytes);
    status.add_enum(status_field::code, static_cast<std::int32_t>(span.status));
  }
  // A root has no parent to be remote.
  std::uint32_t flags = span.flags;
  if (!span.parent_id.is_zero()) flags |= has_is_remote | (span.parent_is_remote ? is_remote : 0U);
  out.add_fixed32(span_field::flags, flags);
}

}  // namespace

std::string encode_resource(const Resource& r) {
  std::string out;
  pbf_writer to(out);
  const Limits limits;
  std::vector<std::string_view> seen;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (key.empty() || value.empty() || std::find(seen.begin(), seen.end(), key) != seen.end()) return;
    seen.push_back(key);
    add_key_value(to, resource::attributes, key, std::string(value), limits);
  };
  add("service.name", r.service_name);
  // OpenTelemetry's rule for a custom SDK: its own name, not "opentelemetry".
  add("telemetry.sdk.name", "sockeye");
  add("telemetry.sdk.language", "cpp");
  add("telemetry.sdk.version", SOCKEYE_VERSION);
  for (const auto& [key, value] : r.attributes) add(key, value);  // what a user says wins over what was found out
  add("service.version", r.service_version);
  add("service.instance.id", r.service_instance_id);
  add("host.name", r.host_name);
  return out;
}

std::string encode_request(std::span<const model::Span> spans, const std::string& encoded_resource,
                           const Limits& limits) {
  std::string out;
  out.reserve(spans.size() * 512);
  pbf_writer to(out);
  pbf_writer of_resource(to, request::resource_spans);
  of_resource.add_message(resource_spans::resource, encoded_resource);
  pbf_writer of_scope(of_resource, resource_spans::scope_spans);
  {
    pbf_writer name(of_scope, scope_spans::scope);
    name.add_string(scope::name, "sockeye");
    name.add_string(scope::version, SOCKEYE_VERSION);
  }
  for (const auto& span : spans) add_span(of_scope, span, limits);
  of_scope.commit();
  of_resource.commit();
  return out;
}

}  // namespace sockeye::otlp
