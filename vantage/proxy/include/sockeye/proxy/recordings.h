// Where recordings of sessions go: DIRECTORY/<session id>.capture (docs/formats/capture.md), written by a thread of
// their own, so that no worker waits for a disk. What the thread cannot keep up with ends the recording it belongs to,
// never the session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sockeye/base/ids.h"
#include "sockeye/base/result.h"
#include "sockeye/capture/recording.h"
#include "sockeye/model/metric_source.h"

namespace sockeye::proxy {

struct RecordingsOptions {
  std::string directory;              // made when missing, mode 0700; files have 0600
  std::uint64_t limit = 64U << 20U;   // bytes of one file
  std::uint64_t total = 1ULL << 30U;  // bytes of all files in the directory, those found there included
  bool payload = false;               // kept too
  std::size_t queued = 16U << 20U;    // bytes waiting for the disk
};

// Thread-safe.
class Recordings : public model::MetricSource {
 public:
  // Fails on a directory that cannot be made or written to.
  [[nodiscard]] static base::Result<std::unique_ptr<Recordings>> start(const RecordingsOptions&);
  ~Recordings() override = default;  // writes what is queued

  [[nodiscard]] virtual const RecordingsOptions& options() const = 0;
  // Where the recording of that session goes; null when there is no room for another, which is counted.
  [[nodiscard]] virtual std::unique_ptr<capture::Sink> open(const base::SessionId&) = 0;
};

}  // namespace sockeye::proxy
