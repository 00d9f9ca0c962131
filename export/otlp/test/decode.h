// An ExportTraceServiceRequest read back, field by field, with numbers taken from the .proto files and not from the
// encoder.
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

namespace sockeye::otlp::test {

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
    if (pair.tag() == 1) {
      key = pair.get_string();
    } else if (pair.tag() == 2) {
      protozero::pbf_reader any = pair.get_message();
      while (any.next()) {
        switch (any.tag()) {
          case 1:
            value = any.get_string();
            break;
          case 2:
            value = any.get_bool();
            break;
          case 3:
            value = any.get_int64();
            break;
          case 4:
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
      case 1:
        out.time = in.get_fixed64();
        break;
      case 2:
        out.name = in.get_string();
        break;
      case 3:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case 4:
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
      case 1:
        out.trace_id = in.get_bytes();
        break;
      case 2:
        out.span_id = in.get_bytes();
        break;
      case 4:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case 5:
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
      case 1:
        out.trace_id = in.get_bytes();
        break;
      case 2:
        out.span_id = in.get_bytes();
        break;
      case 3:
        out.trace_state = in.get_string();
        break;
      case 4:
        out.parent_id = in.get_bytes();
        break;
      case 5:
        out.name = in.get_string();
        break;
      case 6:
        out.kind = in.get_enum();
        break;
      case 7:
        out.start = in.get_fixed64();
        break;
      case 8:
        out.end = in.get_fixed64();
        break;
      case 9:
        decode_attribute(in.get_message(), out.attributes);
        break;
      case 10:
        out.dropped_attributes = in.get_uint32();
        break;
      case 11:
        out.events.push_back(decode_event(in.get_message()));
        break;
      case 12:
        out.dropped_events = in.get_uint32();
        break;
      case 13:
        out.links.push_back(decode_link(in.get_message()));
        break;
      case 14:
        out.dropped_links = in.get_uint32();
        break;
      case 15: {
        protozero::pbf_reader status = in.get_message();
        while (status.next()) {
          if (status.tag() == 2) {
            out.status_message = status.get_string();
          } else if (status.tag() == 3) {
            out.status = status.get_enum();
          } else {
            throw std::runtime_error("unknown Status field");
          }
        }
        break;
      }
      case 16:
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
  while (request.next(1)) {
    protozero::pbf_reader of_resource = request.get_message();
    while (of_resource.next()) {
      if (of_resource.tag() == 1) {
        protozero::pbf_reader resource = of_resource.get_message();
        while (resource.next(1)) decode_attribute(resource.get_message(), out.resource);
      } else if (of_resource.tag() == 2) {
        protozero::pbf_reader of_scope = of_resource.get_message();
        while (of_scope.next()) {
          if (of_scope.tag() == 1) {
            protozero::pbf_reader scope = of_scope.get_message();
            while (scope.next()) {
              std::string& field = scope.tag() == 1 ? out.scope_name : out.scope_version;
              field = scope.get_string();
            }
          } else if (of_scope.tag() == 2) {
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
