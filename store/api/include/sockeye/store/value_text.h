// Values as searches compare them and groups name them: as text. What a backend keeps of an attribute to search by is
// this text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sockeye/store/batch.h"

namespace sockeye::store {

// Holds what has to be written out.
struct ValueText {
  char digits[40];
};
// Text and bytes as they are, numbers and truth as their text; false: an array, a map or nothing. `out` points into the
// value or into `scratch`.
[[nodiscard]] bool value_text(const Value&, ValueText& scratch, std::string_view& out);

// The text of an attribute of the span, or else of its resource, or else of its scope; none where it has none.
[[nodiscard]] std::optional<std::string_view> attribute_text(const Batch&, const Span&, std::string_view key,
                                                             ValueText& scratch);

// A number as groups count it: in millionths; Figures::unknown for what is none, not finite or below 0.
[[nodiscard]] std::uint64_t millionths_of(const Value*);

// Whether `part` is in `text`, whatever the case of ASCII letters. "" is in all.
[[nodiscard]] bool holds_folded(std::string_view text, std::string_view part);

}  // namespace sockeye::store
