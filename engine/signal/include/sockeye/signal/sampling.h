// Head sampling, as OpenTelemetry's ParentBased(TraceIdRatioBased) does it, so that every participant that uses the
// same ratio keeps the same traces.
#pragma once

#include <optional>

#include "sockeye/base/ids.h"

namespace sockeye::signal {

struct SamplingPolicy {
  double ratio = 1.0;        // of new traces: <= 0 (or not a number) none, >= 1 all
  bool parent_based = true;  // a remote parent's decision is kept
};

// `parent`: the remote parent's decision, if it made one.
[[nodiscard]] bool sample(const SamplingPolicy&, const base::TraceId&, std::optional<bool> parent);

}  // namespace sockeye::signal
