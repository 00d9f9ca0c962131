// `sockeye console`: joins the store, the console and the web page, and runs them until a signal ends it.
#pragma once

#include "cli.h"

namespace sockeye::app {

// Returns the exit status. Called on the main thread before any other thread exists.
[[nodiscard]] int run_console(const ConsoleCommand& command);

}  // namespace sockeye::app
