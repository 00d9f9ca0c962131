// What a message was that its dialect did not expect: sockeye_dialect_errors_total{kind}.
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::model {

enum class DialectError : std::uint8_t {
  invalid,    // not a document in the dialect's form
  unmatched,  // no rule knows it
  orphan,     // a reply, chunk or cancel of nothing that is open
  duplicate,  // opens under a key that is open already
  evicted,    // an invocation given up because the table is full
  gap,        // the dialect's sequence numbers skip
  too_large,  // longer than what is looked into
  count_
};
[[nodiscard]] std::string_view name(DialectError);

}  // namespace sockeye::model
