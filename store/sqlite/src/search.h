// Finds matching spans, latest start first, without an index for each thing that can be asked.
//
// First it walks the index of starts from the latest down, and looks into those rows whose block may hold a match: what
// is common is found at once. When that does not find enough soon, the filters of all blocks are asked, and the blocks
// that may hold a match are read, those with the latest start first, until none that is left can have a later one than
// the worst that was found: what is rare is in few blocks.
//
// Spans are only ever added, with ascending ids, so "those up to the id that was the highest when the first page was
// asked for" is a fixed set: pages neither skip nor repeat. When the time is over, what the walk found is a page of
// its own, and the next goes on from there; the blocks' finds are then found again.
#pragma once

#include <cstdint>
#include <vector>

#include "candidates.h"
#include "database.h"
#include "matcher.h"
#include "sockeye/store/cursor.h"

namespace sockeye::sqlite {

using store::Cursor;
using store::parse_cursor;
using store::to_text;

// Takes what is found, in any order, each once.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual void take(const Place& place, const base::TraceId& trace) = 0;
  // Nothing at `next` or earlier would be kept.
  [[nodiscard]] virtual bool enough(const Place& next) const = 0;
  [[nodiscard]] virtual bool by_trace() const = 0;  // take() looks at the trace
};

struct Found {
  bool complete = true;
  Place down_to;  // where not complete: nothing later than this is missing
};

class Search {
 public:
  Search(Database& db, Matcher& matcher, const Cursor& from)
      : db_(db), matcher_(matcher), from_(from), candidates_(db, matcher, from.top, from.after.start) {}
  [[nodiscard]] Found run(Collector& to);

 private:
  enum class End : std::uint8_t { all, enough, late, tired };

  End walk(Query& index, Collector& to);
  End walk_starts(Collector& to);
  End walk_session(Collector& to);
  End read_candidates(Collector& to);
  End read_rows(std::int64_t first, std::int64_t last, Collector& to);

  Database& db_;
  Matcher& matcher_;
  const Cursor from_;
  Candidates candidates_;
  Place reached_;  // by the walk
  std::size_t looked_at_ = 0, read_ = 0;
};

}  // namespace sockeye::sqlite
