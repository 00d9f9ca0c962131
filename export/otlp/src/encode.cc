#include "encode.h"

#include <algorithm>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <type_traits>
#include <variant>

#include "sockeye/base/utf8.h"
#include "sockeye/model/names.h"
#include "sockeye/model/otlp_fields.h"

namespace sockeye::otlp {
namespace {

namespace fields = model::otlp;
using protozero::pbf_writer;

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
  add_text(pair, fields::key_value::key, key, limits.value_bytes);
  pbf_writer any(pair, fields::key_value::value);
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          any.add_bool(fields::any_value::bool_value, v);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          any.add_int64(fields::any_value::int_value, v);
        } else if constexpr (std::is_same_v<T, double>) {
          any.add_double(fields::any_value::double_value, v);
        } else {
          add_text(any, fields::any_value::string_value, v, limits.value_bytes);
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
  pbf_writer out(to, fields::of_scope::records);
  add_id(out, fields::span::trace_id, span.trace_id);
  add_id(out, fields::span::span_id, span.span_id);
  if (!span.trace_state.empty()) add_text(out, fields::span::trace_state, span.trace_state, limits.value_bytes);
  if (!span.parent_id.is_zero()) add_id(out, fields::span::parent_span_id, span.parent_id);
  add_text(out, fields::span::name, span.name, limits.value_bytes);
  out.add_enum(fields::span::kind, static_cast<std::int32_t>(span.kind));
  out.add_fixed64(fields::span::start_time_unix_nano, span.start_unix_ns);
  out.add_fixed64(fields::span::end_time_unix_nano, span.end_unix_ns);
  add_attributes(out, fields::span::attributes, fields::span::dropped_attributes_count, span.attributes, limits);
  add_bounded(out, span.events, limits.events, fields::span::dropped_events_count, [&](const model::SpanEvent& event) {
    pbf_writer one(out, fields::span::events);
    one.add_fixed64(fields::event::time_unix_nano, event.time_unix_ns);
    add_text(one, fields::event::name, event.name, limits.value_bytes);
    add_attributes(one, fields::event::attributes, fields::event::dropped_attributes_count, event.attributes, limits);
  });
  add_bounded(out, span.links, limits.links, fields::span::dropped_links_count, [&](const model::SpanLink& link) {
    pbf_writer one(out, fields::span::links);
    add_id(one, fields::link::trace_id, link.trace_id);
    add_id(one, fields::link::span_id, link.span_id);
    add_attributes(one, fields::link::attributes, fields::link::dropped_attributes_count, link.attributes, limits);
  });
  if (span.status != model::SpanStatus::unset) {
    pbf_writer status(out, fields::span::status);
    if (!span.status_message.empty())
      add_text(status, fields::status::message, span.status_message, limits.value_bytes);
    status.add_enum(fields::status::code, static_cast<std::int32_t>(span.status));
  }
  // A root has no parent to be remote.
  std::uint32_t flags = span.flags;
  if (!span.parent_id.is_zero()) flags |= has_is_remote | (span.parent_is_remote ? is_remote : 0U);
  out.add_fixed32(fields::span::flags, flags);
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
    add_key_value(to, fields::resource::attributes, key, std::string(value), limits);
  };
  add(model::attribute::service_name, r.service_name);
  // OpenTelemetry's rule for a custom SDK: its own name, not "opentelemetry".
  add(model::attribute::telemetry_sdk_name, "sockeye");
  add(model::attribute::telemetry_sdk_language, "cpp");
  add(model::attribute::telemetry_sdk_version, SOCKEYE_VERSION);
  for (const auto& [key, value] : r.attributes) add(key, value);  // what a user says wins over what was found out
  add(model::attribute::service_version, r.service_version);
  add(model::attribute::service_instance_id, r.service_instance_id);
  add(model::attribute::host_name, r.host_name);
  return out;
}

std::string encode_request(std::span<const model::Span> spans, const std::string& encoded_resource,
                           const Limits& limits) {
  std::string out;
  out.reserve(spans.size() * 512);
  pbf_writer to(out);
  pbf_writer of_resource(to, fields::request::of_resource);
  of_resource.add_message(fields::of_resource::resource, encoded_resource);
  pbf_writer of_scope(of_resource, fields::of_resource::of_scope);
  {
    pbf_writer name(of_scope, fields::of_scope::scope);
    name.add_string(fields::scope::name, "sockeye");
    name.add_string(fields::scope::version, SOCKEYE_VERSION);
  }
  for (const auto& span : spans) add_span(of_scope, span, limits);
  of_scope.commit();
  of_resource.commit();
  return out;
}

}  // namespace sockeye::otlp
