// Recordings of sessions as files: DIRECTORY/<session id>.capture (docs/formats/capture.md), written by a thread of
// their own, so that no worker waits for a disk. What the thread cannot keep up with ends the recording it belongs to,
// never the session; unless who records is not in a hurry and waits.
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
  std::uint64_t total = 1ULL << 30U;  // bytes of all files in the directory, those found there included; where some
                                      // are deleted there is room again within a second or two
  std::uint64_t least = 64U << 10U;   // bytes that must be left, or `limit`, for another to be begun
  bool payload = false;               // kept too
  std::size_t queued = 16U << 20U;    // bytes waiting for the disk
  // Of a capture, which is read faster than a disk writes, and whose sessions have the same identifiers each time: who
  // records waits for the disk, and a recording takes the place of an earlier one.
  bool waits = false;
  bool replaces = false;
};

// Thread-safe.
class Directory : public capture::Recordings, public model::MetricSource {
 public:
  // Fails on a directory that cannot be made or written to.
  [[nodiscard]] static base::Result<std::unique_ptr<Directory>> start(const Options&);
  ~Directory() override = default;  // writes what is queued

  // Returns once what was recorded so far is written, or cannot be.
  virtual void flush() = 0;
  // Recordings that were refused, or ended before their session for want of room or of a working disk.
  [[nodiscard]] virtual std::uint64_t lost() const = 0;
  // Recordings that reached `limit` before their session ended.
  [[nodiscard]] virtual std::uint64_t limited() const = 0;
};

}  // namespace sockeye::recordings
