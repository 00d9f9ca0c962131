#include "sockeye/observer/prefetch.h"

#include "live_observation.h"
#include "sockeye/base/prefetch.h"

namespace sockeye::observer {

std::size_t object_size(const Observation&) { return sizeof(LiveObservation); }

void prefetch_self(const Observation& observation, model::Side from) noexcept {
  static_cast<const LiveObservation&>(observation).prefetch_self(from);
}

void prefetch(const Observation& observation, unsigned ahead) noexcept {
  const Reading* const reading = static_cast<const LiveObservation&>(observation).reading();
  if (reading == nullptr) return;
  if (ahead == 2)
    base::prefetch(reading, sizeof(Reading));
  else
    reading->prefetch();
}

void prefetch_bytes(const Observation& observation, model::Side from) noexcept {
  static_cast<const LiveObservation&>(observation).prefetch_rest(from);
}

}  // namespace sockeye::observer
