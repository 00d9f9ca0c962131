#include "transcode.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <protozero/pbf_writer.hpp>

#include "json_text.h"
#include "schema.h"
#include "sockeye/base/text.h"
#include "sockeye/base/utf8.h"
#include "text.h"
#include "value.h"

namespace sockeye::intake {
namespace {

namespace dom = simdjson::dom;
using dom::element;
using dom::element_type;
using protozero::pbf_writer;

// Of messages in one another; what is deeper is left out. A level of AnyValue is three of them at most, so that this is
// a little more than what is kept of a value, which is then known to be too deep (deepest_value). It bounds our own
// recursion, and how often pbf_writer moves what is inside a message as it ends.
constexpr int deepest_message = 3 * (deepest_value + 2) + 8;
// Of objects and arrays in one another, for the parser, which does not recurse.
constexpr std::size_t deepest_json = 4096;

// The UTF-16 unit that \uXXXX at `at` stands for; -1 where there is no such thing.
int escaped_unit(std::string_view json, std::size_t at) {
  if (json.size() - at < 6 || json[at] != '\\' || json[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const int digit = base::hex_digit(json[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// JavaScript writes half a surrogate pair as an escape (ECMA-262, JSON.stringify), which no UTF-8 can hold and the
// parser refuses. Such a half becomes U+FFFD, in its place.
void mend_surrogates(std::string& json) {
  for (std::size_t at = json.find('\\'); at != std::string::npos; at = json.find('\\', at)) {
    const int unit = escaped_unit(json, at);
    if (unit < 0xd800 || unit > 0xdfff) {
      at += 2;
      if (at >= json.size()) return;
      continue;
    }
    if (unit < 0xdc00 && json.size() - at >= 12) {
      const int next = escaped_unit(json, at + 6);
      if (next >= 0xdc00 && next <= 0xdfff) {
        at += 12;
        continue;
      }
    }
    json.replace(at + 2, 4, "fffd");
    at += 6;
  }
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// A whole number of T's range, from a number or a text of JSON.
template <class T>
bool read_integer(element value, T& out) {
  switch (value.type()) {
    case element_type::INT64: {
      const std::int64_t number = value.get_int64().value_unsafe();
      out = static_cast<T>(number);
      return std::in_range<T>(number);
    }
    case element_type::UINT64: {
      const std::uint64_t number = value.get_uint64().value_unsafe();
      out = static_cast<T>(number);
      return std::in_range<T>(number);
    }
    case element_type::DOUBLE: {  // 1.7e18, as some write large numbers
      const double number = value.get_double().value_unsafe();
      constexpr double above = 2.0 * static_cast<double>(std::uint64_t{1} << (std::numeric_limits<T>::digits - 1));
      constexpr double below = std::is_signed_v<T> ? -above : 0.0;
      if (!(number >= below && number < above) || number != std::floor(number)) return false;
      out = static_cast<T>(number);
      return true;
    }
    case element_type::STRING:
      return parse_number(value.get_string().value_unsafe(), out);
    default:
      return false;
  }
}

bool read_real(element value, double& out) {
  if (value.is_string()) {
    const std::string_view text = value.get_string().value_unsafe();
    if (text == "NaN") {
      out = std::numeric_limits<double>::quiet_NaN();
    } else if (text == "Infinity" || text == "-Infinity") {
      out = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
    } else {
      return parse_number(text, out);
    }
    return true;
  }
  return value.get_double().get(out) == simdjson::SUCCESS;
}

bool read_enumeration(element value, std::span<const Name> names, std::int32_t& out) {
  if (value.is_string()) {
    const std::string_view text = value.get_string().value_unsafe();
    for (const Name& each : names)
      if (each.name == text) {
        out = each.number;
        return true;
      }
  }
  return read_integer(value, out);
}

// Base64; or what JSON.stringify makes of a Uint8Array, {"0":1,"1":2}, and of a Buffer, {"type":"Buffer","data":[1,2]}:
// the JavaScript SDK sends both (@opentelemetry/otlp-transformer 0.57).
bool read_bytes(element value, std::string& out) {
  if (value.is_string()) return decode_base64(value.get_string().value_unsafe(), out);
  out.clear();
  const auto add = [&out](element each) {
    std::uint8_t byte = 0;
    if (!read_integer(each, byte)) return false;
    out += static_cast<char>(byte);
    return true;
  };
  dom::array list;
  if (value.get(list) == simdjson::SUCCESS || value["data"].get(list) == simdjson::SUCCESS) {
    for (const element each : list)
      if (!add(each)) return false;
    return true;
  }
  dom::object numbered;
  if (value.get(numbered) != simdjson::SUCCESS) return false;
  for (const auto [number, each] : numbered)
    if (number != std::to_string(out.size()) || !add(each)) return false;
  return true;
}

class Transcoder {
 public:
  explicit Transcoder(const std::string& out) : out_(out) {}

  // False: `wrong()` tells what.
  bool object(dom::object in, const Message& message, pbf_writer& out) {
    for (const auto [name, value] : in) {
      const Field* const field = find(message, name);
      if (field == nullptr || value.is_null()) continue;
      if (!(field->repeated ? list(value, *field, out) : single(value, *field, out))) {
        path_.insert(0, '.' + std::string(field->name));
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::string wrong() const {
    return "malformed OTLP/JSON: " + path_.substr(path_.empty() ? 0 : 1) + " is not " + expected_;
  }

 private:
  bool no(const char* expected) {
    expected_ = expected;
    return false;
  }

  // All lists of OTLP that are read are lists of messages.
  bool list(element value, const Field& field, pbf_writer& out) {
    dom::array elements;
    if (value.get(elements) != simdjson::SUCCESS) return no("a list");
    for (const element each : elements)
      if (!nested(each, field, out)) return false;
    return true;
  }

  bool nested(element value, const Field& field, pbf_writer& out) {
    dom::object fields;
    const bool there = !value.is_null() && depth_ < deepest_message;  // null in a list keeps its place
    if (there && value.get(fields) != simdjson::SUCCESS) return no("an object");
    const std::size_t before = out_.size();
    if (there) {
      pbf_writer inner(out, field.tag);
      ++depth_;
      if (!object(fields, *field.message, inner)) return false;
      --depth_;
    }
    if (out_.size() == before) out.add_message(field.tag, "", 0);  // pbf_writer leaves out what is empty
    return true;
  }

  bool single(element value, const Field& field, pbf_writer& out) {
    switch (field.kind) {
      case Kind::message:
        return nested(value, field, out);
      case Kind::text: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return no("a text");
        out.add_string(field.tag, text.data(), text.size());
        return true;
      }
      case Kind::id: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return no("a text of hexadecimal digits");
        id(text, field, out);
        return true;
      }
      case Kind::bytes:
        if (!read_bytes(value, scratch_)) return no("base64");
        out.add_bytes(field.tag, scratch_);
        return true;
      case Kind::boolean: {
        bool truth = false;
        if (value.get(truth) != simdjson::SUCCESS) return no("true or false");
        out.add_bool(field.tag, truth);
        return true;
      }
      case Kind::real: {
        double real = 0;
        if (!read_real(value, real)) return no("a number");
        out.add_double(field.tag, real);
        return true;
      }
      case Kind::enumeration: {
        std::int32_t number = 0;
        // A name of a later version is as good as a number of one: unspecified.
        if (!read_enumeration(value, field.names, number) && !value.is_string())
          return no("one of its names or numbers");
        out.add_enum(field.tag, number);
        return true;
      }
      case Kind::uint32:
        return integer<std::uint32_t>(value, "a whole number of 32 bits",
                                      [&](auto number) { out.add_uint32(field.tag, number); });
      case Kind::fixed32:
        return integer<std::uint32_t>(value, "a whole number of 32 bits",
                                      [&](auto number) { out.add_fixed32(field.tag, number); });
      case Kind::int64:
        return integer<std::int64_t>(value, "a whole number of 64 bits",
                                     [&](auto number) { out.add_int64(field.tag, number); });
      case Kind::fixed64:
        break;
    }
    return integer<std::uint64_t>(value, "a whole number of 64 bits",
                                  [&](auto number) { out.add_fixed64(field.tag, number); });
  }

  template <class T, class Add>
  bool integer(element value, const char* expected, Add add) {
    T number = 0;
    if (!read_integer(value, number)) return no(expected);
    add(number);
    return true;
  }

  void id(std::string_view hex, const Field& field, pbf_writer& out) {
    scratch_.clear();
    bool good = hex.size() % 2 == 0;
    for (std::size_t i = 0; good && i < hex.size(); i += 2) {
      const int high = base::hex_digit(hex[i]);
      const int low = base::hex_digit(hex[i + 1]);
      good = high >= 0 && low >= 0;
      scratch_ += static_cast<char>(static_cast<std::uint8_t>(high * 16 + low));
    }
    if (!good) scratch_.clear();
    out.add_bytes(field.tag, scratch_);
  }

  const std::string& out_;  // what all writers write to
  std::string scratch_;
  std::string path_;
  const char* expected_ = "";
  int depth_ = 0;
};

}  // namespace

base::Result<std::string> transcode(Signal signal, std::string&& json) {
  std::string in = std::move(json);
  if (!is_utf8(in)) in = base::repair_utf8(in);
  mend_surrogates(in);
  const std::size_t size = in.size();
  in.reserve(size + simdjson::SIMDJSON_PADDING);
  dom::parser parser;
  if (parser.allocate(size, deepest_json) != simdjson::SUCCESS) return base::fail("no memory to read this JSON");
  element root;
  if (const auto error = parser.parse(in.data(), size, false).get(root); error != simdjson::SUCCESS)
    return base::fail(error == simdjson::DEPTH_ERROR
                          ? "malformed OTLP/JSON: nested too deep"
                          : std::string("malformed JSON: ") + simdjson::error_message(error));
  dom::object request;
  if (root.get(request) != simdjson::SUCCESS) return base::fail("malformed OTLP/JSON: the request is not an object");
  in = {};  // the parser has its own copy of all that is needed
  std::string out;
  out.reserve(size / 2);
  pbf_writer writer(out);
  Transcoder transcoder(out);
  if (!transcoder.object(request, request_of(signal), writer)) return base::fail(transcoder.wrong());
  if (out.size() < out.capacity() / 2) out.shrink_to_fit();  // it is kept as long as its spans
  return out;
}

}  // namespace sockeye::intake
