// The properties of MQTT 5 (§2.2.2), and the reader MQTT's packets share with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::dialect::mqtt {

// Reads from the front; past the end everything is zero or empty and ok() false.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  std::string_view take(std::size_t n) {
    if (n > rest_.size()) {
      ok_ = false;
      n = rest_.size();
    }
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return ok_ ? taken : std::string_view{};
  }
  std::uint32_t number(std::size_t bytes) {  // big endian
    std::uint32_t value = 0;
    for (const char c : take(bytes)) value = (value << 8U) | static_cast<std::uint8_t>(c);
    return value;
  }
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint32_t byte = number(1);
      value |= (byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view string() { return take(number(2)); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Whether `text`, a packet's properties without their length, is well-formed. `topic_alias`: set where there is one.
[[nodiscard]] bool read_properties(std::string_view text, std::uint32_t& topic_alias);

// ,"properties":{..} with those that are for documents, or nothing where `text` is empty. False: malformed, and what
// was written is to be abandoned.
[[nodiscard]] bool write_properties(std::string& to, std::string_view text);

}  // namespace sockeye::dialect::mqtt
