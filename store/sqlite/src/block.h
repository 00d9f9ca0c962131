// The block that spans are being added to: the run of ids after the last finished one, with what can be searched for
// among them. It lives in memory until it is finished; a start, or a rollback, rebuilds it from its rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "columns.h"
#include "database.h"
#include "filter.h"
#include "sockeye/store/batch.h"

namespace sockeye::sqlite {

// Reads whole spans with ids from `first` to `last`, ascending. The batch holds one at a time.
using TakeSpan = std::function<void(const store::Batch&, const store::Span&, std::int64_t id, std::int64_t operation,
                                    std::int64_t origin, std::size_t size)>;
void each_span(Database& db, std::int64_t first, std::int64_t last, const TakeSpan& take);

class Block {
 public:
  explicit Block(Database& db) : db_(db) {}

  // A span just inserted as row `id`.
  void add(const store::Batch&, const store::Span&, const store::Figures&, std::int64_t id, std::int64_t operation,
           std::int64_t origin, std::size_t size, std::int64_t now_ms);
  [[nodiscard]] bool ready() const;
  [[nodiscard]] std::uint64_t spans() const { return spans_; }
  [[nodiscard]] std::int64_t oldest_ms() const { return oldest_ms_; }
  void finish(std::int64_t now_ms);  // into the table; the next begins
  // Reads what is there. Returns the highest id in use.
  std::int64_t rebuild(std::int64_t now_ms);
  // Makes the columns of one finished block that has none: those of an earlier schema. False: all have theirs.
  bool fill_in();
  [[nodiscard]] bool filled_in() const { return filled_in_; }

 private:
  void clear();
  void add_attributes(std::span<const store::Attribute>);
  void add_text(std::string_view key, std::string_view value);
  void add_fields(const store::Batch&, const store::Span&);
  void write_columns(std::int64_t block, const ColumnsWriter& columns, bool whole);

  Database& db_;
  TermSet terms_, origins_, shapes_;  // shapes: of spans whose terms are in already, but for their attributes
  ColumnsWriter columns_;
  bool whole_ = true;  // its ids have no gaps, as columns must have none
  std::string bits_, data_;
  bool filled_in_ = false;
  std::int64_t next_ = 1;  // its number
  std::int64_t first_ = 0, last_ = 0, oldest_ms_ = 0;
  std::int64_t min_start_ = INT64_MAX, max_start_ = 0;
  std::uint64_t max_duration_ = 0, spans_ = 0, bytes_ = 0;
};

}  // namespace sockeye::sqlite
