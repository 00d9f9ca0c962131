// For a loop over many sessions, which are long out of the processor's caches when their turn comes.
#pragma once

#include <cstddef>

#include "sockeye/model/frame.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

// Bytes of one, without what it leads to.
[[nodiscard]] std::size_t object_size(const Observation&);

// What bytes from that side will touch of it. Nothing is read: only where it lies has to be known.
void prefetch_self(const Observation&, model::Side from) noexcept;
// It is there: what it leads to, which the next call will touch in 2 events or in 1.
void prefetch(const Observation&, unsigned ahead) noexcept;
// Likewise where it walks the frames itself (Observation::bytes).
void prefetch_bytes(const Observation&, model::Side from) noexcept;

}  // namespace sockeye::observer
