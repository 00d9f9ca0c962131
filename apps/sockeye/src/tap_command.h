// `sockeye tap`: WebSockets in capture files, or on an interface, without being in their way.
#pragma once

#include "cli.h"

namespace sockeye::app {

// The exit status.
[[nodiscard]] int run_tap(const Command& command, const config::Environment& environment);

}  // namespace sockeye::app
