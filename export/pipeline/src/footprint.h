// What a span costs in memory while it waits: an estimate for the queue's byte bound, never exact.
#pragma once

#include <cstddef>

#include "sockeye/model/span.h"

namespace sockeye::pipeline {

[[nodiscard]] std::size_t footprint(const model::Span& span);

}  // namespace sockeye::pipeline
