// What a replay observed, for a person or a program.
#pragma once

#include <string>
#include <vector>

#include "sockeye/capture/replay.h"
#include "sockeye/model/metric_family.h"

namespace sockeye::app {

struct Observed {
  capture::Replayed session;
  std::vector<model::Span> spans;            // as they ended
  std::vector<model::MetricFamily> metrics;  // of the route
};

// One JSON object: `session` as /sessions/ID has it, `spans`, and `metrics` with the samples that are not 0.
[[nodiscard]] std::string replay_json(const Observed&);
[[nodiscard]] std::string replay_text(const Observed&);

}  // namespace sockeye::app
