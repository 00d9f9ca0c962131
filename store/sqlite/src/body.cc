#include "body.h"

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "database.h"
#include "sockeye/model/names.h"
#include "sockeye/model/otlp_fields.h"

namespace sockeye::sqlite {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;
using store::Attribute;
using store::Batch;
using store::Range;
using store::Value;
using Tag = protozero::pbf_tag_type;

namespace otlp = model::otlp;
namespace key_value {
using namespace otlp::key_value;
constexpr Tag truncated = 15;  // ours
}  // namespace key_value
namespace any = otlp::any_value;
namespace span_field = otlp::span;
namespace event_field = otlp::event;
namespace link_field = otlp::link;
namespace log_field {
using namespace otlp::log_record;
constexpr Tag cut = 1001;  // ours
}  // namespace log_field

void put_text(pbf_writer& to, Tag tag, std::string_view text) {
  if (!text.empty()) to.add_string(tag, text.data(), text.size());
}
void put_count(pbf_writer& to, Tag tag, std::uint32_t count) {
  if (count != 0) to.add_uint32(tag, count);
}

void put_value(pbf_writer& to, const Value& value) {
  switch (value.type) {
    case Value::Type::empty:
      return;
    case Value::Type::text:
      return to.add_string(any::string_value, value.text.data(), value.text.size());
    case Value::Type::boolean:
      return to.add_bool(any::bool_value, value.boolean);
    case Value::Type::integer:
      return to.add_int64(any::int_value, value.integer);
    case Value::Type::real:
      return to.add_double(any::double_value, value.real);
    case Value::Type::bytes:
      return to.add_bytes(any::bytes_value, value.text.data(), value.text.size());
    case Value::Type::array:
      return to.add_bytes(any::array_value, value.text.data(), value.text.size());
    case Value::Type::map:
      return to.add_bytes(any::kvlist_value, value.text.data(), value.text.size());
  }
}

void put_attributes(pbf_writer& to, Tag tag, std::span<const Attribute> attributes) {
  for (const auto& each : attributes) {
    pbf_writer pair(to, tag);
    pair.add_string(key_value::key, each.key.data(), each.key.size());
    {
      pbf_writer value(pair, key_value::value);
      put_value(value, each.value);
    }
    if (each.value.truncated) pair.add_bool(key_value::truncated, true);
  }
}

template <std::size_t N, class IdTag>
void put_id(pbf_writer& to, Tag tag, const base::Id<N, IdTag>& id) {
  to.add_bytes(tag, reinterpret_cast<const char*>(id.bytes.data()), N);
}

std::string_view view(pbf_reader& from) {
  const auto data = from.get_view();
  return {data.data(), data.size()};
}

template <class Id>
Id get_id(pbf_reader& from) {
  Id out;
  const auto bytes = view(from);
  if (bytes.size() == out.bytes.size()) std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

void get_value(pbf_reader from, Value& to) {
  while (from.next()) {
    switch (from.tag()) {
      case any::string_value:
        to.type = Value::Type::text;
        to.text = view(from);
        break;
      case any::bool_value:
        to.type = Value::Type::boolean;
        to.boolean = from.get_bool();
        break;
      case any::int_value:
        to.type = Value::Type::integer;
        to.integer = from.get_int64();
        break;
      case any::double_value:
        to.type = Value::Type::real;
        to.real = from.get_double();
        break;
      case any::array_value:
        to.type = Value::Type::array;
        to.text = view(from);
        break;
      case any::kvlist_value:
        to.type = Value::Type::map;
        to.text = view(from);
        break;
      case any::bytes_value:
        to.type = Value::Type::bytes;
        to.text = view(from);
        break;
      default:
        from.skip();
    }
  }
}

Attribute get_attribute(pbf_reader from) {
  Attribute out;
  bool truncated = false;
  while (from.next()) {
    if (from.tag() == key_value::key) {
      out.key = view(from);
    } else if (from.tag() == key_value::value) {
      get_value(from.get_message(), out.value);
    } else if (from.tag() == key_value::truncated) {
      truncated = from.get_bool();
    } else {
      from.skip();
    }
  }
  out.value.truncated = truncated;
  return out;
}

// All attributes under `tag`: gone through apart, so that they come to lie in one run.
Range get_attributes(pbf_reader from, Tag tag, Batch& to) {
  const auto first = static_cast<std::uint32_t>(to.attributes.size());
  while (from.next(tag)) to.attributes.push_back(get_attribute(from.get_message()));
  return {first, static_cast<std::uint32_t>(to.attributes.size()) - first};
}

store::Event get_event(pbf_reader from, Batch& to) {
  store::Event out;
  out.attributes = get_attributes(from, event_field::attributes, to);
  while (from.next()) {
    if (from.tag() == event_field::time_unix_nano) {
      out.time_unix_ns = from.get_fixed64();
    } else if (from.tag() == event_field::name) {
      out.name = view(from);
    } else if (from.tag() == event_field::dropped_attributes_count) {
      out.dropped_attributes = from.get_uint32();
    } else {
      from.skip();
    }
  }
  return out;
}

store::Link get_link(pbf_reader from, Batch& to) {
  store::Link out;
  out.attributes = get_attributes(from, link_field::attributes, to);
  while (from.next()) {
    switch (from.tag()) {
      case link_field::trace_id:
        out.trace_id = get_id<base::TraceId>(from);
        break;
      case link_field::span_id:
        out.span_id = get_id<base::SpanId>(from);
        break;
      case link_field::trace_state:
        out.trace_state = view(from);
        break;
      case link_field::dropped_attributes_count:
        out.dropped_attributes = from.get_uint32();
        break;
      case link_field::flags:
        out.flags = from.get_fixed32();
        break;
      default:
        from.skip();
    }
  }
  return out;
}

template <class Decode>
void guarded(Decode decode) {
  try {
    decode();
  } catch (const protozero::exception& e) {
    throw Failure{SQLITE_CORRUPT, 0, std::string("a stored record is damaged: ") + e.what()};
  }
}

}  // namespace

void encode_span(const Batch& batch, const store::Span& span, std::string& out) {
  out.clear();
  pbf_writer to(out);
  put_text(to, span_field::trace_state, span.trace_state);
  if (span.start_unix_ns > static_cast<std::uint64_t>(INT64_MAX))
    to.add_fixed64(span_field::start_time_unix_nano, span.start_unix_ns);
  put_attributes(to, span_field::attributes, batch.of(span.attributes));
  put_count(to, span_field::dropped_attributes_count, span.dropped_attributes);
  for (const auto& event : batch.events_of(span)) {
    pbf_writer one(to, span_field::events);
    one.add_fixed64(event_field::time_unix_nano, event.time_unix_ns);
    put_text(one, event_field::name, event.name);
    put_attributes(one, event_field::attributes, batch.of(event.attributes));
    put_count(one, event_field::dropped_attributes_count, event.dropped_attributes);
  }
  put_count(to, span_field::dropped_events_count, span.dropped_events);
  for (const auto& link : batch.links_of(span)) {
    pbf_writer one(to, span_field::links);
    put_id(one, link_field::trace_id, link.trace_id);
    put_id(one, link_field::span_id, link.span_id);
    put_text(one, link_field::trace_state, link.trace_state);
    put_attributes(one, link_field::attributes, batch.of(link.attributes));
    put_count(one, link_field::dropped_attributes_count, link.dropped_attributes);
    if (link.flags != 0) one.add_fixed32(link_field::flags, link.flags);
  }
  put_count(to, span_field::dropped_links_count, span.dropped_links);
  if (!span.status_message.empty()) {
    pbf_writer status(to, span_field::status);
    put_text(status, otlp::status::message, span.status_message);
  }
}

void encode_log(const Batch& batch, const store::Log& log, std::string& out) {
  out.clear();
  pbf_writer to(out);
  if (log.time_unix_ns > static_cast<std::uint64_t>(INT64_MAX))
    to.add_fixed64(log_field::time_unix_nano, log.time_unix_ns);
  put_text(to, log_field::severity_text, log.severity_text);
  {
    pbf_writer body(to, log_field::body);
    put_value(body, log.body);
  }
  put_attributes(to, log_field::attributes, batch.of(log.attributes));
  put_count(to, log_field::dropped_attributes_count, log.dropped_attributes);
  put_text(to, log_field::event_name, log.event_name);
  if (log.flags != 0) to.add_fixed32(log_field::flags, log.flags);
  if (log.body.truncated) to.add_bool(log_field::cut, true);
}

void encode_origin(const Batch& batch, const store::Origin& origin, std::string& out) {
  out.clear();
  pbf_writer to(out);
  {
    pbf_writer resource(to, otlp::of_resource::resource);
    put_attributes(resource, otlp::resource::attributes, batch.of(origin.resource));
  }
  {
    pbf_writer of_scope(to, otlp::of_resource::of_scope);
    {
      pbf_writer scope(of_scope, otlp::of_scope::scope);
      put_text(scope, otlp::scope::name, origin.scope_name);
      put_text(scope, otlp::scope::version, origin.scope_version);
      put_attributes(scope, otlp::scope::attributes, batch.of(origin.scope));
    }
    put_text(of_scope, otlp::of_scope::schema_url, origin.scope_schema_url);
  }
  put_text(to, otlp::of_resource::schema_url, origin.resource_schema_url);
}

void decode_span(std::string_view body, Batch& to, store::Span& span) {
  guarded([&] {
    pbf_reader from(body.data(), body.size());
    span.attributes = get_attributes(from, span_field::attributes, to);
    span.events.first = static_cast<std::uint32_t>(to.events.size());
    span.links.first = static_cast<std::uint32_t>(to.links.size());
    while (from.next()) {
      switch (from.tag()) {
        case span_field::trace_state:
          span.trace_state = view(from);
          break;
        case span_field::start_time_unix_nano: {
          const std::uint64_t start = from.get_fixed64();
          span.end_unix_ns += start - span.start_unix_ns;  // it was reckoned from the column's
          span.start_unix_ns = start;
          break;
        }
        case span_field::dropped_attributes_count:
          span.dropped_attributes = from.get_uint32();
          break;
        case span_field::events:
          to.events.push_back(get_event(from.get_message(), to));
          ++span.events.count;
          break;
        case span_field::dropped_events_count:
          span.dropped_events = from.get_uint32();
          break;
        case span_field::links:
          to.links.push_back(get_link(from.get_message(), to));
          ++span.links.count;
          break;
        case span_field::dropped_links_count:
          span.dropped_links = from.get_uint32();
          break;
        case span_field::status: {
          pbf_reader status = from.get_message();
          while (status.next(otlp::status::message)) span.status_message = view(status);
          break;
        }
        default:
          from.skip();
      }
    }
  });
}

void decode_log(std::string_view body, Batch& to, store::Log& log) {
  guarded([&] {
    pbf_reader from(body.data(), body.size());
    bool cut = false;
    log.attributes = get_attributes(from, log_field::attributes, to);
    while (from.next()) {
      switch (from.tag()) {
        case log_field::time_unix_nano:
          log.time_unix_ns = from.get_fixed64();
          break;
        case log_field::severity_text:
          log.severity_text = view(from);
          break;
        case log_field::body:
          get_value(from.get_message(), log.body);
          break;
        case log_field::dropped_attributes_count:
          log.dropped_attributes = from.get_uint32();
          break;
        case log_field::event_name:
          log.event_name = view(from);
          break;
        case log_field::flags:
          log.flags = from.get_fixed32();
          break;
        case log_field::cut:
          cut = from.get_bool();
          break;
        default:
          from.skip();
      }
    }
    log.body.truncated = cut;
  });
}

namespace {

void get_scope(pbf_reader scope, Batch& to, store::Origin& origin) {
  origin.scope = get_attributes(scope, otlp::scope::attributes, to);
  while (scope.next()) {
    if (scope.tag() == otlp::scope::name) {
      origin.scope_name = view(scope);
    } else if (scope.tag() == otlp::scope::version) {
      origin.scope_version = view(scope);
    } else {
      scope.skip();
    }
  }
}

}  // namespace

void decode_origin(std::string_view body, Batch& to, store::Origin& origin) {
  guarded([&] {
    pbf_reader from(body.data(), body.size());
    while (from.next()) {
      if (from.tag() == otlp::of_resource::resource) {
        origin.resource = get_attributes(from.get_message(), otlp::resource::attributes, to);
      } else if (from.tag() == otlp::of_resource::of_scope) {
        pbf_reader of_scope = from.get_message();
        while (of_scope.next()) {
          if (of_scope.tag() == otlp::of_scope::schema_url) {
            origin.scope_schema_url = view(of_scope);
          } else if (of_scope.tag() == otlp::of_scope::scope) {
            get_scope(of_scope.get_message(), to, origin);
          } else {
            of_scope.skip();
          }
        }
      } else if (from.tag() == otlp::of_resource::schema_url) {
        origin.resource_schema_url = view(from);
      } else {
        from.skip();
      }
    }
  });
}

std::uint64_t exact_start(std::string_view span_body, std::int64_t column) {
  auto out = static_cast<std::uint64_t>(column);
  if (column != INT64_MAX) return out;
  guarded([&] {
    pbf_reader from(span_body.data(), span_body.size());
    if (from.next(span_field::start_time_unix_nano)) out = from.get_fixed64();
  });
  return out;
}

namespace {
// Calls `each` for the attributes whose key `wanted` takes: most are not asked for, and their values need not be read.
// `each` returns whether to go on.
template <class Wanted, class Each>
void each_attribute(std::string_view span_body, Wanted wanted, Each each) {
  guarded([&] {
    pbf_reader from(span_body.data(), span_body.size());
    while (from.next(span_field::attributes)) {
      const pbf_reader attribute = from.get_message();
      pbf_reader head = attribute;
      if (!head.next(key_value::key) || !wanted(view(head))) continue;
      if (!each(get_attribute(attribute))) return;
    }
  });
}

std::uint64_t list_matched(pbf_reader from, Tag tag, const store::Wanted& wanted) {
  std::uint64_t out = 0;
  while (from.next(tag)) {
    const pbf_reader attribute = from.get_message();
    pbf_reader head = attribute;  // most keys are not asked for: their values need not be read
    if (!head.next(key_value::key)) continue;
    const std::string_view key = view(head);
    if (std::any_of(wanted.begin(), wanted.end(), [&](const auto& each) { return each.first == key; }))
      out |= store::matched(get_attribute(attribute), wanted);
  }
  return out;
}

std::uint64_t fields_matched(pbf_reader from, const store::Wanted& wanted) {
  std::uint64_t out = 0;
  while (from.next()) {
    if (from.tag() == span_field::trace_state) {
      out |= store::field_matched(model::attribute::w3c_tracestate, view(from), wanted);
    } else if (from.tag() == span_field::status) {
      pbf_reader status = from.get_message();
      while (status.next(otlp::status::message))
        out |= store::field_matched(model::attribute::otel_status_description, view(status), wanted);
    } else if (from.tag() == span_field::events) {
      const pbf_reader event = from.get_message();
      out |= list_matched(event, event_field::attributes, wanted);
      pbf_reader named = event;
      while (named.next(event_field::name)) out |= store::field_matched(model::attribute::event, view(named), wanted);
    } else {
      from.skip();
    }
  }
  return out;
}

}  // namespace

std::uint64_t body_matched(std::string_view span_body, const store::Wanted& wanted, bool fields) {
  std::uint64_t out = 0;
  guarded([&] {
    const pbf_reader from(span_body.data(), span_body.size());
    out = list_matched(from, span_field::attributes, wanted);
    if (fields) out |= fields_matched(from, wanted);
  });
  return out;
}

store::Figures span_figures(std::string_view span_body, std::uint64_t duration_ns) {
  std::vector<Attribute> attributes;
  each_attribute(
      span_body, [](std::string_view key) { return key.starts_with("websocket."); },
      [&](const Attribute& attribute) {
        attributes.push_back(attribute);
        return true;
      });
  return store::figures_of(attributes, duration_ns);
}

std::optional<store::Value> span_attribute(std::string_view span_body, std::string_view wanted) {
  std::optional<store::Value> out;
  each_attribute(
      span_body, [&](std::string_view key) { return key == wanted; },
      [&](const Attribute& attribute) {
        out = attribute.value;
        return false;
      });
  return out;
}

}  // namespace sockeye::sqlite
