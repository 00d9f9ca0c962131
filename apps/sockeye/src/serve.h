// `sockeye proxy`: joins configuration, proxy, exporter and the metrics port, and runs them until a signal ends it.
#pragma once

#include <functional>

#include "sockeye/config/read.h"

namespace sockeye::app {

// Returns the exit status. Called on the main thread before any other thread exists: it takes over SIGHUP, SIGTERM and
// SIGINT. `again` reads the configuration once more, for SIGHUP; empty when there is no file.
[[nodiscard]] int serve(config::Settings settings, const std::function<config::Reading()>& again);

// "2 routes on 127.0.0.1:8080; metrics on http://127.0.0.1:9464/metrics; spans to …", for check and for the start line.
[[nodiscard]] std::string summary(const config::Settings& settings);

}  // namespace sockeye::app
