// `sockeye replay` and `sockeye capture export`: what was recorded of a session, observed again, played to a server, or
// written as another format.
#pragma once

#include "cli.h"

namespace sockeye::app {

// Both return the exit status.
[[nodiscard]] int run_replay(const ReplayCommand& command);
[[nodiscard]] int run_capture(const CaptureCommand& command);

}  // namespace sockeye::app
