#include <charconv>
#include <cmath>
#include <protozero/exception.hpp>
#include <string>

#include "fields.h"
#include "json_text.h"
#include "sockeye/base/json.h"
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

// Readers of JSON hold numbers as doubles, and would round it without a word.
void append_integer(std::string& out, std::int64_t integer) {
  const bool exact = integer <= base::largest_exact_integer && integer >= -base::largest_exact_integer;
  if (!exact) out += '"';
  append_number(out, integer);
  if (!exact) out += '"';
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
      append_integer(out, value.integer);
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

struct Pair {
  std::string_view key, value;
};

Pair read_pair(pbf_reader from) {
  Pair out;
  while (from.next()) switch (from.tag_and_type()) {
      case fields::key_value::key:
        out.key = view_of(from);
        break;
      case fields::key_value::value:
        out.value = view_of(from);
        break;
      default:
        from.skip();
    }
  return out;
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
      const Pair pair = read_pair(reader.get_message());
      append_json(out, pair.key);
      out += ':';
      append_value(out, parse_value(pair.value), depth - 1);
    } else {
      append_value(out, parse_value(view_of(reader)), depth - 1);
    }
  }
  out += map ? '}' : ']';
}

void append_otlp(std::string& out, const Value& value);

void append_otlp_list(std::string& out, std::string_view list, bool map) {
  out += map ? R"({"kvlistValue":{"values":[)" : R"({"arrayValue":{"values":[)";
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
      const Pair pair = read_pair(reader.get_message());
      out += R"({"key":)";
      append_json(out, pair.key);
      out += R"(,"value":)";
      append_otlp(out, parse_value(pair.value));
      out += '}';
    } else {
      append_otlp(out, parse_value(view_of(reader)));
    }
  }
  out += "]}}";
}

void append_otlp(std::string& out, const Value& value) {
  switch (value.type) {
    case Value::Type::empty:
      out += "{}";
      return;
    case Value::Type::text:
      out += R"({"stringValue":)";
      append_json(out, value.text);
      break;
    case Value::Type::boolean:
      out += value.boolean ? R"({"boolValue":true)" : R"({"boolValue":false)";
      break;
    case Value::Type::integer:
      out += R"({"intValue":")";
      append_number(out, value.integer);
      out += '"';
      break;
    case Value::Type::real:
      out += R"({"doubleValue":)";
      append_real(out, value.real);
      break;
    case Value::Type::bytes:
      out += R"({"bytesValue":")";
      append_base64(out, value.text);
      out += '"';
      break;
    case Value::Type::array:
    case Value::Type::map:
      return append_otlp_list(out, value.text, value.type == Value::Type::map);
  }
  out += '}';
}

template <class Append>
std::string written(std::string_view otherwise, Append append) {
  try {
    std::string out;
    append(out);
    return out;
  } catch (const protozero::exception&) {
    return std::string(otherwise);  // not from this module: decode() keeps only what can be read
  }
}

}  // namespace

std::string to_otlp_json(const Value& value) {
  return written("{}", [&](std::string& out) { append_otlp(out, value); });
}

std::string to_json(const Value& value, int depth) {
  return written("null", [&](std::string& out) { append_value(out, value, depth); });
}

}  // namespace sockeye::intake
