// What belongs to the thread that calls, not to a session: an argument of every call, so that a session may change
// threads between two of them.
#pragma once

#include <memory>

#include "sockeye/base/random.h"
#include "sockeye/base/time.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/span.h"

namespace sockeye::observer {

struct Bench;  // parsers and buffers for reading messages

// One a thread.
struct Workspace {
  model::SpanSink* spans = nullptr;  // null: no tracing
  base::Random random{0};
  base::WallOffset wall;                   // the vantage refreshes it
  std::shared_ptr<Bench> bench = nullptr;  // made by the first message that needs it
};

struct Call {
  Workspace& workspace;
  model::RouteMetrics& metrics;  // this thread's shard of the route's
  base::Time now;                // never earlier than in the call before
};

}  // namespace sockeye::observer
