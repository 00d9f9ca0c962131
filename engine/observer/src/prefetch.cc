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

void prefetch_bytes(const Observation& observation, model::Side from, unsigned ahead) noexcept {
  const auto& live = static_cast<const LiveObservation&>(observation);
  if (ahead == 2)
    live.prefetch_self(from);
  else
    live.prefetch_rest(from);
}

}  // namespace sockeye::observer
