// Puts trace context into a JSON text where its dialect has a place for it, and changes nothing else: what is added
// lies in one piece, so that taking that piece out gives the original back. Where anything is unclear (a name twice, an
// escape in a name that matters, a member of another type, a text that is not balanced) there is no place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "program_parts.h"
#include "sockeye/dialect/session.h"

namespace sockeye::dialect {

struct Insertion {
  enum class Kind : std::uint8_t {
    no_place,
    added,    // `text` goes in at `at`
    replaced  // the value of a traceparent that was there: as many bytes, at `at`
  };
  Kind kind = Kind::no_place;
  std::size_t at = 0;
  std::string text;
};

// `context.traceparent` has the 55 bytes of version 00. A tracestate that the place has no room for is left out.
[[nodiscard]] Insertion insert_context(std::string_view document, const TracePlace&, const TraceText& context);

}  // namespace sockeye::dialect
