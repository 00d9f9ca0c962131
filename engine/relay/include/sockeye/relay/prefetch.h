// For a loop over many sessions, which are long out of the processor's caches when their turn comes.
#pragma once

#include <cstddef>

#include "sockeye/model/frame.h"
#include "sockeye/relay/connection.h"

namespace sockeye::relay {

// Bytes of one, without its Observation.
[[nodiscard]] std::size_t object_size(const Connection&);
// What bytes from that side will touch of it. Nothing is read: only where it lies has to be known.
void prefetch(const Connection&, model::Side from) noexcept;

}  // namespace sockeye::relay
