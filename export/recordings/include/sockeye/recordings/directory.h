// Recordings of sessions as files: DIRECTORY/<session id>.capture (docs/formats/capture.md), written by a thread of
// their own, so that no worker waits for a disk. What the thread cannot keep up with ends the recording it belongs to,
// never the session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/capture/recordings.h"
#include "sockeye/model/metric_source.h"

namespace sockeye::recordings {

struct Options {
  std::string directory;              // made when missing, mode 0700; files have 0600
  std::uint64_t limit = 64U << 20U;   // bytes of one file
  std::uint64_t total = 1ULL << 30U;  // bytes of all files in the directory, those found there included
  bool payload = false;               // kept too
  std::size_t queued = 16U << 20U;    // bytes waiting for the disk
};

// Thread-safe.
class Directory : public capture::Recordings, public model::MetricSource {
 public:
  // Fails on a directory that cannot be made or written to.
  [[nodiscard]] static base::Result<std::unique_ptr<Directory>> start(const Options&);
  ~Directory() override = default;  // writes what is queued
};

}  // namespace sockeye::recordings
