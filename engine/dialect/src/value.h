// What an extractor finds in a document.
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::dialect {

struct Value {
  enum class Kind : std::uint8_t { absent, null, boolean, number, string, object, array };
  Kind kind = Kind::absent;
  // Strings: unescaped. Everything else: as it stands in the document. Valid while the message is being read.
  std::string_view text;

  [[nodiscard]] bool present() const { return kind != Kind::absent; }
  // Something a key or an attribute can be made of.
  [[nodiscard]] bool scalar() const { return kind == Kind::boolean || kind == Kind::number || kind == Kind::string; }
};

}  // namespace sockeye::dialect
