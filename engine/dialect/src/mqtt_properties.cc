#include "mqtt_properties.h"

#include <array>

#include "decoders.h"

namespace sockeye::dialect::mqtt {
namespace {

enum class Form : std::uint8_t { none, byte, two, four, varint, string, binary, pair };
struct Property {
  Form form = Form::none;
  std::string_view name;  // in documents; empty: not for them
};
constexpr std::uint32_t topic_alias_id = 0x23;
constexpr std::array<Property, 0x2b> properties = [] {  // MQTT 5, table 2-4
  std::array<Property, 0x2b> p{};
  for (const std::size_t id : {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a}) p[id].form = Form::byte;
  for (const std::size_t id : {0x13, 0x21, 0x22}) p[id].form = Form::two;
  for (const std::size_t id : {0x02, 0x11, 0x18, 0x27}) p[id].form = Form::four;
  for (const std::size_t id : {0x12, 0x15, 0x16, 0x1a, 0x1c}) p[id].form = Form::string;
  p[0x03] = {Form::string, "content_type"};
  p[0x08] = {Form::string, "response_topic"};
  p[0x09] = {Form::binary, "correlation"};
  p[0x0b] = {Form::varint, "subscription_id"};
  p[0x1f] = {Form::string, "reason_string"};
  p[topic_alias_id] = {Form::two, "topic_alias"};
  p[0x26] = {Form::pair, {}};  // user properties: a member of their own
  return p;
}();

void append_hex(std::string& to, std::string_view bytes) {
  to += '"';
  for (const char c : bytes) {
    to += "0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4U];
    to += "0123456789abcdef"[static_cast<std::uint8_t>(c) & 15U];
  }
  to += '"';
}

struct Value {
  std::uint32_t number = 0;
  std::string_view text;
  std::string_view second;  // of a pair
};

// Each property for each(id, value). False: malformed.
template <class Each>
bool each_property(std::string_view text, Each each) {
  Cursor in(text);
  while (!in.done()) {
    const std::uint32_t id = in.varint();
    Value value;
    switch (id < properties.size() ? properties[id].form : Form::none) {
      case Form::none:
        return false;
      case Form::byte:
        value.number = in.number(1);
        break;
      case Form::two:
        value.number = in.number(2);
        break;
      case Form::four:
        value.number = in.number(4);
        break;
      case Form::varint:
        value.number = in.varint();
        break;
      case Form::string:
      case Form::binary:
        value.text = in.string();
        break;
      case Form::pair:
        value.text = in.string();
        value.second = in.string();
        break;
    }
    if (!in.ok()) return false;
    each(id, value);
  }
  return true;
}

}  // namespace

bool read_properties(std::string_view text, std::uint32_t& topic_alias) {
  return each_property(text, [&](std::uint32_t id, const Value& value) {
    if (id == topic_alias_id) topic_alias = value.number;
  });
}

bool write_properties(std::string& to, std::string_view text) {
  if (text.empty()) return true;
  to += R"(,"properties":{)";
  bool some = false;
  bool users = false;
  const bool good = each_property(text, [&](std::uint32_t id, const Value& value) {
    const Property& property = properties[id];
    users = users || property.form == Form::pair;
    if (property.name.empty()) return;
    if (some) to += ',';
    some = true;
    append_json(to, property.name);
    to += ':';
    if (property.form == Form::binary)
      append_hex(to, value.text);
    else if (property.form == Form::string)
      append_json(to, value.text);
    else
      append_number(to, value.number);
  });
  if (good && users) {
    to += some ? R"(,"user":{)" : R"("user":{)";
    some = false;
    each_property(text, [&](std::uint32_t id, const Value& value) {
      if (properties[id].form != Form::pair) return;
      if (some) to += ',';
      some = true;
      append_json(to, value.text);
      to += ':';
      append_json(to, value.second);
    });
    to += '}';
  }
  to += '}';
  return good;
}

}  // namespace sockeye::dialect::mqtt
