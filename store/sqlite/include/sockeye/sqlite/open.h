// The store in one SQLite file: for one machine and up to some ten million spans, with nothing to install or run beside
// it. What is in the file and what survives what: docs/formats/store.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/store/store.h"

namespace sockeye::sqlite {

struct Options {
  std::string directory;  // made when missing (0700); the database is DIRECTORY/sockeye.db
  std::chrono::seconds keep_for{std::chrono::hours(24 * 7)};  // retention by age, since arrival; 0: for ever
  std::uint64_t keep_bytes = 10ULL << 30U;                    // retention by size on disk; 0: no limit
  std::size_t queue_bytes = 64U << 20U;  // batches accepted and not written yet; over it: Refusal::busy
  // How long a batch of spans or logs may have to wait for its commit, going by the last ones: over it, Refusal::busy.
  // 0: as long as the queue is. What proxies report is little, and not refused by it.
  std::chrono::milliseconds longest_wait{0};
  std::function<void(int level, const std::string&)> log{};  // syslog(3)'s levels; from the store's own thread
};

// Fails, and leaves the file as it is, when another process has the directory, when the file is no database of
// Sockeye's, is damaged, or was written by a newer version. The message says which, and of what file.
[[nodiscard]] base::Result<std::unique_ptr<store::Store>> open(Options options);

}  // namespace sockeye::sqlite
