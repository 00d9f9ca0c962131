// For a loop over many sessions, which are long out of the processor's caches when their turn comes.
#pragma once

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

// Where an Observation lies. Not to be read.
[[nodiscard]] base::Bytes footprint(const Observation&);
// It is there: prefetches what it leads to, which the next call will touch in 2 events or in 1.
void prefetch(const Observation&, unsigned ahead) noexcept;

// What Observation::bytes() from that side will touch: first, with `ahead` 2, of it; then, with 1, of what that leads
// to. No more than that: the processor has only so many lines under way at a time.
void prefetch_bytes(const Observation&, model::Side from, unsigned ahead) noexcept;

}  // namespace sockeye::observer
