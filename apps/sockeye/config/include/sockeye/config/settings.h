// Everything `sockeye proxy` is configured with: defaults, then the environment, then the file, then flags
// (docs/configuration.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/live/reporter.h"
#include "sockeye/observer/options.h"
#include "sockeye/otlp/transport.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/proxy/config.h"
#include "sockeye/recordings/directory.h"

namespace sockeye::config {

enum class LogLevel : std::uint8_t { debug = 1, info, warn, error };  // values as spdlog's
enum class LogFormat : std::uint8_t { text, json };

struct Settings {
  proxy::Config proxy;
  std::string metrics_listen = "127.0.0.1:9464";  // "host:port", checked
  bool tracing = false;                           // an endpoint is configured and OTEL_SDK_DISABLED is not set
  otlp::Options otlp;
  pipeline::SpoolOptions spool;
  recordings::Options recordings;  // of sessions; no directory: none can be made
  live::ReporterOptions console;   // where sessions are reported; no endpoint: nowhere
  std::string user;                // whom root becomes at the start; "": stays what it is
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  // Things that were ignored and should not go unseen, one line each; for the log.
  std::vector<std::string> warnings;
};

}  // namespace sockeye::config
