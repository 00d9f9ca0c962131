// Records the sessions of a vantage that only watches, from their beginning on.
#pragma once

#include <memory>

#include "sockeye/capture/recordings.h"
#include "sockeye/observer/byte_stream.h"

namespace sockeye::capture {

// One thread's, as the streams it is given to. A session that there is no room for is observed all the same.
class RecordedOpenings final : public observer::Openings {
 public:
  // `to` outlives it, and the sessions.
  explicit RecordedOpenings(Recordings& to) : to_(to) {}

  std::unique_ptr<observer::Upgrade> upgrade(const observer::Options&, const observer::Endpoints&,
                                             base::Time first_byte, const model::HttpHead& request,
                                             const observer::Call&) override;
  std::unique_ptr<observer::Observation> attach(const observer::Options&, const observer::Endpoints&,
                                                observer::Listener*, const observer::Call&) override;

 private:
  Recordings& to_;
};

// Whether it goes through a recording.
[[nodiscard]] bool is_recorded(const observer::Observation&);

}  // namespace sockeye::capture
