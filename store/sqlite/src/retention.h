// Removes the oldest, in small transactions between those of the writer. What is old is told by a cut on our own clock:
// by age, now minus keep_for; by size, a cut that moves on from the oldest record until enough is free. Pages that
// become free are used again, so the file stops growing; it does not shrink.
#pragma once

#include <chrono>
#include <cstdint>

#include "database.h"
#include "ingest.h"
#include "sockeye/sqlite/open.h"

namespace sockeye::sqlite {

class Retention {
 public:
  Retention(Database& db, Ingest& ingest, const Options& options);

  // Works for about `budget`. Returns whether there is more to do at once. `counted` goes down by what was removed.
  bool run(std::int64_t now_ms, std::chrono::milliseconds budget, Counted& counted);
  [[nodiscard]] bool too_large();
  // What arrived before is not kept any more; 0: nothing went. On our own clock.
  [[nodiscard]] std::int64_t kept_since_ms() const { return kept_since_ms_; }

 private:
  struct Cut {
    std::int64_t ms = 0;
    std::int64_t slack_ms = 0;  // hours are kept until all of the hour is old
  };
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::uint64_t used_bytes();
  [[nodiscard]] std::int64_t oldest_ms();
  // Each removes a few rows and returns how many.
  int spans(const Cut&, Counted&);
  int logs(const Cut&, Counted&);
  int rollups(const Cut&);
  int sessions(const Cut&, Counted&);
  int points(const Cut&, std::int64_t now_ms);
  int fleet(const Cut&);
  int dictionaries(const Cut&);
  int step(const Cut&, std::int64_t now_ms, Counted&);
  void note(const Cut&);

  Database& db_;
  Ingest& ingest_;
  const std::int64_t keep_ms_;
  const std::uint64_t keep_bytes_;
  std::int64_t part_ = 0;                          // of points: where the last step was
  std::int64_t origin_at_ = 0, operation_at_ = 0;  // the same of dictionaries
  std::int64_t dictionaries_done_ms_ = 0;
  std::int64_t kept_since_ms_ = 0;
};

}  // namespace sockeye::sqlite
