// A field of a .proto as a constant: its number and kind are types, so that what is mapped to it is checked when it is
// compiled.
#pragma once

#include <cstdint>

namespace sockeye::live {

enum class Kind : std::uint8_t {
  uint32_kind,
  uint64_kind,
  fixed64_kind,
  bool_kind,
  string_kind,
  bytes_kind,
  message_kind
};
enum class Label : std::uint8_t { single_label, optional_label, repeated_label };

template <std::uint32_t number, Kind type, Label cardinality>
struct Field {
  static constexpr std::uint32_t tag = number;
  static constexpr Kind kind = type;
  static constexpr Label label = cardinality;
  const char* what;  // "message.field", for errors
};

}  // namespace sockeye::live
