// Batches into rows, within a transaction that the writer begins and ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "block.h"
#include "database.h"
#include "dictionary.h"
#include "rollup.h"
#include "series.h"
#include "sessions.h"
#include "sockeye/store/batch.h"

namespace sockeye::sqlite {

// What a transaction changes of the counts.
struct Counted {
  std::int64_t spans = 0, logs = 0, sessions = 0;
  std::uint64_t duplicates = 0;
};

class Ingest {
 public:
  Ingest(Database& db, std::int64_t touch_ms, std::int64_t now_ms);

  void add(const store::Batch&, std::int64_t now_ms, Counted&);
  void flush(std::int64_t now_ms);  // before COMMIT
  void lost(std::int64_t now_ms);   // after ROLLBACK: what is in memory is read again

  // For retention.
  [[nodiscard]] Block& block() { return block_; }
  [[nodiscard]] Dictionary& dictionary() { return dictionary_; }

 private:
  void add_span(const store::Batch&, const store::Span&, std::int64_t now_ms, Counted&);
  void add_log(const store::Batch&, const store::Log&, std::int64_t now_ms);
  std::int64_t origin(const store::Batch&, std::uint32_t place, std::int64_t now_ms);
  void find_out(std::int64_t now_ms);

  Database& db_;
  Dictionary dictionary_;
  Block block_;
  Rollup rollup_;
  Sessions sessions_;
  Series series_;
  std::int64_t next_span_ = 1, next_log_ = 1;
  std::vector<std::int64_t> origins_;  // of the batch at hand, by place; 0: not looked up yet
  std::string body_;
};

}  // namespace sockeye::sqlite
