// For a loop over many sessions, which are long out of the processor's caches when their turn comes.
#pragma once

#include "sockeye/base/bytes.h"
#include "sockeye/relay/connection.h"

namespace sockeye::relay {

// Where a Connection lies. Not to be read.
[[nodiscard]] base::Bytes footprint(const Connection&);

}  // namespace sockeye::relay
