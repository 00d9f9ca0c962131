// An ExportTraceServiceRequest read back, field by field.
#pragma once

#include <zlib.h>

#include <array>
#include <cstring>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "sockeye/model/otlp_fields.h"

namespace sockeye::otlp::test {

namespace fields = model::otlp;

using Value = std::variant<std::monostate, std::string, bool, std::int64_t, double>;
using Values = std::map<std::string, Value>;

struct DecodedEvent {
  std::uint64_t time = 0;
  std::string name;
  Values attributes;
  std::uint32_t dropped = 0;
};
struct DecodedLink {
  std::string trace_id, span_id;
  Values attributes;
};
struct DecodedSpan {
  std::string trace_id, span_id, trace_state, parent_id, name, status_message;
  int kind = 0, status = 0;
  std::uint64_t start = 0, end = 0;
  std::uint32_t flags = 0, dropped_attributes = 0, dropped_events = 0, dropped_links = 0;
  Values attributes;
  std::vector<DecodedEvent> events;
  std::vector<DecodedLink> links;
};
struct DecodedRequest {
  Values resource;
  std::string scope_name, scope_version;
  std::vector<DecodedSpan> spans;
};

inline std::string gunzip(const std::string& in) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::runtime_error("inflateInit2");
  std::string out;
  std::array<char, 65536> part{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = static_cast<uInt>(part.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(part.data(), part.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END) throw std::runtime_error("not gzip");
  return out;
}

inline void decode_attribute(protozero::pbf_reader pair, Values& into) {
  std::string key;
  Value value;
  while (pair.next()) {
    if (pair.tag() == fields::key_value::key) {
      key = pair.get_string();
    } else if (pair.tag() == fields::key_value::value) {
      protozero::pbf_reader any = pair.get_message();
      while (any.next()) {
        switch (any.tag()) {
          case fields::any_value::string_value:
            value = any.get_string();
            break;
          case fields::any_value::bool_value:
            value = any.get_bool();
            break;
          case fields::any_value::int_value:
            value = any.get_int64();
            break;
          case fields::any_value::double_value:
            value = any.get_double();
            break;
          default:
            throw std::runtime_error("unknown AnyValue");
        }
      }
    } else {
      throw std::runtime_error("unknown KeyValue field");
    }
  }
  if (!into.emplace(key, value).second) throw std::runtime_error("key twice: " + key);
}

inline DecodedEvent decode_event(protozero::pbf_reader in) {
  DecodedEvent out;
  while (in.next()) switch (in.tag()) {
      case fields::event::time_unix_nano:
        out.time = in.get_fixed64();
        break;
      case fields::event::name:
        out.name = in.get_string();
        break;
      case fields::event::attributes:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case fields::event::dropped_attributes_count:
        out.dropped = in.get_uint32();
        break;
      default:
        throw std::runtime_error("unknown Event field");
    }
  return out;
}

inline DecodedLink decode_link(protozero::pbf_reader in) {
  DecodedLink out;
  while (in.next()) switch (in.tag()) {
      case fields::link::trace_id:
        out.trace_id = in.get_bytes();
        break;
      case fields::link::span_id:
        out.span_id = in.get_bytes();
        break;
      case fields::link::attributes:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case fields::link::dropped_attributes_count:
        in.skip();
        break;
      default:
        throw std::runtime_error("unknown Link field");
    }
  return out;
}

inline DecodedSpan decode_span(protozero::pbf_reader in) {
  DecodedSpan out;
  while (in.next()) switch (in.tag()) {
      case fields::span::trace_id:
        out.trace_id = in.get_bytes();
        break;
      case fields::span::span_id:
        out.span_id = in.get_bytes();
        break;
      case fields::span::trace_state:
        out.trace_state = in.get_string();
        break;
      case fields::span::parent_span_id:
        out.parent_id = in.get_bytes();
        break;
      case fields::span::name:
        out.name = in.get_string();
        break;
      case fields::span::kind:
        out.kind = in.get_enum();
        break;
      case fields::span::start_time_unix_nano:
        out.start = in.get_fixed64();
        break;
      case fields::span::end_time_unix_nano:
        out.end = in.get_fixed64();
        break;
      case fields::span::attributes:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case fields::span::dropped_attributes_count:
        out.dropped_attributes = in.get_uint32();
        break;
      case fields::span::events:
        out.events.push_back(decode_event(in.get_message()));
        break;
      case fields::span::dropped_events_count:
        out.dropped_events = in.get_uint32();
        break;
      case fields::span::links:
        out.links.push_back(decode_link(in.get_message()));
        break;
      case fields::span::dropped_links_count:
        out.dropped_links = in.get_uint32();
        break;
      case fields::span::status: {
        protozero::pbf_reader status = in.get_message();
        while (status.next()) {
          if (status.tag() == fields::status::message) {
            out.status_message = status.get_string();
          } else if (status.tag() == fields::status::code) {
            out.status = status.get_enum();
          } else {
            throw std::runtime_error("unknown Status field");
          }
        }
        break;
      }
      case fields::span::flags:
        out.flags = in.get_fixed32();
        break;
      default:
        throw std::runtime_error("unknown Span field");
    }
  return out;
}

// Throws on anything that is not a request of one resource and one scope.
inline DecodedRequest decode(const std::string& body) {
  DecodedRequest out;
  protozero::pbf_reader request(body);
  while (request.next(fields::request::of_resource)) {
    protozero::pbf_reader of_resource = request.get_message();
    while (of_resource.next()) {
      if (of_resource.tag() == fields::of_resource::resource) {
        protozero::pbf_reader resource = of_resource.get_message();
        while (resource.next(fields::resource::attributes)) decode_attribute(resource.get_message(), out.resource);
      } else if (of_resource.tag() == fields::of_resource::of_scope) {
        protozero::pbf_reader of_scope = of_resource.get_message();
        while (of_scope.next()) {
          if (of_scope.tag() == fields::of_scope::scope) {
            protozero::pbf_reader scope = of_scope.get_message();
            while (scope.next()) {
              std::string& field = scope.tag() == fields::scope::name ? out.scope_name : out.scope_version;
              field = scope.get_string();
            }
          } else if (of_scope.tag() == fields::of_scope::records) {
            out.spans.push_back(decode_span(of_scope.get_message()));
          } else {
            throw std::runtime_error("unknown ScopeSpans field");
          }
        }
      } else {
        throw std::runtime_error("unknown ResourceSpans field");
      }
    }
  }
  return out;
}

}  // namespace sockeye::otlp::test
