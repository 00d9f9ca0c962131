// Where a vantage's recordings go, as the vantage sees it: it knows no directory and writes no file.
#pragma once

#include <cstdint>
#include <memory>

#include "sockeye/base/ids.h"
#include "sockeye/capture/recording.h"
#include "sockeye/capture/when.h"

namespace sockeye::capture {

// Thread-safe.
class Recordings {
 public:
  virtual ~Recordings() = default;
  // What is kept of each session; what a carrier takes for too much is for the carrier to say.
  [[nodiscard]] virtual const RecordingOptions& options() const = 0;
  // Where the recording of that session goes; null when there is no room for another, which is counted.
  [[nodiscard]] virtual std::unique_ptr<Sink> open(const base::SessionId&) = 0;
};

// What became of a request to record a session.
enum class Recorded : std::uint8_t {
  begun,
  already,  // it is being recorded
  unknown,  // no session with this id is live
  off,      // there is nowhere to put recordings
  full      // there is no room for another
};

}  // namespace sockeye::capture
