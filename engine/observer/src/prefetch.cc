#include "sockeye/observer/prefetch.h"

#include "live_observation.h"
#include "sockeye/base/prefetch.h"

namespace sockeye::observer {

base::Bytes footprint(const Observation& observation) {
  return {reinterpret_cast<const base::Byte*>(&static_cast<const LiveObservation&>(observation)),
          sizeof(LiveObservation)};
}

void prefetch(const Observation& observation, unsigned ahead) noexcept {
  const Reading* const reading = static_cast<const LiveObservation&>(observation).reading();
  if (reading == nullptr) return;
  if (ahead == 2)
    base::prefetch(reading, sizeof(Reading));
  else
    reading->prefetch();
}

}  // namespace sockeye::observer
