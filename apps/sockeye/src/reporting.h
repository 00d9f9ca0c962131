// Where a vantage's spans and sessions are reported to: what `sockeye proxy` and `sockeye tap` have in common.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "live.h"
#include "sockeye/base/result.h"
#include "sockeye/config/settings.h"
#include "sockeye/live/reporter.h"
#include "sockeye/model/session_source.h"
#include "sockeye/pipeline/pipeline.h"

namespace sockeye::app {

// Who this process is, in spans and on a console alike.
struct Identity {
  std::string instance;  // service.instance.id, new with every start
  std::string host;
  std::uint64_t started_unix_ns = 0;
};
[[nodiscard]] Identity identify();

// Spans over OTLP. Fails when its spool or its endpoint cannot be used.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Pipeline>> start_pipeline(const config::Settings& settings,
                                                                               const Identity& identity);

// Reports the sessions to a console; without one, nothing.
struct Console {
  std::unique_ptr<LiveSource> source;
  std::unique_ptr<live::Reporter> reporter;  // borrows the source
};
// `sessions` is borrowed.
[[nodiscard]] base::Result<Console> start_console(const config::Settings& settings, const Identity& identity,
                                                  model::SessionSource& sessions);

}  // namespace sockeye::app
