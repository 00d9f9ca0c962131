// JSON Pointer (RFC 6901), with one step more: `~json` takes a string for a JSON text and goes on inside it
// ("/data/~json/event"; RFC 6901 lets a tilde stand only before 0 or 1, so no member's name is lost).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"

namespace sockeye::dialect {

struct Pointer {
  struct Step {
    std::string name;  // of a member
    bool is_index = false;
    std::uint32_t index = 0;  // of an element, when the name is one
    bool embedded = false;    // ~json; nothing else counts then
  };
  static constexpr std::size_t most_steps = 12;
  std::vector<Step> steps;  // none: the whole document
};

// "" or "/a/0/b~1c". The error says what is wrong with it, without position.
[[nodiscard]] base::Result<Pointer> parse_pointer(std::string_view text);

}  // namespace sockeye::dialect
