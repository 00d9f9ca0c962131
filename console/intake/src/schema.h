// The messages of OTLP as JSON spells them: what transcode() needs to write each field as protobuf.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sockeye/intake/decode.h"

namespace sockeye::intake {

// How a field's value stands in JSON (OTLP specification, "JSON Protobuf Encoding") and on the wire.
enum class Kind : std::uint8_t {
  text,
  id,           // hexadecimal, of either case; wire: bytes
  bytes,        // base64
  boolean,      //
  uint32,       // number or decimal text; wire: varint
  int64,        // likewise
  fixed32,      //
  fixed64,      //
  real,         // number, decimal text, "NaN", "Infinity", "-Infinity"; wire: 64-bit
  enumeration,  // number, or a name from `names`
  message
};

struct Message;

struct Name {
  std::string_view name;
  std::int32_t number;
};

struct Field {
  std::string_view name;  // as in the .proto file; JSON may also spell it in lowerCamelCase
  std::uint32_t tag;
  Kind kind;
  const Message* message = nullptr;
  bool repeated = false;
  std::span<const Name> names = {};
};

struct Message {
  std::span<const Field> fields;
};

[[nodiscard]] const Message& request_of(Signal signal);

// Null where OTLP has no such field.
[[nodiscard]] const Field* find(const Message& message, std::string_view json_name);

}  // namespace sockeye::intake
