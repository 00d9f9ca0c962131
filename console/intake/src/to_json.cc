#include <charconv>
#include <cmath>
#include <protozero/exception.hpp>
#include <string>

#include "fields.h"
#include "json_text.h"
#include "sockeye/intake/decode.h"
#include "value.h"

namespace sockeye::intake {
namespace {

using protozero::pbf_reader;
using store::Value;

void append_number(std::string& out, auto number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

// JSON has no NaN and no infinity: the words that protobuf's JSON uses.
void append_real(std::string& out, double real) {
  if (std::isnan(real)) {
    out += "\"NaN\"";
  } else if (std::isinf(real)) {
    out += real > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    append_number(out, real);
  }
}

void append_list(std::string& out, std::string_view list, bool map, int depth);

void append_value(std::string& out, const Value& value, int depth) {
  switch (value.type) {
    case Value::Type::empty:
      out += "null";
      break;
    case Value::Type::text:
      append_json(out, value.text);
      break;
    case Value::Type::boolean:
      out += value.boolean ? "true" : "false";
      break;
    case Value::Type::integer:
      append_number(out, value.integer);
      break;
    case Value::Type::real:
      append_real(out, value.real);
      break;
    case Value::Type::bytes:
      out += '"';
      append_base64(out, value.text);
      out += '"';
      break;
    case Value::Type::array:
    case Value::Type::map:
      if (depth > 0) {
        append_list(out, value.text, value.type == Value::Type::map, depth);
      } else {
        out += "\"…\"";
      }
      break;
  }
}

void append_pair(std::string& out, pbf_reader pair, int depth) {
  std::string_view key;
  std::string_view value;
  while (pair.next()) switch (pair.tag_and_type()) {
      case fields::key_value::key:
        key = view_of(pair);
        break;
      case fields::key_value::value:
        value = view_of(pair);
        break;
      default:
        pair.skip();
    }
  append_json(out, key);
  out += ':';
  append_value(out, parse_value(value), depth - 1);
}

void append_list(std::string& out, std::string_view list, bool map, int depth) {
  out += map ? '{' : '[';
  bool first = true;
  pbf_reader reader = reader_of(list);
  while (reader.next()) {
    if (reader.tag_and_type() != fields::list::element) {
      reader.skip();
      continue;
    }
    if (!first) out += ',';
    first = false;
    if (map) {
      append_pair(out, reader.get_message(), depth);
    } else {
      append_value(out, parse_value(view_of(reader)), depth - 1);
    }
  }
  out += map ? '}' : ']';
}

}  // namespace

std::string to_json(const Value& value, int depth) {
  try {
    std::string out;
    append_value(out, value, depth);
    return out;
  } catch (const protozero::exception&) {
    return "null";  // not from this module: decode() keeps only what can be read
  }
}

}  // namespace sockeye::intake
