// For a loop over many sessions, which are long out of the processor's caches when their turn comes.
#pragma once

#include "sockeye/base/bytes.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

// Where an Observation lies. Not to be read.
[[nodiscard]] base::Bytes footprint(const Observation&);
// It is there: prefetches what it leads to, which the next call will touch in 2 events or in 1.
void prefetch(const Observation&, unsigned ahead) noexcept;

}  // namespace sockeye::observer
