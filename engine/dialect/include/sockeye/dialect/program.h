// A dialect, compiled: which messages open, continue and end an invocation (docs/writing-a-dialect.md has the schema).
// Immutable; shared by every session of every thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sockeye/base/result.h"

namespace sockeye::dialect {

class Program;
using ProgramRef = std::shared_ptr<const Program>;  // shared: sessions on any thread outlive a reload

// `file` names the text in errors. The error lists what is wrong, a line each: "file:line:column: what; what was
// expected". Not for the message path: allocates, and keeps attribute names for the life of the process (at most 4,096
// of them, of at most 128 bytes).
[[nodiscard]] base::Result<ProgramRef> compile(std::string_view yaml, std::string_view file);

[[nodiscard]] std::string_view name(const Program&);
[[nodiscard]] std::string_view title(const Program&);   // one line for a person
[[nodiscard]] std::string_view source(const Program&);  // the YAML it was made from

// "none": no rules, nothing is looked at.
[[nodiscard]] ProgramRef none();

}  // namespace sockeye::dialect
