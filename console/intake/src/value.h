// AnyValue, and the lists of attributes that are made of it.
//
// Arrays and maps stay serialized: a view of the body. They are copied only to mend text in them. What is too long
// loses elements from its end (a message cut between two fields is a message); what is nested deeper than deepest_value
// is replaced by a note.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sockeye/store/batch.h"

namespace sockeye::intake {

inline constexpr int deepest_value = 32;  // arrays and maps inside one another

// Throws protozero::exception where `message` is malformed; so do all that read protobuf here, up to decode().
// parse_value() gives what stands there, as views of it; read_value() what may be kept of it.
[[nodiscard]] store::Value parse_value(std::string_view message);
[[nodiscard]] store::Value read_value(store::Batch& batch, std::string_view message);

// Collects one list of attributes at the end of batch.attributes. Nothing else may be appended there before end().
//
// A key that comes again overwrites the value it had, in its place: OTLP forbids it ("Attribute keys MUST be unique")
// and leaves the receiver free, and this is what setting an attribute twice means in OpenTelemetry's API. Attributes
// without a key (which OpenTelemetry forbids as well) and those over store::most_attributes are counted as dropped.
class AttributeList {
 public:
  explicit AttributeList(store::Batch& batch) : batch_(batch) {}

  void begin();
  void add(std::string_view key_value);
  [[nodiscard]] store::Range end() const;
  [[nodiscard]] std::uint32_t dropped() const { return dropped_; }

 private:
  static constexpr std::size_t looked_through = 16;  // longer lists are looked up in the table
  static constexpr std::size_t slots = 2 * store::most_attributes;

  [[nodiscard]] store::Attribute* find(std::string_view key);
  [[nodiscard]] std::size_t slot(std::string_view key) const;
  void enter(std::size_t place);

  struct Slot {
    std::uint32_t list = 0;  // valid when it is list_
    std::uint32_t place = 0;
  };

  store::Batch& batch_;
  std::size_t first_ = 0;
  std::uint32_t dropped_ = 0;
  std::uint32_t list_ = 0;
  std::array<Slot, slots> table_{};
};

}  // namespace sockeye::intake
