// `sockeye dialect list|show|test`.
#pragma once

#include "cli.h"

namespace sockeye::app {

// Prints to standard output, what is wrong to standard error; returns the exit status.
[[nodiscard]] int run_dialect(const DialectCommand& command);

}  // namespace sockeye::app
